"""Control flow put in place: the branch of an If that runs, and the body of a Loop or Scan as often as it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import STANDARD_DOMAINS, OnnxGraph
from panacea_sim.onnx_models.samples import Feed
from panacea_sim.onnx_models.session import run_model

__all__ = ["in_place"]

_DEEPEST = 16
_MOST_NODES = 200_000
_COUNTED = "iterations of "
_OPS = ("If", "Loop", "Scan")
_AXES_AS_INPUT = 13
"""The opset from which on Unsqueeze has its axes as an input."""


def in_place(graph: OnnxGraph, feed: Feed) -> OnnxGraph:
    """Return a graph without If, Loop and Scan that computes the same for this sample.

    Which branch runs, and how often a body, is found by running the model. Raises ConfigError where it does not run,
    and where the bodies become too large.
    """
    for _ in range(_DEEPEST):
        if not any(_is_control(node) for node in graph.proto.graph.node):
            return graph
        graph = _one_level(graph, feed)
    raise ConfigError("the model", f"control flow more than {_DEEPEST} deep", f"at most {_DEEPEST}")


def _is_control(node: onnx.NodeProto) -> bool:
    return node.op_type in _OPS and node.domain in STANDARD_DOMAINS


def _one_level(graph: OnnxGraph, feed: Feed) -> OnnxGraph:
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    decisions = _decisions(graph, model, feed)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for number, node in enumerate(nodes):
        if not _is_control(node):
            model.graph.node.append(node)
            continue
        prefix = node.name or f"{node.op_type}@{number}"
        inlined = _Inlined(model.graph, f"{prefix}/", graph.opset)
        if node.op_type == "If":
            branch = "then_branch" if decisions[node.output[0]] else "else_branch"
            inlined.add_branch(node, _body(node, branch))
        elif node.op_type == "Loop":
            inlined.add_loop(node, decisions[node.output[0]])
        else:
            inlined.add_scan(node, decisions[node.output[0]])
        if len(model.graph.node) > _MOST_NODES:
            found = f"more than {_MOST_NODES:,} operators in loops that run often"
            raise ConfigError(f"node {prefix!r}", found, f"at most {_MOST_NODES:,}")
    return OnnxGraph(model, graph.folder)


def _body(node: onnx.NodeProto, name: str) -> onnx.GraphProto:
    for attribute in node.attribute:
        if attribute.name == name:
            body: onnx.GraphProto = attribute.g
            return body
    raise ConfigError(f"node {node.name!r}", f"no attribute {name}", "a graph")


def _decisions(graph: OnnxGraph, model: onnx.ModelProto, feed: Feed) -> dict[str, int]:
    """Return by the first output of each node of control flow which way it went, or how often its body ran."""
    asked: dict[str, str] = {}
    held: dict[str, int] = {}
    counting = onnx.ModelProto()
    counting.CopyFrom(model)
    for node in counting.graph.node:
        if not _is_control(node):
            continue
        if node.op_type == "If":
            value = graph.held(node.input[0])
            if value is not None:
                held[node.output[0]] = int(bool(value.ravel()[0]))
            else:
                asked[node.output[0]] = node.input[0]
        elif node.op_type == "Loop":
            asked[node.output[0]] = _count_iterations(node)
        else:
            asked[node.output[0]] = _count_steps(counting.graph, node)
    found = run_model(OnnxGraph(counting, graph.folder), feed, list(dict.fromkeys(asked.values())))
    return held | {output: _whole(found[name]) for output, name in asked.items()}


def _whole(value: Any) -> int:  # noqa: ANN401  # an array of one number, or a list of iterations
    array = np.asarray(value)
    return int(array.ravel()[0]) if array.ndim == 0 or array.dtype == np.bool_ else len(array)


def _count_iterations(node: onnx.NodeProto) -> str:
    """Let a Loop give the number of each of its iterations; return the name of that output."""
    body = _body(node, "body")
    name: str = _COUNTED + node.output[0]
    inside = f"{name} inside"
    body.node.append(helper.make_node("Identity", [body.input[0].name], [inside]))
    body.output.append(helper.make_tensor_value_info(inside, onnx.TensorProto.INT64, []))
    node.output.append(name)
    return name


def _count_steps(graph: onnx.GraphProto, node: onnx.NodeProto) -> str:
    """Ask for what a Scan goes through; return the name of the first of these tensors."""
    count = next(int(each.i) for each in node.attribute if each.name == "num_scan_inputs")
    name: str = _COUNTED + node.output[0]
    axes = next((list(each.ints) for each in node.attribute if each.name == "scan_input_axes"), [0] * count)
    scanned = node.input[len(node.input) - count]
    graph.node.append(helper.make_node("Shape", [scanned], [f"{name} shape"]))
    axis = numpy_helper.from_array(np.array(axes[0], np.int64), f"{name} axis")
    graph.initializer.append(axis)
    graph.node.append(helper.make_node("Gather", [f"{name} shape", axis.name], [name]))
    return name


class _Inlined:
    """Bodies that are added to a graph, with names of their own for all that they hold."""

    def __init__(self, graph: onnx.GraphProto, prefix: str, opset: int) -> None:
        self._graph = graph
        self._prefix = prefix
        self._axes_are_inputs = opset >= _AXES_AS_INPUT

    def add_branch(self, node: onnx.NodeProto, branch: onnx.GraphProto) -> None:
        """Add the branch of an If."""
        names = self._copy(branch, {}, "")
        for output, value in zip(node.output, branch.output, strict=True):
            self._add("Identity", [names.get(value.name, value.name)], output)

    def add_loop(self, node: onnx.NodeProto, count: int) -> None:
        """Add the body of a Loop so often; what an iteration carries goes into the next one."""
        body = _body(node, "body")
        carried = list(node.input[2:])
        collected: list[list[str]] = [[] for _ in range(len(body.output) - 1 - len(carried))]
        condition = (
            node.input[1] if len(node.input) > 1 and node.input[1] else self._constant("condition", np.array(True))
        )
        for iteration in range(count):
            number = self._constant(f"iteration[{iteration}]", np.array(iteration, np.int64))
            given = dict(zip((value.name for value in body.input), [number, condition, *carried], strict=True))
            names = self._copy(body, given, f"[{iteration}]")
            made = [names.get(value.name, value.name) for value in body.output]
            condition, carried = made[0], made[1 : 1 + len(carried)]
            for each, name in zip(collected, made[1 + len(carried) :], strict=True):
                each.append(name)
        outputs = list(node.output)
        for output, name in zip(outputs, carried, strict=False):
            self._add("Identity", [name], output)
        self._stack(outputs[len(carried) :], collected, [0] * len(collected), node.name)

    def add_scan(self, node: onnx.NodeProto, count: int) -> None:
        """Add the body of a Scan once for each step."""
        body = _body(node, "body")
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        scanned = int(attributes["num_scan_inputs"])
        carried = list(node.input[: len(node.input) - scanned])
        inputs = node.input[len(carried) :]
        axes = attributes.get("scan_input_axes", [0] * scanned)
        turned = attributes.get("scan_input_directions", [0] * scanned)
        collected: list[list[str]] = [[] for _ in range(len(body.output) - len(carried))]
        for step in range(count):
            parts = []
            for tensor, axis, reverse in zip(inputs, axes, turned, strict=True):
                at = count - 1 - step if reverse else step
                index = self._constant(f"{tensor}[{at}]", np.array(at, np.int64))
                parts.append(self._add("Gather", [tensor, index], f"{index} taken", axis=int(axis)))
            given = dict(zip((value.name for value in body.input), [*carried, *parts], strict=True))
            names = self._copy(body, given, f"[{step}]")
            made = [names.get(value.name, value.name) for value in body.output]
            carried = made[: len(carried)]
            for each, name in zip(collected, made[len(carried) :], strict=True):
                each.append(name)
        for output, name in zip(node.output, carried, strict=False):
            self._add("Identity", [name], output)
        if any(attributes.get("scan_output_directions", [])):
            collected = [each[::-1] for each in collected]
        axes = attributes.get("scan_output_axes", [0] * len(collected))
        self._stack(list(node.output[len(carried) :]), collected, [int(axis) for axis in axes], node.name)

    def _stack(self, outputs: Sequence[str], parts: Sequence[Sequence[str]], axes: Sequence[int], name: str) -> None:
        """Add what iterations collected, one behind the other."""
        for output, collected, axis in zip(outputs, parts, axes, strict=False):
            if not output:
                continue
            if not collected:
                raise ConfigError(f"node {name!r}", "a body that never runs", "one that runs at least once")
            at: tuple[str, ...] = ()
            given: dict[str, Any] = {"axes": [axis]}
            if self._axes_are_inputs:
                at, given = (self._constant(f"{output} axis", np.array([axis], np.int64)),), {}
            single = [
                self._add("Unsqueeze", [each, *at], f"{output}[{number}]", **given)
                for number, each in enumerate(collected)
            ]
            self._add("Concat", single, output, axis=axis)

    def _copy(self, body: onnx.GraphProto, given: Mapping[str, str], suffix: str) -> dict[str, str]:
        """Add the nodes and tensors of a body; return the new names of what it holds, `given` those of its inputs."""
        names = dict(given)
        names.update((name, f"{self._prefix}{name}{suffix}") for name in _held(body))
        for tensor in body.initializer:
            own = self._graph.initializer.add()
            own.CopyFrom(tensor)
            own.name = names[tensor.name]
        for node in body.node:
            own_node = self._graph.node.add()
            own_node.CopyFrom(node)
            own_node.name = f"{self._prefix}{node.name or node.op_type}{suffix}"
            _rename(own_node, names)
        return names

    def _add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:  # noqa: ANN401  # numbers
        if output:
            self._graph.node.append(
                helper.make_node(op, inputs, [output], name=f"{self._prefix}{output}", **attributes)
            )
        return output

    def _constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        tensor = numpy_helper.from_array(value, f"{self._prefix}{name}")
        self._graph.initializer.append(tensor)
        return tensor.name


def _held(body: onnx.GraphProto) -> Iterator[str]:
    """Return the names of the tensors that a body makes or holds."""
    for tensor in body.initializer:
        yield tensor.name
    for node in body.node:
        yield from (name for name in node.output if name)


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Give the tensors of a node other names, also where the graphs in its attributes read them."""
    for part in (node.input, node.output):
        renamed = [names.get(name, name) for name in part]
        del part[:]
        part.extend(renamed)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            inside = {*_held(attribute.g), *(value.name for value in attribute.g.input)}
            outer = {name: new for name, new in names.items() if name not in inside}
            for inner in attribute.g.node:
                _rename(inner, outer)
            for value in attribute.g.output:
                value.name = outer.get(value.name, value.name)
