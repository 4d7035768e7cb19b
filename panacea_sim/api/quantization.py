"""Real operands as a layer: what `panacea-sim quantize` does with those of a file."""

from __future__ import annotations

import numpy.typing as npt

from panacea_sim.api.words import in_python_words
from panacea_sim.calibration.calibrated import calibrate
from panacea_sim.calibration.observed import observed_layer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["quantize"]


@in_python_words()
def quantize(
    weight: npt.ArrayLike,
    activation: npt.ArrayLike,
    *,
    bias: npt.ArrayLike | None = None,
    policy: QuantizationPolicy | None = None,
    sample: int = 0,
    name: str = "layer",
) -> GemmLayer:
    """Return the layer that a policy makes of real operands, with the codes of a held-out sample.

    `weight` is [M, K], `activation` [K, N] or, of several samples, [samples, K, N]; of R products [R, M, K], [R, K, N]
    and [samples, R, K, N]. `bias` is [M] or [R, M]. The last quarter of the samples judges, the others choose scales
    and zero points. `Calibrator` also tells what each step skips and costs. Raises ConfigError naming the layer.
    """
    observed = observed_layer(name, weight, activation, bias)
    return calibrate(observed, policy or QuantizationPolicy()).layer(sample)
