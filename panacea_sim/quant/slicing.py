"""Bit slices: how quantized weights and activations split into the 4-bit pieces that the multipliers take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.checks import require_width
from panacea_sim.quant.operands import require_activation, require_weight
from panacea_sim.quant.widths import (
    LO_BITS,
    SLICE_BITS,
    require_activation_bits,
    require_lo_bits,
    require_weight_bits,
    require_zero_point,
)
from panacea_sim.units import IntArray

__all__ = [
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
    require_weight_bits("weight_bits", bits)
    return tuple(1 << shift for shift in range(_SIGNED_RADIX_BITS, bits - 1, _SIGNED_RADIX_BITS))


def activation_ho_factors(bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return the factor of every HO slice of a `bits`-bit activation, least significant first (docs/model.md, slices).

    Raises ConfigError if `bits` is not one of ACTIVATION_BITS, or `lo_bits` not one of LO_BITS; activations that are
    not 8 bits wide accept `lo_bits` = 4 only.
    """
    require_activation_bits("activation_bits", bits)
    require_lo_bits("lo_bits", lo_bits, bits)
    return tuple(1 << shift for shift in range(lo_bits, bits, SLICE_BITS))


def slice_weights(weight: AnyIntArray, bits: int) -> WeightSlices:
    """Split weights [M, K] into signed slices, radix 8, so that a HO slice is 0 exactly when -8 <= q <= 7.

    Raises ConfigError if `bits` is not accepted or a weight does not fit `bits` bits in two's complement.
    """
    factors = weight_ho_factors(bits)
    require_weight("weight", weight, bits)
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
    require_activation("activation", activation, bits)
    shifts = range(lo_bits - SLICE_BITS, bits, SLICE_BITS)
    slices = np.stack([(activation >> shift) & _SLICE_MASK for shift in shifts]).astype(np.uint8)
    return ActivationSlices(slices[0], slices[1:], 1 << shifts[0], factors)


def truncate(activation: AnyIntArray, lo_bits: int) -> AnyIntArray:
    """Return `x_hat`: the activations with the low `lo_bits - 4` bits cleared, same shape and dtype.

    Raises ConfigError if `lo_bits` is not one of LO_BITS.
    """
    require_width("lo_bits", lo_bits, LO_BITS)
    dropped_bits = lo_bits - SLICE_BITS
    return (activation >> dropped_bits) << dropped_bits


def frequent_slices(zero_point: int, bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return `r` for every HO slice: the slices of the zero point, least significant first.

    Raises ConfigError if the widths are not accepted or the zero point does not fit `bits` bits.
    """
    factors = activation_ho_factors(bits, lo_bits)
    require_zero_point("zero_point", zero_point, bits)
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
