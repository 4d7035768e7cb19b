"""Output requantization: from accumulators to codes, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panacea_sim.checks import (
    require_channel_numbers,
    require_channel_scales,
    require_integer,
    require_row_numbers,
    require_scale,
)
from panacea_sim.errors import ConfigError
from panacea_sim.quant.operands import require_integer_matrix
from panacea_sim.quant.saturation import UintArray, as_unsigned, saturating_ratio
from panacea_sim.quant.slicing import AnyIntArray
from panacea_sim.quant.widths import MAX_ACTIVATION_BITS, require_weight_bits
from panacea_sim.units import FloatArray, IntArray

__all__ = ["Requantizer", "WeightRequantizer", "least_weight_scale", "requantizer_for", "weight_requantizer_for"]

_OUTPUT_BITS = 8
_DYNAMIC_WEIGHT_BITS = 7
# Codes of the output path are kept in 16 bits.
_MAX_BITS = 16
_MULTIPLIER_BITS = 31
_MAX_MULTIPLIER = (1 << _MULTIPLIER_BITS) - 1
_MAX_SHIFT = 63
_MAX_RATIO = 1 << (_MULTIPLIER_BITS - 1)
# |A| and |offset| up to 2^31 and a multiplier below 2^31 keep the product below 2^63.
_MAX_OFFSET = 1 << 31
_INT32 = (-(1 << 31), (1 << 31) - 1)
_INT16, _INT8 = np.iinfo(np.int16), np.iinfo(np.int8)
_MAX_ZERO_ROW_OFFSET = float(_MAX_OFFSET - 1)
# The bias of a row of zero weights is rounded to this part of an output step.
_ZERO_ROW_RATIO = 1 / 256


@dataclass(frozen=True, eq=False)
class _FixedPoint:
    """What all requantizers do to the accumulators of each row: `(A + offset) * multiplier / 2^shift`, half up.

    `multiplier`, `shift` and `offset` are int64 [M]. Exact for int32 accumulators: with |offset| <= 2^31 and
    0 <= multiplier < 2^31 the product stays below 2^63. Raises ConfigError beyond these bounds.
    """

    multiplier: IntArray
    shift: IntArray
    offset: IntArray

    def __post_init__(self) -> None:
        """Check the fields, without which products could overflow."""
        _require_column("multiplier", self.multiplier, len(self.multiplier), 0, _MAX_MULTIPLIER)
        _require_column("shift", self.shift, len(self.multiplier), 1, _MAX_SHIFT)
        _require_column("offset", self.offset, len(self.multiplier), -_MAX_OFFSET, _MAX_OFFSET)

    def _rounded(self, accumulator: AnyIntArray) -> IntArray:
        """Return the scaled accumulators [M, N] as whole numbers; raises ConfigError for those that int32 lacks."""
        require_integer_matrix("accumulator", accumulator, _INT32, rows=len(self.offset))
        product = (accumulator.astype(np.int64) + self.offset[:, None]) * self.multiplier[:, None]
        # Half up without adding the half first, which could pass 2^63.
        rounded: IntArray = ((product >> (self.shift[:, None] - 1)) + 1) >> 1
        return rounded

    def _columns(self, start: int, stop: int) -> tuple[IntArray, IntArray, IntArray]:
        part = slice(start, stop)
        return self.multiplier[part], self.shift[part], self.offset[part]


@dataclass(frozen=True, eq=False)
class Requantizer(_FixedPoint):
    """Output requantization in integers: `clip(zero_point + (A + offset) * multiplier / 2^shift)`, rounded half up.

    `multiplier`, `shift` and `offset` are int64 [M], bounded so that no product overflows; outputs have `bits` bits.
    """

    zero_point: int
    bits: int

    def __post_init__(self) -> None:
        """Check the fields."""
        super().__post_init__()
        require_integer("output_bits", self.bits, 1, _MAX_BITS)
        require_integer("output_zero_point", self.zero_point, 0, (1 << self.bits) - 1)

    def apply(self, accumulator: AnyIntArray) -> UintArray:
        """Requantize accumulators [M, N], each in the range of int32, to uint8 (uint16 above 8 bits).

        Raises ConfigError for other accumulators.
        """
        return as_unsigned(self._rounded(accumulator) + self.zero_point, self.bits)

    def rows(self, start: int, stop: int) -> Requantizer:
        """Return the requantizer of output rows `start` .. `stop - 1`."""
        return Requantizer(*self._columns(start, stop), self.zero_point, self.bits)


@dataclass(frozen=True, eq=False)
class WeightRequantizer(_FixedPoint):
    """Requantization of outputs that another layer reads as its weight: `clip((A + offset) * multiplier / 2^shift)`.

    Rounded half up, zero point 0, clipped to `lowest` .. `highest`: +-63 for weights of 7 bits, and for a weight whose
    codes have b bits and a zero point of their own -zp .. 2^b - 1 - zp. `multiplier`, `shift` and `offset` as in
    Requantizer. Raises ConfigError unless lowest <= 0 <= highest fit 16 bits.
    """

    lowest: int
    highest: int

    def __post_init__(self) -> None:
        """Check the fields."""
        super().__post_init__()
        require_integer("lowest", self.lowest, _INT16.min, 0)
        require_integer("highest", self.highest, 0, _INT16.max)

    def apply(self, accumulator: AnyIntArray) -> npt.NDArray[np.int8] | npt.NDArray[np.int16]:
        """Requantize accumulators [M, N], each in the range of int32, to int8 (int16 where a bound needs it).

        Raises ConfigError for other accumulators.
        """
        codes = self._rounded(accumulator).clip(self.lowest, self.highest)
        fits = self.lowest >= _INT8.min and self.highest <= _INT8.max
        return codes.astype(np.int8) if fits else codes.astype(np.int16)

    def rows(self, start: int, stop: int) -> WeightRequantizer:
        """Return the requantizer of output rows `start` .. `stop - 1`."""
        return WeightRequantizer(*self._columns(start, stop), self.lowest, self.highest)


def requantizer_for(  # noqa: PLR0913 (the operands of the formula, all of them independent)
    weight: AnyIntArray,
    weight_scale: float | npt.NDArray[np.floating],
    activation_scale: float,
    zero_point: int,
    bias: npt.NDArray[np.floating],
    output_scale: float,
    output_zero_point: int,
    *,
    bits: int = _OUTPUT_BITS,
    correction: float | FloatArray = 0.0,
) -> Requantizer:
    """Build the requantizer of a layer whose real output is `s_w * s_x * (A - zp * W@1 + correction) + bias`.

    `weight` is integer [M, K]; `weight_scale` one number or [M]; `bias` [M], real; `correction` in accumulator units,
    one number or [M], as `dbs_bias` returns it. Bias and correction are rounded once, to whole accumulator units, ties
    to even. Rows of zero weights without a correction are their bias alone: it is kept to 1/256 of an output step,
    whatever their scale (docs/model.md, quantization). Raises ConfigError for an argument that is not accepted, or
    where a ratio or an offset does not fit the fixed-point form.
    """
    columns = _columns_for(
        weight,
        weight_scale,
        activation_scale,
        zero_point,
        bias,
        require_scale("output_scale", output_scale),
        correction,
    )
    return Requantizer(*columns, output_zero_point, bits)


def weight_requantizer_for(  # noqa: PLR0913 (the operands of the formula, all of them independent)
    weight: AnyIntArray,
    weight_scale: float | npt.NDArray[np.floating],
    activation_scale: float,
    zero_point: int,
    bias: npt.NDArray[np.floating],
    output_scale: float,
    *,
    bits: int = _DYNAMIC_WEIGHT_BITS,
    correction: float | FloatArray = 0.0,
) -> WeightRequantizer:
    """Build the requantizer of a layer whose outputs are the weight of another one, symmetric with `bits` bits.

    Real outputs are those of `requantizer_for`; a code is output / output_scale, rounded half up and clipped to
    +-(2^(bits-1) - 1). One output scale serves the whole tensor, all heads of it. Raises ConfigError as
    `requantizer_for` does, and for bits that weights do not have.
    """
    limit = (1 << (require_weight_bits("weight_bits", bits) - 1)) - 1
    columns = _columns_for(
        weight,
        weight_scale,
        activation_scale,
        zero_point,
        bias,
        require_scale("output_scale", output_scale),
        correction,
    )
    return WeightRequantizer(*columns, -limit, limit)


def _columns_for(
    weight: AnyIntArray,
    weight_scale: float | npt.NDArray[np.floating],
    activation_scale: float,
    zero_point: int,
    bias: npt.NDArray[np.floating],
    output_scale: float,
    correction: float | FloatArray,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return multiplier, shift and offset of each row."""
    require_integer_matrix("weight", weight)
    channels = len(weight)
    scales = np.broadcast_to(require_channel_scales("weight_scale", weight_scale, channels), channels)
    require_scale("activation_scale", activation_scale)
    require_integer("zero_point", zero_point, 0, (1 << MAX_ACTIVATION_BITS) - 1)
    biases = require_row_numbers("bias", bias, channels)
    corrections = np.broadcast_to(require_channel_numbers("correction", correction, channels), channels)

    is_zero = ~weight.any(axis=1) & (corrections == 0)
    accumulator_scale = np.where(is_zero, output_scale * _ZERO_ROW_RATIO, _products(scales, activation_scale))
    multiplier, shift = _fixed_point(saturating_ratio(accumulator_scale, output_scale), accumulator_scale)
    real_offset = saturating_ratio(biases, accumulator_scale) + corrections
    # A bias that is clipped here is far beyond every code, and saturates.
    real_offset[is_zero] = real_offset[is_zero].clip(-_MAX_ZERO_ROW_OFFSET, _MAX_ZERO_ROW_OFFSET)
    weight_sums = weight.sum(axis=1, dtype=np.int64)
    _check_offset(real_offset - zero_point * weight_sums, scales)
    offset = np.rint(real_offset).astype(np.int64) - zero_point * weight_sums
    return multiplier, shift, offset


def _products(weight_scale: FloatArray, activation_scale: float) -> FloatArray:
    with np.errstate(over="ignore"):
        products = weight_scale * activation_scale
    bad = ~((products > 0) & np.isfinite(products))
    if bad.any():
        row = int(bad.argmax())
        accepted = f"a number whose product with the activation scale, {activation_scale}, float64 holds"
        raise ConfigError("weight_scale", f"{weight_scale[row]} in row {row}", accepted)
    return products


def least_weight_scale(bias: FloatArray, activation_scale: float) -> FloatArray:
    """Return the least scales of weights with which accumulators hold a real bias, and as much again; same shape.

    Rows of weights that are nearly 0 beside their bias would have smaller ones.
    """
    least: FloatArray = np.abs(bias) / (activation_scale * (_MAX_OFFSET // 2))
    return least


def _check_offset(offset: FloatArray, weight_scale: FloatArray) -> None:
    row = int(np.abs(offset).argmax())
    largest = abs(float(offset[row]))
    if not largest < _MAX_OFFSET:
        # Coarser weights shrink both parts of the offset; 2 % more leaves room for their rounding and the hint's own.
        least = 1.02 * float(weight_scale[row]) * largest / _MAX_OFFSET
        raise ConfigError(
            "bias",
            f"{largest:.3g} accumulator units in row {row}",
            f"less than {_MAX_OFFSET} together with the zero point",
            f"Quantize the weights of row {row} anew with a weight scale of {least:.3g} or more",
        )


def _fixed_point(ratio: FloatArray, accumulator_scale: FloatArray) -> tuple[IntArray, IntArray]:
    """Return multiplier and shift, int64, with `multiplier / 2^shift` nearest to the ratios with 31 bits."""
    row = int(ratio.argmax())
    if not ratio[row] < _MAX_RATIO:
        # 2 % more than the least: the hint's own rounding must not fall below it.
        least = 1.02 * float(accumulator_scale[row]) / _MAX_RATIO
        raise ConfigError(
            "output_scale",
            f"1 / {ratio[row]:.3g} of the accumulator scale of row {row}",
            f"more than 1 / {_MAX_RATIO} of it",
            f"Use {least:.3g} or more: below, one accumulator unit is more than any output code",
        )
    _, exponent = np.frexp(ratio)
    shift = np.minimum(_MULTIPLIER_BITS - exponent.astype(np.int64), _MAX_SHIFT)
    multiplier = np.rint(np.ldexp(ratio, shift)).astype(np.int64)
    return np.minimum(multiplier, _MAX_MULTIPLIER), shift


def _require_column(field: str, column: IntArray, length: int, lowest: int, highest: int) -> None:
    if column.shape != (length,) or column.dtype != np.int64:
        raise ConfigError(field, f"shape {column.shape}, dtype {column.dtype}", f"int64, shape ({length},)")
    # Requantizers are cut into tiles often: the row is looked for only where there is one.
    if column.size and (column.min() < lowest or column.max() > highest):
        row = int(((column < lowest) | (column > highest)).argmax())
        raise ConfigError(field, f"{column[row]} in row {row}", f"{lowest} .. {highest}")
