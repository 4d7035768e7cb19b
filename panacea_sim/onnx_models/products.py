"""Operators of a model file as matrix products: their sizes, where operands lie, and where outputs go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import Node
from panacea_sim.onnx_models.terms import Dim, Source, Term, axes_of
from panacea_sim.onnx_models.views import MatrixView, OperandView, RepeatDim

__all__ = ["Operands", "Product", "Shape", "Shapes", "batched_product", "plain_term", "product_makers"]

Shape: TypeAlias = tuple[int, ...]
Shapes: TypeAlias = Mapping[str, Shape]
Operands: TypeAlias = tuple[str, str]
"""The tensors of the left and the right operand."""


@dataclass(frozen=True, eq=False)
class Product:
    """A product of a node with its sizes; `outputs` has the terms of the node's outputs that come from it.

    `codes` are the numbers of the inputs that hold zero points, of the weight and of the activation, where the operator
    takes integers.
    """

    name: str
    node: Node
    sizes: tuple[int, int, int]
    repeat: int
    weight: OperandView
    activation: OperandView
    outputs: tuple[tuple[str, Term], ...]
    sequential: bool = False
    vector: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        """The product as the source of terms."""
        return Source(self.name, self.sizes[0] * self.repeat, self.sizes[2])


Maker: TypeAlias = Callable[[Node, Shapes, frozenset[str]], list[Product]]


def batched_product(
    node: Node,
    operands: Operands,
    shapes: Shapes,
    constants: frozenset[str],
    swapped: tuple[bool, bool] = (False, False),
) -> list[Product]:
    """Return the product of two tensors of matrices, as MatMul does it.

    The right operand is W, of which the last dimension is M, unless only the left one is constant. Batches over which W
    has one matrix join N, all others are repeats. `swapped` says whose last two dimensions are exchanged.
    """
    left, right = operands
    if left in constants and right in constants:
        return []
    sides = [
        _Side(name, shapes[name], is_left, turned)
        for name, is_left, turned in zip(operands, (True, False), swapped, strict=True)
    ]
    weight_side = sides[0] if left in constants else sides[1]
    other = sides[1] if left in constants else sides[0]
    ranks = max(len(sides[0].batch), len(sides[1].batch))
    positions = range(ranks)
    repeated = [position for position in positions if weight_side.extent(position, ranks) > 1]
    joined = [position for position in positions if position not in repeated]
    extents = [max(side.extent(position, ranks) for side in sides) for position in positions]
    repeats = [extents[position] for position in repeated]

    def view(side: _Side, rows: Shape, columns: Shape) -> MatrixView:
        dims = tuple(
            RepeatDim(side.dim(position, ranks), extent) for position, extent in zip(repeated, repeats, strict=True)
        )
        return MatrixView(side.tensor, side.shape, dims, rows, columns)

    joined_dims = tuple(dim for position in joined if (dim := other.dim(position, ranks)) is not None)
    weight = view(weight_side, weight_side.free, weight_side.inner)
    activation = view(other, other.inner, (*joined_dims, *other.free))
    rows, depth = weight_side.count(weight_side.free), other.count(other.inner)
    if weight_side.count(weight_side.inner) != depth:
        found = f"{weight_side.count(weight_side.inner)} and {depth}"
        raise ConfigError(f"node {node.name!r}", f"inner dimensions of {found}", "equal ones")
    columns = other.count((*joined_dims, *other.free))
    repeat = prod(repeats)
    source = Source(node.name, rows * repeat, columns)
    dims: list[Dim] = [()] * ranks
    stride = rows
    for position in reversed(repeated):
        dims[position] = axes_of(extents[position], stride, 0)
        stride *= extents[position]
    stride = other.count(other.free)
    for position in reversed(joined):
        dims[position] = axes_of(extents[position], 0, stride)
        stride *= extents[position]
    of_side = {weight_side: axes_of(rows, 1, 0), other: axes_of(other.count(other.free), 0, 1)}
    ends = [of_side[side] for side in sides if side.free]
    output = plain_term(source, shapes[node.outputs[0]], (*dims, *ends))
    sizes = (rows, depth, columns)
    return [Product(node.name, node, sizes, repeat, weight, activation, ((node.outputs[0], output),))]


def plain_term(source: Source, shape: Shape, dims: tuple[Dim, ...]) -> Term:
    """Return the term of a tensor that holds the outputs of a source."""
    return Term(source, shape, dims, tuple((0, extent) for extent in shape))


@dataclass(frozen=True)
class _Side:
    """An operand of a batched product: its batches, its inner dimension, and the other one, which vectors lack."""

    tensor: str
    shape: Shape
    is_left: bool
    is_turned: bool = False

    @property
    def batch(self) -> Shape:
        return self.shape[:-2]

    @property
    def inner(self) -> tuple[int, ...]:
        """The dimension over which is summed."""
        if len(self.shape) == 1:
            return (0,)
        return (len(self.shape) - (1 if self.is_left != self.is_turned else 2),)

    @property
    def free(self) -> tuple[int, ...]:
        """The dimension of a row or column that is left."""
        if len(self.shape) == 1:
            return ()
        return (len(self.shape) - (2 if self.is_left != self.is_turned else 1),)

    def count(self, dims: tuple[int, ...]) -> int:
        return prod(self.shape[dim] for dim in dims)

    def dim(self, position: int, ranks: int) -> int | None:
        """Return the dimension at a position of the batches, None where this operand has none."""
        own = position - ranks + len(self.batch)
        return own if own >= 0 else None

    def extent(self, position: int, ranks: int) -> int:
        dim = self.dim(position, ranks)
        return 1 if dim is None else self.shape[dim]


def _matmul(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    return batched_product(node, (node.input(0), node.input(1)), shapes, constants)


def _quantized_matmul(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    return batched_product(node, (node.input(0), node.input(3)), shapes, constants)


def _gemm(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    swapped = (bool(node.attribute("transA", 0)), bool(node.attribute("transB", 0)))
    return batched_product(node, (node.input(0), node.input(1)), shapes, constants, swapped)


def product_makers() -> dict[str, Maker]:
    """Return how each operator becomes products."""
    from panacea_sim.onnx_models import convolutions, recurrent  # noqa: PLC0415  # they need this module

    return {
        "MatMul": _matmul,
        "MatMulInteger": _matmul,
        "QLinearMatMul": _quantized_matmul,
        "Gemm": _gemm,
        "Conv": convolutions.convolution,
        "ConvInteger": convolutions.convolution,
        "QLinearConv": convolutions.quantized_convolution,
        "ConvTranspose": convolutions.transposed_convolution,
        "LSTM": recurrent.recurrent,
        "GRU": recurrent.recurrent,
    }
