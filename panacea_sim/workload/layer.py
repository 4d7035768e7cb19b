"""A layer of a run: with operands in memory or in a file, or with skip masks only."""

from __future__ import annotations

from typing import TypeAlias

from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer_file import LayerFile
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["AnyLayer", "Layer", "loaded"]

Layer: TypeAlias = GemmLayer | MaskedLayer
"""A layer that can run."""

AnyLayer: TypeAlias = Layer | LayerFile
"""A layer whose name, sizes, output and source are known, if not yet its operands."""


def loaded(layer: AnyLayer) -> Layer:
    """Return the layer with its operands; raises ConfigError as `LayerFile.load` does."""
    return layer.load() if isinstance(layer, LayerFile) else layer
