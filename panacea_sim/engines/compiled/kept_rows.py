"""The rows of the trace for an explanation alone: sorted by their owners without a detour over tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panacea_sim.engines.compiled.columns import CONTENDED, IDLE
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.trace.activity_log import ActivityLog, KeptRows
from panacea_sim.trace.schema import GAP_REASONS
from panacea_sim.units import IntArray

__all__ = ["RowSorter"]


class RowSorter:
    """Hands rows of the trace to the logs of their owners, which keep them.

    The first `components` of the logs are those of components, whose idle rows are left out: they are known better at
    the end. `slots` and `ports` say how many codes there are, see columns.CONTENDED.
    """

    def __init__(self, logs: list[ActivityLog], components: int, slots: int, ports: int) -> None:
        self._logs, self._components = logs, components
        channels, reasons = len(logs) - components, len(GAP_REASONS)
        self._lowest = CONTENDED - max(channels * (ports + reasons), (1 + reasons) * ports)
        self._codes = np.full((len(logs), slots - self._lowest), -1, np.int32)

    def add(self, rows: IntArray, code_of: Callable[[int, int], int]) -> None:
        """Add rows of the trace, those of each owner in order of time.

        `code_of` returns the code in a log, by its number, for one of the evaluation.
        """
        counts = np.zeros(len(self._logs), np.int64)
        seen = np.zeros(self._codes.shape, np.bool_)
        _count(rows, self._components, self._lowest, counts, seen)
        for owner, code in np.argwhere(seen & (self._codes < 0)).tolist():
            self._codes[owner, code] = code_of(owner, code + self._lowest)
        ends = np.cumsum(counts)
        kept = KeptRows(np.empty(ends[-1], np.int32), np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int32))
        _sort(rows, self._components, self._lowest, self._codes, ends - counts, *kept)
        for log, first, end in zip(self._logs, (ends - counts).tolist(), ends.tolist(), strict=True):
            if first < end:
                log.kept.append(KeptRows(*(column[first:end] for column in kept)))


@entry
def _count(rows: IntArray, components: int, lowest: int, counts: IntArray, seen: np.ndarray) -> None:
    """Count the rows of each owner, and note which codes it has."""
    for row in range(len(rows)):
        owner, code = rows[row, 0], rows[row, 1]
        if code != IDLE or owner >= components:
            counts[owner] += 1
            seen[owner, code - lowest] = True


@entry
def _sort(  # noqa: PLR0913, PLR0917  # columns of their own types
    rows: IntArray,
    components: int,
    lowest: int,
    codes: np.ndarray,
    at: IntArray,
    code_out: np.ndarray,
    end_out: np.ndarray,
    firing_out: np.ndarray,
) -> None:
    """Write each row to where its owner's next one stands."""
    for row in range(len(rows)):
        owner, code = rows[row, 0], rows[row, 1]
        if code != IDLE or owner >= components:
            place = at[owner]
            at[owner] += 1
            code_out[place] = codes[owner, code - lowest]
            end_out[place] = rows[row, 3]
            firing_out[place] = rows[row, 4]
