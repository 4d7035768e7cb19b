"""Every operator as products: operands multiplied with numpy are what onnxruntime computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel  # noqa: E402
from panacea_sim.onnx_models.load import load_model  # noqa: E402
from panacea_sim.onnx_models.terms import Term  # noqa: E402

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)
U8, I8, I64 = onnx.TensorProto.UINT8, onnx.TensorProto.INT8, onnx.TensorProto.INT64


def _real(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def _codes(dtype: type, *shape: int) -> Array:
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@dataclass(frozen=True)
class Case:
    """A model of one operator, and M, K, N, repeats of its products."""

    nodes: Sequence[Any]
    inputs: Mapping[str, Array]
    sizes: Sequence[tuple[int, int, int, int]]
    constants: Mapping[str, Array] = field(default_factory=dict)
    opset: int = 17

    def model(self, path: Path) -> ImportedModel:
        """Return the model as it was read, with the inputs' sizes."""
        dtypes = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in self.inputs.items()}
        shapes = {name: array.shape for name, array in self.inputs.items()}
        outputs = " ".join(name for each in self.nodes for name in each.output if name)
        made = small_model(self.nodes, shapes, outputs, self.constants, self.opset, dtypes)
        return load_model(write_model(path / "model.onnx", made))


def _conv(weight: tuple[int, ...], image: tuple[int, ...], sizes: tuple[int, int, int, int], **attributes: Any) -> Case:  # noqa: ANN401  # those of a node
    return Case([node("Conv", "x w", "y", **attributes)], {"x": _real(*image)}, [sizes], {"w": _real(*weight)})


def _transposed(
    weight: tuple[int, ...],
    image: tuple[int, ...],
    sizes: tuple[int, int, int, int],
    **attributes: Any,  # noqa: ANN401  # those of a node
) -> Case:
    made = [node("ConvTranspose", "x w", "y", **attributes)]
    return Case(made, {"x": _real(*image)}, [sizes], {"w": _real(*weight)})


PLAIN = {
    "matmul": Case([node("MatMul", "x w", "y")], {"x": _real(3, 5)}, [(4, 5, 3, 1)], {"w": _real(5, 4)}),
    "matmul of batches": Case([node("MatMul", "x w", "y")], {"x": _real(2, 3, 5)}, [(4, 5, 6, 1)], {"w": _real(5, 4)}),
    "matmul with the constant on the left": Case(
        [node("MatMul", "w x", "y")], {"x": _real(2, 5, 3)}, [(4, 5, 6, 1)], {"w": _real(4, 5)}
    ),
    "matmul with a weight for each batch": Case(
        [node("MatMul", "x w", "y")], {"x": _real(2, 3, 5)}, [(4, 5, 3, 2)], {"w": _real(2, 5, 4)}
    ),
    "matmul with batches of both kinds": Case(
        [node("MatMul", "x w", "y")], {"x": _real(3, 2, 4, 5)}, [(6, 5, 12, 2)], {"w": _real(1, 2, 5, 6)}
    ),
    "matmul whose activation repeats": Case(
        [node("MatMul", "x w", "y")], {"x": _real(4, 5)}, [(6, 5, 4, 3)], {"w": _real(3, 5, 6)}
    ),
    "matmul of two inputs": Case(
        [node("MatMul", "a b", "y")], {"a": _real(2, 3, 4, 5), "b": _real(2, 3, 5, 6)}, [(6, 5, 4, 6)]
    ),
    "matmul of a vector and a matrix": Case(
        [node("MatMul", "x w", "y")], {"x": _real(5)}, [(4, 5, 1, 1)], {"w": _real(5, 4)}
    ),
    "matmul of a matrix and a vector": Case(
        [node("MatMul", "x w", "y")], {"x": _real(3, 5)}, [(1, 5, 3, 1)], {"w": _real(5)}
    ),
    "gemm": Case([node("Gemm", "x w", "y")], {"x": _real(3, 5)}, [(4, 5, 3, 1)], {"w": _real(5, 4)}),
    "gemm turned": Case(
        [node("Gemm", "x w", "y", transA=1, transB=1)], {"x": _real(5, 3)}, [(4, 5, 3, 1)], {"w": _real(4, 5)}
    ),
    "gemm with the constant on the left": Case(
        [node("Gemm", "w x", "y", transA=1, transB=1)], {"x": _real(3, 5)}, [(4, 5, 3, 1)], {"w": _real(5, 4)}
    ),
    "conv of a line": _conv((4, 3, 3), (2, 3, 9), (4, 9, 14, 1)),
    "conv of an image": _conv((4, 3, 3, 2), (1, 3, 6, 7), (4, 18, 24, 1)),
    "conv of a volume": _conv((2, 1, 2, 2, 2), (1, 1, 3, 4, 5), (2, 8, 24, 1)),
    "conv with strides and dilation": _conv(
        (4, 3, 3, 3), (1, 3, 9, 9), (4, 27, 9, 1), strides=[2, 2], dilations=[2, 2]
    ),
    "conv with groups": _conv((6, 2, 3, 3), (2, 4, 5, 5), (3, 18, 18, 2), group=2),
    "conv of each channel": _conv((4, 1, 3, 3), (1, 4, 5, 5), (1, 9, 25, 4), group=4, pads=[1, 1, 1, 1]),
    "conv with uneven pads": _conv((2, 1, 3, 3), (1, 1, 5, 6), (2, 9, 35, 1), pads=[0, 1, 2, 2]),
    "conv padded above": _conv((2, 1, 3, 2), (1, 1, 5, 6), (2, 6, 9, 1), auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv padded below": _conv((2, 1, 4, 3), (1, 1, 5, 6), (2, 12, 9, 1), auto_pad="SAME_LOWER", strides=[2, 2]),
    "conv without padding": _conv((2, 1, 3, 3), (1, 1, 5, 6), (2, 9, 12, 1), auto_pad="VALID"),
    "conv of one pixel": _conv((4, 3, 1, 1), (1, 3, 5, 6), (4, 3, 30, 1)),
}

TRANSPOSED = {
    "conv transpose": _transposed((3, 2, 2, 2), (1, 3, 4, 5), (8, 3, 20, 1), strides=[2, 2]),
    "conv transpose of a line": _transposed((3, 2, 4), (2, 3, 5), (8, 3, 10, 1), strides=[2], pads=[1, 0]),
    "conv transpose with groups": _transposed((4, 3, 3, 3), (1, 4, 3, 3), (27, 2, 9, 2), group=2, dilations=[2, 1]),
    "conv transpose with more pixels": _transposed(
        (2, 1, 3, 3), (1, 2, 3, 3), (9, 2, 9, 1), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    "conv transpose of a size": _transposed(
        (2, 1, 3, 3), (1, 2, 3, 3), (9, 2, 9, 1), strides=[2, 2], output_shape=[6, 5]
    ),
    "conv transpose padded": _transposed(
        (2, 1, 3, 3), (1, 2, 3, 3), (9, 2, 9, 1), strides=[2, 2], auto_pad="SAME_UPPER"
    ),
}


def _integers(
    op: str,
    weight: Array,
    zero_point: Array,
    x: Array,
    sizes: tuple[int, int, int, int],
    **more: Any,  # noqa: ANN401
) -> Case:
    constants = {"w": weight, "zx": np.array(7, x.dtype), "zw": zero_point}
    return Case([node(op, "x w zx zw", "y", **more)], {"x": x}, [sizes], constants)


INTEGER = {
    "matmul of integers": _integers(
        "MatMulInteger", _codes(np.int8, 5, 4), np.array(3, np.int8), _codes(np.uint8, 3, 5), (4, 5, 3, 1)
    ),
    "matmul of integers by columns": _integers(
        "MatMulInteger", _codes(np.uint8, 5, 4), _codes(np.uint8, 4), _codes(np.uint8, 2, 3, 5), (4, 5, 6, 1)
    ),
    "matmul of signed integers": _integers(
        "MatMulInteger", _codes(np.int8, 5, 4), np.array(0, np.int8), _codes(np.int8, 3, 5), (4, 5, 3, 1)
    ),
    "conv of integers": _integers(
        "ConvInteger",
        _codes(np.uint8, 4, 3, 3, 3),
        np.array(9, np.uint8),
        _codes(np.uint8, 1, 3, 6, 6),
        (4, 27, 36, 1),
        pads=[1, 1, 1, 1],
    ),
    "conv of integers in groups": _integers(
        "ConvInteger",
        _codes(np.uint8, 4, 1, 3),
        np.array(9, np.uint8),
        _codes(np.uint8, 2, 2, 6),
        (2, 3, 8, 2),
        group=2,
    ),
}


def _reassembled(term: Term, products: Sequence[Array]) -> Array:
    """Return the tensor whose elements a term says where to find in the outputs of the products."""
    stacked = np.concatenate(products)
    feature, column, inside = term.positions(range(len(term.shape)))
    assert inside.all()
    return stacked[term.feature + feature, term.column + column].reshape(term.shape)


def _multiplied(layer: ImportedLayer, values: Mapping[str, Array]) -> list[Array]:
    pairs = zip(layer.weight.matrices(values), layer.activation.matrices(values), strict=True)
    return [np.asarray(weight, np.float64) @ np.asarray(activation, np.float64) for weight, activation in pairs]


def _check_sizes(case: Case, model: ImportedModel) -> None:
    gemms = [layer.gemm for layer in model.layers.values()]
    assert [(gemm.M, gemm.K, gemm.N, gemm.repeat) for gemm in gemms] == list(case.sizes)


@pytest.mark.parametrize("name", PLAIN)
def test_products_are_the_outputs(name: str, tmp_path: Path) -> None:
    """The operands of each repeat multiply to what the node gives, at the places that its terms say."""
    case = PLAIN[name]
    model = case.model(tmp_path)
    _check_sizes(case, model)
    (layer,) = model.layers.values()
    values = model.recorder(extra=["y"]).run(dict(case.inputs))
    ((output, term),) = layer.product.outputs
    assert output == "y"
    np.testing.assert_allclose(_reassembled(term, _multiplied(layer, values)), values["y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions_are_sums_of_products(name: str, tmp_path: Path) -> None:
    """What the products of a transposed convolution give is added up, tap by tap, to what the node gives."""
    case = TRANSPOSED[name]
    model = case.model(tmp_path)
    _check_sizes(case, model)
    (layer,) = model.layers.values()
    values = model.recorder(extra=["y"]).run(dict(case.inputs))
    made = case.nodes[0]
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in made.attribute}
    kernel, x, y = case.constants["w"].shape[2:], case.inputs["x"], values["y"]
    axes = len(kernel)
    strides, dilations = attributes.get("strides", [1] * axes), attributes.get("dilations", [1] * axes)
    products = np.concatenate(_multiplied(layer, values)).reshape(y.shape[1], *kernel, len(x), *x.shape[2:])
    before = _padding_before(attributes, x.shape[2:], kernel, strides, dilations, y.shape[2:])
    found = np.zeros(y.shape)
    for index in np.ndindex(*products.shape):
        channel, tap, image, pixel = index[0], index[1 : 1 + axes], index[1 + axes], index[2 + axes :]
        at = [p * s + t * d - b for p, s, t, d, b in zip(pixel, strides, tap, dilations, before, strict=True)]
        if all(0 <= place < size for place, size in zip(at, y.shape[2:], strict=True)):
            found[(image, channel, *at)] += products[index]
    np.testing.assert_allclose(found, y, rtol=1e-4, atol=1e-5)


def _padding_before(
    attributes: Mapping[str, Any],
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    outputs: Sequence[int],
) -> list[int]:
    """Return the pixels cut off in front of each axis, as the operator's definition says."""
    if "pads" in attributes or not {"auto_pad", "output_shape"} & set(attributes):
        return list(attributes.get("pads", [0] * 2 * len(size)))[: len(size)]
    totals = [
        s * (i - 1) + (k - 1) * d + 1 - o
        for s, i, k, d, o in zip(strides, size, kernel, dilations, outputs, strict=True)
    ]
    upper = attributes.get("auto_pad") == b"SAME_UPPER"
    return [total // 2 if upper else total - total // 2 for total in (max(each, 0) for each in totals)]


@pytest.mark.parametrize("name", INTEGER)
def test_integer_products_are_the_outputs(name: str, tmp_path: Path) -> None:
    """Codes less their zero points multiply to exactly what an integer operator gives; signed ones are shifted."""
    case = INTEGER[name]
    model = case.model(tmp_path)
    _check_sizes(case, model)
    (layer,) = model.layers.values()
    values = model.recorder(extra=["y"]).run(dict(case.inputs))
    products = []
    for weight, activation in zip(layer.weight.centred(values), layer.activation.activation_codes(values), strict=True):
        assert activation.codes.min() >= 0
        assert activation.codes.max() <= 255
        assert activation.zero_point == (7 if case.inputs["x"].dtype == np.uint8 else 135)
        products.append(weight @ (activation.codes - activation.zero_point))
    ((_, term),) = layer.product.outputs
    np.testing.assert_array_equal(_reassembled(term, products), values["y"])


@pytest.mark.parametrize("name", ["QLinearMatMul", "QLinearConv"])
def test_products_with_scales_are_the_outputs(name: str, tmp_path: Path) -> None:
    """Accumulators times the scales are the outputs of the operators that take scales, to the rounding."""
    shape, x = (
        ((6, 4), _codes(np.uint8, 3, 6)) if name == "QLinearMatMul" else ((4, 2, 3, 3), _codes(np.uint8, 1, 2, 5, 5))
    )
    scales = RNG.uniform(0.005, 0.01, 4).astype(np.float32)
    constants = {
        "sx": np.float32(0.02),
        "zx": np.uint8(120),
        "w": _codes(np.int8, *shape),
        "sw": scales,
        "zw": np.zeros(4, np.int8),
        "sy": np.float32(0.05),
        "zy": np.uint8(128),
    }
    case = Case(
        [node(name, "x sx zx w sw zw sy zy", "y")], {"x": x}, [], {k: np.asarray(v) for k, v in constants.items()}
    )
    model = case.model(tmp_path)
    (layer,) = model.layers.values()
    assert layer.gemm.weight_bits == 10
    values = model.recorder(extra=["y"]).run({"x": x})
    weight, activation = next(layer.weight.weight_codes(values)), next(layer.activation.activation_codes(values))
    assert activation.scale == pytest.approx(0.02)
    np.testing.assert_allclose(weight.scale, scales)
    assert isinstance(weight.scale, np.ndarray)
    real = (weight.codes @ (activation.codes - activation.zero_point)) * weight.scale[:, None] * activation.scale
    codes = np.clip(np.rint(real / 0.05) + 128, 0, 255)
    ((_, term),) = layer.product.outputs
    assert np.abs(_reassembled(term, [codes]) - values["y"]).max() <= 1


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_an_lstm_is_two_products_a_direction(direction: str, tmp_path: Path) -> None:
    """The product over all inputs and that of each step, added up and put through the gates, give the states."""
    steps, batch, size, hidden, count = 4, 3, 5, 2, 2 if direction == "bidirectional" else 1
    x = _real(steps, batch, size)
    constants = {
        "w": _real(count, 4 * hidden, size),
        "r": _real(count, 4 * hidden, hidden),
        "h": _real(count, batch, hidden),
    }
    made = node("LSTM", "x w r - - h", "y last", name="rnn", hidden_size=hidden, direction=direction)
    sizes = [(8, size, steps * batch, 1), (8, hidden, batch, steps)] * count
    case = Case([made], {"x": x}, sizes, constants)
    model = case.model(tmp_path)
    _check_sizes(case, model)
    ways = ["rnn.forward", "rnn.reverse"] if count == 2 else ["rnn"]
    assert list(model.layers) == [f"{way}.{part}" for way in ways for part in ("input", "hidden")]
    values = model.recorder(extra=["y"]).run({"x": x})
    for number, way in enumerate(ways):
        (inputs,) = _multiplied(model.layers[f"{way}.input"], values)
        states = _multiplied(model.layers[f"{way}.hidden"], values)
        backwards = direction == "reverse" or number == 1
        cell = np.zeros((hidden, batch))
        for step, state in enumerate(states):
            at = steps - 1 - step if backwards else step
            gates = inputs.reshape(8, steps, batch)[:, at] + state
            i, o, f, c = (gates[gate * hidden : (gate + 1) * hidden] for gate in range(4))
            cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(c)
            np.testing.assert_allclose((_sigmoid(o) * np.tanh(cell)).T, values["y"][at, number], rtol=1e-4, atol=1e-5)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def test_a_gru_whose_states_nobody_reads(tmp_path: Path) -> None:
    """A GRU that gives its last state alone has its states read all the same, three gates a step."""
    constants = {"w": _real(1, 6, 5), "r": _real(1, 6, 2)}
    made = node("GRU", "x w r", "- last", name="rnn", hidden_size=2, linear_before_reset=1)
    case = Case([made], {"x": _real(4, 3, 5)}, [(6, 5, 12, 1), (6, 2, 3, 4)], constants)
    model = case.model(tmp_path)
    _check_sizes(case, model)
    values = model.recorder(extra=["last"]).run(dict(case.inputs))
    (inputs,) = _multiplied(model.layers["rnn.input"], values)
    hidden = np.zeros((2, 3))
    for step, state in enumerate(_multiplied(model.layers["rnn.hidden"], values)):
        of_input, of_state = inputs.reshape(6, 4, 3)[:, step].reshape(3, 2, 3), state.reshape(3, 2, 3)
        update, reset = _sigmoid(of_input[0] + of_state[0]), _sigmoid(of_input[1] + of_state[1])
        hidden = (1 - update) * np.tanh(of_input[2] + reset * of_state[2]) + update * hidden
    np.testing.assert_allclose(hidden.T, values["last"][0], rtol=1e-4, atol=1e-5)


def test_products_of_constants_are_none(tmp_path: Path) -> None:
    """A product of two constants is computed once and for all: no layer, no weight of the next one in its way."""
    nodes = [node("MatMul", "a b", "w", name="folded"), node("MatMul", "x w", "y", name="kept")]
    case = Case(nodes, {"x": _real(3, 5)}, [(4, 5, 3, 1)], {"a": _real(5, 6), "b": _real(6, 4)})
    model = case.model(tmp_path)
    assert list(model.layers) == ["kept"]
    values = model.recorder(extra=["y"]).run(dict(case.inputs))
    np.testing.assert_allclose(_multiplied(model.layers["kept"], values)[0].T, values["y"], rtol=1e-4)
