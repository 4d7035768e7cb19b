"""The sizes of convolutions of any rank as matrix products, and which input pixels each output pixel needs.

Pixels are numbered as columns are: image by image, then along the axes, the last one fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

import numpy as np

from panacea_sim.bounds import Size, SizeOrZero
from panacea_sim.checks import require_kind
from panacea_sim.errors import ConfigError
from panacea_sim.units import IntArray
from panacea_sim.workload.link import Columns, Needs

__all__ = [
    "Convolution",
    "Pads",
    "Ranges",
    "TransposedConvolution",
    "Window",
    "grid_ranges",
    "ranges_through",
    "windows_through",
]

Pads = tuple[tuple[int, int], ...]
"""Pixels of padding before and behind the image, for each axis."""

Ranges = tuple[IntArray, IntArray]
"""For each pixel the first of those that it needs, and the one behind the last; equal where it needs none."""

_AXES = (1, 2, 3)
_MOST_RANGES = 2**25
"""Output pixels that have ranges: half a gigabyte of them."""


@dataclass(frozen=True)
class Window:
    """A window that slides over `batch` images: that of a convolution or of a pooling, for each axis of the image.

    Raises ConfigError naming `layer.<field>`.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    batch: int = 1

    def __post_init__(self) -> None:
        """Check every field, and that the window fits the image."""
        if len(self.size) not in _AXES:
            raise ConfigError("layer.size", f"{len(self.size)} axes", "1, 2 or 3 axes")
        for field in ("size", "kernel", "stride", "dilation"):
            values = getattr(self, field)
            if len(values) != len(self.size):
                raise ConfigError(f"layer.{field}", f"{len(values)} axes", f"{len(self.size)}, as many as size has")
            for value in values:
                require_kind(f"layer.{field}", value, Size)
        if len(self.padding) != len(self.size):
            raise ConfigError("layer.padding", f"{len(self.padding)} axes", f"{len(self.size)}, as many as size has")
        for pads in self.padding:
            for pad in pads:
                require_kind("layer.padding", pad, SizeOrZero)
        require_kind("layer.batch", self.batch, Size)
        for axis, pixels in enumerate(self.output_size):
            if pixels < 1:
                padded = self.size[axis] + sum(self.padding[axis])
                reach = self.reach[axis]
                raise ConfigError(
                    "layer.kernel", f"{reach} pixels on axis {axis}", f"at most {padded}, size and padding"
                )

    @property
    def reach(self) -> tuple[int, ...]:
        """Pixels from the first to the last of a window, for each axis."""
        return tuple((taps - 1) * step + 1 for taps, step in zip(self.kernel, self.dilation, strict=True))

    @property
    def output_size(self) -> tuple[int, ...]:
        """Windows along each axis."""
        return tuple(
            (pixels + sum(pads) - reach) // stride + 1
            for pixels, pads, reach, stride in zip(self.size, self.padding, self.reach, self.stride, strict=True)
        )

    @property
    def taps(self) -> int:
        """Pixels of a window."""
        return prod(self.kernel)

    @property
    def is_identity(self) -> bool:
        """Whether each window is the pixel of its number, so that im2col changes nothing."""
        return self.output_size == self.size and self.taps == 1 and not any(map(sum, self.padding))

    def ranges(self) -> Ranges:
        """Return the first pixel that each output pixel needs, and the one behind the last; equal where it needs none.

        Padding is nobody's pixel.
        """
        _require_few(self.batch * prod(self.output_size))
        return grid_ranges([self._axis_ends(axis) for axis in range(len(self.size))], self.size, self.batch)

    def _axis_ends(self, axis: int) -> tuple[IntArray, IntArray]:
        """Return the first and the last pixel of each window along an axis; the last is before the first if none is."""
        start = np.arange(self.output_size[axis]) * self.stride[axis] - self.padding[axis][0]
        step, taps, pixels = self.dilation[axis], self.kernel[axis], self.size[axis]
        # The taps that meet the image: from the first at or behind pixel 0 to the last before its end.
        first_tap = np.maximum(-(start // step), 0)
        last_tap = np.minimum((pixels - 1 - start) // step, taps - 1)
        return start + first_tap * step, start + last_tap * step


@dataclass(frozen=True)
class _InGroups:
    """Channels of images, in groups, and a window that slides over them; raises ConfigError naming `layer.<field>`."""

    in_channels: int
    out_channels: int
    window: Window
    groups: int = 1

    def __post_init__(self) -> None:
        """Check channels and groups."""
        _check_channels(self.in_channels, self.out_channels, self.groups)


@dataclass(frozen=True)
class Convolution(_InGroups):
    """A convolution as matrix products, one for each group, or for as many groups as are packed into one.

    W is [out_channels / groups, in_channels / groups * taps], its columns in the order channel, then the axes of the
    kernel; x is the im2col matrix, a column for each output pixel. Raises ConfigError naming `layer.<field>`.
    """

    @property
    def rows(self) -> int:
        """M of a group."""
        return self.out_channels // self.groups

    @property
    def depth(self) -> int:
        """K of a group."""
        return self.in_channels // self.groups * self.window.taps

    @property
    def columns(self) -> int:
        """N: output pixels of all images."""
        return self.window.batch * prod(self.window.output_size)

    @cached_property
    def needs(self) -> Needs:
        """What an im2col matrix needs of a layer that writes channels x input pixels."""
        return "same" if self.window.is_identity else _columns(self.window)


@dataclass(frozen=True)
class TransposedConvolution(_InGroups):
    """A transposed convolution as matrix products, one for each group, whose outputs are then added up (col2im).

    W is [out_channels / groups * taps, in_channels / groups], its rows in the order channel, then the axes of the
    kernel; x has a column for each input pixel. `window` is that of the convolution that it is the transpose of: it
    slides over the output. Raises ConfigError naming `layer.<field>`.
    """

    @property
    def rows(self) -> int:
        """M of a group."""
        return self.out_channels // self.groups * self.window.taps

    @property
    def depth(self) -> int:
        """K of a group."""
        return self.in_channels // self.groups

    @property
    def columns(self) -> int:
        """N: input pixels of all images."""
        return self.window.batch * prod(self.window.output_size)

    def input_ranges(self) -> Ranges:
        """Return for each output pixel the first input pixel that it needs, and the one behind the last."""
        _require_few(self.window.batch * prod(self.window.size))
        axes = range(len(self.window.size))
        return grid_ranges([self._axis_ends(axis) for axis in axes], self.window.output_size, self.window.batch)

    def _axis_ends(self, axis: int) -> tuple[IntArray, IntArray]:
        """Return the first and the last window along an axis that reaches over each pixel."""
        window = self.window
        pixel = np.arange(window.size[axis]) + window.padding[axis][0]
        last = np.minimum(pixel // window.stride[axis], window.output_size[axis] - 1)
        return np.maximum(-((window.reach[axis] - 1 - pixel) // window.stride[axis]), 0), last


def _check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    fields = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
    for field, value in fields.items():
        require_kind(f"layer.{field}", value, Size)
    if in_channels % groups or out_channels % groups:
        accepted = f"a divisor of in_channels = {in_channels} and out_channels = {out_channels}"
        raise ConfigError("layer.groups", groups, accepted)


@lru_cache(maxsize=16)
def _columns(window: Window) -> Columns:
    """Return what an im2col matrix needs; the layers of a network share the ranges of equal windows."""
    return Columns(*window.ranges(), taps=window.taps)


def windows_through(convolution: Convolution, pooling: Window) -> Columns:
    """Return what an im2col matrix needs that reads the outputs of a pooling: the pixels that the pooling reads."""
    return Columns(*ranges_through(convolution.window.ranges(), pooling.ranges()), taps=convolution.window.taps)


def ranges_through(outer: Ranges, inner: Ranges) -> Ranges:
    """Return for each range of windows the range of the pixels that these windows reach over."""
    some = outer[0] < outer[1]
    # The first window of a range begins first and the last one ends last, because windows only move on.
    first = inner[0][np.where(some, outer[0], 0)]
    return first, np.where(some, inner[1][np.where(some, outer[1] - 1, 0)], first)


def _require_few(pixels: int) -> None:
    if pixels > _MOST_RANGES:
        accepted = f"at most {_MOST_RANGES:,} where another layer is read: each has a range of its own"
        raise ConfigError("layer.size", f"{pixels:,} output pixels", accepted, "Take fewer images, or needs: all")


def grid_ranges(ends: Sequence[tuple[IntArray, IntArray]], size: tuple[int, ...], batch: int) -> Ranges:
    """Return the numbers of the first pixel and of the one behind the last, at each position of a grid in each image.

    `ends` are the first and the last pixel along each axis; without a pixel the two numbers are equal.
    """
    positions = [1] * len(size)
    first, last = np.zeros(positions, np.int64), np.zeros(positions, np.int64)
    some = np.ones(positions, np.bool_)
    for axis, (of_axis, up_to) in enumerate(ends):
        shape = [-1 if other == axis else 1 for other in range(len(size))]
        first = first * size[axis] + of_axis.reshape(shape)
        last = last * size[axis] + up_to.reshape(shape)
        some = some & (of_axis <= up_to).reshape(shape)
    images = np.arange(batch)[:, None] * prod(size)
    low, high = np.where(some, first, 0).ravel(), np.where(some, last + 1, 0).ravel()
    return (images + low).ravel(), (images + high).ravel()
