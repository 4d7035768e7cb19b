"""Layers to calibrate, and policies to do it by."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.calibration.policy import QuantizationPolicy

__all__ = ["observed", "policies"]


def observed(seed: int, samples: int = 5, *, products: int = 1, dynamic: bool = False) -> ObservedLayer:
    """Return a layer with skewed activations and a few heavy rows, ragged in all directions."""
    generator = np.random.default_rng(seed)
    layer = ObservedLayer(f"layer{seed}", dynamic)
    weight = generator.standard_t(4, (products, 10, 37)) * 0.1
    for _ in range(samples):
        if dynamic:
            weight = generator.standard_t(4, (products, 10, 37)) * 0.1
        columns = int(generator.integers(3, 12))
        activation = np.maximum(generator.standard_normal((products, 37, columns)) ** 3, -0.5)
        layer.add(weight, activation, np.arange(10.0 * products).reshape(products, 10))
    return layer


@st.composite
def policies(draw: st.DrawFn) -> QuantizationPolicy:
    """Draw a policy, with 8-bit activations mostly."""
    return QuantizationPolicy(
        percentile=draw(st.sampled_from([None, 99.0, 90.0])),
        zpm=draw(st.sampled_from(["auto", "on", "off"])),
        dbs_z=draw(st.sampled_from([None, 1.0, 2.0])),
        dbs_offset=draw(st.sampled_from(["midpoint", "floor"])),
        per_channel=draw(st.booleans()),
        weight_bits=draw(st.sampled_from([4, 7, 10])),
        activation_bits=draw(st.sampled_from([8, 8, 4, 12])),
    )
