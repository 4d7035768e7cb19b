"""Quantizers: from real numbers to weights, activations and requantized outputs, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError
from panacea_sim.quant.slicing import (
    LO_BITS,
    SLICE_BITS,
    AnyIntArray,
    activation_ho_factors,
    frequent_slices,
    slice_activations,
    weight_ho_factors,
)
from panacea_sim.quant.vectors import skipped_activation_vectors
from panacea_sim.units import IntArray

__all__ = [
    "ActivationQuantizer",
    "FloatArray",
    "Requantizer",
    "UintArray",
    "calibrate_activations",
    "choose_lo_bits",
    "dbs_bias",
    "manipulate_zero_point",
    "panacea_quantizer",
    "quantize_weights",
    "requantizer_for",
    "weight_scale",
]

FloatArray = npt.NDArray[np.float64]
UintArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_BYTE_BITS = 8
_PANACEA_BITS = 8
_MULTIPLIER_BITS = 31
_MAX_MULTIPLIER = (1 << _MULTIPLIER_BITS) - 1
_MAX_SHIFT = 63
_MAX_RATIO = 1 << (_MULTIPLIER_BITS - 1)
# |A| and |offset| up to 2^31 and a multiplier below 2^31 keep the product below 2^63.
_MAX_OFFSET = 1 << 31


def weight_scale(weight: npt.NDArray[np.floating], bits: int, *, per_channel: bool) -> FloatArray:
    """Return the symmetric scale of every row of real weights [M, K]: float64 [M], max|w| / (2^(bits-1) - 1).

    Without `per_channel` all rows share the scale of the whole matrix. Rows of zeros get the scale 1. Raises
    ConfigError if `bits` is not accepted or a weight is not finite.
    """
    _require_finite("weight", weight)
    row_peaks = np.abs(weight.astype(np.float64)).max(axis=1)
    peaks = row_peaks if per_channel else np.full_like(row_peaks, row_peaks.max())
    scale: FloatArray = peaks / _weight_limit(bits)
    scale[scale == 0] = 1.0
    return scale


def quantize_weights(
    weight: npt.NDArray[np.floating], scale: float | FloatArray, bits: int
) -> npt.NDArray[np.int8] | npt.NDArray[np.int16]:
    """Round real weights [M, K] to integers in +-(2^(bits-1) - 1), ties to even; `scale` is one number or [M].

    Raises ConfigError if `bits` is not accepted or a weight is not finite.
    """
    _require_finite("weight", weight)
    limit = _weight_limit(bits)
    quantized = np.rint(_saturating_ratio(weight, np.reshape(scale, (-1, 1)))).clip(-limit, limit)
    return quantized.astype(np.int8) if bits <= _BYTE_BITS else quantized.astype(np.int16)


@dataclass(frozen=True)
class ActivationQuantizer:
    """Asymmetric quantization of activations: `x = scale * (q - zero_point)`, q unsigned with `bits` bits.

    `lo_bits` is the width of the LO field that the machine slices q with. Raises ConfigError for a scale that is not a
    positive number, a zero point that does not fit, or widths that are not accepted.
    """

    scale: float
    zero_point: int
    bits: int
    lo_bits: int

    def __post_init__(self) -> None:
        """Check the fields against each other."""
        frequent_slices(self.zero_point, self.bits, self.lo_bits)
        _require_positive("activation_scale", self.scale)

    def quantize(self, x: npt.NDArray[np.floating]) -> UintArray:
        """Round real activations to uint8 (uint16 above 8 bits), ties to even; values outside the range saturate.

        Raises ConfigError if a value is not finite.
        """
        _require_finite("activation", x)
        return _as_unsigned(np.rint(_saturating_ratio(x, self.scale)) + self.zero_point, self.bits)

    def dequantize(self, quantized: AnyIntArray) -> FloatArray:
        """Return the real numbers that quantized (or truncated) activations stand for, same shape."""
        return (quantized.astype(np.float64) - self.zero_point) * self.scale


def calibrate_activations(
    x: npt.NDArray[np.floating], bits: int, percentile: float | None = None
) -> ActivationQuantizer:
    """Fit a quantizer to real activations of any shape: min-max, or the central range up to `percentile` (50 .. 100).

    The range always includes 0, so that 0 is exact. Raises ConfigError for values that are not finite, a percentile
    outside its range, or `bits` that are not accepted.
    """
    activation_ho_factors(bits, SLICE_BITS)
    _require_finite("activation", x)
    if percentile is not None and not 50.0 <= percentile <= 100.0:  # noqa: PLR2004 (the median and the maximum)
        raise ConfigError("percentile", percentile, "50 .. 100")
    least, most = (x.min(), x.max()) if percentile is None else np.percentile(x, [100.0 - percentile, percentile])
    levels = (1 << bits) - 1
    # Divided before they are subtracted: the difference of two large floats could overflow.
    lower, upper = min(float(least), 0.0), max(float(most), 0.0)
    scale = upper / levels - lower / levels
    if scale == 0:
        return ActivationQuantizer(1.0, 0, bits, SLICE_BITS)
    zero_point = min(round(-lower / scale), levels)
    return ActivationQuantizer(scale, zero_point, bits, SLICE_BITS)


def manipulate_zero_point(zero_point: int, lo_bits: int) -> int:
    """Return the centre of the zero point's bucket, `2^l * floor(zp / 2^l) + 2^(l-1)` (ZPM, docs/model.md)."""
    return (zero_point >> lo_bits << lo_bits) + (1 << (lo_bits - 1))


def choose_lo_bits(sigma: float, z: float = 2.0) -> int:
    """Return the smallest l with `z * sigma <= 2^(l-1)`, or the widest; sigma in quantization steps (DBS)."""
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

    `auto` keeps the zero point where moving it lowers the share of skipped vectors of `x` itself. Raises ConfigError
    like `calibrate_activations`, and for DBS or ZPM of activations that are not 8 bits wide.
    """
    base = calibrate_activations(x, bits, percentile)
    if bits != _PANACEA_BITS and (dbs or zpm != "off"):
        raise ConfigError("activation_bits", bits, f"{_PANACEA_BITS} where dbs or zpm is used")
    lo_bits = choose_lo_bits(float(base.quantize(x).std()), z) if dbs else SLICE_BITS
    kept = ActivationQuantizer(base.scale, base.zero_point, bits, lo_bits)
    if zpm == "off":
        return kept
    moved = ActivationQuantizer(base.scale, manipulate_zero_point(base.zero_point, lo_bits), bits, lo_bits)
    if zpm == "auto" and _skips(moved, x, v) < _skips(kept, x, v):
        return kept
    return moved


def dbs_bias(weight: AnyIntArray, lo_bits: int, mode: Literal["floor", "midpoint"]) -> FloatArray:
    """Return what makes up for the truncation of x, in accumulator units, float64 [M], for weights [M, K].

    `midpoint` takes every dropped field for its mean, `(2^(l-4) - 1) / 2 * W@1`; `floor` takes it for 0.
    """
    mean_dropped = ((1 << (lo_bits - SLICE_BITS)) - 1) / 2 if mode == "midpoint" else 0.0
    bias: FloatArray = mean_dropped * weight.sum(axis=1, dtype=np.int64)
    return bias


@dataclass(frozen=True, eq=False)
class Requantizer:
    """Output requantization in integers: `clip(zero_point + (A + offset) * multiplier / 2^shift)`, rounded half up.

    `multiplier`, `shift` and `offset` are int64 [M]; outputs have `bits` bits. Exact for int32 accumulators: with
    |offset| <= 2^31 and 0 <= multiplier < 2^31 the product stays below 2^63.
    """

    multiplier: IntArray
    shift: IntArray
    offset: IntArray
    zero_point: int
    bits: int

    def apply(self, accumulator: AnyIntArray) -> UintArray:
        """Requantize accumulators [M, N], each in the range of int32, to uint8 (uint16 above 8 bits)."""
        product = (accumulator.astype(np.int64) + self.offset[:, None]) * self.multiplier[:, None]
        # Half up without adding the half first, which could pass 2^63.
        rounded = ((product >> (self.shift[:, None] - 1)) + 1) >> 1
        return _as_unsigned(rounded + self.zero_point, self.bits)

    def rows(self, start: int, stop: int) -> Requantizer:
        """Return the requantizer of output rows `start` .. `stop - 1`."""
        part = slice(start, stop)
        return Requantizer(self.multiplier[part], self.shift[part], self.offset[part], self.zero_point, self.bits)


def requantizer_for(  # noqa: PLR0913 (the operands of the formula, all of them independent)
    weight: AnyIntArray,
    weight_scale: float | npt.NDArray[np.floating],
    activation_scale: float,
    zero_point: int,
    bias: npt.NDArray[np.floating],
    output_scale: float,
    output_zero_point: int,
    *,
    bits: int = _PANACEA_BITS,
    correction: float | FloatArray = 0.0,
) -> Requantizer:
    """Build the requantizer of a layer whose real output is `s_w * s_x * (A - zp * W@1 + correction) + bias`.

    `weight` is integer [M, K]; `weight_scale` one number or [M]; `bias` [M], real; `correction` in accumulator units,
    as `dbs_bias` returns it. Bias and correction are rounded once, to whole accumulator units, ties to even. Raises
    ConfigError where a scale is not positive, or a ratio or an offset does not fit the fixed-point form.
    """
    _require_positive("weight_scale", weight_scale)
    _require_positive("activation_scale", activation_scale)
    _require_positive("output_scale", output_scale)
    channels = len(weight)
    accumulator_scale = np.broadcast_to(np.asarray(weight_scale, np.float64) * activation_scale, channels)
    real_offset = _saturating_ratio(bias, accumulator_scale) + correction
    weight_sums = weight.sum(axis=1, dtype=np.int64)
    largest = float(np.abs(real_offset - zero_point * weight_sums).max())
    if not largest < _MAX_OFFSET:
        hint = "Raise the weight scale of the channels whose bias is large against it"
        raise ConfigError(
            "bias", f"{largest:.3g} accumulator units", f"less than {_MAX_OFFSET} together with the zero point", hint
        )
    multiplier, shift = _fixed_point(_saturating_ratio(accumulator_scale, output_scale))
    offset = np.rint(real_offset).astype(np.int64) - zero_point * weight_sums
    return Requantizer(multiplier, shift, offset, output_zero_point, bits)


def _fixed_point(ratio: FloatArray) -> tuple[IntArray, IntArray]:
    """Return multiplier and shift, int64, with `multiplier / 2^shift` nearest to the ratios with 31 bits."""
    if not ratio.max() < _MAX_RATIO:
        raise ConfigError(
            "output_scale", f"1 / {ratio.max():.3g} of the accumulator scale", f"more than 1 / {_MAX_RATIO} of it"
        )
    _, exponent = np.frexp(ratio)
    shift = np.minimum(_MULTIPLIER_BITS - exponent.astype(np.int64), _MAX_SHIFT)
    multiplier = np.rint(np.ldexp(ratio, shift)).astype(np.int64)
    return np.minimum(multiplier, _MAX_MULTIPLIER), shift


def _skips(quantizer: ActivationQuantizer, x: npt.NDArray[np.floating], v: int) -> int:
    slices = slice_activations(quantizer.quantize(x), quantizer.bits, quantizer.lo_bits)
    frequent = frequent_slices(quantizer.zero_point, quantizer.bits, quantizer.lo_bits)
    return int(np.count_nonzero(skipped_activation_vectors(slices.ho, frequent, v)))


def _weight_limit(bits: int) -> int:
    weight_ho_factors(bits)
    return (1 << (bits - 1)) - 1


def _as_unsigned(values: FloatArray | IntArray, bits: int) -> UintArray:
    clipped = values.clip(0, (1 << bits) - 1)
    return clipped.astype(np.uint8) if bits <= _BYTE_BITS else clipped.astype(np.uint16)


def _saturating_ratio(values: npt.NDArray[np.floating], scale: float | npt.NDArray[np.floating]) -> FloatArray:
    """Divide in float64; a quotient beyond its range becomes infinite, which every caller clips or refuses."""
    with np.errstate(over="ignore"):
        quotient: FloatArray = values.astype(np.float64) / scale
    return quotient


def _require_finite(field: str, values: npt.NDArray[np.floating]) -> None:
    if values.size == 0 or not np.isfinite(values).all():
        raise ConfigError(
            field,
            f"{np.count_nonzero(~np.isfinite(values))} of {values.size} not finite",
            "finite numbers, at least one",
        )


def _require_positive(field: str, scale: float | npt.NDArray[np.floating]) -> None:
    worst = float(np.min(scale))
    if not (worst > 0 and np.isfinite(scale).all()):
        raise ConfigError(field, worst, "finite numbers above 0")
