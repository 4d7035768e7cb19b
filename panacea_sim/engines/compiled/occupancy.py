"""How full a memory was, from the times at which its space was acquired and released."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panacea_sim.description.description import Description
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.units import IntArray

__all__ = ["high_water", "high_waters", "moved_bytes"]


def high_water(
    acquired_cycle: IntArray, acquired_bytes: IntArray, released_cycle: IntArray, released_bytes: IntArray
) -> int:
    """Return the most bytes that the end of any cycle found held; both cycles are in order of time."""
    # Other widths would be compiled once more.
    times_and_bytes = (acquired_cycle, acquired_bytes, released_cycle, released_bytes)
    return int(_high_water(*(np.ascontiguousarray(each, np.int64) for each in times_and_bytes)))


@entry
def _high_water(
    acquired_cycle: IntArray, acquired_bytes: IntArray, released_cycle: IntArray, released_bytes: IntArray
) -> int:
    highest = held = back = 0
    for taken in range(len(acquired_cycle)):
        # What comes back in the cycle of an acquisition is not there at its end.
        while back < len(released_cycle) and released_cycle[back] <= acquired_cycle[taken]:
            held -= released_bytes[back]
            back += 1
        held += acquired_bytes[taken]
        highest = max(highest, held)
    return highest


def high_waters(
    acquired_cycle: IntArray, acquired_bytes: IntArray, released_cycle: Sequence[IntArray], released_bytes: IntArray
) -> IntArray:
    """Return the same for each of several runs.

    Acquisitions are [run, acquisition], their bytes one run behind the other; so are the bytes that runs release.
    """
    released_at = np.cumsum([len(each) for each in released_cycle])[:-1]
    by_run = zip(
        acquired_cycle,
        acquired_bytes.reshape(acquired_cycle.shape),
        released_cycle,
        np.split(released_bytes, released_at),
        strict=True,
    )
    return np.array([high_water(*each) for each in by_run])


def moved_bytes(description: Description, memory: str) -> tuple[IntArray, IntArray]:
    """Return the bytes of all acquisitions and of all releases of a memory."""
    wiring, parts = description.wiring, description.components
    acquirer, releaser = (parts[wiring.number[end[memory]]] for end in (wiring.consumer, wiring.producer))
    return (
        next(each.size_bytes for each in acquirer.acquires if each.memory == memory),
        next(each.size_bytes for each in releaser.releases if each.memory == memory),
    )
