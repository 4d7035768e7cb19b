"""Links through what lies between products, against what changes when outputs of a product change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive_links import needed

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.onnx_models.graph import OnnxGraph  # noqa: E402
from panacea_sim.onnx_models.imported import ImportedModel  # noqa: E402
from panacea_sim.onnx_models.load import load_model  # noqa: E402
from panacea_sim.onnx_models.session import ModelSession  # noqa: E402

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(11)
I64 = np.int64


def _real(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def _numbers(*numbers: int) -> Array:
    return np.array(numbers, I64)


@dataclass(frozen=True)
class Between:
    """What lies between the outputs `a` (and `b`) of products and the operand `z` of another one.

    `needs` are those of the links, in any order. `exact`: elements need what the links ask for, and nothing less.
    """

    nodes: Sequence[Any]
    reader: Any
    needs: Sequence[str]
    constants: Mapping[str, Array] = field(default_factory=dict)
    exact: bool = True
    operand: str = "x"


TOKENS, FEATURES = 6, 8
_TEXT = {"x": (1, TOKENS, 4), "p": (1, 2, TOKENS, TOKENS)}
_TEXT_MAKERS = [node("MatMul", "x wa", "a", name="A"), node("MatMul", "x wb", "b", name="B")]
_TEXT_WEIGHTS = {"wa": _real(4, FEATURES), "wb": _real(4, FEATURES)}
_READ = node("MatMul", "z w", "y", name="R")


def _text(nodes: Sequence[Any], *needs: str, w: tuple[int, ...] = (FEATURES, 3), **more: Any) -> Between:  # noqa: ANN401  # those of a node
    exact = more.pop("exact", True)
    return Between(nodes, _READ, needs, {"w": _real(*w)} | more, exact)


def _heads(name: str, made: str) -> list[Any]:
    return [node("Reshape", f"{name} split", f"{name}4"), node("Transpose", f"{name}4", made, perm=[0, 2, 1, 3])]


_SPLIT = {"split": _numbers(1, TOKENS, 2, 4)}
_KEYS = node("Transpose", "bh", "bt", perm=[0, 1, 3, 2])

TEXT = {
    "nothing between": _text([node("Identity", "a", "z")], "same"),
    "bias, scale and function": _text(
        [node("Add", "a c", "s"), node("Mul", "s s0", "t"), node("Tanh", "t", "z")], "same", c=_real(8), s0=_real(1)
    ),
    "residual": _text([node("Add", "a b", "z")], "same", "same"),
    "norm": _text([node("LayerNormalization", "a g", "z", axis=-1)], "features", g=_real(8)),
    "norm of a sum": _text(
        [node("Add", "a b", "s"), node("LayerNormalization", "s g", "z")], "features", "features", g=_real(8)
    ),
    "norm of several operators": _text(
        [
            node("ReduceMean", "a", "m", axes=[-1]),
            node("Sub", "a m", "d"),
            node("Mul", "d d", "q"),
            node("ReduceMean", "q", "v", axes=[2]),
            node("Sqrt", "v", "r"),
            node("Div", "d r", "z"),
        ],
        "features",
    ),
    "softmax over tokens": _text([node("Softmax", "a", "z", axis=1)], "columns"),
    "concat of features": _text([node("Concat", "a b", "z", axis=-1)], "same", "same", w=(16, 3)),
    "concat of tokens": _text([node("Concat", "a b", "z", axis=1)], "same", "same"),
    "slice of features": _text(
        [node("Slice", "a st en ax", "z")], "same", w=(4, 3), st=_numbers(2), en=_numbers(6), ax=_numbers(2)
    ),
    "slice of tokens from behind": _text(
        [node("Slice", "a st en ax sp", "z")],
        "columns",
        st=_numbers(-1),
        en=_numbers(-99),
        ax=_numbers(1),
        sp=_numbers(-2),
    ),
    "a part of a split": _text(
        [node("Split", "a sizes", "before z behind", axis=2)], "same", w=(5, 3), sizes=_numbers(2, 5, 1)
    ),
    "one token": _text([node("Gather", "a at", "z", axis=1)], "same", at=np.array(-1, I64)),
    "some tokens": _text([node("Gather", "a at", "z", axis=1)], "columns", at=_numbers(0, 5, 1), exact=False),
    "tokens in a row": _text([node("Gather", "a at", "z", axis=1)], "same", at=_numbers(2, 3, 4)),
    "mean of tokens": _text([node("ReduceMean", "a", "z", axes=[1], keepdims=0)], "columns"),
    "features side by side": _text([node("Reshape", "a to", "z")], "all", w=(48, 3), to=_numbers(1, 48), exact=False),
    "tokens two by two": _text(
        [node("Reshape", "a to", "z")], "columns", w=(16, 3), to=_numbers(1, 3, 16), exact=False
    ),
    "features as tokens": _text([node("Transpose", "a", "z", perm=[0, 2, 1])], "all", w=(6, 3), exact=False),
    "repeated": _text([node("Expand", "a to", "z")], "columns", to=_numbers(2, 6, 8)),
    "tiled": _text([node("Tile", "a to", "z")], "columns", to=_numbers(1, 2, 1)),
    "padded": _text([node("Pad", "a to", "z")], "same", w=(11, 3), to=_numbers(0, 1, 2, 0, 0, 1)),
    "unknown operator": _text([node("Einsum", "a", "z", equation="bij->bij")], "all", exact=False),
    "rotary": _text(
        [
            node("Split", "a halves", "u v", axis=2),
            node("Neg", "v", "n"),
            node("Concat", "n u", "t", axis=2),
            node("Mul", "a cos", "c"),
            node("Mul", "t sin", "s"),
            node("Add", "c s", "z"),
        ],
        "same",
        "same",
        "same",
        halves=_numbers(4, 4),
        cos=_real(6, 8),
        sin=_real(6, 8),
    ),
    "heads as activation": Between([*_heads("a", "z")], _READ, ["same"], {"w": _real(1, 2, 4, 3), **_SPLIT}),
    "heads together again": _text(
        [*_heads("a", "h"), node("Transpose", "h", "t", perm=[0, 2, 1, 3]), node("Reshape", "t to", "z")],
        "same",
        to=_numbers(1, TOKENS, FEATURES),
        **_SPLIT,
    ),
    "keys": Between(
        [*_heads("a", "ah"), *_heads("b", "bh"), _KEYS],
        node("MatMul", "ah bt", "y", name="R"),
        ["same"],
        _SPLIT,
        operand="w",
    ),
    "values": Between(
        [node("Softmax", "p", "ps", axis=-1), *_heads("b", "bh")],
        node("MatMul", "ps bh", "y", name="R"),
        ["same"],
        _SPLIT,
        operand="w",
    ),
    "normed keys": Between(
        [
            *_heads("a", "ah"),
            *_heads("b", "bh"),
            node("LayerNormalization", "bh g", "bn"),
            node("Transpose", "bn", "bt", perm=[0, 1, 3, 2]),
        ],
        node("MatMul", "ah bt", "y", name="R"),
        ["features"],
        {**_SPLIT, "g": _real(4)},
        operand="w",
    ),
}

_IMAGE = {"x": (2, 3, 6, 5)}
_IMAGE_MAKERS = [node("Conv", "x wa", "a", name="A"), node("Conv", "x wb", "b", name="B")]
_IMAGE_WEIGHTS = {"wa": _real(4, 3, 1, 1), "wb": _real(4, 3, 1, 1)}


def _image(nodes: Sequence[Any], *needs: str, w: tuple[int, ...] = (2, 4, 3, 3), **more: Any) -> Between:  # noqa: ANN401  # those of a node
    exact, attributes = more.pop("exact", False), more.pop("attributes", {})
    return Between(nodes, node("Conv", "z w", "y", name="R", **attributes), needs, {"w": _real(*w)} | more, exact)


IMAGE = {
    "conv": _image([node("Relu", "a", "z")], "columns", attributes={"pads": [1, 1, 0, 2]}),
    "conv of one pixel": _image([node("Relu", "a", "z")], "same", w=(2, 4, 1, 1), exact=True),
    "conv of a line": _image([node("Relu", "a", "z")], "columns", w=(2, 4, 1, 3)),
    "conv of each channel": _image([node("Relu", "a", "z")], "columns", w=(4, 1, 1, 2), attributes={"group": 4}),
    "conv of both": _image([node("Concat", "a b", "z", axis=1)], "columns", "columns", w=(2, 8, 2, 2)),
    "conv of both, one pixel": _image([node("Concat", "a b", "z", axis=1)], "same", "same", w=(2, 8, 1, 1), exact=True),
    "groups of both": _image(
        [node("Concat", "a b", "z", axis=1)], "columns", "columns", w=(4, 2, 1, 2), attributes={"group": 4}
    ),
    "pooled": _image([node("MaxPool", "a", "z", kernel_shape=[2, 2], strides=[2, 1])], "columns", w=(2, 4, 2, 2)),
    "pooled beyond the end": _image(
        [node("AveragePool", "a", "z", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1], ceil_mode=1)],
        "columns",
        w=(2, 4, 1, 1),
    ),
    "pooled twice": _image(
        [
            node("MaxPool", "a", "p", kernel_shape=[2, 2]),
            node("MaxPool", "p", "z", kernel_shape=[2, 2], strides=[2, 2]),
        ],
        "columns",
        w=(2, 4, 1, 1),
    ),
    "pooled over all": _image([node("GlobalAveragePool", "a", "z")], "columns", w=(2, 4, 1, 1), exact=True),
    "gate of a mean": _image(
        [node("GlobalAveragePool", "a", "m"), node("Sigmoid", "m", "g"), node("Mul", "b g", "z")],
        "columns",
        "same",
        w=(2, 4, 1, 1),
        exact=True,
    ),
    "padded before": _image([node("Pad", "a to", "z")], "columns", to=_numbers(0, 0, 1, 1, 0, 0, 1, 2)),
    "padded with mirrors": _image(
        [node("Pad", "a to", "z", mode="reflect")], "columns", to=_numbers(0, 0, 1, 1, 0, 0, 1, 2)
    ),
    "twice the size": _image(
        [node("Resize", "a - s", "z", mode="nearest")],
        "columns",
        w=(2, 4, 1, 1),
        s=np.array([1, 1, 2, 2], np.float32),
        exact=True,
    ),
    "half the size": _image(
        [
            node(
                "Resize",
                "a - s",
                "z",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        "columns",
        w=(2, 4, 1, 1),
        s=np.array([1, 1, 0.5, 0.8], np.float32),
        exact=True,
    ),
    "larger, between pixels": _image(
        [node("Resize", "a - - n", "z", mode="linear")], "columns", w=(2, 4, 1, 1), n=_numbers(2, 4, 9, 7)
    ),
    "larger, by four pixels": _image(
        [node("Resize", "a - - n", "z", mode="cubic", coordinate_transformation_mode="align_corners")],
        "columns",
        w=(2, 4, 1, 1),
        n=_numbers(2, 4, 9, 7),
    ),
    "pixels of channels": _image([node("DepthToSpace", "a", "z", blocksize=2)], "columns", w=(2, 1, 1, 1)),
    "batch norm": _image(
        [node("BatchNormalization", "a g h i j", "z")],
        "same",
        w=(2, 4, 1, 1),
        g=_real(4),
        h=_real(4),
        i=_real(4),
        j=np.abs(_real(4)) + 1,
        exact=True,
    ),
    "instance norm": _image(
        [node("InstanceNormalization", "a g h", "z")], "columns", w=(2, 4, 1, 1), g=_real(4), h=_real(4), exact=True
    ),
    "channels last": _image(
        [
            node("Transpose", "a", "t", perm=[0, 2, 3, 1]),
            node("Mul", "t c", "u"),
            node("Transpose", "u", "z", perm=[0, 3, 1, 2]),
        ],
        "same",
        w=(2, 4, 1, 1),
        c=_real(4),
        exact=True,
    ),
}


def _loaded(
    between: Between,
    makers: Sequence[Any],
    inputs: Mapping[str, tuple[int, ...]],
    weights: Mapping[str, Array],
    folder: Path,
) -> ImportedModel:
    nodes = [*makers, *between.nodes, between.reader]
    model = small_model(nodes, inputs, "y", {**weights, **between.constants}, opset=17)
    return load_model(write_model(folder / "model.onnx", model))


def _changed(
    model: ImportedModel, reader: str, operand: str
) -> dict[tuple[int, tuple[int, int]], set[tuple[str, int, int]]]:
    """Return for each repeat and element of an operand the outputs of products that change it when they change."""
    layer = model.layers[reader]
    view = getattr(layer, {"x": "activation", "w": "weight"}[operand]).view
    makers = [each for name, each in model.layers.items() if name != reader and name in model.network.pred[reader]]
    proto = onnx.ModelProto()
    proto.CopyFrom(model.onnx.proto)
    outputs = {each.product.outputs[0][0]: each for each in makers}
    kept = [each for each in proto.graph.node if not set(each.output) & set(outputs)]
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    terms = {}
    for name, each in outputs.items():
        term = each.product.outputs[0][1]
        terms[name] = term
        proto.graph.input.append(onnx.helper.make_tensor_value_info(name, 1, list(term.shape)))
    session = ModelSession(OnnxGraph(proto, model.onnx.folder), view.tensors)
    feed = {spec.name: _real(*(axis for axis in spec.axes or () if isinstance(axis, int))) for spec in model.inputs}
    feed |= {name: _real(*term.shape) for name, term in terms.items()}
    held = {name: value for name in view.tensors if (value := model.onnx.held(name)) is not None}

    def matrices(values: Mapping[str, Array]) -> list[Array]:
        found = held | session.run(dict(values))
        return list(view.matrices(*(found[name] for name in view.tensors)))

    before = matrices(feed)
    changed: dict[tuple[int, tuple[int, int]], set[tuple[str, int, int]]] = {}
    for name, term in terms.items():
        feature, column, _ = term.positions(range(len(term.shape)))
        for number, at in enumerate(np.ndindex(*term.shape)):
            array = feed[name].copy()
            array[at] += 1e4  # also where only the largest, or what is above 0, counts
            for repeat, (old, new) in enumerate(zip(before, matrices(feed | {name: array}), strict=True)):
                for place in np.argwhere(old != new):
                    key = (repeat, (int(place[0]), int(place[1])))
                    output = (outputs[name].gemm.name, int(feature[number]), int(column[number]))
                    changed.setdefault(key, set()).add(output)
    return changed


def _check(model: ImportedModel, between: Between) -> None:
    changed = _changed(model, "R", between.operand)
    repeats = model.layers["R"].gemm.repeat
    asked = {
        (repeat, place): outputs
        for repeat in range(repeats)
        for place, outputs in needed(model.network, "R", between.operand, repeat).items()
    }
    assert changed
    for key, outputs in changed.items():
        assert outputs <= asked.get(key, set()), key
    if between.exact:
        assert asked == changed
    links = [link for _, _, found in model.network.in_edges("R", data="links") for link in found]
    found = [
        link.needs if isinstance(link.needs, str) else "columns" for link in links if link.operand == between.operand
    ]
    assert sorted(found) == sorted(between.needs)


@pytest.mark.parametrize("name", TEXT)
def test_links_through_text(name: str, tmp_path: Path) -> None:
    """An element of an operand needs all outputs that change it, and where it says so no others."""
    _check(_loaded(TEXT[name], _TEXT_MAKERS, _TEXT, _TEXT_WEIGHTS, tmp_path), TEXT[name])


@pytest.mark.parametrize("name", IMAGE)
def test_links_through_images(name: str, tmp_path: Path) -> None:
    """The same with images: windows ask for all pixels from their first to their last."""
    _check(_loaded(IMAGE[name], _IMAGE_MAKERS, _IMAGE, _IMAGE_WEIGHTS, tmp_path), IMAGE[name])


@pytest.mark.parametrize(("stride", "taps", "pads"), [(2, 2, [0, 0]), (2, 3, [1, 0]), (1, 3, [0, 2])])
def test_links_to_a_transposed_convolution(stride: int, taps: int, pads: list[int], tmp_path: Path) -> None:
    """A pixel needs the input pixels whose taps reach it, from the first to the last, and all features of these."""
    channels, size = 3, 5
    nodes = [
        node("ConvTranspose", "x k", "z", name="T", strides=[stride], pads=pads),
        node("Conv", "z w", "y", name="R"),
    ]
    constants = {"k": _real(2, channels, taps), "w": _real(4, channels, 1)}
    model = load_model(write_model(tmp_path / "t.onnx", small_model(nodes, {"x": (1, 2, size)}, "y", constants)))
    pixels = model.layers["R"].gemm.N
    reached: dict[int, set[int]] = {pixel: set() for pixel in range(pixels)}
    for pixel in range(size):
        for tap in range(taps):
            at = pixel * stride + tap - pads[0]
            if 0 <= at < pixels:
                reached[at].add(pixel)
    for (_, column), outputs in needed(model.network, "R", "x").items():
        columns = range(min(reached[column]), max(reached[column]) + 1)
        assert outputs == {("T", feature, each) for feature in range(channels * taps) for each in columns}


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_links_to_a_recurrent_layer(direction: str, tmp_path: Path) -> None:
    """A state needs its feature of each gate at its step, of both products; a step needs the inputs of that before."""
    steps, batch, size = 3, 2, 2
    nodes = [
        node("LSTM", "x wi wr", "s", name="L", hidden_size=size, direction=direction),
        node("Squeeze", "s one", "z"),
        node("MatMul", "z w", "y", name="R"),
    ]
    constants = {"wi": _real(1, 4 * size, 3), "wr": _real(1, 4 * size, size), "w": _real(size, 5), "one": _numbers(1)}
    model = load_model(write_model(tmp_path / "l.onnx", small_model(nodes, {"x": (steps, batch, 3)}, "y", constants)))
    order = list(range(steps)) if direction == "forward" else list(reversed(range(steps)))
    found = needed(model.network, "R", "x")
    for feature, step, sequence in np.ndindex(size, steps, batch):
        gates = [gate * size + feature for gate in range(4)]
        turn = order.index(step)
        wanted = {("L.input", gate, step * batch + sequence) for gate in gates}
        wanted |= {("L.hidden", turn * 4 * size + gate, sequence) for gate in gates}
        assert wanted <= found[feature, step * batch + sequence]
    for turn in range(steps):
        of_step = needed(model.network, "L.hidden", "x", turn)
        if turn == 0:
            assert not of_step
            continue
        before = order[turn - 1]
        for (_, sequence), outputs in of_step.items():
            assert outputs == {("L.input", gate, before * batch + sequence) for gate in range(4 * size)}
