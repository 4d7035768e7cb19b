"""Model files with something wrong in them, the same for the same seed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from small_models import node, small_model

__all__ = ["make_sound_models", "mutated_model", "samples_of", "unchanged_model"]

_SILLY = (-(2**62), -1000, -1, 0, 1, 2, 3, 5, 100, 65_537, 2**31, 2**40, 2**62)
_OPS = ("MatMul", "Conv", "Relu", "Transpose", "Reshape", "Concat", "LSTM", "If", "Softmax", "Nonsense", "")
_WEIGHTS = np.random.default_rng(2)


def _real(*shape: int) -> np.ndarray[Any, Any]:
    return _WEIGHTS.normal(size=shape).astype(np.float32)


def make_sound_models() -> list[onnx.ModelProto]:
    """Return small models of convolutions, of attention, of integers, and of a recurrent layer with a loop."""
    image = [
        node("Conv", "x k", "a", name="c", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("MaxPool", "a", "p", kernel_shape=[2, 2]),
        node("Flatten", "p", "f"),
        node("Gemm", "f w b", "y", name="g"),
    ]
    text = [
        node("MatMul", "x w", "a", name="q"),
        node("Transpose", "a", "t", perm=[0, 2, 1]),
        node("MatMul", "a t", "s", name="qk"),
        node("Softmax", "s", "p", axis=-1),
        node("MatMul", "p a", "o", name="pv"),
        node("Add", "x o", "r"),
        node("LayerNormalization", "r g", "y", axis=-1),
    ]
    integers = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("DequantizeLinear", "w v u", "e", axis=1),
        node("MatMul", "d e", "y", name="m"),
    ]
    going = onnx.helper.make_tensor_value_info("going", onnx.TensorProto.BOOL, ())
    number = onnx.helper.make_tensor_value_info("number", onnx.TensorProto.INT64, ())
    state, after = (onnx.helper.make_tensor_value_info(name, 1, None) for name in ("state", "next"))
    on = onnx.helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, ())
    nodes = [node("Identity", "going", "on"), node("MatMul", "state v", "next", name="m")]
    body = onnx.helper.make_graph(nodes, "body", [number, going, state], [on, after])
    steps = [
        node("LSTM", "x w r", "- h", name="l", hidden_size=2),
        onnx.helper.make_node("Loop", ["count", "", "h"], ["y"], name="o", body=body),
    ]
    return [
        small_model(image, {"x": (1, 2, 8, 8)}, "y", {"k": _real(3, 2, 3, 3), "w": _real(27, 4), "b": _real(4)}),
        small_model(text, {"x": (1, 5, 4)}, "y", {"w": _real(4, 4), "g": _real(4)}),
        small_model(
            integers,
            {"x": (3, 4)},
            "y",
            {
                "w": np.arange(20, dtype=np.int8).reshape(4, 5),
                "v": np.ones(5, np.float32),
                "u": np.zeros(5, np.int8),
                "s": np.float32(0.1).reshape(()),
                "z": np.array(9, np.uint8),
            },
        ),
        small_model(
            steps,
            {"x": (3, 2, 4)},
            "y",
            {"w": _real(1, 8, 4), "r": _real(1, 8, 2), "v": _real(2, 2), "count": np.array(3, np.int64)},
        ),
    ]


def unchanged_model(seed: int) -> onnx.ModelProto:
    """Return the sound model of which `mutated_model` makes another."""
    return Random(f"model {seed}").choice(make_sound_models())  # noqa: S311  # the same for the same seed


def samples_of(model: onnx.ModelProto, folder: Path) -> Path:
    """Write samples for a sound model and return their path."""
    (given,) = model.graph.input
    shape = [axis.dim_value for axis in given.type.tensor_type.shape.dim]
    path = folder / "samples.npz"
    np.savez(path, **{given.name: np.random.default_rng(4).normal(size=(3, *shape)).astype(np.float32)})
    return path


def mutated_model(seed: int, folder: Path) -> Path:
    """Write a model with something wrong in it and return its path."""
    rng = Random(f"model {seed}")  # noqa: S311  # the same for the same seed
    model = rng.choice(make_sound_models())
    path = folder / "model.onnx"
    if rng.random() < 0.4:
        content = bytearray(model.SerializeToString())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(content))
            kind = rng.randrange(4)
            if kind == 0:
                del content[at : at + rng.choice([1, 4, 100])]
            elif kind == 1:
                content[at] = rng.randrange(256)
            elif kind == 2:
                content[at:at] = rng.randbytes(rng.randint(1, 9))
            else:
                del content[at:]
            content = content or bytearray(b"\0")
        path.write_bytes(bytes(content))
        return path
    for _ in range(rng.randint(1, 2)):
        rng.choice([_change_node, _change_tensor, _change_input, _change_attribute])(rng, model.graph)
    path.write_bytes(model.SerializeToString())
    return path


def _change_node(rng: Random, graph: onnx.GraphProto) -> None:
    changed = rng.choice(list(graph.node))
    kind = rng.randrange(5)
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    if kind == 0:
        graph.node.remove(changed)
    elif kind == 1:
        changed.op_type = rng.choice(_OPS)
    elif kind == 2 and changed.input:
        changed.input[rng.randrange(len(changed.input))] = rng.choice([*names, "", "nobody"])
    elif kind == 3 and changed.output:
        changed.output[rng.randrange(len(changed.output))] = rng.choice([*names, "", "new"])
    else:
        changed.domain = rng.choice(["com.microsoft", "somebody", "ai.onnx.ml"])


def _change_tensor(rng: Random, graph: onnx.GraphProto) -> None:
    tensor = rng.choice(list(graph.initializer))
    kind = rng.randrange(5)
    if kind == 0:
        graph.initializer.remove(tensor)
    elif kind == 1 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_SILLY)
    elif kind == 2:
        tensor.data_type = rng.randrange(0, 30)
    elif kind == 3:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    else:
        array = np.full(list(tensor.dims), rng.choice([np.nan, np.inf, 1e38, 0]), np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _change_input(rng: Random, graph: onnx.GraphProto) -> None:
    dims = graph.input[0].type.tensor_type.shape.dim
    kind = rng.randrange(4) if dims else 2
    if kind == 0:
        dims[rng.randrange(len(dims))].dim_value = rng.choice([value for value in _SILLY if value < 2**17])
    elif kind == 1:
        dims[rng.randrange(len(dims))].dim_param = "n"
    elif kind == 2:
        graph.input[0].type.tensor_type.elem_type = rng.randrange(0, 30)
    else:
        del dims[rng.randrange(len(dims)) :]


def _change_attribute(rng: Random, graph: onnx.GraphProto) -> None:
    attributes = [attribute for each in graph.node for attribute in each.attribute]
    if not attributes:
        return
    attribute = rng.choice(attributes)
    if attribute.ints and rng.random() < 0.7:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_SILLY)
    elif rng.random() < 0.5:
        attribute.i = rng.choice(_SILLY)
        attribute.type = onnx.AttributeProto.INT
    else:
        attribute.name = rng.choice(["pads", "axis", "group", "strides", "perm", "x"])
