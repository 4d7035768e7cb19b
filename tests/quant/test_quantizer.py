"""Quantizers: ranges, errors of rounding, DBS, ZPM and requantization."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import GemmOperands, gemm_operands

from panacea_sim.errors import ConfigError
from panacea_sim.quant.aqs_gemm import integer_gemm
from panacea_sim.quant.quantizer import (
    ActivationQuantizer,
    calibrate_activations,
    choose_lo_bits,
    dbs_bias,
    manipulate_zero_point,
    panacea_quantizer,
    quantize_weights,
    weight_scale,
)
from panacea_sim.quant.slicing import frequent_slices, slice_activations
from panacea_sim.quant.vectors import skipped_activation_vectors, skipped_share
from panacea_sim.quant.widths import LO_BITS, WEIGHT_BITS

FloatMatrix = npt.NDArray[np.float64]

real_matrices = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2),
    elements=st.integers(-(10**12), 10**12).map(lambda micro: micro / 1e6),
)


def gaussian(mean: float, sigma: float) -> FloatMatrix:
    """Return activations [64, 64] of a normal distribution."""
    return np.random.default_rng(3).normal(mean, sigma, (64, 64))


def skips_of(quantizer: ActivationQuantizer, x: FloatMatrix) -> float:
    """Return rho_x of activations under a quantizer."""
    ho = slice_activations(quantizer.quantize(x), quantizer.bits, quantizer.lo_bits).ho
    frequent = frequent_slices(quantizer.zero_point, quantizer.bits, quantizer.lo_bits)
    share = skipped_share(skipped_activation_vectors(ho, frequent, 4))
    assert share is not None
    return share


@given(weight=real_matrices, bits=st.sampled_from(WEIGHT_BITS), per_channel=st.booleans())
def test_weights_round_to_the_nearest_step(*, weight: FloatMatrix, bits: int, per_channel: bool) -> None:
    """With their own scale no weight saturates: all are within half a step, and the peak takes the last one."""
    scale = weight_scale(weight, bits, per_channel=per_channel)
    quantized = quantize_weights(weight, scale, bits)
    error = np.abs(quantized * scale[:, None] - weight)
    assert (error <= scale[:, None] * 0.5 * (1 + 1e-9)).all()
    assert np.abs(quantized).max() == (2 ** (bits - 1) - 1 if weight.any() else 0)


@given(real_matrices, st.sampled_from(WEIGHT_BITS))
def test_weight_quantization_is_symmetric(weight: FloatMatrix, bits: int) -> None:
    """Negated weights quantize to negated integers."""
    scale = weight_scale(weight, bits, per_channel=True)
    assert (quantize_weights(-weight, scale, bits) == -quantize_weights(weight, scale, bits)).all()


def test_one_scale_for_the_tensor_is_the_largest_of_the_channels() -> None:
    """Per-tensor scales are equal in every row; rows of zeros have the scale 1."""
    weight = np.array([[63.0, 1.0], [0.0, 0.0], [-126.0, 2.0]])
    assert weight_scale(weight, 7, per_channel=True).tolist() == [1.0, 1.0, 2.0]
    assert weight_scale(weight, 7, per_channel=False).tolist() == [2.0, 2.0, 2.0]


def test_weights_beyond_the_scale_saturate_symmetrically() -> None:
    """The most negative code is not used, and the dtype follows the width."""
    weight = np.array([[-1000.0, 1000.0]])
    assert quantize_weights(weight, 1.0, 7).tolist() == [[-63, 63]]
    assert quantize_weights(weight, 1.0, 7).dtype == np.int8
    assert quantize_weights(weight, 1.0, 10).tolist() == [[-511, 511]]
    assert quantize_weights(weight, 1.0, 10).dtype == np.int16


@given(real_matrices, st.sampled_from([4, 8, 12]))
def test_activations_come_back_within_a_step(x: FloatMatrix, bits: int) -> None:
    """Rounding of the value and of the zero point cost at most half a step each."""
    quantizer = calibrate_activations(x, bits)
    error = np.abs(quantizer.dequantize(quantizer.quantize(x)) - x)
    assert (error <= quantizer.scale * (1 + 1e-9)).all()


@given(real_matrices, st.sampled_from([4, 8, 12]), st.sampled_from([None, 50.0, 99.0, 100.0]))
def test_zero_is_exact(x: FloatMatrix, bits: int, percentile: float | None) -> None:
    """The range includes 0 whatever the data and the percentile, so padding costs nothing."""
    quantizer = calibrate_activations(x, bits, percentile)
    zero = quantizer.quantize(np.zeros(1))
    assert zero.tolist() == [quantizer.zero_point]
    assert quantizer.dequantize(zero).tolist() == [0.0]


@given(real_matrices)
def test_quantization_keeps_the_order(x: FloatMatrix) -> None:
    """A larger activation never gets a smaller code."""
    quantized = calibrate_activations(x, 8).quantize(np.sort(x, axis=None))
    assert (np.diff(quantized.astype(np.int64)) >= 0).all()


def test_min_max_calibration_uses_every_code() -> None:
    """The smallest value becomes 0 and the largest 255."""
    quantizer = calibrate_activations(np.array([-85.0, 0.0, 170.0]), 8)
    assert quantizer == ActivationQuantizer(scale=1.0, zero_point=85, bits=8, lo_bits=4)
    assert quantizer.quantize(np.array([-85.0, 0.0, 170.0, 1e300])).tolist() == [0, 85, 255, 255]


def test_a_percentile_cuts_outliers() -> None:
    """One outlier sets the min-max scale, not the percentile's."""
    x = np.append(np.linspace(-1.0, 1.0, 9999), 1000.0)
    assert calibrate_activations(x, 8).scale == pytest.approx(1001 / 255)
    assert calibrate_activations(x, 8, 99.0).scale == pytest.approx(1.96 / 255, rel=1e-3)


def test_activations_of_zeros_have_a_scale() -> None:
    """A tensor without range quantizes to its zero point."""
    quantizer = calibrate_activations(np.zeros((2, 2)), 8)
    assert (quantizer.scale, quantizer.quantize(np.zeros((1, 1))).tolist()) == (1.0, [[0]])


@given(st.integers(0, 255), st.sampled_from(LO_BITS))
def test_zpm_moves_the_zero_point_to_the_centre_of_its_bucket(zero_point: int, lo_bits: int) -> None:
    """The new zero point has the same HO slice and lies half a bucket above its edge."""
    moved = manipulate_zero_point(zero_point, lo_bits)
    assert moved >> lo_bits == zero_point >> lo_bits
    assert moved % (1 << lo_bits) == 1 << (lo_bits - 1)


@pytest.mark.parametrize(("sigma", "lo_bits"), [(0.0, 4), (4.0, 4), (4.01, 5), (8.0, 5), (8.01, 6), (100.0, 6)])
def test_dbs_takes_the_smallest_bucket_that_holds_two_sigma(sigma: float, lo_bits: int) -> None:
    """2 sigma may reach half a bucket; the widest bucket serves all the rest."""
    assert choose_lo_bits(sigma) == lo_bits


def test_dbs_with_fewer_deviations_takes_a_smaller_bucket() -> None:
    """Z scales the deviation that a bucket has to hold."""
    assert choose_lo_bits(8.0, z=1.0) == 4


@pytest.mark.parametrize("dbs", [False, True])
@pytest.mark.parametrize("x", [gaussian(0.3, 1.0), np.maximum(gaussian(0.0, 1.0), 0.0)], ids=["gauss", "relu"])
def test_auto_zpm_skips_as_much_as_the_better_choice(*, x: FloatMatrix, dbs: bool) -> None:
    """The policy decides by the skips of the calibration data."""
    share = {zpm: skips_of(panacea_quantizer(x, zpm=zpm, dbs=dbs), x) for zpm in ("off", "on", "auto")}
    assert share["auto"] == max(share["off"], share["on"])


def test_auto_zpm_leaves_the_zero_point_of_relu_outputs() -> None:
    """Moving a zero point of 0 lifts values over the edge of the bucket, so auto keeps it and on does not."""
    x = np.maximum(gaussian(0.0, 1.0), 0.0)
    assert panacea_quantizer(x, zpm="auto", dbs=False).zero_point == 0
    assert panacea_quantizer(x, zpm="on", dbs=False).zero_point == 8


def test_zpm_and_dbs_keep_the_scale() -> None:
    """Only the zero point and l change, and l follows the deviation of the quantized values."""
    x = gaussian(0.0, 1.0)
    base, tuned = calibrate_activations(x, 8), panacea_quantizer(x, zpm="on", dbs=True)
    assert tuned.scale == base.scale
    assert tuned.lo_bits == choose_lo_bits(float(base.quantize(x).std())) == 6
    assert tuned.zero_point == manipulate_zero_point(base.zero_point, 6)
    assert panacea_quantizer(x, zpm="off", dbs=False) == base


@given(gemm_operands(), st.sampled_from(LO_BITS))
def test_the_midpoint_bias_is_the_mean_of_what_truncation_drops(operands: GemmOperands, lo_bits: int) -> None:
    """Averaged over every dropped field, W times the field is the bias; floor adds nothing."""
    weight = operands.weight
    fields = np.tile(np.arange(1 << (lo_bits - 4)), (weight.shape[1], 1))
    assert dbs_bias(weight, lo_bits, "midpoint").tolist() == integer_gemm(weight, fields).mean(axis=1).tolist()
    assert not dbs_bias(weight, lo_bits, "floor").any()


def test_values_that_are_not_finite_are_refused() -> None:
    """Not a number, infinity and empty tensors are named with their count."""
    with pytest.raises(ConfigError, match="weight: found 1 of 2 not finite"):
        weight_scale(np.array([[1.0, np.nan]]), 7, per_channel=True)
    with pytest.raises(ConfigError, match="activation: found 1 of 1 not finite"):
        calibrate_activations(np.array([[np.inf]]), 8)
    with pytest.raises(
        ConfigError, match="activation: found 0 of 0 not finite; accepted: finite numbers, at least one"
    ):
        calibrate_activations(np.zeros((0, 3)), 8)


def test_quantizers_that_cannot_be_are_refused() -> None:
    """Scales, zero points, percentiles and widths are checked where they enter."""
    with pytest.raises(ConfigError, match=r"activation_scale: found 0\.0; accepted: finite numbers above 0"):
        ActivationQuantizer(0.0, 0, 8, 4)
    with pytest.raises(ConfigError, match="zero_point: found 16"):
        ActivationQuantizer(1.0, 16, 4, 4)
    with pytest.raises(ConfigError, match=r"percentile: found 10\.0; accepted: 50 \.\. 100"):
        calibrate_activations(np.ones((2, 2)), 8, 10.0)
    with pytest.raises(ConfigError, match="activation_bits: found 12; accepted: 8 where dbs or zpm is used"):
        panacea_quantizer(np.ones((2, 2)), 12, zpm="off", dbs=True)
