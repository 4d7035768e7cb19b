"""Rows of the trace as columns, with the codes that their log knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panacea_sim.engines.compiled.columns import NONE
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.trace.activity_log import KeptRows
from panacea_sim.units import IntArray

__all__ = ["UNKNOWN", "kept_rows"]

UNKNOWN = -1
"""What stands for a code of the evaluation until it is looked up."""


def kept_rows(
    rows: IntArray, since: int, busy: int, lowest: int, codes: np.ndarray, code_of: Callable[[int], int]
) -> KeptRows:
    """Return rows of an owner as columns of their own.

    Of a component that serves they may lack its services: all cycles between them, from `since` on, become rows of the
    code `busy`, which is NONE for other owners. `codes` holds the code in the log for each code of the evaluation from
    `lowest` on; what is UNKNOWN is asked of `code_of`, the lowest first, and kept there.
    """
    room = len(rows) if busy == NONE else 2 * len(rows)
    kept = KeptRows(np.empty(room, np.int32), np.empty(room, np.int64))
    count = _fill(rows, since, busy, lowest, codes, *kept)
    if count == UNKNOWN:
        for code in np.unique(rows[:, 0]).tolist():
            if codes[code - lowest] == UNKNOWN:
                codes[code - lowest] = code_of(code)
        count = _fill(rows, since, busy, lowest, codes, *kept)
    return KeptRows(kept.code[:count], kept.end_cycle[:count])


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
