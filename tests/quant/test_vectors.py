"""Slice vectors: grouping, padding and skipping."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from strategies import GemmOperands, gemm_operands

from panacea_sim.quant.slicing import slice_activations, slice_weights
from panacea_sim.quant.vectors import (
    group_activation_vectors,
    group_weight_vectors,
    skipped_activation_vectors,
    skipped_share,
    skipped_weight_vectors,
)


@given(gemm_operands())
def test_a_weight_vector_is_skipped_when_all_its_slices_are_zero(operands: GemmOperands) -> None:
    """The masks agree with the grouped vectors, ragged groups included."""
    ho = slice_weights(operands.weight, operands.weight_bits).ho
    vectors = group_weight_vectors(ho, operands.v)
    assert (skipped_weight_vectors(ho, operands.v) == (vectors == 0).all(axis=-1)).all()


@given(gemm_operands())
def test_an_activation_vector_is_skipped_when_all_its_slices_are_r(operands: GemmOperands) -> None:
    """The masks agree with the grouped vectors, ragged groups included, every slice with its own r."""
    ho = slice_activations(operands.activation, operands.activation_bits, operands.lo_bits).ho
    vectors = group_activation_vectors(ho, operands.frequent, operands.v)
    skipped = skipped_activation_vectors(ho, operands.frequent, operands.v)
    for r, slice_vectors, slice_skipped in zip(operands.frequent, vectors, skipped, strict=True):
        assert (slice_skipped == (slice_vectors == r).all(axis=-1)).all()


@given(gemm_operands())
def test_groups_hold_every_slice_once_in_order(operands: GemmOperands) -> None:
    """Ungrouped vectors are the slices again, followed by padding."""
    weight_ho = slice_weights(operands.weight, operands.weight_bits).ho
    activation_ho = slice_activations(operands.activation, operands.activation_bits, operands.lo_bits).ho
    weight_vectors = group_weight_vectors(weight_ho, operands.v)
    activation_vectors = group_activation_vectors(activation_ho, operands.frequent, operands.v)
    for slices, vectors in ((weight_ho.swapaxes(1, 2), weight_vectors), (activation_ho, activation_vectors)):
        length = slices.shape[2]
        assert vectors.shape[1] == -(-length // operands.v)
        flat = vectors.swapaxes(1, 2).reshape(*slices.shape[:2], vectors.shape[1] * operands.v)
        assert (flat[:, :, :length] == slices).all()


def test_ragged_groups_are_padded_with_the_value_that_is_skipped() -> None:
    """Weights pad with 0, activations with r of the slice."""
    weights = group_weight_vectors(np.array([[[5], [6], [7]]], np.int8), 2)
    activations = group_activation_vectors(np.array([[[1, 2, 3]], [[4, 5, 6]]], np.uint8), (8, 9), 2)
    assert weights.tolist() == [[[[5, 6]], [[7, 0]]]]
    assert activations.tolist() == [[[[1, 2]], [[3, 8]]], [[[4, 5]], [[6, 9]]]]


def test_the_share_is_the_mean_over_all_slices() -> None:
    """Rho of two HO slices weighs them equally."""
    assert skipped_share(np.array([[[True, True]], [[True, False]]])) == 0.75


def test_operands_without_ho_slice_have_no_share() -> None:
    """A 4-bit operand reports None, not 0."""
    ho = slice_weights(np.array([[1, 2]]), 4).ho
    assert skipped_share(skipped_weight_vectors(ho, 4)) is None
