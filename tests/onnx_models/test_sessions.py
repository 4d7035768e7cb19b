"""Sessions run what is wanted and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from small_models import node, small_model  # noqa: E402  # they need onnx

from panacea_sim.errors import ConfigError  # noqa: E402
from panacea_sim.onnx_models.graph import OnnxGraph  # noqa: E402
from panacea_sim.onnx_models.session import ModelSession, run_model  # noqa: E402

X = np.arange(6, dtype=np.float32).reshape(2, 3)
HELD = {"w": np.eye(3, dtype=np.float32), "shape": np.array([5, 7], np.int64)}
FAILING = [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("Reshape", "b shape", "y")]


def _graph(nodes: list[Any], held: dict[str, Any], outputs: str = "y") -> OnnxGraph:
    return OnnxGraph(small_model(nodes, {"x": (2, 3)}, outputs, held), Path())


@pytest.mark.parametrize("optimized", [False, True])
def test_what_is_not_needed_does_not_run(optimized: bool) -> None:  # noqa: FBT001
    """A tensor in front of a node that fails is there; what comes behind it is not."""
    graph = _graph(FAILING, HELD)
    session = ModelSession(graph, ["b", "x"], optimized=optimized)
    found = session.run({"x": X})
    np.testing.assert_array_equal(found["b"], X)
    np.testing.assert_array_equal(found["x"], X)
    assert len(graph.nodes) == len(graph.proto.graph.node) == 3
    with pytest.raises(ConfigError, match=r"^the model: found"):
        run_model(graph, {"x": X}, ["y"])


def test_inputs_alone_need_no_session() -> None:
    """They are passed on."""
    assert run_model(_graph(FAILING, HELD), {"x": X}, ["x"])["x"] is X


def test_branches_read_what_stands_around_them() -> None:
    """What a graph in an attribute reads of the tensors outside is needed too, also if it gives one as it is."""
    info = [helper.make_tensor_value_info(name, 1, None) for name in ("plus", "a")]
    yes = helper.make_graph([node("Add", "a b", "plus")], "yes", [], [info[0]])
    no = helper.make_graph([node("Identity", "a", "same")], "no", [], [helper.make_tensor_value_info("same", 1, None)])
    nodes = [
        node("MatMul", "x w", "a"),
        node("Relu", "x", "b"),
        helper.make_node("If", ["which"], ["y"], name="if", then_branch=yes, else_branch=no),
        node("Relu", "y", "z"),
    ]
    for which, wanted in ((True, 2 * X), (False, X)):
        graph = _graph(nodes, {"w": HELD["w"], "which": np.array(which)}, "z")
        np.testing.assert_array_equal(run_model(graph, {"x": X}, ["y"])["y"], wanted)
