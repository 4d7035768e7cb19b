"""Bit slices: how quantized weights and activations split into the 4-bit pieces that the multipliers take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError
from panacea_sim.units import IntArray

__all__ = [
    "ACTIVATION_BITS",
    "LO_BITS",
    "SLICE_BITS",
    "WEIGHT_BITS",
    "ActivationSlices",
    "AnyIntArray",
    "WeightSlices",
    "activation_ho_factors",
    "frequent_slices",
    "mode_slices",
    "slice_activations",
    "slice_weights",
    "truncate",
    "weight_ho_factors",
]

AnyIntArray = npt.NDArray[np.integer[Any]]

SLICE_BITS = 4
WEIGHT_BITS = (4, 7, 10)
ACTIVATION_BITS = (4, 8, 12)
LO_BITS = (4, 5, 6)

_DBS_BITS = 8
_SIGNED_RADIX_BITS = SLICE_BITS - 1
_SLICE_MASK = (1 << SLICE_BITS) - 1


@dataclass(frozen=True, eq=False)
class WeightSlices:
    """The signed slices of a weight matrix: `W = lo + sum(factor * slice)` over the HO slices.

    `lo` is int8 [M, K]; `ho` is int8 [S, M, K], S = 0, 1 or 2, least significant first; `ho_factors` has S entries.
    """

    lo: npt.NDArray[np.int8]
    ho: npt.NDArray[np.int8]
    ho_factors: tuple[int, ...]

    def values(self) -> IntArray:
        """Return the weights that the slices stand for, int64 [M, K]."""
        return _recompose(self.lo, 1, self.ho, self.ho_factors)


@dataclass(frozen=True, eq=False)
class ActivationSlices:
    """The unsigned slices of an activation matrix: `x_hat = lo_factor * lo + sum(factor * slice)` over the HO slices.

    `lo` is uint8 [K, N]; `ho` is uint8 [S, K, N], S = 0, 1 or 2, least significant first; `ho_factors` has S entries.
    """

    lo: npt.NDArray[np.uint8]
    ho: npt.NDArray[np.uint8]
    lo_factor: int
    ho_factors: tuple[int, ...]

    def values(self) -> IntArray:
        """Return the truncated activations `x_hat` that the slices stand for, int64 [K, N]."""
        return _recompose(self.lo, self.lo_factor, self.ho, self.ho_factors)


def weight_ho_factors(bits: int) -> tuple[int, ...]:
    """Return the factor of every HO slice of a `bits`-bit weight, least significant first (docs/model.md, slices).

    Raises ConfigError if `bits` is not one of WEIGHT_BITS.
    """
    _require_member("weight_bits", bits, WEIGHT_BITS)
    return tuple(1 << shift for shift in range(_SIGNED_RADIX_BITS, bits - 1, _SIGNED_RADIX_BITS))


def activation_ho_factors(bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return the factor of every HO slice of a `bits`-bit activation, least significant first (docs/model.md, slices).

    Raises ConfigError if `bits` is not one of ACTIVATION_BITS, or `lo_bits` not one of LO_BITS; activations that are
    not 8 bits wide accept `lo_bits` = 4 only.
    """
    _require_member("activation_bits", bits, ACTIVATION_BITS)
    _require_member("lo_bits", lo_bits, LO_BITS if bits == _DBS_BITS else (SLICE_BITS,))
    return tuple(1 << shift for shift in range(lo_bits, bits, SLICE_BITS))


def slice_weights(weight: AnyIntArray, bits: int) -> WeightSlices:
    """Split weights [M, K] into signed slices, radix 8, so that a HO slice is 0 exactly when -8 <= q <= 7.

    Raises ConfigError if `bits` is not accepted or a weight does not fit `bits` bits in two's complement.
    """
    factors = weight_ho_factors(bits)
    _require_matrix("weight", weight, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    rest = weight.astype(np.int16)
    digits = []
    for _ in factors:
        upper = (rest >> _SIGNED_RADIX_BITS) + (rest < 0)
        digits.append(rest - (upper << _SIGNED_RADIX_BITS))
        rest = upper
    slices = np.stack([*digits, rest]).astype(np.int8)
    return WeightSlices(slices[0], slices[1:], factors)


def slice_activations(activation: AnyIntArray, bits: int, lo_bits: int) -> ActivationSlices:
    """Split activations [K, N] into unsigned slices; a LO field of `lo_bits` > 4 keeps its upper 4 bits only (DBS).

    Raises ConfigError if the widths are not accepted or a value does not fit `bits` unsigned bits.
    """
    factors = activation_ho_factors(bits, lo_bits)
    _require_matrix("activation", activation, 0, (1 << bits) - 1)
    shifts = range(lo_bits - SLICE_BITS, bits, SLICE_BITS)
    slices = np.stack([(activation >> shift) & _SLICE_MASK for shift in shifts]).astype(np.uint8)
    return ActivationSlices(slices[0], slices[1:], 1 << shifts[0], factors)


def truncate(activation: AnyIntArray, lo_bits: int) -> AnyIntArray:
    """Return `x_hat`: the activations with the low `lo_bits - 4` bits cleared, same shape and dtype.

    Raises ConfigError if `lo_bits` is not one of LO_BITS.
    """
    _require_member("lo_bits", lo_bits, LO_BITS)
    dropped_bits = lo_bits - SLICE_BITS
    return (activation >> dropped_bits) << dropped_bits


def frequent_slices(zero_point: int, bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return `r` for every HO slice: the slices of the zero point, least significant first.

    Raises ConfigError if the widths are not accepted or the zero point does not fit `bits` bits.
    """
    factors = activation_ho_factors(bits, lo_bits)
    if not 0 <= zero_point < 1 << bits:
        raise ConfigError("zero_point", zero_point, f"0 .. {(1 << bits) - 1} for {bits}-bit activations")
    return tuple((zero_point // factor) & _SLICE_MASK for factor in factors)


def mode_slices(activation: AnyIntArray, bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return the most frequent value of every HO slice of activations [K, N], the smallest one where several tie.

    Raises ConfigError like `slice_activations`.
    """
    slices = slice_activations(activation, bits, lo_bits)
    return tuple(int(np.bincount(slice_.ravel()).argmax()) for slice_ in slices.ho)


def _recompose(lo: AnyIntArray, lo_factor: int, ho: AnyIntArray, ho_factors: tuple[int, ...]) -> IntArray:
    total = lo.astype(np.int64) * lo_factor
    for slice_, factor in zip(ho, ho_factors, strict=True):
        total += slice_.astype(np.int64) * factor
    return total


def _require_member(field: str, found: int, accepted: tuple[int, ...]) -> None:
    if found not in accepted:
        raise ConfigError(field, found, ", ".join(map(str, accepted)))


def _require_matrix(field: str, matrix: AnyIntArray, lowest: int, highest: int) -> None:
    accepted = f"a non-empty matrix of integers in {lowest} .. {highest}"
    if matrix.ndim != 2 or matrix.size == 0 or matrix.dtype.kind not in "iu":  # noqa: PLR2004 (a matrix has 2 axes)
        raise ConfigError(field, f"shape {matrix.shape}, dtype {matrix.dtype}", accepted)
    least, most = int(matrix.min()), int(matrix.max())
    if least < lowest or most > highest:
        raise ConfigError(field, f"values in {least} .. {most}", accepted, f"Check {field}_bits")
