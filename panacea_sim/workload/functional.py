"""The functional pass: what a layer's numbers must be, computed with plain integer products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from panacea_sim.quant.activation_functions import FunctionTable, PostProcessor, function_table
from panacea_sim.quant.quantizer import calibrate_activations, dbs_bias, weight_scale
from panacea_sim.quant.requantizer import WeightRequantizer, requantizer_for, weight_requantizer_for
from panacea_sim.quant.slicing import AnyIntArray
from panacea_sim.units import FloatArray, IntArray
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = [
    "Codes",
    "FunctionalPass",
    "WrittenCodes",
    "functional_pass",
    "offline_compensation",
    "real_outputs",
    "written_codes",
]

_DENSE_OUTPUT_BITS = 8

Codes: TypeAlias = npt.NDArray[Any]
"""Codes of activations, unsigned, or of weights, signed."""


@dataclass(frozen=True, eq=False)
class WrittenCodes:
    """Outputs as the PPU makes them for those who read them in one format.

    `format` is None for dense outputs, and has its scale otherwise. `rows` are the features that are read, in rising
    order; `post_processor` is the arithmetic of the PPU for them and `codes` [rows, N] what it gives.
    """

    format: OutputFormat | WeightFormat | None
    rows: IntArray
    post_processor: PostProcessor | WeightRequantizer
    codes: Codes

    def part(self, features: slice) -> slice:
        """Return which of the rows that are read are among these features."""
        first, end = np.searchsorted(self.rows, (features.start, features.stop)).tolist()
        return slice(first, end)


@dataclass(frozen=True, eq=False)
class FunctionalPass:
    """The accumulators int32 [M, N] of a layer, and its outputs in each of the formats in which they are written.

    Of R products accumulators are [R, M, N]; the rows of the PPU are those of all products, R * M.
    """

    accumulator: npt.NDArray[np.int32]
    written: tuple[WrittenCodes, ...]

    @property
    def output(self) -> Codes:
        """The output codes, [M, N], of a layer that writes all of them as activations or densely, once."""
        (written,) = self.written
        return written.codes.reshape(self.accumulator.shape)


def functional_pass(layer: GemmLayer) -> FunctionalPass:
    """Return what the layer computes.

    Outputs that nobody reads are requantized to 8 bits over their own range. Raises ConfigError if an accumulator does
    not fit int32, or a format fits neither the PPU's integers nor its table.
    """
    accumulator = layer.reference_accumulator()
    every = np.arange(len(layer.weight_rows))
    written = [
        written_codes(layer, accumulator, read.format, read.rows(len(every))) for read in layer.read_formats
    ] or [written_codes(layer, accumulator, None, every)]
    return FunctionalPass(accumulator, tuple(written))


def written_codes(
    layer: GemmLayer,
    accumulator: npt.NDArray[np.int32],
    form: OutputFormat | WeightFormat | None,
    rows: IntArray,
) -> WrittenCodes:
    """Return some rows of the outputs in a format, None for dense; raises ConfigError as `functional_pass` does."""
    some = slice(None) if len(rows) == len(layer.weight_rows) else rows
    sums = accumulator.reshape(-1, layer.N)[some]
    if isinstance(form, WeightFormat):
        scale = form.scale
        if scale is None:
            real = real_outputs(layer, accumulator).reshape(-1, layer.N)[some]
            scale = float(weight_scale(real, form.bits, per_channel=False)[0])
        as_weight = weight_requantizer_for(**_numbers_of(layer, some), output_scale=scale, bits=form.bits)
        return WrittenCodes(replace(form, scale=scale), rows, as_weight, as_weight.apply(sums))
    table = _output_table(layer, form, accumulator)
    requantizer = requantizer_for(
        **_numbers_of(layer, some), output_scale=table.scale, output_zero_point=table.zero_point, bits=table.bits
    )
    post_processor = PostProcessor(requantizer, table.codes)
    return WrittenCodes(form, rows, post_processor, post_processor.apply(sums))


def real_outputs(layer: GemmLayer, accumulator: AnyIntArray) -> FloatArray:
    """Return the real numbers that accumulators [M, N] of the layer stand for, bias included, float64 [M, N].

    They are the pre-activations where an activation function follows. Of R products both are [R, M, N].
    """
    correction = dbs_bias(layer.weight_rows, layer.lo_bits, layer.dbs_offset).reshape(layer.weight.shape[:-1])
    shift = correction - layer.zero_point * layer.weight.sum(-1, dtype=np.int64)
    scale = np.asarray(layer.weight_scale)[..., None] * layer.activation_scale
    real: FloatArray = scale * (accumulator + shift[..., None]) + _bias_of(layer)[..., None]
    return real


def offline_compensation(layer: GemmLayer) -> IntArray:
    """Return the part of the compensation that is folded into the bias off line: the sum of r*factor*W@1, int64 [M].

    Of R products it is that of all rows, [R * M].
    """
    factors = layer.activation_slices.ho_factors
    share = sum(r * factor for r, factor in zip(layer.frequent, factors, strict=True))
    compensation: IntArray = share * layer.weight_rows.sum(1, dtype=np.int64)
    return compensation


def _output_table(layer: GemmLayer, form: OutputFormat | None, accumulator: AnyIntArray) -> FunctionTable:
    if form is None:
        return function_table("none", calibrate_activations(real_outputs(layer, accumulator), _DENSE_OUTPUT_BITS))
    return function_table(form.function, form.quantizer)


def _numbers_of(layer: GemmLayer, some: slice | IntArray) -> dict[str, Any]:
    """Return what requantizers need of some rows of all products."""
    weight, scales = layer.weight_rows[some], layer.weight_scale
    return {
        "weight": weight,
        "weight_scale": scales if isinstance(scales, float) else scales.ravel()[some],
        "activation_scale": layer.activation_scale,
        "zero_point": layer.zero_point,
        "bias": _bias_of(layer).ravel()[some],
        "correction": dbs_bias(weight, layer.lo_bits, layer.dbs_offset),
    }


def _bias_of(layer: GemmLayer) -> FloatArray:
    """Return the bias of each row, float64 [M], of R products [R, M]; zeros where there is none."""
    return np.zeros(layer.weight.shape[:-1]) if layer.bias is None else layer.bias
