"""The output path: activation functions as tables behind the requantizer."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_output import requantized
from strategies import PostProcessing, output_quantizers, post_processings

from panacea_sim.errors import ConfigError
from panacea_sim.quant.activation_functions import (
    ACTIVATION_FUNCTIONS,
    ActivationFunction,
    activate,
    function_table,
)
from panacea_sim.quant.quantizer import ActivationQuantizer


def python_function(function: ActivationFunction, x: float) -> float:
    """Return the real function of one number, written another way than the code under test."""
    gelu = x * (1 + math.erf(x / math.sqrt(2))) / 2
    return {"none": x, "relu": x if x > 0 else 0.0, "gelu": gelu}[function]


def python_code(value: float, output: ActivationQuantizer) -> int:
    """Return the output code of one real number, rounded half to even."""
    return min(max(output.zero_point + round(value / output.scale), 0), (1 << output.bits) - 1)


@given(post_processings())
def test_post_processing_equals_python_integers(case: PostProcessing) -> None:
    """Requantized half up in whole numbers of any size, then looked up or clamped, no output differs."""
    table = function_table(case.function, case.output)
    codes = requantized(case.post_processor.requantizer, case.accumulator.tolist())
    if case.function == "gelu":
        reals = [[table.scale * (code - table.zero_point) for code in row] for row in codes]
        codes = [[python_code(python_function("gelu", x), case.output) for x in row] for row in reals]
    elif case.function == "relu":
        codes = [[max(code, case.output.zero_point) for code in row] for row in codes]
    outputs = case.post_processor.apply(case.accumulator)
    assert outputs.tolist() == codes
    assert outputs.dtype == (np.uint16 if case.output.bits > 8 else np.uint8)


@given(post_processings())
def test_outputs_are_within_one_step_of_the_rounded_function(case: PostProcessing) -> None:
    """No output is more than 1 from the rounded real function of the same pre-activation, saturated ones included."""
    outputs = case.post_processor.apply(case.accumulator).tolist()
    for row, pre_activations in zip(outputs, case.pre_activation.tolist(), strict=True):
        for found, x in zip(row, pre_activations, strict=True):
            assert abs(found - python_code(python_function(case.function, x), case.output)) <= 1


@given(post_processings(("none", "relu")))
def test_only_gelu_costs_accuracy(case: PostProcessing) -> None:
    """Without a function and with ReLU, outputs are within half a step of the real ones."""
    exact = activate(case.function, case.pre_activation) / case.output.scale + case.output.zero_point
    exact = exact.clip(0, (1 << case.output.bits) - 1)
    assert (np.abs(case.post_processor.apply(case.accumulator) - exact) <= 0.5 + 1e-5).all()


@given(post_processings(), st.data())
def test_rows_post_process_as_in_the_whole(case: PostProcessing, data: st.DataObject) -> None:
    """A tile of output rows needs only its part of the multipliers, and the whole table."""
    start = data.draw(st.integers(0, len(case.accumulator) - 1))
    part = case.post_processor.rows(start, start + 2).apply(case.accumulator[start : start + 2])
    assert np.array_equal(part, case.post_processor.apply(case.accumulator)[start : start + 2])


@given(output_quantizers())
def test_relu_clamps_at_the_zero_point(output: ActivationQuantizer) -> None:
    """The table of ReLU leaves codes from the zero point on as they are and raises the others to it."""
    table = function_table("relu", output)
    assert (table.scale, table.zero_point, table.bits) == (output.scale, output.zero_point, output.bits)
    assert table.codes is not None
    assert table.codes.tolist() == [max(code, output.zero_point) for code in range(1 << output.bits)]


@given(output_quantizers())
def test_no_function_needs_no_table(output: ActivationQuantizer) -> None:
    """The requantizer gives the output codes itself."""
    table = function_table("none", output)
    assert (table.scale, table.zero_point, table.bits, table.codes) == (
        *(output.scale, output.zero_point, output.bits),
        None,
    )


@given(output_quantizers())
def test_gelu_saturates_where_nothing_is_lost(output: ActivationQuantizer) -> None:
    """The first entry is the zero point, as everything below it; the last the largest output; 0 stays exact."""
    table = function_table("gelu", output)
    assert table.codes is not None
    assert len(table.codes) == 1 << table.bits == (1 << 14 if output.bits == 12 else 1 << 12)
    assert table.codes[[0, table.zero_point]].tolist() == [output.zero_point] * 2
    assert table.codes[-1] == (1 << output.bits) - 1
    deepest = table.scale * table.zero_point
    below = activate("gelu", np.linspace(-deepest - 50.0, -deepest, 1000))
    assert (np.abs(below) <= output.scale / 2).all()


def test_gelu_is_the_exact_one() -> None:
    """Known values, which the tanh approximation misses in the fourth digit, and a tail that keeps its digits."""
    values = activate("gelu", np.array([-10.0, -2.0, -1.0, 0.0, 1.0, 2.0]))
    known = [-7.61985302416e-23, -0.0455002638964, -0.158655253931, 0.0, 0.841344746069, 1.954499736104]
    assert values.tolist() == pytest.approx(known, rel=1e-10)


@pytest.mark.parametrize("function", ACTIVATION_FUNCTIONS)
def test_huge_scales_need_no_tail(function: ActivationFunction) -> None:
    """Where one output step hides the dip of GELU, positive pre-activations keep nearly the whole table."""
    table = function_table(function, ActivationQuantizer(100.0, 0, 8, 4))
    assert table.zero_point == 0


@pytest.mark.parametrize(("bits", "scale"), [(4, 5e-4), (8, 5e-4), (12, 1e-4), (8, 1e-300)])
def test_a_scale_too_fine_for_the_table_is_refused(bits: int, scale: float) -> None:
    """The message says how coarse the table would be, and what to raise."""
    pattern = (
        rf"output\.scale: found {scale:.3g}, for which the {2 ** (14 if bits == 12 else 12)} entries of the gelu table "
        r"are .* output steps apart; accepted: a scale for which they are at most 1\.5 output steps apart\. "
        r"Raise output\.scale"
    )
    with pytest.raises(ConfigError, match=pattern):
        function_table("gelu", ActivationQuantizer(scale, 0, bits, 4))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("gelo", "found 'gelo'; accepted: none, relu, gelu. Did you mean 'gelu'?"),
        ("ReLU", "found 'ReLU'; accepted: none, relu, gelu. Did you mean 'relu'?"),
        ("silu", "found 'silu'; accepted: none, relu, gelu"),
        (None, "found None; accepted: none, relu, gelu"),
    ],
)
def test_a_function_that_there_is_not_is_no_identity(function: Any, text: str) -> None:  # noqa: ANN401 (names of no function)
    """An unknown name is refused by the real function and by its table."""
    with pytest.raises(ConfigError, match="^function: " + re.escape(text)):
        activate(function, np.ones(2))
    with pytest.raises(ConfigError, match="^function: " + re.escape(text)):
        function_table(function, ActivationQuantizer(1.0, 0, 8, 4))
