"""The AQS-GEMM product: exact for every operand, cut and frequent value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import GemmOperands, gemm_operands

from panacea_sim.errors import ConfigError
from panacea_sim.quant.aqs_gemm import aqs_gemm, check_accumulator, integer_gemm
from panacea_sim.quant.slicing import slice_activations, slice_weights, truncate


def product_of(operands: GemmOperands) -> np.ndarray:
    """Return the AQS-GEMM product of drawn operands."""
    return aqs_gemm(
        slice_weights(operands.weight, operands.weight_bits),
        slice_activations(operands.activation, operands.activation_bits, operands.lo_bits),
        operands.frequent,
        operands.v,
        operands.tile_k,
    )


def exact_product(weight: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Return the product in Python integers."""
    return weight.astype(object) @ x_hat.astype(object)


@given(gemm_operands())
def test_aqs_gemm_equals_the_integer_product(operands: GemmOperands) -> None:
    """Slicing, skipping, fillers and compensation leave every accumulator exact."""
    x_hat = truncate(operands.activation, operands.lo_bits)
    assert np.array_equal(product_of(operands), exact_product(operands.weight, x_hat))


@given(gemm_operands(max_rows=1, max_k=1))
def test_aqs_gemm_of_single_values_is_their_product(operands: GemmOperands) -> None:
    """A 1 x 1 x 1 product pads its vectors without a trace."""
    x_hat = int(truncate(operands.activation, operands.lo_bits)[0, 0])
    assert product_of(operands).tolist() == [[int(operands.weight[0, 0]) * x_hat]]


@given(gemm_operands(), st.integers(0, 15))
def test_the_frequent_value_is_a_matter_of_speed_only(operands: GemmOperands, r: int) -> None:
    """Another r gives the same accumulators."""
    other = replace(operands, frequent=(r,) * len(operands.frequent))
    assert np.array_equal(product_of(operands), product_of(other))


def test_aqs_gemm_wraps_modulo_two_to_the_32() -> None:
    """Accumulators that leave int32 come back as the hardware would hold them."""
    k = 2000
    weight, activation = np.full((1, k), 511), np.full((k, 1), 4095)
    product = aqs_gemm(slice_weights(weight, 10), slice_activations(activation, 12, 4), (15, 15), 4, 32)
    assert int(product[0, 0]) == (511 * 4095 * k + 2**31) % 2**32 - 2**31


@pytest.mark.parametrize("largest", [1 << 4, 1 << 12, 1 << 28])
def test_integer_gemm_is_exact_whatever_arithmetic_it_takes(largest: int) -> None:
    """Small, middle and large operands, of which floats hold the last ones no more, give exact products."""
    generator = np.random.default_rng(largest)
    weight, x_hat = generator.integers(-largest, largest, (3, 50)), generator.integers(0, largest, (50, 4))
    assert np.array_equal(integer_gemm(weight, x_hat), exact_product(weight, x_hat))


def test_accumulators_that_fit_become_int32() -> None:
    """The limits of int32 are accepted."""
    limits = np.array([[-(2**31), 2**31 - 1]])
    checked = check_accumulator(limits)
    assert checked.dtype == np.int32
    assert (checked == limits).all()


@pytest.mark.parametrize("worst", [2**31, -(2**31) - 1])
def test_an_accumulator_beyond_int32_is_refused(worst: int) -> None:
    """The error names the largest value and the way out."""
    with pytest.raises(
        ConfigError, match=rf"accumulator: found {worst}; accepted: .*int32.*\. Split the layer along K"
    ):
        check_accumulator(np.array([[5, worst]]))
