"""Output requantization: exact in whole numbers, its bounds, and rows of zero weights."""

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
from panacea_sim.quant.quantizer import calibrate_activations, dbs_bias
from panacea_sim.quant.requantizer import Requantizer, requantizer_for


@st.composite
def requantizers(draw: st.DrawFn) -> tuple[Requantizer, npt.NDArray[np.int64]]:
    """Draw a requantizer within its bounds, and accumulators [M, N] of int32."""
    rows = draw(st.integers(1, 4))

    def column(least: int, most: int) -> npt.NDArray[np.int64]:
        return draw(hnp.arrays(np.int64, rows, elements=st.integers(least, most)))

    requantizer = Requantizer(
        multiplier=column(0, 2**31 - 1),
        shift=column(1, 63),
        offset=column(-(2**31), 2**31),
        zero_point=draw(st.integers(0, 255)),
        bits=draw(st.sampled_from([4, 8, 12])),
    )
    accumulator = draw(hnp.arrays(np.int64, (rows, 3), elements=st.integers(-(2**31), 2**31 - 1)))
    return requantizer, accumulator


@given(requantizers())
def test_requantization_equals_python_integers(case: tuple[Requantizer, npt.NDArray[np.int64]]) -> None:
    """No product overflows within the bounds, and halves round up."""
    requantizer, accumulator = case
    expected = []
    for row, multiplier, shift, offset in zip(
        accumulator.tolist(),
        requantizer.multiplier.tolist(),
        requantizer.shift.tolist(),
        requantizer.offset.tolist(),
        strict=True,
    ):
        scaled = [((value + offset) * multiplier + (1 << (shift - 1))) // (1 << shift) for value in row]
        highest = (1 << requantizer.bits) - 1
        expected.append([min(max(value + requantizer.zero_point, 0), highest) for value in scaled])
    assert requantizer.apply(accumulator).tolist() == expected


@given(requantizers(), st.data())
def test_rows_requantize_as_in_the_whole(case: tuple[Requantizer, npt.NDArray[np.int64]], data: st.DataObject) -> None:
    """A tile of output rows needs only its part of the requantizer."""
    requantizer, accumulator = case
    start = data.draw(st.integers(0, len(accumulator) - 1))
    part = requantizer.rows(start, start + 2).apply(accumulator[start : start + 2])
    assert np.array_equal(part, requantizer.apply(accumulator)[start : start + 2])


@pytest.mark.parametrize("mode", ["floor", "midpoint"])
@given(operands=gemm_operands(), seed=st.integers(0, 2**32 - 1))
def test_requantized_outputs_are_the_real_ones_rounded(
    operands: GemmOperands, seed: int, mode: Literal["floor", "midpoint"]
) -> None:
    """Whole-number requantization is within half a step, plus half an accumulator unit, of the real formula."""
    generator = np.random.default_rng(seed)
    weight, zero_point = operands.weight, operands.zero_point
    scale = generator.uniform(1e-4, 1e-2, len(weight))
    bias = generator.normal(0.0, 1.0, len(weight))
    x_scale, correction = 0.05, dbs_bias(weight, operands.lo_bits, mode)
    accumulator = integer_gemm(weight, operands.activation)
    sums = weight.sum(axis=1, keepdims=True, dtype=np.int64)
    real = (scale * x_scale)[:, None] * (accumulator - zero_point * sums + correction[:, None]) + bias[:, None]
    target = calibrate_activations(real, 8)

    requantizer = requantizer_for(
        weight, scale, x_scale, zero_point, bias, target.scale, target.zero_point, correction=correction
    )
    exact = (real / target.scale + target.zero_point).clip(0, 255)
    slack = 0.5 * (scale * x_scale / target.scale)[:, None] + 1e-6
    assert (np.abs(requantizer.apply(accumulator) - exact) <= 0.5 + slack).all()


def test_one_weight_scale_serves_all_rows() -> None:
    """A per-tensor scale is the same as equal per-channel scales."""
    weight, bias = np.array([[1, 2], [3, 4]]), np.array([0.5, -0.5])
    one = requantizer_for(weight, 0.5, 0.1, 3, bias, 0.2, 7)
    each = requantizer_for(weight, np.array([0.5, 0.5]), 0.1, 3, bias, 0.2, 7)
    accumulator = np.array([[10, -20], [30, 40]])
    assert np.array_equal(one.apply(accumulator), each.apply(accumulator))
    assert one.offset.tolist() == [10 - 3 * 3, -10 - 3 * 7]


def test_tiny_ratios_requantize_to_the_zero_point() -> None:
    """A ratio far below what 31 bits and the largest shift hold is a multiplier of 0."""
    requantizer = requantizer_for(np.array([[1]]), 1e-20, 1e-20, 0, np.zeros(1), 1.0, 9)
    assert requantizer.apply(np.array([[2**31 - 1]])).tolist() == [[9]]


@pytest.mark.parametrize("ratio", [np.nextafter(1.0, 0.0), np.nextafter(2.0**30, 0.0)])
def test_ratios_just_below_a_power_of_two_fit_the_multiplier(ratio: float) -> None:
    """A mantissa that rounds up to 2^31 stays within 31 bits."""
    requantizer = requantizer_for(np.array([[1]]), ratio, 1.0, 0, np.zeros(1), 1.0, 0)
    assert requantizer.multiplier.tolist() == [2**31 - 1]
    assert requantizer.apply(np.array([[100]])).tolist() == [[min(round(100 * ratio), 255)]]


@pytest.mark.parametrize(
    ("weight_scale", "bias", "output_scale", "message"),
    [
        (-1.0, 0.0, 1.0, r"weight_scale: found -1\.0; accepted: finite numbers above 0"),
        (1.0, 0.0, np.nan, "output_scale: found nan; accepted: finite numbers above 0"),
        (
            1.0,
            3e9,
            1.0,
            r"bias: found 3e\+09 accumulator units; accepted: less than 2147483648 .*Raise the weight scale",
        ),
        (
            1.0,
            0.0,
            1e-10,
            r"output_scale: found 1 / 1e\+10 of the accumulator scale; accepted: more than 1 / 1073741824",
        ),
    ],
)
def test_requantizers_that_do_not_fit_are_refused(
    weight_scale: float, bias: float, output_scale: float, message: str
) -> None:
    """The error names the number that is out of the fixed-point range."""
    with pytest.raises(ConfigError, match=message):
        requantizer_for(np.array([[1]]), weight_scale, 1.0, 0, np.array([bias]), output_scale, 0)
