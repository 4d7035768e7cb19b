"""Operands of products as parts of tensors: which dimensions are repeats, rows and columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from panacea_sim.onnx_models.graph import Array
from panacea_sim.workload.networks.convolution import Convolution
from panacea_sim.workload.networks.im2col import convolution_operands

__all__ = ["ImageView", "MatrixView", "OperandView", "RepeatDim", "StateView"]


class OperandView(Protocol):
    """Where the numbers of an operand lie, and how they become matrices."""

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors."""
        ...

    def matrices(self, *arrays: Array, padding: int = 0) -> Iterator[Array]:
        """Return the matrix of each repeat, made of the values of the tensors; `padding` stands beyond images."""
        ...


@dataclass(frozen=True)
class RepeatDim:
    """A dimension over which a product repeats: that of the tensor, or none where all repeats read the same."""

    dim: int | None
    extent: int


@dataclass(frozen=True)
class MatrixView:
    """Matrices [rows, columns] in a tensor that is seen with `shape`.

    Repeats are the indices of some dimensions, the last fastest; rows and columns those of others, which may be
    several. `fixed` holds dimensions of which one index counts.
    """

    tensor: str
    shape: tuple[int, ...]
    repeats: tuple[RepeatDim, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def tensors(self) -> tuple[str, ...]:
        """The name of the tensor."""
        return (self.tensor,)

    def matrices(self, *arrays: Array, padding: int = 0) -> Iterator[Array]:
        """Return the matrix of each repeat; there is no padding in it."""
        del padding
        array = np.broadcast_to(arrays[0], self.shape) if arrays[0].ndim == 0 else arrays[0].reshape(self.shape)
        others = [dim for dim in range(len(self.shape)) if dim not in (*self.rows, *self.columns)]
        order = (*self.rows, *self.columns, *others)
        for index in np.ndindex(*(each.extent for each in self.repeats)):
            at = [slice(None)] * len(self.shape)
            for each, number in zip(self.repeats, index, strict=True):
                if each.dim is not None and self.shape[each.dim] > 1:
                    at[each.dim] = slice(number, number + 1)
            for dim, number in self.fixed:
                at[dim] = slice(number, number + 1)
            yield array[tuple(at)].transpose(order).reshape(self._extent(self.rows), self._extent(self.columns))

    def _extent(self, dims: Sequence[int]) -> int:
        return prod(self.shape[dim] for dim in dims)


@dataclass(frozen=True)
class ImageView:
    """The im2col matrices of images [batch, channels, size ..], one for each group of a convolution."""

    tensor: str
    convolution: Convolution

    @property
    def tensors(self) -> tuple[str, ...]:
        """The name of the tensor."""
        return (self.tensor,)

    def matrices(self, *arrays: Array, padding: int = 0) -> Iterator[Array]:
        """Return the im2col matrix of each group; `padding` is what stands for the pixels beyond the image."""
        convolution = self.convolution
        window = convolution.window
        in_group = convolution.in_channels // convolution.groups
        # The weight is not asked for: one of zeros in its shape takes no memory.
        weight = np.broadcast_to(np.int8(0), (convolution.out_channels, in_group, *window.kernel))
        images = arrays[0].reshape(window.batch, convolution.in_channels, *window.size)
        for operands in convolution_operands(convolution, weight, images, padding):
            yield operands.activation


@dataclass(frozen=True)
class StateView:
    """The states [hidden size, batch] of a recurrent layer in front of each step.

    `states` is the output [steps, directions, batch, hidden size] of all steps, `initial` the state in front of the
    first one, empty for zeros.
    """

    states: str
    initial: str
    direction: int
    is_reverse: bool

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the states, and of the first one if there is one."""
        return (self.states, *filter(None, (self.initial,)))

    def matrices(self, *arrays: Array, padding: int = 0) -> Iterator[Array]:
        """Return the state in front of each step."""
        del padding
        of_direction = arrays[0][:, self.direction]
        if self.is_reverse:
            of_direction = of_direction[::-1]
        first = np.zeros_like(of_direction[0])
        if self.initial:
            first = arrays[1][self.direction]
        for state in (first, *of_direction[:-1]):
            yield state.T
