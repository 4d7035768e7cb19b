"""Integer arithmetic and unit conversion: the only place where units change."""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

__all__ = ["BITS_PER_BYTE", "KIB", "IntArray", "bits_to_bytes", "ceil_div", "cycles_to_seconds", "signed_type"]

BITS_PER_BYTE = 8
KIB = 1024

IntArray = npt.NDArray[np.int64]


@overload
def ceil_div(dividend: int, divisor: int) -> int: ...
@overload
def ceil_div(dividend: IntArray, divisor: int) -> IntArray: ...
def ceil_div(dividend: int | IntArray, divisor: int) -> int | IntArray:
    """Return `dividend / divisor` rounded up, exactly, for whole numbers or arrays of them."""
    return -(-dividend // divisor)


@overload
def bits_to_bytes(bits: int) -> int: ...
@overload
def bits_to_bytes(bits: IntArray) -> IntArray: ...
def bits_to_bytes(bits: int | IntArray) -> int | IntArray:
    """Return the whole bytes that hold `bits` bits."""
    return ceil_div(bits, BITS_PER_BYTE)


def cycles_to_seconds(cycles: int, clock_hz: float) -> float:
    """Return the duration of `cycles` at `clock_hz`, in seconds."""
    return cycles / clock_hz


def signed_type(largest: int) -> type[np.signedinteger]:
    """Return the smallest signed integer type, of 16 bits or more, that holds -`largest` to `largest`."""
    return next(kind for kind in (np.int16, np.int32, np.int64) if largest <= np.iinfo(kind).max)
