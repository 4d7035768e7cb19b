"""Operands of the matrix products that convolutions and recurrent layers become, made of real arrays, one by one.

Integer codes in, integer codes out: nothing is scaled, and padding is the zero point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError
from panacea_sim.units import IntArray
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.networks.convolution import Convolution, TransposedConvolution, Window

__all__ = [
    "Operands",
    "col2im",
    "convolution_operands",
    "images_of",
    "recurrent_operands",
    "transposed_operands",
]

Codes: TypeAlias = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Operands:
    """W [M, K] and x [K, N] of one product."""

    weight: Codes
    activation: Codes

    def layer(self, name: str, zero_point: int, **fields: Any) -> GemmLayer:  # noqa: ANN401  # those of a GemmLayer
        """Return the product as a layer that can run; raises ConfigError as `GemmLayer` does."""
        weight, activation = np.ascontiguousarray(self.weight), np.ascontiguousarray(self.activation)
        return GemmLayer(name, weight, activation, zero_point, **fields)  # type: ignore[arg-type]  # it checks dtypes


def convolution_operands(
    convolution: Convolution, weight: Codes, images: Codes, zero_point: int, packed: int = 1
) -> Iterator[Operands]:
    """Return the operands of each product of a convolution, `packed` groups side by side in each.

    `weight` is [out_channels, in_channels / groups, kernel ..], `images` [batch, in_channels, size ..]. The last
    product has the groups that remain. Raises ConfigError naming `weight` or `activation` for other shapes.
    """
    window = convolution.window
    in_group = convolution.in_channels // convolution.groups
    _require_shape("weight", weight, (convolution.out_channels, in_group, *window.kernel))
    _require_shape("activation", images, (window.batch, convolution.in_channels, *window.size))
    matrix = weight.reshape(convolution.groups, convolution.rows, convolution.depth)
    for first in range(0, convolution.groups, packed):
        own = slice(first * in_group, (first + packed) * in_group)
        groups = matrix[first : first + packed]
        yield Operands(_block_diagonal(groups), _im2col(window, images[:, own], zero_point))


def transposed_operands(convolution: TransposedConvolution, weight: Codes, images: Codes) -> Iterator[Operands]:
    """Return the operands of each group of a transposed convolution; `col2im` adds up what they give.

    `weight` is [in_channels, out_channels / groups, kernel ..], `images` [batch, in_channels, size of the input ..].
    Raises ConfigError naming `weight` or `activation` for other shapes.
    """
    window, groups = convolution.window, convolution.groups
    _require_shape("weight", weight, (convolution.in_channels, convolution.out_channels // groups, *window.kernel))
    _require_shape("activation", images, (window.batch, convolution.in_channels, *window.output_size))
    depth = convolution.depth
    pixels = np.moveaxis(images.reshape(window.batch, convolution.in_channels, -1), 1, 0)
    for group in range(groups):
        own = slice(group * depth, (group + 1) * depth)
        yield Operands(weight[own].reshape(depth, -1).T, pixels[own].reshape(depth, -1))


def recurrent_operands(
    input_weight: Codes, hidden_weight: Codes, inputs: Codes, hidden: Iterable[Codes]
) -> Iterator[Operands]:
    """Return the operands of a recurrent layer: first of the product over all inputs, then of one product a step.

    `input_weight` is [gates * hidden size, input size], `hidden_weight` [gates * hidden size, hidden size], `inputs`
    [steps, batch, input size]; `hidden` gives the state [batch, hidden size] in front of each step, asked for when its
    turn comes. Column t * batch + b of the first product is step t of sequence b.
    """
    yield Operands(input_weight, inputs.reshape(-1, inputs.shape[-1]).T)
    for state in hidden:
        yield Operands(hidden_weight, state.T)


def images_of(convolution: Convolution, products: Iterable[IntArray]) -> IntArray:
    """Return the outputs of a convolution, [batch, out_channels, size ..], of those of its products in their order."""
    window = convolution.window
    outputs = np.concatenate([product.reshape(-1, window.batch, *window.output_size) for product in products])
    return np.moveaxis(outputs, 0, 1)


def col2im(convolution: TransposedConvolution, products: Sequence[IntArray]) -> IntArray:
    """Return the outputs of a transposed convolution, [batch, out_channels, size ..]: each pixel is a sum over taps."""
    window = convolution.window
    size = [pixels + sum(pads) for pixels, pads in zip(window.size, window.padding, strict=True)]
    total = np.zeros((convolution.out_channels, window.batch, *size), np.int64)
    shape = (convolution.out_channels, *window.kernel, window.batch, *window.output_size)
    parts = np.concatenate(products).reshape(shape)
    for tap in np.ndindex(window.kernel):
        places = tuple(
            slice(at * step, at * step + (count - 1) * stride + 1, stride)
            for at, step, count, stride in zip(tap, window.dilation, window.output_size, window.stride, strict=True)
        )
        total[:, :, *places] += parts[:, *tap]
    inside = tuple(slice(pads[0], pads[0] + pixels) for pixels, pads in zip(window.size, window.padding, strict=True))
    return np.moveaxis(total[:, :, *inside], 0, 1)


def _im2col(window: Window, images: Codes, zero_point: int) -> Codes:
    """Return [channels * taps, batch * output pixels]: rows by channel, then taps; columns by image, then pixels."""
    padded = np.pad(images, ((0, 0), (0, 0), *window.padding), constant_values=zero_point)
    axes = tuple(range(2, padded.ndim))
    views = np.lib.stride_tricks.sliding_window_view(padded, window.reach, axes)
    steps = tuple(slice(None, None, stride) for stride in window.stride)
    taps = tuple(slice(None, None, dilation) for dilation in window.dilation)
    views = views[:, :, *steps, *taps]
    count = len(axes)
    order = (1, *range(2 + count, 2 + 2 * count), 0, *axes)
    return views.transpose(order).reshape(images.shape[1] * window.taps, -1)


def _block_diagonal(groups: Codes) -> Codes:
    """Return groups [count, rows, depth] side by side, with zeros between them."""
    count, rows, depth = groups.shape
    blocks = np.zeros((count, rows, count, depth), groups.dtype)
    numbers = np.arange(count)
    blocks[numbers, :, numbers] = groups
    return blocks.reshape(count * rows, count * depth)


def _require_shape(field: str, array: Codes, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ConfigError(field, f"shape {array.shape}", f"shape {shape}")
