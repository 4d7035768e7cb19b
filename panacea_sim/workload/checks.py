"""Checks of operands and their quantization, shared by layers and files of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError, with_article
from panacea_sim.quant.slicing import LO_BITS, SLICE_BITS, activation_ho_factors

__all__ = [
    "FloatArray",
    "require_channel_scales",
    "require_float_vector",
    "require_frequent",
    "require_integer",
    "require_lo_bits",
    "require_operand",
    "require_scale",
    "require_share",
    "require_width",
]

FloatArray = npt.NDArray[np.float64]

_DBS_BITS = 8
_MATRIX_RANK = 2
_MAX_SLICE = (1 << SLICE_BITS) - 1


def require_integer(field: str, value: object, lowest: int, highest: int | None = None) -> int:
    """Return `value` as an int; raises ConfigError if it is no whole number (a bool is none) or out of range."""
    accepted = f"a whole number >= {lowest}" if highest is None else f"a whole number in {lowest} .. {highest}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ConfigError(field, repr(value), accepted)
    if value < lowest or (highest is not None and value > highest):
        raise ConfigError(field, int(value), accepted)
    return int(value)


def require_width(field: str, value: object, accepted: Sequence[int], hint: str = "") -> int:
    """Return a width in bits as an int; raises ConfigError unless it is one of `accepted`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value not in accepted:
        raise ConfigError(field, repr(value), ", ".join(map(str, accepted)), hint)
    return int(value)


def require_operand(field: str, array: object, dtypes: Sequence[str], bounds: tuple[int, int]) -> npt.NDArray[Any]:
    """Return `array` if it is a non-empty matrix of one of `dtypes` with values in `bounds`.

    Raises ConfigError for another type, rank or dtype, an empty dimension, or a value out of bounds (with position).
    """
    accepted = f"a matrix of {' or '.join(dtypes)}"
    if not isinstance(array, np.ndarray):
        raise ConfigError(field, with_article(type(array).__name__), accepted)
    if array.dtype.name not in dtypes:
        raise ConfigError(field, f"dtype {array.dtype}", accepted, "Quantize it, or convert it with astype")
    if array.ndim != _MATRIX_RANK:
        raise ConfigError(field, f"{array.ndim} dimensions, shape {array.shape}", f"{accepted}, 2 dimensions")
    if array.size == 0:
        raise ConfigError(field, f"an empty dimension, shape {array.shape}", "dimensions >= 1")
    lowest, highest = bounds
    outside = (array < lowest) | (array > highest)
    if outside.any():
        row, column = (int(index) for index in np.unravel_index(int(outside.argmax()), array.shape))
        hint = f"Values out of range: {int(outside.sum())}. Clip them or set {field}_bits"
        raise ConfigError(field, f"{array[row, column]} at [{row}, {column}]", f"{lowest} .. {highest}", hint)
    return array


def require_scale(field: str, value: object) -> float:
    """Return `value` as a float; raises ConfigError unless it is one finite number > 0."""
    numbers = _real_numbers(field, value)
    if numbers.ndim != 0:
        raise ConfigError(field, f"shape {numbers.shape}", "one number")
    _require_positive(field, numbers)
    return float(numbers)


def require_channel_scales(field: str, value: object, length: int) -> float | FloatArray:
    """Return one scale, or one for each of `length` rows; raises ConfigError unless all are finite and > 0."""
    numbers = _real_numbers(field, value)
    if numbers.ndim == 0:
        return require_scale(field, value)
    if numbers.shape != (length,):
        raise ConfigError(field, f"shape {numbers.shape}", f"one number, or shape ({length},): one for each row")
    _require_positive(field, numbers)
    return numbers


def require_float_vector(field: str, value: object, length: int) -> FloatArray:
    """Return `value` as float64 [length]; raises ConfigError for another shape or a number that is not finite."""
    numbers = _real_numbers(field, value)
    if numbers.shape != (length,):
        raise ConfigError(field, f"shape {numbers.shape}", f"shape ({length},): one number for each row")
    if not np.isfinite(numbers).all():
        position = int((~np.isfinite(numbers)).argmax())
        raise ConfigError(field, f"{numbers[position]} at [{position}]", "finite numbers")
    return numbers


def require_lo_bits(field: str, value: object, bits: int) -> int:
    """Return the width of the LO field of `bits`-bit activations; raises ConfigError if it is not accepted."""
    if bits == _DBS_BITS:
        return require_width(field, value, LO_BITS)
    hint = f"Only {_DBS_BITS}-bit activations can have a wider LO field, these have {bits} bits"
    return require_width(field, value, (SLICE_BITS,), hint)


def require_frequent(field: str, r: object, bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return r as a tuple; raises ConfigError unless it has one 4-bit value for each HO slice."""
    slices = len(activation_ho_factors(bits, lo_bits))
    accepted = f"{slices} whole numbers in 0 .. {_MAX_SLICE}, one for each HO slice"
    if not isinstance(r, tuple) or len(r) != slices:
        raise ConfigError(field, repr(r), accepted, f"{bits}-bit activations have {slices} HO slices")
    return tuple(require_integer(field, value, 0, _MAX_SLICE) for value in r)


def _real_numbers(field: str, value: object) -> FloatArray:
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiu":
        raise ConfigError(field, repr(value), "real numbers")
    return numbers.astype(np.float64)


def _require_positive(field: str, numbers: FloatArray) -> None:
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    if bad.any():
        position = int(bad.argmax())
        where = f" at [{position}]" if numbers.ndim else ""
        raise ConfigError(field, f"{numbers.flat[position]}{where}", "finite numbers > 0")


def require_share(field: str, value: object) -> float:
    """Return a share as a plain float; raises ConfigError unless it is a number in 0 .. 1."""
    accepted = "a number in 0 .. 1"
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise ConfigError(field, repr(value), accepted)
    if not 0 <= value <= 1:
        raise ConfigError(field, value, accepted)
    return float(value)
