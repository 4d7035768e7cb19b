"""The functional pass: what a layer's numbers must be, computed with plain integer products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panacea_sim.quant.activation_functions import FunctionTable, PostProcessor, function_table
from panacea_sim.quant.quantizer import calibrate_activations, dbs_bias
from panacea_sim.quant.requantizer import requantizer_for
from panacea_sim.quant.slicing import AnyIntArray
from panacea_sim.units import FloatArray, IntArray
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = [
    "FunctionalPass",
    "bias_of",
    "functional_pass",
    "offline_compensation",
    "real_outputs",
    "scale_of_rows",
]

_DENSE_OUTPUT_BITS = 8


@dataclass(frozen=True, eq=False)
class FunctionalPass:
    """The accumulators int32 [M, N], the arithmetic of the PPU, and the output codes [M, N] of a layer.

    Of R products accumulators and codes are [R, M, N]; the rows of the PPU are those of all products, R * M.
    """

    accumulator: npt.NDArray[np.int32]
    post_processor: PostProcessor
    output: npt.NDArray[np.unsignedinteger]


def functional_pass(layer: GemmLayer) -> FunctionalPass:
    """Return what the layer computes.

    Without a next layer (`layer.output` is None) the outputs are requantized to 8 bits over their own range.
    Raises ConfigError if an accumulator does not fit int32, or the output format fits neither the PPU's integers nor
    its table.
    """
    accumulator = layer.reference_accumulator()
    table = _output_table(layer, accumulator)
    requantizer = requantizer_for(
        layer.weight_rows,
        scale_of_rows(layer),
        layer.activation_scale,
        layer.zero_point,
        bias_of(layer).ravel(),
        table.scale,
        table.zero_point,
        bits=table.bits,
        correction=dbs_bias(layer.weight_rows, layer.lo_bits, layer.dbs_offset),
    )
    post_processor = PostProcessor(requantizer, table.codes)
    output = post_processor.apply(accumulator.reshape(-1, layer.N)).reshape(accumulator.shape)
    return FunctionalPass(accumulator, post_processor, output)


def real_outputs(layer: GemmLayer, accumulator: AnyIntArray) -> FloatArray:
    """Return the real numbers that accumulators [M, N] of the layer stand for, bias included, float64 [M, N].

    They are the pre-activations where an activation function follows. Of R products both are [R, M, N].
    """
    correction = dbs_bias(layer.weight_rows, layer.lo_bits, layer.dbs_offset).reshape(layer.weight.shape[:-1])
    shift = correction - layer.zero_point * layer.weight.sum(-1, dtype=np.int64)
    scale = np.asarray(layer.weight_scale)[..., None] * layer.activation_scale
    real: FloatArray = scale * (accumulator + shift[..., None]) + bias_of(layer)[..., None]
    return real


def offline_compensation(layer: GemmLayer) -> IntArray:
    """Return the part of the compensation that is folded into the bias off line: the sum of r*factor*W@1, int64 [M].

    Of R products it is that of all rows, [R * M].
    """
    factors = layer.activation_slices.ho_factors
    share = sum(r * factor for r, factor in zip(layer.frequent, factors, strict=True))
    compensation: IntArray = share * layer.weight_rows.sum(1, dtype=np.int64)
    return compensation


def _output_table(layer: GemmLayer, accumulator: AnyIntArray) -> FunctionTable:
    form = layer.output
    if form is None:
        return function_table("none", calibrate_activations(real_outputs(layer, accumulator), _DENSE_OUTPUT_BITS))
    return function_table(form.function, form.quantizer)


def scale_of_rows(layer: GemmLayer) -> float | FloatArray:
    """Return the weight scale: one number, or one for each row of all products, float64 [R * M]."""
    return layer.weight_scale if isinstance(layer.weight_scale, float) else layer.weight_scale.ravel()


def bias_of(layer: GemmLayer) -> FloatArray:
    """Return the bias of each row, float64 [M], of R products [R, M]; zeros where there is none."""
    return np.zeros(layer.weight.shape[:-1]) if layer.bias is None else layer.bias
