"""The graph of a model file in plain terms: nodes with names of their own, tensors, and which of these are constant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from panacea_sim.errors import ConfigError

__all__ = ["STANDARD_DOMAINS", "Array", "InputSpec", "Node", "OnnxGraph", "node_names"]

Array = npt.NDArray[Any]
STANDARD_DOMAINS = ("", "ai.onnx")
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")

_NO_NAMES = ("", "?")
"""What files write for an axis of any length; others with the same name have the same length."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class Node:
    """An operator of the graph; `op` has the domain in front where it is not one of the standard.

    Inputs and outputs that are left out are empty.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def attribute(self, name: str, default: _Value) -> _Value:
        """Return an attribute of the type of its default; raises ConfigError for one of another type."""
        found = self.attributes.get(name, default)
        if isinstance(found, bytes):
            found = found.decode("utf-8", "replace")
        if default is not None and not isinstance(found, type(default)):
            accepted = type(default).__name__
            raise ConfigError(f"node {self.name!r}, {name}", repr(found)[:80], f"an attribute of the type {accepted}")
        return found  # type: ignore[no-any-return]  # of the type of the default

    def input(self, number: int) -> str:
        """Return the name of an input, empty where it is left out."""
        return self.inputs[number] if number < len(self.inputs) else ""


@dataclass(frozen=True)
class InputSpec:
    """An input of the model: its element type as numpy calls it, and each axis: a length, a name, or None."""

    name: str
    dtype: np.dtype[Any]
    axes: tuple[int | str | None, ...] | None


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A model without functions; `proto` is what onnxruntime is given, `folder` holds its external data."""

    proto: onnx.ModelProto
    folder: Path

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes in the order of the file, which is topological."""
        return tuple(
            Node(
                name,
                node.op_type if node.domain in STANDARD_DOMAINS else f"{node.domain}.{node.op_type}",
                tuple(node.input),
                tuple(node.output),
                {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
            )
            for name, node in zip(node_names(self.proto.graph), self.proto.graph.node, strict=True)
        )

    @cached_property
    def opset(self) -> int:
        """The version of the standard operators."""
        return max((each.version for each in self.proto.opset_import if each.domain in STANDARD_DOMAINS), default=0)

    @cached_property
    def initializers(self) -> dict[str, onnx.TensorProto]:
        """Tensors that the file holds, by their names."""
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    @cached_property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What a sample consists of; old files list their initializers as inputs too, which these are not."""
        sparse = {tensor.values.name for tensor in self.proto.graph.sparse_initializer}
        held = {*self.initializers, *sparse}
        return tuple(_spec(value) for value in self.proto.graph.input if value.name not in held)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(value.name for value in self.proto.graph.output)

    @cached_property
    def makers(self) -> dict[str, Node]:
        """The node that makes each tensor."""
        return {output: node for node in self.nodes for output in node.outputs if output}

    @cached_property
    def constants(self) -> frozenset[str]:
        """Tensors that no input of the model has a part in."""
        found = {*self.initializers, *(tensor.values.name for tensor in self.proto.graph.sparse_initializer)}
        for node in self.nodes:
            given = [name for name in node.inputs if name]
            if node.op not in _RANDOM and all(name in found for name in given):
                found.update(name for name in node.outputs if name)
        return frozenset(found)

    def held(self, name: str) -> Array | None:
        """Return the value of a tensor that the file holds as it is, None for others."""
        tensor = self.initializers.get(name)
        if tensor is None:
            maker = self.makers.get(name)
            tensor = maker.attributes.get("value") if maker is not None and maker.op == "Constant" else None
            if not isinstance(tensor, onnx.TensorProto):
                return None
        try:
            return np.asarray(numpy_helper.to_array(tensor, str(self.folder)))
        except Exception as error:  # damaged tensors raise whatever their bytes lead to
            raise ConfigError(
                f"tensor {name!r}", "bytes that are none of its type and shape", "a sound file"
            ) from error


def node_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Return a name of its own for each node: a node without one is OP@i, i counting the nodes of its type."""
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    for node in graph.node:
        name = node.name or f"{node.op_type}@{counts[node.op_type]}"
        counts[node.op_type] += 1
        own, number = name, 2
        while own in taken:
            own, number = f"{name}#{number}", number + 1
        taken.add(own)
        yield own


def _spec(value: onnx.ValueInfoProto) -> InputSpec:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise ConfigError(f"input {value.name!r}", value.type.WhichOneof("value") or "no type", "a tensor")
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"input {value.name!r}", f"element type {tensor.elem_type}", "a type of numbers") from error
    if dtype.kind in "OSU":
        raise ConfigError(f"input {value.name!r}", "text", "a type of numbers")
    if not tensor.HasField("shape"):
        return InputSpec(value.name, dtype, None)
    axes = tuple(_axis(axis) for axis in tensor.shape.dim)
    return InputSpec(value.name, dtype, axes)


def _axis(axis: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if axis.HasField("dim_value"):
        return int(axis.dim_value) if axis.dim_value > 0 else None
    return axis.dim_param if axis.dim_param not in _NO_NAMES else None
