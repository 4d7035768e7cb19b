"""The real layers: what they skip and the accumulators they give."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from real_layers import EXPECTED, real_layer

from panacea_sim.quant.aqs_gemm import aqs_gemm, check_accumulator, integer_gemm
from panacea_sim.quant.slicing import frequent_slices, slice_activations, slice_weights
from panacea_sim.quant.vectors import skipped_activation_vectors, skipped_share, skipped_weight_vectors


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_layer_skips_and_computes_what_is_expected(name: str) -> None:
    """Shape, r, both shares and the accumulators of the sliced product equal the kept figures."""
    expected = EXPECTED[name]
    with np.load(real_layer(name)) as layer:
        weight, activation = layer["weight"], layer["activation"]
        zero_point, lo_bits = int(layer["zero_point"]), int(layer["lo_bits"])
    weights, activations = slice_weights(weight, 7), slice_activations(activation, 8, lo_bits)
    frequent = frequent_slices(zero_point, 8, lo_bits)
    accumulator = aqs_gemm(weights, activations, frequent, v=4, tile_k=32)

    assert (*weight.shape, activation.shape[1]) == (expected["M"], expected["K"], expected["N"])
    assert (zero_point, lo_bits, frequent) == (expected["zp"], expected["l"], (expected["r"],))
    assert skipped_share(skipped_weight_vectors(weights.ho, 4)) == pytest.approx(expected["rho_w"], abs=1e-9)
    rho_x = skipped_share(skipped_activation_vectors(activations.ho, frequent, 4))
    assert rho_x == pytest.approx(expected["rho_x"], abs=1e-9)
    assert hashlib.sha256(accumulator.astype("<i4").tobytes()).hexdigest() == expected["output_sha256"]
    assert np.array_equal(accumulator, check_accumulator(integer_gemm(weight, activations.values())))
