"""The work of a layer on the Panacea machine."""

from __future__ import annotations

from panacea_sim.machines.shared.slice_steps import SliceSteps
from panacea_sim.mapping.work import LayerWork

__all__ = ["PanaceaWork", "panacea_work"]


class PanaceaWork(SliceSteps):
    """What a layer asks of the PEAs: HO vectors of both operands are skipped, those of the activation compensated."""


def panacea_work(work: LayerWork) -> PanaceaWork:
    """Return the work as what it is: the layers of a program are planned by the builder that describes it."""
    assert isinstance(work, PanaceaWork)
    return work
