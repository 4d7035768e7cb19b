"""Operands that are integers already: where their codes, scales and zero points lie in a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import Array, Node, OnnxGraph
from panacea_sim.onnx_models.operator_kinds import RESHAPES
from panacea_sim.onnx_models.products import Shapes

__all__ = ["Encoding", "encoding_of"]

_PER_CHANNEL_OPSET = 13
_INTEGER_INPUTS = {
    "MatMulInteger": ((0, -1, 2), (1, -1, 3)),
    "ConvInteger": ((0, -1, 2), (1, -1, 3)),
    "QLinearMatMul": ((0, 1, 2), (3, 4, 5)),
    "QLinearConv": ((0, 1, 2), (3, 4, 5)),
}
"""Inputs with codes, scale and zero point of both operands, the activation's of convolutions first."""

_FLOATS = (1, 10, 11, 16)
"""Element types of ONNX: float, float16, double, bfloat16."""


@dataclass(frozen=True)
class Encoding:
    """An operand as integers: real value = scale * (code - zero point), then moved as `steps` say.

    Names of tensors; empty ones are 1 and 0. `axis` is that of the codes along which scales and zero points lie where
    they are vectors, None where they are broadcast as numpy does; `block` codes share a scale where it is not 0.
    """

    codes: str
    scale: str
    zero_point: str
    axis: int | None = None
    block: int = 0
    steps: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors."""
        return tuple(name for name in (self.codes, self.scale, self.zero_point) if name)

    def centred(self, values: Mapping[str, Array]) -> Array:
        """Return the codes less their zero points, int64, in the operand's shape."""
        return self._moved(values[self.codes].astype(np.int64) - self._along(values, self.zero_point, np.int64(0)))

    def raw(self, values: Mapping[str, Array]) -> Array:
        """Return the codes as they are, int64, in the operand's shape."""
        return self._moved(values[self.codes].astype(np.int64))

    def scales(self, values: Mapping[str, Array]) -> Array:
        """Return the scale of each code, float64, in the operand's shape; it may be a view of fewer numbers."""
        scale = self._along(values, self.scale, np.float64(1)).astype(np.float64)
        return self._moved(np.broadcast_to(scale, values[self.codes].shape))

    def zero_points(self, values: Mapping[str, Array]) -> Array:
        """Return the zero point of each code, int64, in the operand's shape; it may be a view of fewer numbers."""
        zero_point = self._along(values, self.zero_point, np.int64(0)).astype(np.int64)
        return self._moved(np.broadcast_to(zero_point, values[self.codes].shape))

    def _along(self, values: Mapping[str, Array], name: str, missing: np.generic) -> Array:
        """Return scales or zero points so that numpy broadcasts them over the codes."""
        if not name:
            return np.asarray(missing)
        found, codes = values[name], values[self.codes]
        if self.axis is None or found.ndim == 0 or found.size == 1:
            found = found.reshape(()) if found.size == 1 else found
        elif self.block:
            found = np.repeat(found, self.block, self.axis)
            found = np.take(found, range(codes.shape[self.axis]), self.axis)
        else:
            shape = [1] * codes.ndim
            shape[self.axis] = -1
            found = found.reshape(shape)
        return found.astype(np.int64) if isinstance(missing, np.integer) else found

    def _moved(self, array: Array) -> Array:
        for kind, numbers in reversed(self.steps):
            array = array.transpose(numbers) if kind == "transpose" else array.reshape(numbers)
        return array


def encoding_of(node: Node, tensor: str, graph: OnnxGraph, shapes: Shapes) -> Encoding | None:
    """Return the encoding of an operand of a product by the name of its tensor, None for real numbers.

    Raises ConfigError for scales of channels where the opset has none.
    """
    if node.op not in _INTEGER_INPUTS:
        return _traced(graph, shapes, tensor)
    left, right = _INTEGER_INPUTS[node.op]
    is_left = node.input(left[0]) == tensor
    return _of_inputs(node, graph, shapes, left if is_left else right, is_left=is_left)


def _of_inputs(
    node: Node, graph: OnnxGraph, shapes: Shapes, numbers: tuple[int, int, int], *, is_left: bool
) -> Encoding:
    codes, scale, zero_point = (node.input(number) if number >= 0 else "" for number in numbers)
    maker = graph.makers.get(codes)
    if not scale and maker is not None and maker.op == "DynamicQuantizeLinear":
        scale = maker.outputs[1]
    dims = len(shapes[codes])
    # Vectors belong to rows of the left operand, columns of the right one, and output channels of kernels.
    axis = 0 if "Conv" in node.op else dims - (2 if is_left else 1)
    return Encoding(codes, scale, zero_point, max(axis, 0))


def _traced(graph: OnnxGraph, shapes: Shapes, name: str) -> Encoding | None:
    """Return the integers that a tensor was dequantized from, through what only moves them."""
    steps: list[tuple[str, tuple[int, ...]]] = []
    while (maker := graph.makers.get(name)) is not None:
        if maker.op == "Transpose":
            order = maker.attribute("perm", list(reversed(range(len(shapes[name])))))
            steps.append(("transpose", tuple(order)))
        elif maker.op in RESHAPES:
            steps.append(("reshape", tuple(shapes[name])))
        elif maker.op != "Identity":
            break
        name = maker.input(0)
    if maker is None:
        return None
    if maker.op == "DequantizeLinear":
        return _dequantized(graph, shapes, maker, tuple(steps))
    return _weight_alone(graph, shapes, name, tuple(steps)) if name in graph.constants else None


def _weight_alone(
    graph: OnnxGraph, shapes: Shapes, name: str, steps: tuple[tuple[str, tuple[int, ...]], ...]
) -> Encoding | None:
    """Return integers that are made real by operators of their own: Cast, then perhaps Sub, then Mul."""
    constants = {"Mul": "", "Sub": ""}
    while (maker := graph.makers.get(name)) is not None:
        if maker.op in constants and not constants[maker.op]:
            parts = _scaled(graph, shapes, maker)
            if parts is None:
                return None
            name, constants[maker.op] = parts
        elif maker.op == "Cast":
            name = maker.input(0)
            if _is_integer(graph, name):
                return Encoding(name, constants["Mul"], constants["Sub"], steps=steps) if constants["Mul"] else None
        else:
            return None
    return None


def _scaled(graph: OnnxGraph, shapes: Shapes, maker: Node) -> tuple[str, str] | None:
    """Return what a scale or zero point is applied to, and its own name."""
    first, second = maker.input(0), maker.input(1)
    if shapes[first] == shapes[maker.outputs[0]] and _leads_to_codes(graph, first):
        return first, second
    if maker.op == "Mul" and shapes[second] == shapes[maker.outputs[0]] and _leads_to_codes(graph, second):
        return second, first
    return None


def _leads_to_codes(graph: OnnxGraph, name: str) -> bool:
    maker = graph.makers.get(name)
    if maker is None:
        return False
    if maker.op == "Cast":
        return _is_integer(graph, maker.input(0))
    return maker.op == "Sub" and _leads_to_codes(graph, maker.input(0))


def _is_integer(graph: OnnxGraph, name: str) -> bool:
    tensor = graph.initializers.get(name)
    return tensor is not None and tensor.data_type not in _FLOATS


def _dequantized(
    graph: OnnxGraph, shapes: Shapes, maker: Node, steps: tuple[tuple[str, tuple[int, ...]], ...]
) -> Encoding:
    codes, scale = maker.input(0), maker.input(1)
    if graph.opset < _PER_CHANNEL_OPSET and shapes.get(scale, ()) not in ((), (1,)):
        found = f"{shapes[scale][0]} scales in opset {graph.opset}, which has one a tensor"
        hint = "Export the model with opset 13 or later"
        raise ConfigError(f"node {maker.name!r}", found, f"one scale, or opset {_PER_CHANNEL_OPSET}", hint)
    axis = maker.attribute("axis", 1) % max(len(shapes[codes]), 1)
    return Encoding(codes, scale, maker.input(2), axis, maker.attribute("block_size", 0), steps)
