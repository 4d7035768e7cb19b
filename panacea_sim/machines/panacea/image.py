"""Where the weight tiles of stacks lie in the DRAM image of a program."""

from __future__ import annotations

import numpy as np

from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.units import IntArray

__all__ = ["weight_addresses"]


def weight_addresses(planned: PlannedLayer) -> IntArray:
    """Return the address of every weight tile [m, k]: those of a stack lie behind each other."""
    height, sizes, tiling = planned.plan.height, planned.plan.work.weight.total, planned.plan.work.tiling
    m = np.arange(len(sizes))
    stack = tiling.stack_of(m, height)
    place = m - tiling.first_m(stack, height)
    address: IntArray = planned.layout.weight[stack]
    for above in range(1, height):
        upper = np.flatnonzero(place == above)
        address[upper] = address[upper - 1] + sizes[upper - 1]
    return address
