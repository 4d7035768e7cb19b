"""Rows of the trace as columns, with the codes that their log knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.trace.activity_log import KeptRows
from panacea_sim.units import IntArray

__all__ = ["UNKNOWN", "kept_rows"]

UNKNOWN = -1
"""What stands for a code of the evaluation until it is looked up."""


def kept_rows(rows: IntArray, lowest: int, codes: np.ndarray, code_of: Callable[[int], int]) -> KeptRows:
    """Return rows of an owner as columns of their own.

    `codes` holds the code in the log for each code of the evaluation from `lowest` on; what is UNKNOWN is asked of
    `code_of`, the lowest first, and kept there.
    """
    kept = KeptRows(np.empty(len(rows), np.int32), np.empty(len(rows), np.int64), np.empty(len(rows), np.int32))
    done = _fill(rows, 0, lowest, codes, *kept)
    if done < len(rows):
        for code in np.unique(rows[done:, 0]).tolist():
            if codes[code - lowest] == UNKNOWN:
                codes[code - lowest] = code_of(code)
        _fill(rows, done, lowest, codes, *kept)
    return kept


@entry
def _fill(  # columns of their own types
    rows: IntArray,
    first: int,
    lowest: int,
    codes: np.ndarray,
    code_out: np.ndarray,
    end_out: np.ndarray,
    firing_out: np.ndarray,
) -> int:
    """Fill the columns from a row on, and return the row that has an unknown code; how many there are without one."""
    for row in range(first, len(rows)):
        code = codes[rows[row, 0] - lowest]
        if code == UNKNOWN:
            return row
        code_out[row] = code
        end_out[row] = rows[row, 2]
        firing_out[row] = rows[row, 3]
    return len(rows)
