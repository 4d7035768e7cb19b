"""The work of layers on the Panacea machine, made without a layer."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.panacea.work import PanaceaWork
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.mapping.outputs import dense_outputs
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray
from panacea_sim.workload.layer import Layer

__all__ = ["given_steps", "layer_work", "panacea_work"]


def layer_work(tiling: SlicedTiling, masks: SkipMasks) -> PanaceaWork:
    """Return the work of a layer with these masks and dense outputs."""
    return PanaceaWork(tiling, dense_outputs(tiling), None, masks)


def panacea_work(layer: Layer, hardware: Hardware) -> LayerWork:
    """Return the work of a layer without its numbers."""
    return MACHINE.work(layer, hardware, None)


@dataclass(frozen=True, eq=False)
class _GivenWork(PanaceaWork):
    """Work whose steps are given."""

    dwo: IntArray
    swo: IntArray
    cs: IntArray


def given_steps(tiling: SlicedTiling, masks: SkipMasks, steps: tuple[IntArray, IntArray, IntArray]) -> PanaceaWork:
    """Return work with these DWO, SWO and CS steps, [m, PEA, n, k] each."""
    return _GivenWork(tiling, dense_outputs(tiling), None, masks, *steps)
