"""Quantizers: from real numbers to weights and activations in whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite, sqrt
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from panacea_sim.checks import (
    require_channel_scales,
    require_choice,
    require_finite,
    require_flag,
    require_integer,
    require_number,
    require_scale,
    require_width,
)
from panacea_sim.errors import ConfigError
from panacea_sim.quant.operands import require_integer_matrix
from panacea_sim.quant.saturation import UintArray, as_unsigned, saturating_ratio
from panacea_sim.quant.slicing import AnyIntArray, frequent_slices, slice_activations
from panacea_sim.quant.vectors import skipped_activation_vectors
from panacea_sim.quant.widths import (
    LO_BITS,
    SLICE_BITS,
    require_activation_bits,
    require_lo_bits,
    require_weight_bits,
    require_zero_point,
)
from panacea_sim.units import FloatArray

__all__ = [
    "ActivationQuantizer",
    "QuantizationError",
    "calibrate_activations",
    "choose_lo_bits",
    "dbs_bias",
    "manipulate_zero_point",
    "panacea_quantizer",
    "quantize_weights",
    "symmetric_scale",
    "weight_scale",
]

_BYTE_BITS = 8
_MATRIX_RANK = 2
_PANACEA_BITS = 8
# More than this share of values lost at the ends of the range is no fair price for skipped vectors.
_MAX_NEWLY_CLIPPED = 0.01
_BLOCK_VALUES = 1 << 15
# More steps than any code of 12 bits, the most there are, is away from its zero point.
_FAR_STEPS = 1 << 14

_Number = TypeVar("_Number", bound=np.number[Any])


def weight_scale(
    weight: npt.NDArray[np.floating], bits: int, *, per_channel: bool, limit: int | None = None
) -> FloatArray:
    """Return the symmetric scale of every row of real weights [M, K]: float64 [M], max|w| / (2^(bits-1) - 1).

    `limit` is a smaller largest code, where one is wanted. Without `per_channel` all rows share the scale of the whole
    matrix. Rows of zeros, for which every scale is exact, take the smallest one of the other rows, 1 where there is
    none. Raises ConfigError if `bits` is not accepted or a weight is not finite.
    """
    weights = require_finite("weight", weight, matrix=True)
    limit = _weight_limit(bits) if limit is None else limit
    row_peaks = np.abs(weights).max(axis=1)
    if not require_flag("per_channel", per_channel):
        row_peaks[:] = row_peaks.max()
    scale: FloatArray = row_peaks / limit
    scale[scale == 0] = scale[scale > 0].min() if scale.any() else 1.0
    return scale


def quantize_weights(
    weight: npt.NDArray[np.floating], scale: float | FloatArray, bits: int, limit: int | None = None
) -> npt.NDArray[np.int8] | npt.NDArray[np.int16]:
    """Round real weights [M, K] to integers in +-(2^(bits-1) - 1), ties to even; `scale` is one number or [M].

    `limit` is a smaller largest code, where one is wanted.

    Raises ConfigError if `bits` is not accepted, a weight is not finite, or a scale is not a finite number > 0.
    """
    weights = require_finite("weight", weight, matrix=True)
    limit = _weight_limit(bits) if limit is None else limit
    scales = require_channel_scales("weight_scale", scale, len(weights))
    quantized = np.rint(saturating_ratio(weights, np.reshape(scales, (-1, 1)))).clip(-limit, limit)
    return quantized.astype(np.int8) if bits <= _BYTE_BITS else quantized.astype(np.int16)


@dataclass(frozen=True)
class QuantizationError:
    """What quantization costs on some activations.

    `clipped_share` is the share of values whose code lies outside the range, 0 .. 1; `rms_steps` the root of the mean
    squared difference between the values and what their codes stand for, in steps of the scale: 0.29 is rounding
    alone. What the machine drops of the codes (l > 4) is not in it.
    """

    clipped_share: float
    rms_steps: float


@dataclass(frozen=True)
class ActivationQuantizer:
    """Asymmetric quantization of activations: `x = scale * (q - zero_point)`, q unsigned with `bits` bits.

    `lo_bits` is the width of the LO field that the machine slices q with. `calibration` is what the quantizer costs on
    the data for which `panacea_quantizer` chose it, otherwise None. Raises ConfigError for a scale that is not a
    positive number, a zero point that does not fit, or widths that are not accepted.
    """

    scale: float
    zero_point: int
    bits: int
    lo_bits: int
    calibration: QuantizationError | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Check the fields against each other; make numpy scalars plain numbers."""
        bits = require_activation_bits("activation_bits", self.bits)
        checked = {
            "bits": bits,
            "lo_bits": require_lo_bits("lo_bits", self.lo_bits, bits),
            "zero_point": require_zero_point("zero_point", self.zero_point, bits),
            "scale": require_scale("activation_scale", self.scale),
        }
        for name, value in checked.items():
            # The only way to normalise a field of a frozen dataclass.
            object.__setattr__(self, name, value)

    @property
    def lowest(self) -> int:
        """The least code."""
        return 0

    @property
    def highest(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    def quantize(self, x: npt.NDArray[np.floating]) -> UintArray:
        """Round real activations to uint8 (uint16 above 8 bits), ties to even; values outside the range saturate.

        Raises ConfigError if a value is not finite.
        """
        return as_unsigned(self._unclipped(require_finite("activation", x)), self.bits)

    def dequantize(self, quantized: AnyIntArray) -> FloatArray:
        """Return the real numbers that quantized (or truncated) activations stand for, same shape.

        Raises ConfigError for codes that are not whole numbers.
        """
        if quantized.dtype.kind not in "iu":
            raise ConfigError("activation", f"dtype {quantized.dtype}", "whole numbers, as quantize returns them")
        return (quantized.astype(np.float64) - self.zero_point) * self.scale

    def clipped(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Tell which real activations saturate: bool, same shape. Raises ConfigError if a value is not finite."""
        return self._is_outside(self._unclipped(require_finite("activation", x)))

    def error_on(self, x: npt.NDArray[np.floating]) -> QuantizationError:
        """Return what quantization costs on real activations of any shape; raises ConfigError if one is not finite."""
        clipped, squares, size = 0, 0.0, np.size(x)
        for values in map(partial(require_finite, "activation"), _blocks(x)):
            ratio = saturating_ratio(values, self.scale)
            codes = np.rint(ratio) + self.zero_point
            clipped += int(np.count_nonzero(self._is_outside(codes)))
            with np.errstate(over="ignore"):
                error = codes.clip(self.lowest, self.highest) - self.zero_point - ratio
                squares += float(np.square(error).sum())
        return QuantizationError(clipped / size, sqrt(squares / size))

    def _unclipped(self, x: FloatArray) -> FloatArray:
        codes: FloatArray = np.rint(saturating_ratio(x, self.scale)) + self.zero_point
        return codes

    def _is_outside(self, codes: FloatArray) -> npt.NDArray[np.bool_]:
        return (codes < self.lowest) | (codes > self.highest)


def calibrate_activations(
    x: npt.NDArray[np.floating], bits: int, percentile: float | None = None
) -> ActivationQuantizer:
    """Fit a quantizer to real activations of any shape: min-max, or the central range up to `percentile` (50 .. 100).

    The range always includes 0, so that 0 is exact. Raises ConfigError for values that are not finite, a percentile
    outside its range, or `bits` that are not accepted.
    """
    require_activation_bits("activation_bits", bits)
    least, most = _range(x, percentile)
    levels = (1 << bits) - 1
    # Divided before they are subtracted: the difference of two large floats could overflow.
    lower, upper = min(least, 0.0), max(most, 0.0)
    scale = upper / levels - lower / levels
    if scale == 0:
        return ActivationQuantizer(1.0, 0, bits, SLICE_BITS)
    zero_point = min(round(-lower / scale), levels)
    return ActivationQuantizer(scale, zero_point, bits, SLICE_BITS)


def symmetric_scale(calibrated: ActivationQuantizer, bits: int) -> float:
    """Return the scale of symmetric activations of `bits` bits that hold the range of an asymmetric quantizer.

    Its further end becomes 2^(bits-1) - 1. Raises ConfigError if `bits` is no width of a symmetric operand.
    """
    end = max(calibrated.zero_point, (1 << calibrated.bits) - 1 - calibrated.zero_point)
    return calibrated.scale * end / _weight_limit(bits)


def manipulate_zero_point(zero_point: int, lo_bits: int) -> int:
    """Return the centre of the zero point's bucket, `2^l * floor(zp / 2^l) + 2^(l-1)` (ZPM, docs/model.md).

    Raises ConfigError if the zero point does not fit 8 bits, or l is not accepted for them.
    """
    require_zero_point("zero_point", zero_point, _PANACEA_BITS)
    require_lo_bits("lo_bits", lo_bits, _PANACEA_BITS)
    return (zero_point >> lo_bits << lo_bits) + (1 << (lo_bits - 1))


def choose_lo_bits(sigma: float, z: float = 2.0) -> int:
    """Return the smallest l with `z * sigma <= 2^(l-1)`, or the widest; sigma in quantization steps (DBS).

    Raises ConfigError unless sigma is a finite number >= 0 and z one > 0.
    """
    require_number("sigma", sigma, 0)
    require_scale("z", z)
    return next((lo_bits for lo_bits in LO_BITS if z * sigma <= 1 << (lo_bits - 1)), LO_BITS[-1])


def panacea_quantizer(
    x: npt.NDArray[np.floating],
    bits: int = _PANACEA_BITS,
    *,
    percentile: float | None = None,
    zpm: Literal["off", "on", "auto"],
    dbs: bool,
    v: int = 4,
    z: float = 2.0,
) -> ActivationQuantizer:
    """Calibrate on real activations [K, N], then choose l (DBS) and move the zero point (ZPM) to raise the skips.

    `auto` moves the zero point if and only if strictly more vectors of `x` itself are skipped and at most 1 % of its
    values newly saturate. `calibration` of the result says what the choice costs on `x`. Raises ConfigError like
    `calibrate_activations`, for any other argument that is not accepted, and for DBS or ZPM of activations that are
    not 8 bits wide.
    """
    require_choice("zpm", zpm, ("off", "on", "auto"))
    require_flag("dbs", dbs)
    require_integer("v", v, 1)
    require_scale("z", z)
    if not isinstance(x, np.ndarray) or x.ndim != _MATRIX_RANK:
        require_finite("activation", x, matrix=True)
    base = calibrate_activations(x, bits, percentile)
    if bits != _PANACEA_BITS and (dbs or zpm != "off"):
        hint = f"For {bits} bits take zpm='off' and dbs=False"
        raise ConfigError("activation_bits", bits, f"{_PANACEA_BITS} where dbs or zpm is used", hint)
    steps = _steps(base, x) if dbs or zpm != "off" else np.zeros((1, 1), np.int16)
    lo_bits = choose_lo_bits(_deviation(base, steps), z) if dbs else SLICE_BITS
    chosen = replace(base, lo_bits=lo_bits)
    if zpm != "off":
        moved = replace(chosen, zero_point=manipulate_zero_point(base.zero_point, lo_bits))
        if zpm == "on" or _is_worth_moving(chosen, moved, steps, v):
            chosen = moved
    return replace(chosen, calibration=chosen.error_on(x))


def dbs_bias(weight: AnyIntArray, lo_bits: int, mode: Literal["floor", "midpoint"]) -> FloatArray:
    """Return what makes up for the truncation of x, in accumulator units, float64 [M], for weights [M, K].

    `midpoint` takes every dropped field for its mean, `(2^(l-4) - 1) / 2 * W@1`; `floor` takes it for 0. Raises
    ConfigError for an argument that is not accepted.
    """
    require_integer_matrix("weight", weight)
    require_width("lo_bits", lo_bits, LO_BITS)
    require_choice("dbs_offset", mode, ("floor", "midpoint"))
    mean_dropped = ((1 << (lo_bits - SLICE_BITS)) - 1) / 2 if mode == "midpoint" else 0.0
    bias: FloatArray = mean_dropped * weight.sum(axis=1, dtype=np.int64)
    return bias


def _range(x: npt.NDArray[np.floating], percentile: float | None) -> tuple[float, float]:
    """Return the ends of the range of activations that is kept; raises ConfigError if a value is not finite."""
    if percentile is None and isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size:
        least, most = float(x.min()), float(x.max())
        # Of values that are not finite one is the least or the most, or both are no numbers.
        if isfinite(least) and isfinite(most):
            return least, most
    values = require_finite("activation", x)
    if percentile is None:
        return float(values.min()), float(values.max())
    highest = require_number("percentile", percentile, 50, 100)
    lower, upper = np.percentile(values, [100.0 - highest, highest])
    return float(lower), float(upper)


def _blocks(x: npt.NDArray[_Number]) -> Iterator[npt.NDArray[_Number]]:
    """Return an array some rows at a time, so that what is computed of them stays in the caches."""
    rows = np.atleast_1d(np.asarray(x))
    step = max(1, _BLOCK_VALUES // max(1, rows[:1].size))
    # An array without values comes as it is, to be refused.
    for first in range(0, max(1, len(rows)), step):
        yield rows[first : first + step]


def _steps(quantizer: ActivationQuantizer, x: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    """Return activations in whole steps of the scale: codes less the zero point, those far outside brought near."""
    steps = np.empty(np.shape(x), np.int16)
    for block, found in zip(_blocks(x), _blocks(steps), strict=True):
        found[:] = np.rint(saturating_ratio(block, quantizer.scale)).clip(-_FAR_STEPS, _FAR_STEPS)
    return steps


def _deviation(quantizer: ActivationQuantizer, steps: npt.NDArray[np.int16]) -> float:
    """Return the standard deviation of the codes of activations, from how often each code occurs."""
    counts = np.zeros(1 << quantizer.bits, np.int64)
    for block in _blocks(steps):
        codes = as_unsigned(block + quantizer.zero_point, quantizer.bits)
        counts += np.bincount(codes.ravel(), minlength=len(counts))
    numbers = [(code, int(count)) for code, count in enumerate(counts)]
    size, total, squares = (sum(code**power * count for code, count in numbers) for power in range(3))
    return sqrt((squares * size - total * total) / (size * size))


def _is_worth_moving(
    kept: ActivationQuantizer, moved: ActivationQuantizer, steps: npt.NDArray[np.int16], v: int
) -> bool:
    """Tell whether a moved zero point skips more vectors and newly clips next to nothing."""
    if _skips(moved, steps, v) <= _skips(kept, steps, v):
        return False
    newly_clipped = sum(np.count_nonzero(_outside(moved, block) & ~_outside(kept, block)) for block in _blocks(steps))
    return bool(newly_clipped / steps.size <= _MAX_NEWLY_CLIPPED)


def _outside(quantizer: ActivationQuantizer, steps: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    codes = steps + quantizer.zero_point
    return (codes < 0) | (codes >= 1 << quantizer.bits)


def _skips(quantizer: ActivationQuantizer, steps: npt.NDArray[np.int16], v: int) -> int:
    frequent = frequent_slices(quantizer.zero_point, quantizer.bits, quantizer.lo_bits)
    skips = 0
    for block in _blocks(steps):  # vectors lie along rows: none is cut
        codes = as_unsigned(block + quantizer.zero_point, quantizer.bits)
        slices = slice_activations(codes, quantizer.bits, quantizer.lo_bits)
        skips += int(np.count_nonzero(skipped_activation_vectors(slices.ho, frequent, v)))
    return skips


def _weight_limit(bits: int) -> int:
    return (1 << (require_weight_bits("weight_bits", bits) - 1)) - 1
