"""A batch: layers of one shape that run each alone, from cycle 0, but are planned together.

The plan of a batch has the tiles and the firings of one layer behind those of the layer before, as many of each, and
refers to nothing beyond a layer.
"""

from __future__ import annotations

import numpy as np

from panacea_sim.mapping.order import TaskSequence, Visits
from panacea_sim.mapping.partial_sums import PartialSums
from panacea_sim.units import IntArray, narrow

__all__ = ["partial_sums_of_batch", "tasks_of_batch", "visits_of_batch"]


def tasks_of_batch(one: TaskSequence, batch: int, stacks: int) -> TaskSequence:
    """Return the tasks of so many layers, from those of one, which has so many stacks."""
    return TaskSequence(
        one.order, one.trips, _behind(one.stack, batch, stacks), np.tile(one.n, batch), np.tile(one.k, batch)
    )


def visits_of_batch(one: Visits, batch: int, m_tiles: int) -> Visits:
    """Return the visits of so many layers, from those of one, which has so many m tiles."""
    return Visits(
        np.tile(one.last_task, batch),
        _behind(one.m, batch, m_tiles),
        np.tile(one.n, batch),
        np.tile(one.first, batch),
        np.tile(one.last, batch),
        _behind(one.before, batch, len(one.m)),
    )


def partial_sums_of_batch(one: PartialSums, batch: int, visits: int) -> PartialSums:
    """Return the firings of `s_dma` for so many layers, from those of one, which has so many visits."""
    return PartialSums(
        _behind(one.visit, batch, visits),
        np.tile(one.is_return, batch),
        np.tile(one.moved_bytes, batch),
        np.tile(one.held_bytes, batch),
        # They count firings: 0 stands for none.
        _behind(one.after - 1, batch, one.firings) + 1,
        _behind(one.fetch_of, batch, one.firings),
        np.tile(one.returned, batch),
        one.spills,
    )


def _behind(index: IntArray, batch: int, count: int) -> IntArray:
    """Return the indices of all layers, each of which has `count` of what they refer to; negative ones stay."""
    before = np.arange(batch)[:, None] * count
    return narrow(np.where(index < 0, index, index + before).ravel())
