"""How full a memory was, from the times at which its space was acquired and released."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panacea_sim.description.description import Description
from panacea_sim.units import IntArray

__all__ = ["high_water", "high_waters", "moved_bytes"]

_BLOCK = 1 << 16
"""Acquisitions whose occupancy is found at once."""


def high_water(
    acquired_cycle: IntArray, acquired_bytes: IntArray, released_cycle: IntArray, released_bytes: IntArray
) -> int:
    """Return the most bytes that the end of any cycle found held; both cycles are in order of time."""
    highest, taken_bytes, back_bytes, back = 0, 0, 0, 0
    for first in range(0, len(acquired_cycle), _BLOCK):
        block = slice(first, first + _BLOCK)
        taken = taken_bytes + np.cumsum(acquired_bytes[block])
        # Of the acquisitions of one cycle the last finds the most, and what comes back in that cycle is not there.
        gone = np.searchsorted(released_cycle, acquired_cycle[block], side="right")
        given_back = back_bytes + np.append(0, np.cumsum(released_bytes[back : gone[-1]]))
        highest = max(highest, int((taken - given_back[np.maximum(gone - back, 0)]).max()))
        taken_bytes, back_bytes, back = int(taken[-1]), int(given_back[-1]), int(gone[-1])
    return highest


def high_waters(
    acquired_cycle: IntArray, acquired_bytes: IntArray, released_cycle: Sequence[IntArray], released_bytes: IntArray
) -> IntArray:
    """Return the same for each of several runs that end with nothing held.

    Both arrays of acquisitions are [run, acquisition]; releases are those of each run, and all of them in bytes.
    """
    runs = len(acquired_cycle)
    if not acquired_cycle.size:
        return np.zeros(runs, np.int64)
    # Runs that are put behind each other are looked at together.
    apart = max(int(acquired_cycle.max()), *(int(each.max(initial=0)) for each in released_cycle)) + 1
    released = np.concatenate([each + number * apart for number, each in enumerate(released_cycle)])
    gone = np.searchsorted(released, acquired_cycle + np.arange(runs)[:, None] * apart, side="right")
    taken = np.cumsum(acquired_bytes).reshape(runs, -1)
    highest: IntArray = (taken - np.append(0, np.cumsum(released_bytes))[gone]).max(1)
    return highest


def moved_bytes(description: Description, memory: str) -> tuple[IntArray, IntArray]:
    """Return the bytes of all acquisitions and of all releases of a memory."""
    wiring, parts = description.wiring, description.components
    acquirer, releaser = (parts[wiring.number[end[memory]]] for end in (wiring.consumer, wiring.producer))
    return (
        next(each.size_bytes for each in acquirer.acquires if each.memory == memory),
        next(each.size_bytes for each in releaser.releases if each.memory == memory),
    )
