"""Slices: ranges, recomposition and the frequent values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.errors import ConfigError
from panacea_sim.quant.slicing import (
    activation_ho_factors,
    frequent_slices,
    mode_slices,
    slice_activations,
    slice_weights,
    truncate,
    weight_ho_factors,
)
from panacea_sim.quant.widths import ACTIVATION_BITS, LO_BITS, WEIGHT_BITS

ACTIVATION_WIDTHS = [(bits, lo) for bits in ACTIVATION_BITS for lo in (LO_BITS if bits == 8 else (4,))]


def every_weight(bits: int) -> np.ndarray:
    """Return a matrix with every weight of the width."""
    return np.arange(-(1 << (bits - 1)), 1 << (bits - 1)).reshape(4, -1)


def every_activation(bits: int) -> np.ndarray:
    """Return a matrix with every activation of the width."""
    return np.arange(1 << bits).reshape(4, -1)


@pytest.mark.parametrize(("bits", "factors"), [(4, ()), (7, (8,)), (10, (8, 64))])
def test_weight_factors_are_powers_of_eight(bits: int, factors: tuple[int, ...]) -> None:
    """A weight has one HO slice of factor 8^i for every 3 bits above the first 4."""
    assert weight_ho_factors(bits) == factors


@pytest.mark.parametrize(
    ("bits", "lo_bits", "factors"),
    [(4, 4, ()), (8, 4, (16,)), (8, 5, (32,)), (8, 6, (64,)), (12, 4, (16, 256))],
)
def test_activation_factors_follow_the_lo_field(bits: int, lo_bits: int, factors: tuple[int, ...]) -> None:
    """The lowest HO slice of an activation starts where the LO field ends."""
    assert activation_ho_factors(bits, lo_bits) == factors


@pytest.mark.parametrize("bits", WEIGHT_BITS)
def test_every_weight_recomposes_from_its_slices(bits: int) -> None:
    """The factors and slices of a weight add up to it, and every slice fits 4 signed bits."""
    weight = every_weight(bits)
    slices = slice_weights(weight, bits)
    assert (slices.values() == weight).all()
    for slice_ in (slices.lo, *slices.ho):
        assert slice_.min() >= -8
        assert slice_.max() <= 7


@pytest.mark.parametrize("bits", [7, 10])
def test_ho_weight_slices_are_zero_exactly_for_small_weights(bits: int) -> None:
    """All HO slices are 0 exactly when -8 <= q <= 7, so small weights of both signs are skipped."""
    weight = every_weight(bits)
    is_zero = (slice_weights(weight, bits).ho == 0).all(axis=0)
    assert (is_zero == ((weight >= -8) & (weight <= 7))).all()


@pytest.mark.parametrize(("weight", "lo", "ho"), [(9, 1, 1), (-1, -1, 0), (-8, -8, 0), (-9, -1, -1), (-64, -8, -7)])
def test_negative_weights_borrow_from_the_ho_slice(weight: int, lo: int, ho: int) -> None:
    """The LO slice carries the sign of the weight."""
    slices = slice_weights(np.array([[weight]]), 7)
    assert (slices.lo[0, 0], slices.ho[0, 0, 0]) == (lo, ho)


@pytest.mark.parametrize(("bits", "lo_bits"), ACTIVATION_WIDTHS)
def test_every_activation_recomposes_to_its_truncation(bits: int, lo_bits: int) -> None:
    """The factors and slices of an activation add up to x_hat, and every slice fits 4 unsigned bits."""
    activation = every_activation(bits)
    slices = slice_activations(activation, bits, lo_bits)
    assert (slices.values() == truncate(activation, lo_bits)).all()
    assert max(int(slice_.max()) for slice_ in (slices.lo, *slices.ho)) <= 15


@given(st.sampled_from(LO_BITS), st.integers(0, 255))
def test_truncation_drops_the_low_bits_only(lo_bits: int, value: int) -> None:
    """x_hat is the largest multiple of 2^(l-4) that is not above x."""
    step = 1 << (lo_bits - 4)
    assert truncate(np.array([[value]], np.uint8), lo_bits)[0, 0] == value // step * step


@given(st.data(), st.sampled_from(ACTIVATION_WIDTHS))
def test_frequent_slices_are_the_slices_of_the_zero_point(data: st.DataObject, widths: tuple[int, int]) -> None:
    """An activation equal to the zero point has the value r in every HO slice."""
    bits, lo_bits = widths
    zero_point = data.draw(st.integers(0, (1 << bits) - 1))
    ho = slice_activations(np.array([[zero_point]]), bits, lo_bits).ho
    assert frequent_slices(zero_point, bits, lo_bits) == tuple(ho[:, 0, 0])


def test_mode_is_the_most_frequent_value_and_the_smallest_of_a_tie() -> None:
    """The mode counts slices, not zero points, and resolves ties downwards."""
    assert mode_slices(np.array([[0x31, 0x32, 0x70]]), 8, 4) == (3,)
    assert mode_slices(np.array([[0x70, 0x31, 0x32, 0x71]]), 8, 4) == (3,)
    assert mode_slices(np.array([[0x123, 0x923, 0x973]]), 12, 4) == (2, 9)
    assert mode_slices(np.array([[3, 3]]), 4, 4) == ()


@pytest.mark.parametrize("bits", [0, 8, 16])
def test_a_weight_width_that_does_not_exist_is_refused(bits: int) -> None:
    """The error lists the widths."""
    with pytest.raises(ConfigError, match=r"weight_bits: found \d+; accepted: 4, 7, 10"):
        weight_ho_factors(bits)


def test_activation_widths_that_do_not_go_together_are_refused() -> None:
    """Only 8-bit activations have a LO field wider than 4 bits."""
    with pytest.raises(ConfigError, match="activation_bits: found 7; accepted: 4, 8, 12"):
        activation_ho_factors(7, 4)
    with pytest.raises(ConfigError, match="lo_bits: found 7; accepted: 4, 5, 6"):
        activation_ho_factors(8, 7)
    with pytest.raises(ConfigError, match="lo_bits: found 5; accepted: 4"):
        activation_ho_factors(12, 5)
    with pytest.raises(ConfigError, match="lo_bits: found 3"):
        truncate(np.array([[1]]), 3)


def test_values_beyond_their_width_are_refused() -> None:
    """The error names the range found and the range accepted."""
    with pytest.raises(ConfigError, match=r"weight: found -65 at \[0, 0\]; accepted: -64 \.\. 63"):
        slice_weights(np.array([[-65, 1]]), 7)
    with pytest.raises(ConfigError, match=r"activation: found 256 at \[0, 1\]; accepted: 0 \.\. 255"):
        slice_activations(np.array([[0, 256]]), 8, 4)
    with pytest.raises(ConfigError, match=r"zero_point: found 256; accepted: a whole number in 0 \.\. 255"):
        frequent_slices(256, 8, 4)


@pytest.mark.parametrize(
    ("matrix", "text"),
    [
        (np.zeros((0, 3), np.int8), r"an empty dimension, shape \(0, 3\)"),
        (np.zeros(3, np.int8), r"1 dimensions, shape \(3,\); accepted: a matrix of integers"),
        (np.zeros((2, 2)), "dtype float64; accepted: a matrix of integers"),
        (np.zeros((2, 2), np.bool_), r"dtype bool; accepted: a matrix of integers\. Convert it with astype\(np.int8\)"),
    ],
)
def test_only_matrices_of_integers_are_sliced(matrix: np.ndarray, text: str) -> None:
    """Empty, one-dimensional and other operands are refused with their shape or dtype."""
    with pytest.raises(ConfigError, match=f"^weight: found {text}"):
        slice_weights(matrix, 7)
