"""If, Loop and Scan put in place: the same outputs, and the products of what runs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402
from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.onnx_models.load import load_model  # noqa: E402
from panacea_sim.onnx_models.model_file import open_model  # noqa: E402
from panacea_sim.onnx_models.session import run_model  # noqa: E402

FLOAT, BOOL, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.BOOL, onnx.TensorProto.INT64
RNG = np.random.default_rng(3)


def _real(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


def _value(name: str, kind: int = FLOAT, shape: tuple[int, ...] | None = None) -> Any:  # noqa: ANN401  # of a message
    return helper.make_tensor_value_info(name, kind, shape)


def _body(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    return helper.make_graph(nodes, "body", inputs, outputs, held)


def _same_outputs(path: Path, feed: dict[str, Any], data: Path) -> list[str]:
    """See that the model as it was read gives what the file gives; return the names of its layers."""
    np.savez(data, **{name: array[None] for name, array in feed.items()})  # type: ignore[arg-type]
    model = load_model(path, data)
    before = run_model(open_model(path), feed, ["y"])["y"]
    np.testing.assert_allclose(run_model(model.onnx, feed, ["y"])["y"], before, rtol=1e-5)
    assert not {"If", "Loop", "Scan"} & {each.op for each in model.onnx.nodes}
    return list(model.layers)


@pytest.mark.parametrize("flag", [True, False])
def test_the_branch_that_runs_counts(flag: bool, tmp_path: Path) -> None:  # noqa: FBT001  # a parameter of the test
    """Of an If only the products of one branch are layers; it reads tensors of the graph around it."""
    then = _body([node("MatMul", "h wt", "t", name="then")], [], [_value("t")], {"wt": _real(5, 4)})
    other = _body(
        [node("MatMul", "h we", "e0", name="first"), node("MatMul", "e0 we2", "e", name="second")],
        [],
        [_value("e")],
        {"we": _real(5, 6), "we2": _real(6, 4)},
    )
    nodes = [
        node("MatMul", "x w", "h", name="before"),
        helper.make_node("If", ["flag"], ["y"], name="if", then_branch=then, else_branch=other),
    ]
    model = small_model(nodes, {"x": (3, 5), "flag": ()}, "y", {"w": _real(5, 5)}, dtypes={"flag": BOOL})
    path = write_model(tmp_path / "if.onnx", model)
    feed = {"x": _real(3, 5), "flag": np.array(flag)}
    names = _same_outputs(path, feed, tmp_path / "s.npz")
    assert names == (["before", "if/then"] if flag else ["before", "if/first", "if/second"])


def _loop(condition: bool) -> Any:  # noqa: ANN401, FBT001  # a message; a case of the test
    going_on = [node("Identity", "going", "go_on")]
    if condition:
        going_on = [node("Less", "number three", "go_on")]
    body = _body(
        [*going_on, node("MatMul", "state wl", "next", name="step"), node("ReduceSum", "next", "sum", keepdims=0)],
        [_value("number", INT64, ()), _value("going", BOOL, ()), _value("state")],
        [_value("go_on", BOOL, ()), _value("next"), _value("sum")],
        {"wl": _real(5, 5), "three": np.array(2, np.int64)},
    )
    nodes = [
        helper.make_node("Loop", ["count", "", "x"], ["last", "sums"], name="loop", body=body),
        node("ReduceSum", "sums", "total", keepdims=0),
        node("Add", "last total", "y"),
    ]
    return small_model(nodes, {"x": (3, 5), "count": ()}, "y", {}, dtypes={"count": INT64})


@pytest.mark.parametrize(("condition", "count", "turns"), [(False, 4, 4), (True, 100, 3), (False, 1, 1)])
def test_a_loop_runs_as_often_as_it_runs(condition: bool, count: int, turns: int, tmp_path: Path) -> None:  # noqa: FBT001
    """Each turn of a Loop is a layer, which reads that of the turn before."""
    path = write_model(tmp_path / "loop.onnx", _loop(condition))
    feed = {"x": _real(3, 5), "count": np.array(count, np.int64)}
    names = _same_outputs(path, feed, tmp_path / "s.npz")
    assert names == [f"loop/step[{turn}]" for turn in range(turns)]
    network = load_model(path, tmp_path / "s.npz").network
    assert list(network.edges) == list(pairwise(names))


def test_a_scan_is_a_layer_a_step(tmp_path: Path) -> None:
    """Each step of a Scan takes its part of what it goes through, also backwards, and gives a part of the output."""
    body = _body(
        [
            node("Add", "state part", "sum"),
            node("MatMul", "sum ws", "next", name="step"),
            node("Identity", "next", "out"),
        ],
        [_value("state", FLOAT, (2, 5)), _value("part", FLOAT, (2, 5))],
        [_value("next", FLOAT, (2, 5)), _value("out", FLOAT, (2, 5))],
        {"ws": _real(5, 5)},
    )
    scan = helper.make_node(
        "Scan",
        ["x", "parts"],
        ["last", "y"],
        name="scan",
        body=body,
        num_scan_inputs=1,
        scan_input_directions=[1],
        scan_input_axes=[1],
    )
    model = small_model([scan], {"x": (2, 5), "parts": (2, 3, 5)}, "last y")
    path = write_model(tmp_path / "scan.onnx", model)
    feed = {"x": _real(2, 5), "parts": _real(2, 3, 5)}
    assert _same_outputs(path, feed, tmp_path / "s.npz") == [f"scan/step[{step}]" for step in range(3)]


def test_bodies_inside_of_bodies(tmp_path: Path) -> None:
    """An If inside of a Loop is put in place turn by turn: its branches may differ."""
    even = _body([node("MatMul", "state wa", "r", name="even")], [], [_value("r")])
    odd = _body([node("MatMul", "state wb", "s", name="odd")], [], [_value("s")])
    body = _body(
        [
            node("Identity", "going", "go_on"),
            node("Mod", "number two", "rest"),
            node("Cast", "rest", "is_odd", to=BOOL),
            helper.make_node("If", ["is_odd"], ["next"], name="if", then_branch=odd, else_branch=even),
        ],
        [_value("number", INT64, ()), _value("going", BOOL, ()), _value("state")],
        [_value("go_on", BOOL, ()), _value("next")],
    )
    nodes = [helper.make_node("Loop", ["count", "", "x"], ["y"], name="loop", body=body)]
    constants = {"wa": _real(5, 5), "wb": _real(5, 5), "two": np.array(2, np.int64), "count": np.array(3, np.int64)}
    path = write_model(tmp_path / "nested.onnx", small_model(nodes, {"x": (3, 5)}, "y", constants))
    names = _same_outputs(path, {"x": _real(3, 5)}, tmp_path / "s.npz")
    assert [name.rpartition("/")[2] for name in names] == ["even", "odd", "even"]


def test_functions_are_put_in_place(tmp_path: Path) -> None:
    """Products inside of a model's own functions are layers."""
    twice = helper.make_function(
        "own",
        "Twice",
        ["a", "b"],
        ["c"],
        [node("MatMul", "a b", "t"), node("MatMul", "t b", "c")],
        [helper.make_opsetid("", 17)],
    )
    model = small_model([node("Twice", "x w", "y", domain="own")], {"x": (3, 5)}, "y", {"w": _real(5, 5)})
    model.functions.append(twice)
    model.opset_import.append(helper.make_opsetid("own", 1))
    path = write_model(tmp_path / "function.onnx", model)
    assert len(load_model(path).layers) == 2
