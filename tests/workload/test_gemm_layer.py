"""GemmLayer and OutputFormat: what a layer holds, derives and refuses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import gemm_layers

from panacea_sim.errors import ConfigError
from panacea_sim.quant.quantizer import ActivationQuantizer
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat


def small_layer(**changes: Any) -> GemmLayer:  # noqa: ANN401 (fields of every type)
    """Return a layer [2, 3] x [3, 4] with some fields changed."""
    fields: dict[str, Any] = {
        "name": "small",
        "weight": np.array([[1, -2, 3], [60, 5, -64]], np.int8),
        "activation": np.arange(12, dtype=np.uint8).reshape(3, 4) * 20,
        "zero_point": 100,
    }
    return GemmLayer(**(fields | changes))


def message(text: str) -> str:
    """Return the pattern of a message that starts with `text`."""
    return "^" + re.escape(text)


def test_shapes_and_names() -> None:
    """M, K and N are those of the operands."""
    layer = small_layer()
    assert (layer.M, layer.K, layer.N) == (2, 3, 4)


@given(gemm_layers())
def test_accumulator_is_the_product(layer: GemmLayer) -> None:
    """The reference is the plain integer product of the weight and the truncated activation, as int32."""
    x_hat = layer.activation.astype(object) // (1 << (layer.lo_bits - 4)) * (1 << (layer.lo_bits - 4))
    expected = layer.weight.astype(object) @ x_hat
    accumulator = layer.reference_accumulator()
    assert accumulator.dtype == np.int32
    assert (accumulator == expected).all()


@given(gemm_layers())
def test_slices_recompose(layer: GemmLayer) -> None:
    """The cached slices stand for the operands, and are computed once."""
    assert (layer.weight_slices.values() == layer.weight).all()
    assert (layer.activation_slices.values() >> (layer.lo_bits - 4) == layer.activation >> (layer.lo_bits - 4)).all()
    assert layer.weight_slices is layer.weight_slices
    assert layer.activation_slices is layer.activation_slices


@pytest.mark.parametrize(
    ("changes", "frequent"),
    [
        ({}, (6,)),
        ({"lo_bits": 5}, (3,)),
        ({"r": (15,)}, (15,)),
        ({"r": "mode"}, (0,)),
        ({"r": "mode", "activation": np.full((3, 4), 0x7A, np.uint8)}, (7,)),
        ({"activation_bits": 12, "zero_point": 0x9A5}, (10, 9)),
        ({"activation_bits": 4, "zero_point": 5, "activation": np.ones((3, 4), np.uint8)}, ()),
    ],
)
def test_frequent_slices(changes: dict[str, Any], frequent: tuple[int, ...]) -> None:
    """The frequent slices come from the zero point, from the layer, or are the most frequent ones (ties: smallest)."""
    assert small_layer(**changes).frequent == frequent


def test_operands_cannot_be_written() -> None:
    """The operands of a layer are read-only, the caller's arrays stay writable."""
    weight = np.ones((2, 3), np.int8)
    layer = small_layer(weight=weight)
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2
    weight[0, 0] = 2


def test_numpy_scalars_become_plain() -> None:
    """Numbers given as numpy scalars are kept as plain ones."""
    layer = small_layer(zero_point=np.int64(3), lo_bits=np.int64(5), weight_scale=np.float32(0.5), r=(np.uint8(2),))
    kept = (layer.zero_point, layer.lo_bits, layer.weight_scale, *(layer.r or ()))
    assert [type(value) for value in kept] == [int, int, float, int]


def test_scale_for_each_row() -> None:
    """Scales and biases for each row are kept as float64."""
    layer = small_layer(weight_scale=np.array([0.5, 2], np.float32), bias=np.array([1, 2], np.float32))
    assert isinstance(layer.weight_scale, np.ndarray)
    assert layer.bias is not None
    assert (layer.weight_scale.dtype, layer.bias.dtype) == (np.float64, np.float64)


def test_accumulator_overflow() -> None:
    """A layer whose sums do not fit int32 is refused when its product is asked for."""
    k = 1 << 11
    layer = small_layer(
        weight=np.full((1, k), 511, np.int16),
        activation=np.full((k, 1), 4095, np.uint16),
        weight_bits=10,
        activation_bits=12,
    )
    with pytest.raises(ConfigError, match=f"^accumulator: found {511 * 4095 * k}; accepted: "):
        layer.reference_accumulator()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": ""}, "layer.name: found ''; accepted: text that is not empty"),
        ({"weight": [[1]]}, "layer.weight: found a list; accepted: a matrix of int8 or int16"),
        (
            {"weight": np.ones((2, 3))},
            "layer.weight: found dtype float64; accepted: a matrix of int8 or int16. Quantize",
        ),
        ({"weight": np.ones((2, 3), np.uint8)}, "layer.weight: found dtype uint8; accepted: a matrix of int8 or int16"),
        ({"weight": np.ones(3, np.int8)}, "layer.weight: found 1 dimensions, shape (3,); accepted: a matrix of int8"),
        ({"weight": np.ones((0, 3), np.int8)}, "layer.weight: found an empty dimension, shape (0, 3); accepted: dim"),
        (
            {"weight": np.array([[1, 2, 3], [4, 64, 99]], np.int8)},
            "layer.weight: found 64 at [1, 1]; accepted: -64 .. 63. Values out of range: 2. Set weight_bits=10",
        ),
        ({"weight_bits": 4}, "layer.weight: found 60 at [1, 0]; accepted: -8 .. 7"),
        ({"activation": np.ones((3, 4), np.int16)}, "layer.activation: found dtype int16; accepted: a matrix of uint8"),
        ({"activation": np.ones((3, 4, 1), np.uint8)}, "layer.activation: found 3 products, shape (3, 4, 1);"),
        ({"activation": np.ones((3, 0), np.uint8)}, "layer.activation: found an empty dimension, shape (3, 0);"),
        ({"activation": np.full((3, 4), 256, np.uint16)}, "layer.activation: found 256 at [0, 0]; accepted: 0 .. 255"),
        (
            {"activation": np.ones((4, 2), np.uint8)},
            "layer.activation: found K = 4, shape (4, 2); accepted: K = 3, as weight with shape (2, 3). weight is",
        ),
        ({"weight_bits": 8}, "layer.weight_bits: found 8; accepted: 4, 7, 10"),
        ({"r": (8,), "lo_bits": 5}, "layer.r: found 8; accepted: a whole number in 0 .. 7. With a LO field of 5 bits"),
        (
            {"r": (15,), "lo_bits": 6},
            "layer.r: found 15; accepted: a whole number in 0 .. 3. With a LO field of 6 bits",
        ),
        (
            {"zero_point": -5},
            "layer.zero_point: found -5; accepted: a whole number in 0 .. 255. Codes are unsigned: add 128",
        ),
        ({"dbs_offset": "Floor"}, "layer.dbs_offset: found 'Floor'; accepted: floor, midpoint. Did you mean 'floor'?"),
        (
            {"weight_scale": [1, 0]},
            "layer.weight_scale: found 0.0 in row 1; accepted: finite numbers > 0. A row of zero",
        ),
        ({"weight_bits": 7.0}, "layer.weight_bits: found 7.0; accepted: 4, 7, 10"),
        ({"activation_bits": 9}, "layer.activation_bits: found 9; accepted: 4, 8, 12"),
        ({"lo_bits": 3}, "layer.lo_bits: found 3; accepted: 4, 5, 6"),
        ({"lo_bits": True}, "layer.lo_bits: found True; accepted: 4, 5, 6"),
        (
            {"lo_bits": 5, "activation_bits": 12},
            "layer.lo_bits: found 5; accepted: 4. Only 8-bit activations can have a wider LO field, these have 12 bits",
        ),
        ({"lo_bits": 6, "activation_bits": 4}, "layer.lo_bits: found 6; accepted: 4. Only 8-bit"),
        ({"zero_point": 256}, "layer.zero_point: found 256; accepted: a whole number in 0 .. 255"),
        ({"zero_point": -1}, "layer.zero_point: found -1; accepted: a whole number in 0 .. 255"),
        ({"zero_point": 1.5}, "layer.zero_point: found 1.5; accepted: a whole number in 0 .. 255"),
        ({"zero_point": True}, "layer.zero_point: found True; accepted: a whole number in 0 .. 255"),
        ({"dbs_offset": "round"}, "layer.dbs_offset: found 'round'; accepted: floor, midpoint"),
        ({"r": (16,)}, "layer.r: found 16; accepted: a whole number in 0 .. 15"),
        ({"r": (-1,)}, "layer.r: found -1; accepted: a whole number in 0 .. 15"),
        ({"r": (1, 2)}, "layer.r: found (1, 2); accepted: 1 whole numbers in 0 .. 15, one for each HO slice"),
        ({"r": 5}, "layer.r: found 5; accepted: 1 whole numbers in 0 .. 15, one for each HO slice. 8-bit activations"),
        ({"r": "most"}, "layer.r: found 'most'; accepted: 1 whole numbers in 0 .. 15, one for each HO slice"),
        ({"weight_scale": np.nan}, "layer.weight_scale: found nan; accepted: finite numbers > 0"),
        ({"weight_scale": 0.0}, "layer.weight_scale: found 0.0; accepted: finite numbers > 0"),
        ({"weight_scale": [1, np.inf]}, "layer.weight_scale: found inf in row 1; accepted: finite numbers > 0"),
        ({"weight_scale": [1.0] * 3}, "layer.weight_scale: found shape (3,); accepted: one number, or shape (2,)"),
        ({"weight_scale": "big"}, "layer.weight_scale: found 'big'; accepted: real numbers"),
        ({"activation_scale": -0.5}, "layer.activation_scale: found -0.5; accepted: finite numbers > 0"),
        ({"activation_scale": [1.0, 2.0]}, "layer.activation_scale: found shape (2,); accepted: one number"),
        ({"bias": [1.0, 2.0, 3.0]}, "layer.bias: found shape (3,); accepted: shape (2,): one number for each row"),
        ({"bias": [1.0, np.nan]}, "layer.bias: found nan at [1]; accepted: finite numbers"),
    ],
)
def test_refused_field(changes: dict[str, Any], text: str) -> None:
    """A field that cannot be used is refused with its name, what was found and what is accepted."""
    with pytest.raises(ConfigError, match=message(text)):
        small_layer(**changes)


def test_output_format_defaults() -> None:
    """An output format takes its frequent slices from the zero point unless it gives them."""
    assert OutputFormat(0.5, 0x57).frequent == (5,)
    assert OutputFormat(0.5, 0x57, lo_bits=6).frequent == (1,)
    assert OutputFormat(0.5, 0x57, r=(3,)).frequent == (3,)
    assert OutputFormat(0.5, 0x357, bits=12) == OutputFormat(0.5, 0x357, bits=12)


def test_an_output_format_says_what_it_costs() -> None:
    """Its quantizer has its scale, zero point and widths, and takes real outputs."""
    quantizer = OutputFormat(0.5, 0x57, lo_bits=6, r=(3,)).quantizer
    assert quantizer == ActivationQuantizer(0.5, 0x57, 8, 6)
    assert quantizer.error_on(np.array([0.0, 0.5, 1000.0])).clipped_share == 1 / 3


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"scale": 0.0}, "output.scale: found 0.0; accepted: finite numbers > 0"),
        ({"zero_point": 300}, "output.zero_point: found 300; accepted: a whole number in 0 .. 255"),
        ({"bits": 7}, "output.bits: found 7; accepted: 4, 8, 12"),
        ({"lo_bits": 7}, "output.lo_bits: found 7; accepted: 4, 5, 6"),
        ({"bits": 12, "lo_bits": 5}, "output.lo_bits: found 5; accepted: 4. Only 8-bit"),
        ({"r": (1, 1)}, "output.r: found (1, 1); accepted: 1 whole numbers in 0 .. 15"),
    ],
)
def test_refused_output_format(changes: dict[str, Any], text: str) -> None:
    """A field of an output format that cannot be used is refused with its name."""
    with pytest.raises(ConfigError, match=message(text)):
        OutputFormat(**({"scale": 1.0, "zero_point": 3} | changes))
