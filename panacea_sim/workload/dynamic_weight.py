"""Dynamic weights: outputs of one layer as the weight of another one, as K and V of attention are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.quant.requantizer import WeightRequantizer
from panacea_sim.workload.functional import written_codes
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import WeightFormat

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
    form = WeightFormat("k", bits, scale)  # codes do not depend on the axis on which their features lie
    written = written_codes(layer, accumulator, form, np.arange(len(layer.weight_rows)))
    assert isinstance(written.format, WeightFormat)
    assert written.format.scale is not None
    assert isinstance(written.post_processor, WeightRequantizer)
    return DynamicWeight(written.codes.reshape(accumulator.shape), written.format.scale, written.post_processor)
