"""How many intervals a part of a timeline has, for pages that do not hold them."""

from __future__ import annotations

import numpy as np

from panacea_sim.trace.column_batches import column_batches
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within
from panacea_sim.units import IntArray

__all__ = ["interval_counts"]


def interval_counts(run: StoredRun, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Return for each stretch between `edges` how many intervals begin in it, and how many end in it.

    Of the intervals that overlap the edges, those that begin earlier count in the first stretch and those that end
    later in the last one. A beginning at an edge counts after it, an end before it.
    """
    stretches = len(edges) - 1
    begun, ended = np.zeros(stretches, np.int64), np.zeros(stretches, np.int64)
    window = int(edges[0]), int(edges[-1])
    for batch in column_batches(run, "activities", ["start_cycle", "end_cycle"], within(window)):
        start, end = batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy()
        first = np.clip(np.searchsorted(edges, start, side="right") - 1, 0, stretches - 1)
        last = np.clip(np.searchsorted(edges, end, side="left") - 1, 0, stretches - 1)
        begun += np.bincount(first, minlength=stretches)
        ended += np.bincount(last, minlength=stretches)
    return begun, ended
