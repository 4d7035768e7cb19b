"""Room for rows that come bit by bit and are all kept for a while."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Room"]

_FIRST_BYTES, _MOST_BYTES = 1 << 20, 16 << 20
"""Each block is twice as large as the one before: large ones come in large pages of the host, which take less time than
many small ones, and a run that keeps little is served by memory that the process had before.
"""


class Room:
    """Hands out arrays that stand one behind the other in large blocks; a block lives as long as one of them."""

    def __init__(self, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self._dtype, self._shape = np.dtype(dtype), () if width is None else (width,)
        self._row_bytes = self._dtype.itemsize * (width or 1)
        self._block_bytes = _FIRST_BYTES
        self._block = np.empty((0, *self._shape), self._dtype)

    def rows(self, count: int) -> np.ndarray:
        """Return an array of so many rows, of which the first may be claimed; the next call gives the others again."""
        if count > len(self._block):
            self._block = np.empty((max(count, self._block_bytes // self._row_bytes), *self._shape), self._dtype)
            self._block_bytes = min(2 * self._block_bytes, _MOST_BYTES)
        return self._block[:count]

    def claim(self, count: int) -> np.ndarray:
        """Return the first rows for good."""
        claimed, self._block = self._block[:count], self._block[count:]
        return claimed
