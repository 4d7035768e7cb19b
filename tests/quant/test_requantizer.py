"""Output requantization: exact in whole numbers, its bounds, and rows of zero weights."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import GemmOperands, gemm_operands

from panacea_sim.errors import ConfigError
from panacea_sim.quant.aqs_gemm import integer_gemm
from panacea_sim.quant.quantizer import calibrate_activations, dbs_bias, quantize_weights, weight_scale
from panacea_sim.quant.requantizer import (
    Requantizer,
    WeightRequantizer,
    requantizer_for,
    weight_requantizer_for,
)
from panacea_sim.quant.slicing import slice_weights

ONE_EACH: dict[str, Any] = {
    "weight": np.array([[1], [1]]),
    "weight_scale": 1.0,
    "activation_scale": 1.0,
    "zero_point": 0,
    "bias": np.zeros(2),
    "output_scale": 1.0,
    "output_zero_point": 0,
}


@st.composite
def requantizers(draw: st.DrawFn) -> tuple[Requantizer, npt.NDArray[np.int64]]:
    """Draw a requantizer within its bounds, and accumulators [M, N] of int32."""
    rows, bits = draw(st.integers(1, 4)), draw(st.sampled_from([4, 8, 12]))

    def column(least: int, most: int) -> npt.NDArray[np.int64]:
        return draw(hnp.arrays(np.int64, rows, elements=st.integers(least, most)))

    requantizer = Requantizer(
        multiplier=column(0, 2**31 - 1),
        shift=column(1, 63),
        offset=column(-(2**31), 2**31),
        zero_point=draw(st.integers(0, (1 << bits) - 1)),
        bits=bits,
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


def zero_rows(weight: npt.NDArray[np.int64], bias: npt.NDArray[np.float64], **changes: Any) -> npt.NDArray[np.int64]:  # noqa: ANN401
    """Return the codes of the rows of a layer whose accumulators are 0, for output scale 0.1 and zero point 20."""
    fields: dict[str, Any] = {
        "weight_scale": 1.0,
        "activation_scale": 0.5,
        "output_scale": 0.1,
        "output_zero_point": 20,
    }
    requantizer = requantizer_for(weight, zero_point=7, bias=bias, **(fields | changes))
    return requantizer.apply(np.zeros((len(weight), 1), np.int64))[:, 0].astype(np.int64)


@given(
    bias=hnp.arrays(np.float64, 3, elements=st.floats(-30, 30)),
    scale=st.floats(1e-12, 1e12),
    output_scale=st.floats(1e-6, 1e6),
)
def test_rows_of_zero_weights_keep_their_bias(bias: npt.NDArray[np.float64], scale: float, output_scale: float) -> None:
    """Whatever scale such rows are given, their outputs are the bias to 1/512 of a step before they are rounded."""
    found = zero_rows(np.zeros((3, 4), np.int64), bias, weight_scale=scale, output_scale=output_scale)
    wanted = (bias / output_scale + 20).clip(0, 255)
    assert (np.abs(found - wanted) <= 0.5 + 1 / 512 + 1e-9).all()


@pytest.mark.parametrize("output_scale", [1.0, 0.1, 3e-5, 1e300])
def test_rows_of_zero_weights_take_a_256th_of_the_output_scale(output_scale: float) -> None:
    """Their ratio is exactly that; the rows beside them keep theirs."""
    weight = np.array([[0, 0], [0, 1]])
    requantizer = requantizer_for(weight, 0.5, output_scale, 3, np.ones(2) * output_scale, output_scale, 0)
    assert (requantizer.multiplier / 2.0**requantizer.shift).tolist() == [1 / 256, 0.5]
    assert requantizer.offset.tolist() == [256, 2 - 3]


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e-300, np.array([1.0, 0.01, 1e6])], ids=["1", "100", "tiny", "rows"])
def test_a_row_of_zero_weights_among_others_keeps_its_bias(scale: float | npt.NDArray[np.float64]) -> None:
    """The rule is each row's own: a row of zeros beside others, or all rows of zeros."""
    bias = np.array([0.0, 0.0, 5.73])
    weight = np.array([[1, 2], [0, -3], [0, 0]])
    assert zero_rows(weight, bias, weight_scale=scale, activation_scale=1e-3)[2] == 77
    assert zero_rows(0 * weight, bias, weight_scale=scale).tolist() == [20, 20, 77]


@pytest.mark.parametrize(("bias", "code"), [(1e12, 255), (-1e12, 0), (1e308, 255), (-1e308, 0)])
def test_a_bias_beyond_every_code_saturates_in_rows_of_zero_weights(bias: float, code: int) -> None:
    """The substitute scale refuses no bias that another scale would have let through."""
    assert zero_rows(np.zeros((1, 2), np.int64), np.array([bias])).tolist() == [code]


def test_a_correction_of_a_row_of_zero_weights_keeps_its_unit() -> None:
    """A correction is in accumulator units of the scale that was given, so that scale stays."""
    weight, bias = np.zeros((2, 2), np.int64), np.zeros(2)
    assert zero_rows(weight, bias, correction=np.array([2.0, 0.0])).tolist() == [20 + 10, 20]


def test_weights_that_round_to_zero_keep_their_bias() -> None:
    """With one scale for the matrix a small row has codes of 0 only, and still its bias comes out."""
    real = np.array([[1000.0, -1000.0], [0.001, 0.002]])
    scale = weight_scale(real, 7, per_channel=False)
    weight = quantize_weights(real, scale, 7)
    assert not weight[1].any()
    assert zero_rows(weight, np.array([0.0, 3.3]), weight_scale=scale)[1] == 53


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"weight_scale": -1.0}, "weight_scale: found -1.0; accepted: finite numbers > 0"),
        (
            {"weight_scale": np.array([0.5, 0.0])},
            "weight_scale: found 0.0 in row 1; accepted: finite numbers > 0. A row of zero weights can have any scale",
        ),
        ({"weight_scale": np.array([np.nan, 1])}, "weight_scale: found nan in row 0; accepted: finite numbers > 0"),
        ({"weight_scale": np.ones(3)}, "weight_scale: found shape (3,); accepted: one number, or shape (2,)"),
        ({"activation_scale": 0}, "activation_scale: found 0.0; accepted: finite numbers > 0"),
        ({"activation_scale": "1"}, "activation_scale: found '1'; accepted: real numbers"),
        (
            {"weight_scale": 1e-200, "activation_scale": 1e-200},
            "weight_scale: found 1e-200 in row 0; accepted: a number whose product with the activation scale, 1e-200,",
        ),
        ({"output_scale": np.nan}, "output_scale: found nan; accepted: finite numbers > 0"),
        ({"zero_point": 127.5}, "zero_point: found 127.5; accepted: a whole number in 0 .. 4095"),
        ({"zero_point": -1}, "zero_point: found -1; accepted: a whole number in 0 .. 4095"),
        ({"output_zero_point": 256}, "output_zero_point: found 256; accepted: a whole number in 0 .. 255"),
        ({"output_zero_point": 3.0}, "output_zero_point: found 3.0; accepted: a whole number in 0 .. 255"),
        ({"bits": 17}, "output_bits: found 17; accepted: a whole number in 1 .. 16"),
        ({"bias": np.zeros(3)}, "bias: found shape (3,); accepted: shape (2,): one number for each row"),
        ({"bias": np.array([0, np.inf])}, "bias: found inf at [1]; accepted: finite numbers"),
        ({"correction": np.ones(3)}, "correction: found shape (3,); accepted: one number, or shape (2,)"),
        ({"correction": np.nan}, "correction: found nan; accepted: finite numbers"),
        ({"weight": np.ones((2, 2))}, "weight: found shape (2, 2), dtype float64; accepted: a matrix of integers"),
        ({"weight": np.ones(2, np.int8)}, "weight: found shape (2,), dtype int8; accepted: a matrix of integers"),
        (
            {"bias": np.array([0.0, 3e9])},
            "bias: found 3e+09 accumulator units in row 1; accepted: less than 2147483648 together with ",
        ),
        (
            {"output_scale": 1e-10},
            "output_scale: found 1 / 1e+10 of the accumulator scale of row 0; accepted: more than 1 / ",
        ),
    ],
)
def test_requantizers_that_do_not_fit_are_refused(changes: dict[str, Any], text: str) -> None:
    """The error names the argument, and the row where it is one row's."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        requantizer_for(**(ONE_EACH | changes))


@pytest.mark.parametrize(
    ("refused", "hint", "changes"),
    [
        ({"output_scale": 1e-10}, "Use 9.5e-10 or more", {"output_scale": 9.5e-10}),
        ({"output_scale": 7e-12, "weight_scale": 0.01}, "Use 9.5e-12 or more", {"output_scale": 9.5e-12}),
        ({"bias": [0.0, 3e9]}, "weights of row 1 anew with a weight scale of 1.42 or more", {"weight_scale": 1.42}),
        ({"bias": [-9e9, 0.0]}, "weights of row 0 anew with a weight scale of 4.27 or more", {"weight_scale": 4.27}),
        (
            {"bias": [0.0, 9e5], "weight_scale": np.array([1.0, 1e-4])},
            "weights of row 1 anew with a weight scale of 0.000427 or more",
            {"weight_scale": np.array([1.0, 0.000427])},
        ),
    ],
)
def test_hints_of_the_fixed_point_form_are_right(refused: dict[str, Any], hint: str, changes: dict[str, Any]) -> None:
    """The number that a hint names is accepted in place of the one that was refused."""
    fields = ONE_EACH | refused
    with pytest.raises(ConfigError, match=re.escape(hint)):
        requantizer_for(**fields)
    requantizer_for(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"multiplier": np.array([1 << 31])}, "multiplier: found 2147483648 in row 0; accepted: 0 .. 2147483647"),
        ({"shift": np.array([0])}, "shift: found 0 in row 0; accepted: 1 .. 63"),
        ({"offset": np.array([(1 << 31) + 1])}, "offset: found 2147483649 in row 0; accepted: -2147483648 .. "),
        ({"offset": np.array([1, 2])}, "offset: found shape (2,), dtype int64; accepted: int64, shape (1,)"),
        ({"shift": np.array([1.0])}, "shift: found shape (1,), dtype float64; accepted: int64, shape (1,)"),
        ({"zero_point": 16, "bits": 4}, "output_zero_point: found 16; accepted: a whole number in 0 .. 15"),
        ({"bits": True}, "output_bits: found True; accepted: a whole number in 1 .. 16"),
    ],
)
def test_fields_that_could_overflow_are_refused(changes: dict[str, Any], text: str) -> None:
    """A requantizer made by hand has to keep the bounds of the fixed-point form."""
    one = np.array([1])
    fields: dict[str, Any] = {"multiplier": one, "shift": one, "offset": one, "zero_point": 0, "bits": 8}
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        Requantizer(**(fields | changes))


@pytest.mark.parametrize(
    ("accumulator", "text"),
    [
        (np.array([[1 << 31], [0]]), "accumulator: found values in 0 .. 2147483648; accepted: -2147483648 .. "),
        (np.array([[1.0], [0]]), "accumulator: found shape (2, 1), dtype float64; accepted: a matrix of integers with"),
        (np.array([[1]]), "accumulator: found shape (1, 1), dtype int64; accepted: a matrix of integers with 2 rows"),
        (np.array([1, 2]), "accumulator: found shape (2,), dtype int64; accepted: a matrix of integers with 2 rows"),
    ],
)
def test_accumulators_that_do_not_fit_are_refused(accumulator: np.ndarray, text: str) -> None:
    """One row does not stand for all, and nothing wraps."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        requantizer_for(**ONE_EACH).apply(accumulator)


@given(requantizers(), st.integers(-300, 0), st.integers(0, 300))
def test_weights_are_requantized_as_python_integers(
    case: tuple[Requantizer, npt.NDArray[np.int64]], lowest: int, highest: int
) -> None:
    """Outputs that are read as weights have the zero point 0; halves round up, also those below 0."""
    unsigned, accumulator = case
    columns = unsigned.multiplier, unsigned.shift, unsigned.offset
    requantizer = WeightRequantizer(*columns, lowest, highest)
    expected = [
        [
            min(max((2 * (number + offset) * multiplier + (1 << shift)) >> (shift + 1), lowest), highest)
            for number in row
        ]
        for row, multiplier, shift, offset in zip(
            accumulator.tolist(), *(each.tolist() for each in columns), strict=True
        )
    ]
    codes = requantizer.apply(accumulator)
    assert codes.tolist() == expected
    assert codes.dtype == (np.int8 if lowest >= -128 and highest <= 127 else np.int16)
    part = requantizer.rows(1, 3)
    assert np.array_equal(part.apply(accumulator[1:3]), codes[1:3])


@pytest.mark.parametrize(("bits", "limit"), [(4, 7), (7, 63), (10, 511)])
def test_weights_are_clipped_on_both_sides_alike(bits: int, limit: int) -> None:
    """A dynamic weight never has the lowest code of two's complement, so that its slices are those of weights."""
    arguments = {name: value for name, value in ONE_EACH.items() if name != "output_zero_point"}
    requantizer = weight_requantizer_for(**arguments, bits=bits)
    codes = requantizer.apply(np.array([[-(2**31), -limit - 1, -limit, 0], [limit, limit + 1, 2**31 - 1, 1]]))
    assert codes.tolist() == [[-limit, -limit, -limit, 0], [limit, limit, limit, 1]]
    assert np.array_equal(slice_weights(codes, bits).values(), codes)


def test_weights_are_those_codes_that_outputs_would_be() -> None:
    """Within both ranges they are the codes of an activation less its zero point, scales and bias included."""
    generator = np.random.default_rng(5)
    operands = {
        "weight": generator.integers(-63, 64, (6, 20)),
        "weight_scale": generator.uniform(0.01, 0.02, 6),
        "activation_scale": 0.1,
        "zero_point": 77,
        "bias": generator.uniform(-1, 1, 6),
        "output_scale": 0.05,
        "correction": 0.5,
    }
    accumulator = operands["weight"] @ generator.integers(60, 95, (20, 30))
    outputs = requantizer_for(**operands, output_zero_point=128).apply(accumulator).astype(int) - 128
    assert np.abs(outputs).max() > 63
    assert np.array_equal(weight_requantizer_for(**operands).apply(accumulator), outputs.clip(-63, 63))


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((1, 63), "lowest: found 1; accepted: a whole number in -32768 .. 0"),
        ((-63, -1), "highest: found -1; accepted: a whole number in 0 .. 32767"),
    ],
)
def test_bounds_of_weights(bounds: tuple[int, int], text: str) -> None:
    """The bounds of weights hold 0, which a row of zeros gives."""
    column = np.ones(1, np.int64)
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        WeightRequantizer(column, column, column, *bounds)


def test_bits_of_weights() -> None:
    """Outputs become weights of widths that weights have."""
    arguments = {name: value for name, value in ONE_EACH.items() if name != "output_zero_point"}
    with pytest.raises(ConfigError, match=re.escape("weight_bits: found 8; accepted: 4, 7, 10")):
        weight_requantizer_for(**arguments, bits=8)
