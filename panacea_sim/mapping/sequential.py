"""Products that need all of the one before: the steps of an LSTM or GRU."""

from __future__ import annotations

import numpy as np

from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.mapping.waits import writes_until
from panacea_sim.units import IntArray
from panacea_sim.workload.link import Link, Operand
from panacea_sim.workload.written_format import form_read

__all__ = ["own_outputs_needed"]


def own_outputs_needed(plan: LayerPlan, operand: Operand, tiles: int) -> IntArray:
    """Return how many writes of its own layer must be over before each of the `tiles` of an operand is read.

    Only activations of a sequential layer need any: those of a product all outputs of the product before it, in the
    format in which they are read.
    """
    tiling = plan.work.tiling
    if operand != "x" or not plan.work.sequential:
        return np.zeros(tiles, np.int64)
    form = form_read(Link("x", "all"), plan.work.weight_bits, plan.work.activation_bits)
    last = writes_until(plan, form)[:: tiling.m_tiles, -1]  # 0, and the last tile of each product
    return np.repeat(last[:-1], tiles // tiling.repeat)
