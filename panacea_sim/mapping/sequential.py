"""Products that need all of the one before: the steps of an LSTM or GRU."""

from __future__ import annotations

import numpy as np

from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.units import IntArray
from panacea_sim.workload.link import Operand

__all__ = ["own_outputs_needed"]


def own_outputs_needed(plan: LayerPlan, operand: Operand, tiles: int) -> IntArray:
    """Return how many output tiles of its own layer must have been written before each of the `tiles` of an operand.

    Only activations of a sequential layer need any: those of a product all outputs of the products before it, which are
    written first, product after product.
    """
    tiling = plan.work.tiling
    if operand != "x" or not plan.work.sequential:
        return np.zeros(tiles, np.int64)
    return np.repeat(np.arange(tiling.repeat) * (plan.output_count // tiling.repeat), tiles // tiling.repeat)
