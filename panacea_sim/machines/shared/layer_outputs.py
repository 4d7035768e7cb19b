"""What a layer writes for those who read it, and for a vector stage behind it."""

from __future__ import annotations

from panacea_sim.hardware.config import Hardware
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.mapping.stage import RAW_BYTES, StageWork
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["layer_outputs", "ppu_passes"]


def layer_outputs(
    tiling: Tiling, layer: Layer, hardware: Hardware, results: OutputBytes
) -> tuple[OutputBytes, StageWork | None]:
    """Return what the layer itself writes, and the stage that follows with its results; `results` is what others read.

    A layer with a vector stage behind it writes raw outputs, and the stage writes the results.
    """
    if not isinstance(layer, MaskedLayer) or hardware.vector != "unfused" or not layer.feeds_stage:
        return results, None
    stage = None if layer.stage is None else StageWork(layer.stage, results)
    return dense_outputs(tiling, RAW_BYTES), stage


def ppu_passes(layer: Layer, hardware: Hardware) -> int:
    """Return how often each output passes the PPU on its way out, vector work included where that is no stage."""
    stays = hardware.vector == "fused" or (hardware.vector == "unfused" and layer.sequential)
    return layer.passes if stays else 1
