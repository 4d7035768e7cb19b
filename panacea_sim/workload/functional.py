"""The functional pass: what a layer's numbers must be, computed with plain integer products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panacea_sim.quant.quantizer import Requantizer, calibrate_activations, dbs_bias, requantizer_for
from panacea_sim.units import IntArray
from panacea_sim.workload.layer import GemmLayer

__all__ = ["FunctionalPass", "functional_pass", "offline_compensation"]

_DENSE_OUTPUT_BITS = 8


@dataclass(frozen=True, eq=False)
class FunctionalPass:
    """The accumulators int32 [M, N], the requantizer of the PPU, and the quantized outputs [M, N] of a layer."""

    accumulator: npt.NDArray[np.int32]
    requantizer: Requantizer
    output: npt.NDArray[np.unsignedinteger]


def functional_pass(layer: GemmLayer) -> FunctionalPass:
    """Return what the layer computes.

    Without a next layer (`layer.output` is None) the outputs are requantized to 8 bits over their own range.
    Raises ConfigError if an accumulator does not fit int32.
    """
    accumulator = layer.reference_accumulator()
    correction = dbs_bias(layer.weight, layer.lo_bits, layer.dbs_offset)
    bias = np.zeros(layer.M) if layer.bias is None else layer.bias
    if layer.output is None:
        shift = correction - layer.zero_point * layer.weight.sum(1, dtype=np.int64)
        scale = np.reshape(layer.weight_scale, (-1, 1)) * layer.activation_scale
        real = scale * (accumulator + shift[:, None]) + bias[:, None]
        own_range = calibrate_activations(real, _DENSE_OUTPUT_BITS)
        scale_out, zero_point_out, bits = own_range.scale, own_range.zero_point, _DENSE_OUTPUT_BITS
    else:
        scale_out, zero_point_out, bits = layer.output.scale, layer.output.zero_point, layer.output.bits
    requantizer = requantizer_for(
        layer.weight,
        layer.weight_scale,
        layer.activation_scale,
        layer.zero_point,
        bias,
        scale_out,
        zero_point_out,
        bits=bits,
        correction=correction,
    )
    return FunctionalPass(accumulator, requantizer, requantizer.apply(accumulator))


def offline_compensation(layer: GemmLayer) -> IntArray:
    """Return the part of the compensation that is folded into the bias off line: the sum of r*factor*W@1, int64 [M]."""
    factors = layer.activation_slices.ho_factors
    share = sum(r * factor for r, factor in zip(layer.frequent, factors, strict=True))
    compensation: IntArray = share * layer.weight.sum(1, dtype=np.int64)
    return compensation
