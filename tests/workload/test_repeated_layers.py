"""Layers of several products with operands: what they hold, what comes out of them, and what is refused."""

from __future__ import annotations

import re
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from several_products import plain_products, products_of
from strategies import repeated_layers

from panacea_sim.errors import ConfigError
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.functional import functional_pass, offline_compensation, real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer_file import layer_file
from panacea_sim.workload.npz import load_layer, save_layer

OUTPUT = OutputFormat(0.5, 100)


def two_products(**changes: Any) -> GemmLayer:  # noqa: ANN401 (fields of every type)
    """Return a layer of 2 products [2, 3] x [3, 4] with some fields changed."""
    given_fields: dict[str, Any] = {
        "name": "two",
        "weight": np.arange(12, dtype=np.int8).reshape(2, 2, 3),
        "activation": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        "zero_point": 10,
    }
    return GemmLayer(**(given_fields | changes))


def test_sizes_are_those_of_a_product() -> None:
    """The leading axis of the operands counts the products; M, K and N are those of each."""
    layer = two_products()
    assert (layer.repeat, layer.M, layer.K, layer.N) == (2, 2, 3, 4)
    assert layer.reference_accumulator().shape == (2, 2, 4)


def test_rows_and_columns_of_all_products() -> None:
    """Weight rows of the products lie one below the other, activation columns side by side."""
    layer = two_products()
    assert layer.weight_rows.tolist() == [*layer.weight[0].tolist(), *layer.weight[1].tolist()]
    assert layer.activation_columns[1].tolist() == [4, 5, 6, 7, 16, 17, 18, 19]


def test_a_leading_axis_of_one_is_no_repeat() -> None:
    """One product may come with a leading axis: the layer is that product, in its own shapes and with one digest."""
    one = two_products(weight=np.ones((1, 2, 3), np.int8), activation=np.ones((1, 3, 4), np.uint8), bias=[[1.0, 2.0]])
    assert (one.repeat, one.weight.shape, one.activation.shape) == (1, (2, 3), (3, 4))
    assert np.array_equal(np.asarray(one.bias), [1.0, 2.0])
    plain = two_products(weight=np.ones((2, 3), np.int8), activation=np.ones((3, 4), np.uint8), bias=[1.0, 2.0])
    assert Scenario("one", one).digest() == Scenario("one", plain).digest()


@given(repeated_layers())
def test_accumulators_are_plain_products(layer: GemmLayer) -> None:
    """Each product is the plain integer product of its own operands."""
    found = layer.reference_accumulator()
    assert found.dtype == np.int32
    assert np.array_equal(found, plain_products(layer))


@at_most(150)
@given(repeated_layers())
def test_numbers_are_those_of_the_products(layer: GemmLayer) -> None:
    """Outputs, real outputs, compensation and skip masks are those that the products have as layers of their own."""
    scales = np.clip(layer.weight_scale, 0.01, 10.0)  # others may not fit the fixed-point form of the PPU
    layer = replace(layer, output=OUTPUT, weight_scale=scales, activation_scale=0.1)
    singles = products_of(layer)
    whole, parts = functional_pass(layer), [functional_pass(single) for single in singles]
    assert np.array_equal(whole.accumulator, np.stack([part.accumulator for part in parts]))
    assert np.array_equal(whole.output, np.stack([part.output for part in parts]))
    assert whole.output.dtype == parts[0].output.dtype
    requantizers = [part.written[0].post_processor.requantizer for part in parts]
    for field in ("multiplier", "shift", "offset"):
        wanted = np.concatenate([getattr(each, field) for each in requantizers])
        assert np.array_equal(getattr(whole.written[0].post_processor.requantizer, field), wanted)
    compensation = np.concatenate([offline_compensation(single) for single in singles])
    assert np.array_equal(offline_compensation(layer), compensation)
    real = [real_outputs(single, part.accumulator) for single, part in zip(singles, parts, strict=True)]
    assert np.array_equal(real_outputs(layer, whole.accumulator), np.stack(real))
    for v in (1, 2, 4):
        masks, of_products = SkipMasks.of(layer, v), [SkipMasks.of(single, v) for single in singles]
        assert np.array_equal(masks.weight, np.concatenate([each.weight for each in of_products], 1))
        assert np.array_equal(masks.activation, np.concatenate([each.activation for each in of_products], 1))


def test_dense_outputs_have_one_scale_over_all_products() -> None:
    """Without a next layer the outputs are requantized over the range of all products together."""
    layer = two_products(weight=np.array([[[1, 1, 1]], [[60, 60, 60]]], np.int8))
    output, accumulator = functional_pass(layer).output, layer.reference_accumulator()
    real = accumulator - 10.0 * layer.weight.sum(2)[..., None]
    scale = (real.max() - real.min()) / 255
    assert np.abs(output - np.rint(-real.min() / scale) - real / scale).max() <= 1
    assert output.min() == 0
    assert output.max() == 255


def test_the_most_frequent_slices_are_those_of_all_products() -> None:
    """One r serves all products: "mode" counts the slices of all of them."""
    activation = np.array([[[0x10, 0x10], [0x20, 0x20], [0x30, 0x30]], [[0x20, 0x40], [0x40, 0x20], [0x30, 0x10]]])
    layer = two_products(activation=activation.astype(np.uint8), r="mode")
    assert layer.frequent == (2,)
    assert products_of(two_products(activation=activation[::-1].astype(np.uint8), r="mode"))[0].frequent == (2,)


@at_most(60)
@given(repeated_layers())
def test_files_keep_the_products(layer: GemmLayer) -> None:
    """A layer of several products that is saved has its sizes in the headers and comes back field by field."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.npz"
        save_layer(layer, path)
        known, loaded = layer_file(path), load_layer(path)
        assert Scenario("any", path).digest() == Scenario("any", layer).digest()
    assert (known.repeat, known.M, known.K, known.N) == (layer.repeat, layer.M, layer.K, layer.N)
    for field in fields(GemmLayer):
        before, after = getattr(layer, field.name), getattr(loaded, field.name)
        assert np.array_equal(np.asarray(before), np.asarray(after)), field.name


def test_products_have_a_digest_of_their_own() -> None:
    """Two products, one that has their rows or columns together, and two in another order are different content."""
    layer = two_products()
    rows = two_products(weight=layer.weight_rows, activation=layer.activation[0])
    columns = two_products(weight=layer.weight[0], activation=layer.activation_columns)
    turned = two_products(weight=layer.weight[::-1], activation=layer.activation[::-1])
    others = [Scenario("other", each, values=False).digest() for each in (rows, columns, turned)]
    assert len({Scenario("two", layer, values=False).digest(), *others}) == 4
    scaled = two_products(weight_scale=np.ones((2, 2)), bias=np.zeros((2, 2)))
    assert Scenario("two", scaled, values=False).digest() == Scenario("two", layer, values=False).digest()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"weight": np.ones((3, 2, 3), np.int8)},
            "layer.activation: found 2 products, shape (2, 3, 4); accepted: 3 products, as weight with shape (3, 2, 3)",
        ),
        (
            {"weight": np.ones((2, 3), np.int8)},
            "layer.activation: found 2 products, shape (2, 3, 4); accepted: one product without a leading ax",
        ),
        (
            {"activation": np.ones((2, 5, 4), np.uint8)},
            "layer.activation: found K = 5, shape (2, 5, 4); accepted: K = 3, as weight with shape (2, 2, 3)",
        ),
        (
            {"weight": np.ones((1, 2, 2, 3), np.int8)},
            "layer.weight: found 4 dimensions, shape (1, 2, 2, 3); accepted: a matrix of int8 or int16, 2 dim",
        ),
        ({"weight": np.ones((0, 2, 3), np.int8)}, "layer.weight: found an empty dimension, shape (0, 2, 3);"),
        (
            {"weight": np.array([[[1, 2, 3]], [[4, 5, 99]]], np.int8)},
            "layer.weight: found 99 at [1, 0, 2]; accepted: -64 .. 63. Values out of range: 1. Set weight_bits=10",
        ),
        (
            {"activation": np.full((2, 3, 4), 256, np.uint16)},
            "layer.activation: found 256 at [0, 0, 0]; accepted: 0 .. 255",
        ),
        (
            {"weight_scale": np.ones(2)},
            "layer.weight_scale: found shape (2,); accepted: one number, or shape (2, 2): one for each row",
        ),
        ({"weight_scale": [[1, 1], [0, 1]]}, "layer.weight_scale: found 0.0 in row 0 of product 1; accepted: finite"),
        ({"bias": np.ones(4)}, "layer.bias: found shape (4,); accepted: shape (2, 2): one number for each row"),
        ({"bias": [[1, 2], [3, np.nan]]}, "layer.bias: found nan at [1, 1]; accepted: finite numbers"),
    ],
)
def test_refused_field(changes: dict[str, Any], text: str) -> None:
    """Operands that are no products of one size are refused, with their shapes, and values with their product."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        two_products(**changes)


def test_an_overflow_is_found_in_any_product() -> None:
    """Accumulators of all products must fit int32."""
    weight = np.zeros((2, 1, 4100), np.int16)
    weight[1] = 511
    layer = two_products(
        weight=weight,
        activation=np.full((2, 4100, 1), 4095, np.uint16),
        weight_bits=10,
        activation_bits=12,
        zero_point=0,
    )
    with pytest.raises(ConfigError, match=re.escape(f"accumulator: found {4100 * 511 * 4095}; accepted: -2147483648")):
        layer.check_accumulators()


@pytest.mark.parametrize("reader", ["header", "values"])
def test_a_file_with_products_that_do_not_match(tmp_path: Path, reader: str) -> None:
    """Headers alone tell that the operands have another number of products, and the message names the file."""
    path = tmp_path / "layer.npz"
    np.savez(path, weight=np.ones((3, 2, 3), np.int8), activation=np.ones((2, 3, 4), np.uint8), zero_point=1)
    with pytest.raises(ConfigError, match=re.escape("found 2 products, shape (2, 3, 4)")) as caught:
        (layer_file if reader == "header" else load_layer)(path)
    assert str(path) in str(caught.value)


def test_outputs_of_several_products_are_nobodys_activations() -> None:
    """A chain reads the outputs of one product; those of several have no place as activations."""
    layer = two_products(output=OUTPUT)
    with pytest.raises(ConfigError, match=re.escape("layer.source: found 'two', which has 2 products; accepted: lay")):
        following(layer, "next", np.ones((2, 2), np.int8))
    after = two_products(
        name="after", weight=np.ones((1, 2), np.int8), activation=np.ones((2, 4), np.uint8), source="two"
    )
    for schedule in ("overlap", "barrier"):
        scenario = Scenario("chain", (layer, after), schedule=schedule)
        with pytest.raises(ConfigError, match=re.escape("layer.source: found 'two', which has 2 products; accepted: ")):
            scenario.digest()


def test_activations_of_several_products_are_nobodys_outputs() -> None:
    """A layer of several products reads operands of its own."""
    before = GemmLayer("before", np.ones((3, 3), np.int8), np.ones((3, 4), np.uint8), 0, output=OUTPUT)
    with pytest.raises(ConfigError, match=re.escape("found 'before' of 'two', which has 2 products; accepted: layers")):
        Scenario("chain", (before, two_products(source="before"))).digest()


def test_a_format_is_calibrated_on_all_products() -> None:
    """The output format of a layer covers the real outputs of all its products."""
    layer = two_products(weight_scale=0.1, activation_scale=0.1)
    form = calibrated_output(layer, dbs=False, zpm="off")
    real = real_outputs(layer, layer.reference_accumulator())
    assert form.scale == pytest.approx((max(real.max(), 0) - min(real.min(), 0)) / 255)
