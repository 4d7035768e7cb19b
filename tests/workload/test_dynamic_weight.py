"""Outputs of a layer as the weight of another: codes, scale and rows against their definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panacea_sim.quant.slicing import truncate
from panacea_sim.workload.dynamic_weight import dynamic_weight
from panacea_sim.workload.gemm_layer import GemmLayer


@st.composite
def producers(draw: st.DrawFn) -> GemmLayer:
    """Draw a layer of one or several products with everything that its real outputs depend on."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    repeat = draw(st.sampled_from([(), (2,), (3,)]))
    m, k, n = (draw(st.integers(1, 6)) for _ in range(3))
    return GemmLayer(
        "producer",
        generator.integers(-63, 64, (*repeat, m, k)).astype(np.int8),
        generator.integers(0, 256, (*repeat, k, n)).astype(np.uint8),
        draw(st.integers(0, 255)),
        lo_bits=draw(st.sampled_from([4, 5, 6])),
        dbs_offset=draw(st.sampled_from(["floor", "midpoint"])),
        weight_scale=draw(st.sampled_from([0.01, 0.5]))
        if draw(st.booleans())
        else generator.uniform(0.01, 1, (*repeat, m)),
        activation_scale=0.25,
        bias=generator.uniform(-5, 5, (*repeat, m)) if draw(st.booleans()) else None,
    )


def _real(layer: GemmLayer) -> np.ndarray:
    """Return the real outputs by their definition: scaled weights times real activations, and the bias."""
    dropped = (1 << (layer.lo_bits - 4)) - 1
    x = truncate(layer.activation, layer.lo_bits).astype(float) + (dropped / 2 if layer.dbs_offset == "midpoint" else 0)
    weight = layer.weight * np.broadcast_to(layer.weight_scale, layer.weight.shape[:-1])[..., None]
    bias = np.zeros(layer.weight.shape[:-1]) if layer.bias is None else layer.bias
    return np.matmul(weight, (x - layer.zero_point) * layer.activation_scale) + bias[..., None]


@settings(deadline=None)
@given(producers())
def test_codes_stand_for_the_real_outputs(layer: GemmLayer) -> None:
    """One scale makes the largest of all products 63, and each code is the rounded real output in its steps."""
    found, real = dynamic_weight(layer), _real(layer)
    assert found.codes.shape == real.shape
    assert found.scale == pytest.approx(np.abs(real).max() / 63 if real.any() else 1.0)
    # The bias is rounded to whole accumulator units, and halves may fall to either side.
    unit = np.broadcast_to(layer.weight_scale, layer.weight.shape[:-1])[..., None] * layer.activation_scale
    assert (np.abs(found.codes - real / found.scale) <= 0.5 + 0.51 * unit / found.scale + 1e-6).all()
    assert np.abs(found.codes).max() <= 63
    rows = layer.reference_accumulator().reshape(-1, layer.N)
    assert np.array_equal(found.requantizer.apply(rows).reshape(real.shape), found.codes)


def test_a_given_scale_is_taken_and_clips() -> None:
    """With a calibrated scale the codes beyond +-63 are clipped, and halves round up."""
    layer = GemmLayer("producer", np.array([[1], [-1]], np.int8), np.array([[1, 2, 3, 5, 200]], np.uint8), 0)
    found = dynamic_weight(layer, scale=2.0)
    assert found.scale == 2.0
    assert found.codes.tolist() == [[1, 1, 2, 3, 63], [0, -1, -1, -2, -63]]


def test_halves_round_up_in_exact_numbers() -> None:
    """A code is the floor of the exact quotient plus a half: ties go up, not to even, and not away from 0."""
    layer = GemmLayer("producer", np.array([[1], [-1]], np.int8), np.arange(32, dtype=np.uint8)[None], 16)
    codes = dynamic_weight(layer, scale=4.0).codes
    for row, sign in enumerate((1, -1)):
        wanted = [(Fraction(sign * (x - 16), 4) + Fraction(1, 2)).__floor__() for x in range(32)]
        assert codes[row].tolist() == wanted


@pytest.mark.parametrize(("bits", "most"), [(4, 7), (7, 63), (10, 511)])
def test_widths(bits: int, most: int) -> None:
    """The largest output becomes the largest code of each width."""
    layer = GemmLayer("producer", np.array([[3], [-9]], np.int8), np.array([[0, 40, 200]], np.uint8), 0)
    assert np.abs(dynamic_weight(layer, bits).codes).max() == most
