"""Which tile group each firing works for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.mapping.loads import Loads
from panacea_sim.units import IntArray

__all__ = ["NO_GROUP", "firing_groups", "group_offsets"]

NO_GROUP = -1
"""The number of a group that stands for none."""


def group_offsets(program: Program) -> IntArray:
    """Return the number of the first group of each layer, and behind them how many groups there are.

    Groups are numbered by layer, stack and n tile.
    """
    counts = [layer.plan.work.tiling.all_stacks(layer.plan.height) * _n_tiles(layer) for layer in program.layers]
    return np.cumsum([0, *counts])


def firing_groups(program: Program, labels: TileLabels | None, firings: int) -> IntArray:
    """Return the number of the group of each firing that has these labels, NO_GROUP for a firing that is for none.

    The tile m, n of a firing lies in a group. A fetch of an operand, which has only one of the two, is for the group of
    the first task that needs it.
    """
    groups = np.full(firings, NO_GROUP)
    if labels is None:
        return groups
    offsets, windows = group_offsets(program), np.searchsorted(labels.layer, np.arange(len(program.layers) + 1))
    for number, (layer, (first, end)) in enumerate(zip(program.layers, pairwise(windows.tolist()), strict=True)):
        if labels is program.weight_load_labels:
            found = _first_group(layer, layer.plan.weight_loads)
        elif labels is program.activation_load_labels:
            found = _first_group(layer, layer.plan.activation_loads)
        else:
            m, n = (axis[first:end].astype(np.int64) for axis in (labels.m, labels.n))
            found = layer.plan.work.tiling.stack_of(m, layer.plan.height) * _n_tiles(layer) + n
            found = np.where((m == NO_TILE) | (n == NO_TILE), NO_GROUP, found)
        groups[first:end] = np.where(found == NO_GROUP, NO_GROUP, found + offsets[number])
    return groups


def _first_group(layer: PlannedLayer, loads: Loads) -> IntArray:
    """Return for each fetch the group, within the layer, of the first task that needs it."""
    tasks = layer.plan.tasks
    needed, first_task = np.unique(loads.need, return_index=True)
    found = np.full(len(loads.tile), NO_GROUP)
    found[needed] = tasks.stack[first_task].astype(np.int64) * _n_tiles(layer) + tasks.n[first_task]
    return found


def _n_tiles(layer: PlannedLayer) -> int:
    return layer.plan.work.tiling.n_tiles
