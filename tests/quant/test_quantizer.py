"""Quantizers: ranges, errors of rounding, DBS, ZPM and requantization."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import GemmOperands, gemm_operands

from panacea_sim.quant import quantizer as quantizers
from panacea_sim.quant.aqs_gemm import integer_gemm
from panacea_sim.quant.quantizer import (
    ActivationQuantizer,
    QuantizationError,
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
    """Per-tensor scales are equal in every row."""
    weight = np.array([[63.0, 1.0], [0.0, 0.0], [-126.0, 2.0]])
    assert weight_scale(weight, 7, per_channel=False).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("peaks", "scales"),
    [
        ([63.0, 0.0, 126.0], [1.0, 1.0, 2.0]),
        ([0.0, 126.0, 0.0], [2.0, 2.0, 2.0]),
        ([0.63, 0.0063, 0.0], [0.01, 0.0001, 0.0001]),
        ([0.0, -0.063, 5e-324], [0.001, 0.001, 0.001]),
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
    ],
)
def test_rows_of_zeros_take_the_smallest_scale_of_the_others(peaks: list[float], scales: list[float]) -> None:
    """So their bias is rounded as finely as any; rows too small for a scale count as zeros."""
    weight = np.array([[0.0, peak] for peak in peaks])
    assert weight_scale(weight, 7, per_channel=True) == pytest.approx(scales, rel=1e-12)


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


@pytest.mark.parametrize("dbs", [False, True])
@pytest.mark.parametrize(
    "x",
    [
        np.ones((8, 8)),
        np.full((8, 8), -3.0),
        np.zeros((8, 8)),
        np.eye(64),
        np.tile([0.0, 1.0], (64, 32)),
        np.linspace(0.1, 1.0, 4096).reshape(64, 64),
        1 / (1 + np.exp(gaussian(0.0, 2.0))),
    ],
    ids=["constant", "negative", "zeros", "one-hot", "0 and 1", "uniform", "sigmoid"],
)
def test_auto_zpm_keeps_the_zero_point_where_nothing_is_gained(*, x: FloatMatrix, dbs: bool) -> None:
    """On a tie the values come back as they do without ZPM, and none is clipped."""
    kept, auto = (panacea_quantizer(x, zpm=zpm, dbs=dbs) for zpm in ("off", "auto"))
    assert auto == kept
    assert auto.calibration == kept.calibration
    assert auto.calibration is not None
    assert auto.calibration.clipped_share == 0
    assert np.abs(auto.dequantize(auto.quantize(x)) - x).max() <= 0.5 * auto.scale * (1 + 1e-9)


@pytest.mark.parametrize(("clipped", "zero_point"), [(1, 8), (40, 8), (41, 15), (400, 15)])
def test_auto_zpm_weighs_what_newly_saturates(clipped: int, zero_point: int) -> None:
    """Nearly all vectors are gained by moving 15 to 8; with more than 1 % of 4,000 values newly clipped it stays."""
    x = np.full((4, 1000), 3.0)
    x.flat[0] = 240.0
    x.flat[1000 : 1000 + clipped] = -15.0
    assert panacea_quantizer(x, zpm="off", dbs=False).zero_point == 15
    assert panacea_quantizer(x, zpm="auto", dbs=False).zero_point == zero_point


def test_auto_zpm_forgives_what_a_percentile_has_clipped() -> None:
    """30 of 4,000 values are outside the range that was asked for; the 20 that moving adds are within the 1 %."""
    x = np.full((4, 1000), 3.0)
    x.flat[:60] = 240.0
    x.flat[1000:1020] = -15.0
    x.flat[2000:2030] = -100.0
    kept, moved = (panacea_quantizer(x, percentile=99.0, zpm=zpm, dbs=False) for zpm in ("off", "auto"))
    assert (kept.zero_point, moved.zero_point) == (15, 8)
    assert kept.calibration is not None
    assert moved.calibration is not None
    assert (kept.calibration.clipped_share, moved.calibration.clipped_share) == (30 / 4000, 50 / 4000)


def test_values_are_clipped_outside_the_codes() -> None:
    """The first and the last code are inside, what rounds to one beyond is not."""
    quantizer = ActivationQuantizer(1.0, 2, 4, 4)
    assert quantizer.clipped(np.array([-3.0, -2.4, -2.0, 13.4, 13.6, 14.0])).tolist() == [
        True,
        False,
        False,
        False,
        True,
        True,
    ]


@given(x=real_matrices, dbs=st.booleans(), percentile=st.sampled_from([None, 90.0]))
def test_auto_zpm_moves_if_and_only_if_it_pays(*, x: FloatMatrix, dbs: bool, percentile: float | None) -> None:
    """The rule, counted anew: strictly more skips, and at most 1 % of the values newly outside the codes."""
    kept, moved, auto = (panacea_quantizer(x, percentile=percentile, zpm=zpm, dbs=dbs) for zpm in ("off", "on", "auto"))
    newly = 0
    for value in x.ravel().tolist():
        step = round(value / kept.scale)
        newly += not 0 <= step + moved.zero_point <= 255 and 0 <= step + kept.zero_point <= 255
    pays = skips_of(moved, x) > skips_of(kept, x) and 100 * newly <= x.size
    assert auto == (moved if pays else kept)


def test_the_error_of_quantization_is_clipping_and_rounding() -> None:
    """Steps off: 0, 0.5, 2 beyond the top and 3 below 0; two of four values are clipped."""
    error = ActivationQuantizer(2.0, 0, 4, 4).error_on(np.array([[30.0, 5.0], [34.0, -6.0]]))
    assert error == QuantizationError(clipped_share=0.5, rms_steps=pytest.approx(((0.25 + 4 + 9) / 4) ** 0.5))


@given(real_matrices, st.sampled_from(["off", "on"]), st.booleans())
def test_a_chosen_quantizer_says_what_it_costs(x: FloatMatrix, zpm: Literal["off", "on"], dbs: bool) -> None:  # noqa: FBT001
    """Its report is that of its own calibration data, and takes no part in comparisons."""
    quantizer = panacea_quantizer(x, zpm=zpm, dbs=dbs)
    assert quantizer.calibration == quantizer.error_on(x)
    assert quantizer == replace(quantizer, calibration=None)
    off = (quantizer.dequantize(quantizer.quantize(x)) - x) / quantizer.scale
    assert quantizer.error_on(x).rms_steps == pytest.approx(np.sqrt((off**2).mean()), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("values", [1, 50, 1 << 20])
def test_blocks_change_no_choice(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen are scale, zero point and l of the whole matrix, however many rows are looked at together."""
    monkeypatch.setattr(quantizers, "_BLOCK_VALUES", values)
    rng = np.random.default_rng(6)
    # A third row far from the others: of rows alone others would be chosen.
    x = np.concatenate([rng.normal(0, 0.1, (40, 13)), rng.normal(3, 0.2, (1, 13)), rng.normal(0, 1, (9, 13))])
    found = panacea_quantizer(x, zpm="auto", dbs=True)
    codes = np.clip(np.rint(x / found.scale) + calibrate_activations(x, 8).zero_point, 0, 255)
    assert found.lo_bits == choose_lo_bits(float(np.std(codes)))
    whole = np.rint(x / found.scale) + found.zero_point
    error = found.calibration
    assert error is not None
    assert error.clipped_share == np.mean((whole < 0) | (whole > 255))
    assert error.rms_steps == pytest.approx(
        float(np.sqrt(np.mean((whole.clip(0, 255) - found.zero_point - x / found.scale) ** 2)))
    )


def test_the_report_shows_what_moving_costs() -> None:
    """A uniform distribution away from 0 loses 13 % of its values at the top where ZPM is forced."""
    x = np.linspace(0.1, 1.0, 4096).reshape(64, 64)
    kept, moved = (panacea_quantizer(x, zpm=zpm, dbs=True).calibration for zpm in ("auto", "on"))
    assert kept is not None
    assert moved is not None
    assert (kept.clipped_share, moved.clipped_share) == (0.0, pytest.approx(0.138, abs=0.005))
    assert (kept.rms_steps, moved.rms_steps) == (pytest.approx(0.29, abs=0.005), pytest.approx(7.0, abs=0.2))


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
