"""Vector work between products: what exporters write as many operators is one piece, and has one payer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # they need onnx

from panacea_sim.onnx_models.load import load_model

RNG = np.random.default_rng(1)
_CONSTANTS = {
    "wa": RNG.normal(size=(4, 8)).astype(np.float32),
    "wb": RNG.normal(size=(4, 8)).astype(np.float32),
    "wr": RNG.normal(size=(8, 3)).astype(np.float32),
    "c": np.ones(8, np.float32),
    "half": np.float32([0.5]),
    "two": np.float32([2]),
    "e": np.float32([1e-5]),
    "halves": np.array([4, 4]),
    "mask": np.zeros((5, 5), np.float32),
}
_ENDS = (node("MatMul", "x wa", "a", name="A"), node("MatMul", "x wb", "b", name="B"))
_READER = node("MatMul", "z wr", "y", name="R")
_NORM = [
    node("ReduceMean", "a", "m", axes=[-1]),
    node("Sub", "a m", "d"),
    node("Pow", "d two", "q"),
    node("ReduceMean", "q", "v", axes=[-1]),
    node("Add", "v e", "ve"),
    node("Sqrt", "ve", "r"),
    node("Div", "d r", "n"),
    node("Mul", "n c", "g"),
    node("Add", "g c", "z"),
]
_GELU = [
    node("Div", "a two", "s"),
    node("Erf", "s", "f"),
    node("Add", "f half", "g"),
    node("Mul", "a g", "h"),
    node("Mul", "h half", "z"),
]
_SOFTMAX = [
    node("ReduceMax", "a", "m", axes=[-1]),
    node("Sub", "a m", "d"),
    node("Exp", "d", "q"),
    node("ReduceSum", "q axis", "t"),
    node("Div", "q t", "z"),
]


@pytest.mark.parametrize(
    ("nodes", "of_a", "of_b"),
    [
        ([node("Add", "a c", "s"), node("Mul", "s half", "z")], (), ()),
        ([node("Relu", "a", "z")], ("relu",), ()),
        ([node("Clip", "a", "z")], ("relu",), ()),
        ([node("Sigmoid", "a", "z")], ("function",), ()),
        ([node("Sigmoid", "a", "s"), node("Mul", "a s", "z")], ("function",), ()),
        (_GELU, ("function",), ()),
        (_NORM, ("norm",), ()),
        ([node("LayerNormalization", "a c", "z")], ("norm",), ()),
        (_SOFTMAX, ("softmax",), ()),
        ([node("Softmax", "a", "z")], ("softmax",), ()),
        ([node("Add", "a b", "z")], (), ("residual",)),
        ([node("Relu", "b", "s"), node("Mul", "a s", "z")], (), ("relu", "product")),
        ([node("Sigmoid", "a", "s"), node("Mul", "s b", "z")], ("function",), ("product",)),
        ([node("Add", "a b", "s"), node("LayerNormalization", "s c", "z")], (), ("residual", "norm")),
        ([node("Concat", "a b", "s", axis=0), node("Relu", "s", "z")], (), ("concat", "relu")),
        ([node("ReduceMean", "a", "z", axes=[0])], ("pooling",), ()),
        (
            [
                node("Split", "a halves", "u v", axis=1),
                node("Neg", "v", "w"),
                node("Concat", "w u", "t", axis=1),
                node("Mul", "a c", "p"),
                node("Mul", "t c", "q"),
                node("Add", "p q", "z"),
            ],
            ("rotary",),
            (),
        ),
    ],
)
def test_work_is_found_and_paid_once(
    nodes: Sequence[Any], of_a: tuple[str, ...], of_b: tuple[str, ...], tmp_path: Path
) -> None:
    """What is done to one layer's outputs is its own, what joins several is the last one's."""
    constants = _CONSTANTS | {"axis": np.array([-1])}
    model = small_model([*_ENDS, *nodes, _READER], {"x": (5, 4)}, "y", constants)
    layers = load_model(write_model(tmp_path / "model.onnx", model)).layers
    assert (layers["A"].gemm.vector, layers["B"].gemm.vector) == (of_a, of_b)
    assert layers["R"].gemm.vector == ()


def test_work_without_a_producer_is_told(tmp_path: Path) -> None:
    """What is done to embeddings has no layer that pays; a mask that no layer wrote is no residual."""
    nodes = [
        node("Add", "x p", "s"),
        node("LayerNormalization", "s g", "z"),
        node("MatMul", "z w", "a", name="A"),
        node("Transpose", "a", "t"),
        node("MatMul", "a t", "k", name="K"),
        node("Mul", "m two", "n"),
        node("Add", "k n", "l"),
        node("Softmax", "l", "y"),
    ]
    inputs = {"x": (5, 4), "p": (5, 4), "m": (1, 5)}
    constants = {"g": np.ones(4, np.float32), "w": RNG.normal(size=(4, 4)).astype(np.float32), "two": np.float32([2])}
    model = load_model(write_model(tmp_path / "model.onnx", small_model(nodes, inputs, "y", constants)))
    assert model.network.graph["unpaid"] == ("residual", "norm")
    assert model.layers["K"].gemm.vector == ("softmax",)


def test_a_transposed_convolution_adds_up_and_a_cell_too(tmp_path: Path) -> None:
    """Operators that need work of their own have it first."""
    nodes = [node("ConvTranspose", "x k", "a", name="T", strides=[2]), node("Relu", "a", "y")]
    constants = {"k": RNG.normal(size=(2, 3, 2)).astype(np.float32)}
    model = load_model(write_model(tmp_path / "t.onnx", small_model(nodes, {"x": (1, 2, 5)}, "y", constants)))
    assert model.layers["T"].gemm.vector == ("col2im", "relu")


def test_kinds_of_layers(tmp_path: Path) -> None:
    """Attention is known by its softmax, what writes and reads it by their links, all others by their operator."""
    heads = [node("Reshape", f"{each} to", f"{each}4") for each in "qkv"]
    nodes = [
        *(node("MatMul", f"x w{each}", each, name=each) for each in "qkv"),
        *heads,
        node("Transpose", "q4", "qh", perm=[1, 0, 2]),
        node("Transpose", "k4", "kh", perm=[1, 2, 0]),
        node("Transpose", "v4", "vh", perm=[1, 0, 2]),
        node("MatMul", "qh kh", "s", name="qk"),
        node("Softmax", "s", "p"),
        node("MatMul", "p vh", "o4", name="pv"),
        node("Transpose", "o4", "ot", perm=[1, 0, 2]),
        node("Reshape", "ot back", "o"),
        node("MatMul", "o wo", "u", name="out"),
        node("Add", "x u", "r"),
        node("MatMul", "r wf", "y", name="ffn"),
    ]
    weights = {f"w{each}": RNG.normal(size=(4, 4)).astype(np.float32) for each in "qkvof"}
    shapes = {"to": np.array([5, 2, 2]), "back": np.array([5, 4])}
    model = load_model(write_model(tmp_path / "a.onnx", small_model(nodes, {"x": (5, 4)}, "y", weights | shapes)))
    kinds = {name: layer.gemm.kind for name, layer in model.layers.items()}
    assert kinds == {"q": "qkv", "k": "qkv", "v": "qkv", "qk": "qk", "pv": "pv", "out": "out", "ffn": "ffn"}
    assert {name for name, layer in model.layers.items() if layer.gemm.dynamic_weight} == {"qk", "pv"}
