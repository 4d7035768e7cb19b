"""Integer arithmetic and unit conversion: the only place where units change."""

from __future__ import annotations

from functools import lru_cache
from typing import overload

import numpy as np
import numpy.typing as npt

__all__ = [
    "BITS_PER_BYTE",
    "KIB",
    "FloatArray",
    "IntArray",
    "bits_to_bytes",
    "ceil_div",
    "cycles_to_ns",
    "cycles_to_ps",
    "cycles_to_seconds",
    "duration_text",
    "energy_text",
    "kept",
    "narrow",
    "repeated",
    "signed_type",
]

BITS_PER_BYTE = 8
KIB = 1024

_THOUSAND = 1000

FloatArray = npt.NDArray[np.float64]
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


def duration_text(seconds: float) -> str:
    """Return a duration for people: four digits in s, ms, µs or ns, the greatest unit of which it has one."""
    for unit, in_unit in (("ns", seconds * 1e9), ("µs", seconds * 1e6), ("ms", seconds * 1e3)):
        if round(in_unit, 1) < _THOUSAND:
            return f"{in_unit:#.4g} {unit}" if in_unit else "0 s"
    return f"{seconds:#.4g} s" if round(seconds, 1) < _THOUSAND else f"{seconds:,.0f} s"


def energy_text(pj: float) -> str:
    """Return an energy for people: four digits in J, mJ, µJ, nJ or pJ, the greatest unit of which it has one."""
    for unit, in_unit in (("pJ", pj), ("nJ", pj / 1e3), ("µJ", pj / 1e6), ("mJ", pj / 1e9)):
        if round(in_unit, 1) < _THOUSAND:
            return f"{in_unit:#.4g} {unit}" if in_unit else "0 J"
    return f"{pj / 1e12:#.4g} J" if round(pj / 1e12, 1) < _THOUSAND else f"{pj / 1e12:,.0f} J"


def cycles_to_ns(cycles: IntArray, clock_hz: int) -> IntArray:
    """Return times in ns, rounded down to whole ones, which keeps their order; exact at 1 GHz."""
    return _scaled(cycles, clock_hz, 3)


def cycles_to_ps(cycles: IntArray, clock_hz: int) -> IntArray:
    """Return times in ps, rounded down to whole ones, which keeps their order; exact if the period is whole."""
    return _scaled(cycles, clock_hz, 4)


def _scaled(cycles: IntArray, clock_hz: int, thousands: int) -> IntArray:
    """Return cycles * 1000**thousands // clock_hz by steps, because the product would not fit 64 bits."""
    whole, rest = np.divmod(np.asarray(cycles, np.int64), clock_hz)
    for _ in range(thousands):
        more, rest = np.divmod(rest * 1000, clock_hz)
        whole = whole * 1000 + more
    return whole


def narrow(values: IntArray) -> IntArray:
    """Return whole numbers in 32 bits where all of them fit and half of the range is left, otherwise as they are.

    Long arrays are kept so: one number more or less, or a factor of two, is still right.
    """
    if values.dtype == np.int32 or not values.size or not any(values.strides):
        return values  # one number for all entries takes no memory
    largest = max(abs(int(values.max(initial=0))), abs(int(values.min(initial=0))))
    narrowed: IntArray = values.astype(np.int32, copy=False) if largest < _NARROW else values
    return narrowed


def kept(values: IntArray) -> IntArray:
    """Return an array that several share, which can be written to by none of them from here on."""
    values.setflags(write=False)
    return values


@lru_cache(maxsize=256)
def repeated(value: int, length: int) -> IntArray:
    """Return an array of one number that takes no memory; it cannot be written to."""
    return np.broadcast_to(np.int64(value), length)


_NARROW = 1 << 30


def signed_type(largest: int) -> type[np.signedinteger]:
    """Return the smallest signed integer type, of 16 bits or more, that holds -`largest` to `largest`."""
    return next(kind for kind, most in _SIGNED.items() if largest <= most)


_SIGNED = {kind: int(np.iinfo(kind).max) for kind in (np.int16, np.int32, np.int64)}
