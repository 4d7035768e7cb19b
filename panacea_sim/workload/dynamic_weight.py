"""Dynamic weights: outputs of one layer as the weight of another one, as K and V of attention are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.quant.quantizer import dbs_bias, weight_scale
from panacea_sim.quant.requantizer import WeightRequantizer, weight_requantizer_for
from panacea_sim.workload.functional import bias_of, real_outputs, scale_of_rows
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["DynamicWeight", "dynamic_weight"]

_BITS = 7


@dataclass(frozen=True, eq=False)
class DynamicWeight:
    """Outputs of a layer as weight codes: real output = `scale` * code, zero point 0.

    `codes` is signed, [M, N], of R products [R, M, N]: features and columns of the producer, which stand along K and M
    of the weight as its reader needs them. `requantizer` makes them of the accumulators of all rows.
    """

    codes: npt.NDArray[np.signedinteger[Any]]
    scale: float
    requantizer: WeightRequantizer


def dynamic_weight(layer: GemmLayer, bits: int = _BITS, scale: float | None = None) -> DynamicWeight:
    """Return the outputs of `layer` as a weight of `bits` bits, symmetric, with one scale over all its rows.

    Outputs are those before an activation function; `layer.output` has no part. Without a `scale` it is
    max|real output| / (2^(bits-1) - 1). Codes are the real outputs in steps of the scale, computed of the accumulators
    in the integers of the PPU, rounded half up and clipped to +-(2^(bits-1) - 1). Raises ConfigError if an accumulator
    does not fit int32, or a ratio of scales the fixed-point form.
    """
    accumulator = layer.reference_accumulator()
    if scale is None:
        real = real_outputs(layer, accumulator).reshape(-1, layer.N)
        scale = float(weight_scale(real, bits, per_channel=False)[0])
    requantizer = weight_requantizer_for(
        layer.weight_rows,
        scale_of_rows(layer),
        layer.activation_scale,
        layer.zero_point,
        bias_of(layer).ravel(),
        scale,
        bits=bits,
        correction=dbs_bias(layer.weight_rows, layer.lo_bits, layer.dbs_offset),
    )
    codes = requantizer.apply(accumulator.reshape(-1, layer.N)).reshape(accumulator.shape)
    return DynamicWeight(codes, scale, requantizer)
