"""Columns of numbers, small enough to be part of a page."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Packed", "differences", "ends_before", "pack"]

Packed = tuple[list[dict[str, Any]], str]
"""What the columns are (name, type, length), in their order, and their bytes as compressed base64."""

_TYPES = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32)
_LEVEL = 6


def pack(columns: dict[str, npt.NDArray[Any]]) -> Packed:
    """Return columns of whole numbers, each in the smallest type that holds it, for page/unpack.js.

    All first bytes of a column come first, then all second ones, because those look alike and compress well.
    """
    described, parts = [], []
    for name, column in columns.items():
        small = column.astype(_smallest(column))
        described.append({"name": name, "type": small.dtype.name, "length": len(small)})
        parts.append(small.view(np.uint8).reshape(len(small), small.itemsize).T.tobytes())
    return described, base64.b64encode(zlib.compress(b"".join(parts), _LEVEL)).decode()


def differences(column: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the first value and then the step to each further one."""
    return np.asarray(np.diff(column.astype(np.int64), prepend=0), np.int64)


def ends_before(end: npt.NDArray[np.int64], begins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each interval the end of the one before in its lane, 0 for the first one.

    `begins` says where each lane begins, and after the last one where it ends. A lane starts from zero again, so that
    what it holds does not depend on the one above.
    """
    before = np.append(0, end[:-1])[: len(end)]
    before[begins[:-1][begins[:-1] < len(end)]] = 0
    return before


def _smallest(column: npt.NDArray[Any]) -> type[np.generic]:
    if column.dtype.kind != "f" and len(column):
        low, high = int(column.min()), int(column.max())
        for kind in _TYPES:
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return kind
    # JavaScript's own number: whole up to 2**53, which no cycle count of a run reaches.
    return np.float64 if len(column) else np.uint8
