"""Runs of a model by onnxruntime in which any tensor may be asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import Array, OnnxGraph
from panacea_sim.onnx_models.samples import Feed

__all__ = ["ModelSession", "run_model", "sizes_of_tensors"]

_SHAPE_PREFIX = "shape of "
_NO_TENSORS = (
    "SequenceConstruct",
    "SequenceEmpty",
    "SequenceInsert",
    "SequenceErase",
    "SplitToSequence",
    "SequenceMap",
)
_SILENT = 4
_LONGEST = 300

# What goes wrong is raised; beside that onnxruntime would write to standard error.
onnxruntime.set_default_logger_severity(_SILENT)


def sizes_of_tensors(
    graph: OnnxGraph, feed: Feed, wanted: Sequence[str] = ()
) -> tuple[dict[str, tuple[int, ...]], dict[str, Array]]:
    """Return the shape of every tensor in a run, and the values of those that are wanted.

    Shapes are taken inside of the run, so that it needs no more memory than without. Raises ConfigError where the
    model does not run.
    """
    made = [
        name
        for node in graph.nodes
        if node.op not in _NO_TENSORS and not node.op.startswith("Optional")
        for name in node.outputs
        if name
    ]
    names = [*(spec.name for spec in graph.inputs), *graph.initializers, *made]
    nodes = [helper.make_node("Shape", [name], [_SHAPE_PREFIX + name]) for name in names]
    asked = [*(_SHAPE_PREFIX + name for name in names), *wanted]
    found = run_model(graph, feed, asked, nodes)
    shapes = {name: tuple(int(extent) for extent in found[_SHAPE_PREFIX + name]) for name in names}
    return shapes, {name: found[name] for name in wanted}


def run_model(
    graph: OnnxGraph,
    feed: Feed,
    wanted: Sequence[str],
    nodes: Iterable[onnx.NodeProto] = (),
    *,
    optimized: bool = False,
) -> dict[str, Array]:
    """Return the values of tensors in a run with a sample, with `nodes` added behind the model's.

    Integer kernels work in full precision. `optimized`: as onnxruntime runs the model by default, else node by node.
    Raises ConfigError where the model does not run.
    """
    return ModelSession(graph, wanted, nodes, optimized=optimized).run(feed)


class ModelSession:
    """A model that can run many times, and gives certain tensors each time."""

    def __init__(
        self, graph: OnnxGraph, wanted: Sequence[str], nodes: Iterable[onnx.NodeProto] = (), *, optimized: bool = False
    ) -> None:
        self._inputs = {spec.name for spec in graph.inputs}
        self._passed = [name for name in wanted if name in self._inputs]
        self._wanted = [name for name in dict.fromkeys(wanted) if name not in self._inputs]
        # Nobody makes what the inputs are; a model without nodes is none.
        self._session = _session(graph, self._wanted, list(nodes), optimized=optimized) if self._wanted else None

    def run(self, feed: Feed) -> dict[str, Array]:
        """Return the tensors for a sample; raises ConfigError where the model does not run."""
        found: dict[str, Array] = {name: feed[name] for name in self._passed}
        if self._session is None:
            return found
        try:
            values = self._session.run(self._wanted, dict(feed))
        except Exception as error:  # onnxruntime has a class for each kind of failure, all of them below Exception
            raise ConfigError("the model", _reason(error), "a model that runs with these inputs") from error
        return found | {name: np.asarray(value) for name, value in zip(self._wanted, values, strict=True)}


def _session(
    graph: OnnxGraph, wanted: Sequence[str], nodes: Sequence[onnx.NodeProto], *, optimized: bool
) -> onnxruntime.InferenceSession:
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    model.graph.node.extend(nodes)
    _prune(model.graph, wanted)
    outputs = {value.name for value in model.graph.output}
    held = {tensor.name for tensor in model.graph.initializer}
    for name in wanted:
        # What the file holds is no node's output: who wants it reads it there.
        if name not in outputs and name not in held:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.add_session_config_entry("session.x64quantprecision", "1")
    # Threads that spin while they wait take the cores of other processes, and gain next to nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(graph.folder))
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    try:
        content = model.SerializeToString()
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # likewise
        raise ConfigError("the model", _reason(error), "a model that onnxruntime can run") from error


def _prune(graph: onnx.GraphProto, wanted: Sequence[str]) -> None:
    """Take away the nodes, outputs and tensors of a file that have no part in the tensors that are wanted."""
    makers = {name: node for node in graph.node for name in node.output if name}
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name and name not in needed:
            needed.add(name)
            waiting.extend(_read_by(makers[name]) if name in makers else ())
    for kept, names in ((graph.node, _made_by), (graph.output, _own_name), (graph.initializer, _own_name)):
        for number in reversed(range(len(kept))):
            if not needed.intersection(names(kept[number])):
                del kept[number]


def _own_name(value: onnx.ValueInfoProto | onnx.TensorProto) -> Sequence[str]:
    return (value.name,)


def _made_by(node: onnx.NodeProto) -> Sequence[str]:
    return list(node.output)


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Return what a node reads, the graphs in its attributes included."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _read_by(inner)
        yield from (output.name for output in attribute.g.output)


def _reason(error: Exception) -> str:
    """Return what onnxruntime says, without its codes and places in its sources."""
    text = " ".join(str(error).split())
    _, _, said = text.rpartition("[ONNXRuntimeError] : ")
    plain = re.sub(r"^\d+ : [A-Z_]+ : ", "", said).rstrip(".")
    return plain[:_LONGEST] or type(error).__name__
