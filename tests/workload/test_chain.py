"""Chains: activations that are the outputs of the layer before, and what does not chain."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st
from naive_output import requantized
from strategies import layers_with_output

from panacea_sim.errors import ConfigError
from panacea_sim.quant.activation_functions import ActivationFunction, activate
from panacea_sim.workload.chain import calibrated_output, chain_graph, following
from panacea_sim.workload.functional import functional_pass, real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.link import Link
from panacea_sim.workload.synthetic import synthetic_layer

FORM = OutputFormat(0.5, 9, lo_bits=5, r=(2,), function="relu")
FIRST = replace(synthetic_layer(6, 5, 4, 0.3, 0.3, 1, name="first"), weight_scale=0.01, output=FORM)
SECOND_WEIGHT = np.arange(-9, 9, dtype=np.int8).reshape(3, 6)


def python_accumulator(weight: list[list[int]], activation: list[list[int]], lo_bits: int) -> list[list[int]]:
    """Return the product with the truncated activation, in Python integers."""
    dropped = 2 ** (lo_bits - 4)
    columns = list(zip(*activation, strict=True))
    return [
        [sum(w * (x // dropped * dropped) for w, x in zip(row, column, strict=True)) for column in columns]
        for row in weight
    ]


def python_outputs(layer: GemmLayer, accumulator: list[list[int]]) -> list[list[int]]:
    """Return the output codes in Python integers, from the constants that are computed off line."""
    post_processor = functional_pass(layer).written[0].post_processor
    codes = requantized(post_processor.requantizer, accumulator)
    table = post_processor.codes
    return codes if table is None else [[int(table[code]) for code in row] for row in codes]


def second_weight(first: GemmLayer, rows: int, seed: int) -> npt.NDArray[np.int8]:
    """Return random 7-bit weights for a layer behind `first`."""
    return np.random.default_rng(seed).integers(-64, 64, (rows, first.M)).astype(np.int8)


@given(layers_with_output(), st.integers(1, 6), st.integers(0, 1000))
def test_a_chain_equals_python_integers_end_to_end(first: GemmLayer, rows: int, seed: int) -> None:
    """Accumulators of the second layer are those of plain integers, through every activation function."""
    second = following(first, "second", second_weight(first, rows, seed))
    outputs = python_outputs(first, python_accumulator(first.weight.tolist(), first.activation.tolist(), first.lo_bits))
    assert second.activation.tolist() == outputs
    expected = python_accumulator(second.weight.tolist(), outputs, second.lo_bits)
    assert functional_pass(second).accumulator.tolist() == expected


@given(layers_with_output())
def test_a_following_layer_takes_the_format_of_the_one_before(first: GemmLayer) -> None:
    """Zero point, widths, scale and frequent slices are those in which the outputs are written."""
    form = first.output
    assert form is not None
    last = OutputFormat(1.0, 3)
    second = following(
        first,
        "second",
        second_weight(first, 2, 0) // 16,
        weight_bits=4,
        weight_scale=0.5,
        bias=np.array([1.0, 2.0]),
        output=last,
    )
    assert (second.zero_point, second.activation_bits, second.lo_bits) == (form.zero_point, form.bits, form.lo_bits)
    assert (second.activation_scale, second.frequent, second.source) == (form.scale, form.frequent, first.name)
    assert (second.name, second.weight_bits, second.weight_scale, second.output) == ("second", 4, 0.5, last)
    assert second.bias is not None
    assert second.bias.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("function", ["none", "relu"])
@at_most(150)
@given(layer=layers_with_output())
def test_calibrated_outputs_do_not_saturate(function: ActivationFunction, layer: GemmLayer) -> None:
    """With its zero point kept, the calibrated range holds every real output, rounded and not clipped."""
    form = calibrated_output(layer, function, zpm="off", dbs=False)
    functional = functional_pass(replace(layer, output=form))
    wanted = activate(function, real_outputs(layer, functional.accumulator))
    found = (functional.output.astype(np.float64) - form.zero_point) * form.scale
    accumulator_step = np.reshape(layer.weight_scale, (-1, 1)) * layer.activation_scale
    # Both the zero point and the output are rounded, by half a step at most.
    assert (np.abs(found - wanted) <= 1.001 * form.scale + accumulator_step).all()


def test_calibration_chooses_as_the_quantizer_does() -> None:
    """ReLU outputs start at zero point 0; moving it, and a wider LO field, are chosen on the outputs themselves."""
    plain = calibrated_output(FIRST, "relu", zpm="off", dbs=False)
    assert (plain.zero_point, plain.lo_bits, plain.bits, plain.function) == (0, 4, 8, "relu")
    assert calibrated_output(FIRST, "relu", zpm="on", dbs=False).zero_point == 8
    assert calibrated_output(FIRST, dbs=True).lo_bits == 6
    assert calibrated_output(replace(FIRST, weight_scale=1e-4), "gelu", zpm="off", dbs=False).zero_point > 0
    assert calibrated_output(FIRST, bits=12, zpm="off", dbs=False).bits == 12


def test_sources_become_edges() -> None:
    """An edge from each source says that the activation is read as it is written; a chain may branch."""
    left, right = following(FIRST, "left", SECOND_WEIGHT), following(FIRST, "right", SECOND_WEIGHT)
    passes = [functional_pass(FIRST), None, None]
    graph = chain_graph([FIRST, left, right], passes)
    assert list(graph.nodes(data="layer")) == [("first", FIRST), ("left", left), ("right", right)]
    in_place = (Link("x", "same", in_place=True),)
    assert list(graph.edges(data="links")) == [("first", "left", in_place), ("first", "right", in_place)]
    assert not chain_graph([replace(left, source=None)], [None]).edges


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"source": "fist"}, "layer.source: found 'fist'; accepted: a layer before: first. Did you mean 'first'?"),
        ({"activation_scale": 0.25}, "layer.activation_scale: found 0.25; accepted: 0.5, as 'first' writes it"),
        ({"zero_point": 8}, "layer.zero_point: found 8; accepted: 9, as 'first' writes it"),
        ({"lo_bits": 4}, "layer.lo_bits: found 4; accepted: 5, as 'first' writes it"),
        ({"r": None}, "layer.r: found (0,); accepted: (2,), as 'first' writes it"),
        (
            {"activation": np.zeros((6, 4), np.uint8)},
            "layer.activation: found other values; accepted: the outputs of 'first'. Build the layer with",
        ),
        ({"name": "first", "source": None}, "layer.name: found 'first' twice; accepted: a name of its own"),
    ],
)
def test_refused_link(changes: dict[str, Any], text: str) -> None:
    """A layer that does not continue the one it names is refused with the field that differs."""
    second = replace(following(FIRST, "second", SECOND_WEIGHT), **changes)
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        chain_graph([FIRST, second], [functional_pass(FIRST), None])


def test_a_first_layer_has_no_layer_before() -> None:
    """A source is looked for among the layers before only."""
    second = following(FIRST, "second", SECOND_WEIGHT)
    with pytest.raises(
        ConfigError, match=r"layer\.source: found 'first'; accepted: a layer before: none, for the first"
    ):
        chain_graph([second, FIRST], [None, None])


def test_refused_predecessor() -> None:
    """Without an output format nothing can follow."""
    with pytest.raises(
        ConfigError, match=r"^layer\.output: found None in 'first'; accepted: an OutputFormat.*replace\(layer, output="
    ):
        following(replace(FIRST, output=None), "second", SECOND_WEIGHT)


@pytest.mark.parametrize("weight", [SECOND_WEIGHT.T, SECOND_WEIGHT[0], SECOND_WEIGHT[None]])
def test_refused_weight(weight: npt.NDArray[np.int8]) -> None:
    """Shapes that do not chain are refused with both."""
    text = f"layer.weight: found shape {weight.shape}; accepted: [M, 6]: a column for each row of 'first'"
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        following(FIRST, "second", weight)


@pytest.mark.parametrize("source", ["", "first", 3])
def test_refused_source(source: object) -> None:
    """A source is the name of another layer."""
    text = f"layer.source: found {source!r}; accepted: None or the name of another layer"
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        replace(FIRST, source=source)


def test_refused_function() -> None:
    """An unknown activation function is refused with the nearest name."""
    text = "output.function: found 'gelo'; accepted: none, relu, gelu. Did you mean 'gelu'?"
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        replace(FORM, function="gelo")
