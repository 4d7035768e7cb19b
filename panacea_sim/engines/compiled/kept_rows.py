"""Rows of the trace as columns, with the codes that their log knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panacea_sim.engines.compiled.columns import NONE
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.trace.activity_log import KeptRows
from panacea_sim.trace.room import Room
from panacea_sim.units import IntArray

__all__ = ["UNKNOWN", "KeptRowsRoom"]

UNKNOWN = -1
"""What stands for a code of the evaluation until it is looked up."""


class KeptRowsRoom:
    """Turns rows of the evaluation into those that are kept, one owner's after the other's."""

    def __init__(self) -> None:
        self._code, self._end = Room(np.int32), Room(np.int64)

    def kept_rows(
        self, rows: IntArray, since: int, busy: int, lowest: int, codes: np.ndarray, code_of: Callable[[int], int]
    ) -> KeptRows:
        """Return rows of an owner as columns of their own.

        Of a component that serves they may lack its services: all cycles between them, from `since` on, become rows of
        the code `busy`, which is NONE for other owners. `codes` holds the code in the log for each code of the
        evaluation from `lowest` on; what is UNKNOWN is asked of `code_of`, the lowest first, and kept there.
        """
        most = len(rows) if busy == NONE else 2 * len(rows)
        columns = self._code.rows(most), self._end.rows(most)
        count = _fill(rows, since, busy, lowest, codes, *columns)
        if count == UNKNOWN:
            for code in np.unique(rows[:, 0]).tolist():
                if codes[code - lowest] == UNKNOWN:
                    codes[code - lowest] = code_of(code)
            count = _fill(rows, since, busy, lowest, codes, *columns)
        return KeptRows(self._code.claim(count), self._end.claim(count))


@entry
def _fill(  # rows, what they become, and columns of their own types
    rows: IntArray, since: int, busy: int, lowest: int, codes: np.ndarray, code_out: np.ndarray, end_out: np.ndarray
) -> int:
    """Fill the columns and return how many rows there are, UNKNOWN where a code is."""
    count, now = 0, since
    for row in range(len(rows)):
        code = codes[rows[row, 0] - lowest]
        if code == UNKNOWN:
            return UNKNOWN
        if busy != NONE and rows[row, 1] > now:
            code_out[count], end_out[count] = busy, rows[row, 1]
            count += 1
        now = rows[row, 2]
        code_out[count], end_out[count] = code, now
        count += 1
    return count
