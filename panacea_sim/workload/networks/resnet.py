"""Residual networks: a stem, four stages of blocks, and a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.convolution import Convolution, Window, windows_through
from panacea_sim.workload.networks.model_table import ResNet

__all__ = ["add_resnet"]

_WIDTH = 64
"""Channels of the stem and of the first stage; each stage doubles them."""
_EXPANSION = 4
"""Channels that a bottleneck gives for each that it works with."""


@dataclass(frozen=True)
class _Term:
    """A layer of which images are a sum, and the pooling that lies behind it."""

    layer: str
    pooling: Window | None = None


@dataclass(frozen=True)
class _Images:
    """Images between layers: the sum of the outputs of `terms`.

    The first `newest` terms are what the latest block added. Where it added to an older sum, the newest terms of that
    one stand for it: what they were added to was complete before any layer could read them.
    """

    terms: tuple[_Term, ...]
    channels: int
    size: tuple[int, ...]
    newest: int = 1

    def plus(self, before: _Images) -> _Images:
        """Return the images after a block has added its own to those before."""
        return _Images((*self.terms, *before.terms[: before.newest]), self.channels, self.size)


@dataclass(frozen=True)
class _Kernel:
    """A convolution of a block: its channels, the side of its kernel, its stride and its vector work."""

    name: str
    channels: int
    side: int
    stride: int
    vector: tuple[str, ...]


def add_resnet(builder: NetworkBuilder, model: ResNet, batch: int) -> None:
    """Add a residual network over `batch` images."""
    stem = _Kernel("stem", _WIDTH, 7, 2, ("batchnorm", "relu", "pooling"))
    images = _add(builder, "", stem, _Images((), 3, (model.image, model.image)), batch)
    pooling = _square(images.size, 3, 2, batch)
    images = _Images((_Term("stem", pooling),), _WIDTH, pooling.output_size)
    for stage, blocks in enumerate(model.blocks):
        for number in range(blocks):
            is_last = (stage + 1, number + 1) == (len(model.blocks), model.blocks[-1])
            end = ("residual", "relu", *(("pooling",) if is_last else ()))
            stride = 2 if stage > 0 and number == 0 else 1
            kernels = _kernels(_WIDTH << stage, stride, bottleneck=model.bottleneck)
            images = _add_block(builder, f"layer{stage + 1}.{number}", kernels, images, batch, end)
    _add_classifier(builder, model.classes, images, batch)


def _kernels(width: int, stride: int, *, bottleneck: bool) -> list[_Kernel]:
    """Return the convolutions of a block's branch; its stride is in the first 3 x 3."""
    between, last = ("batchnorm", "relu"), ("batchnorm",)
    if not bottleneck:
        return [_Kernel("conv1", width, 3, stride, between), _Kernel("conv2", width, 3, 1, last)]
    return [
        _Kernel("conv1", width, 1, 1, between),
        _Kernel("conv2", width, 3, stride, between),
        _Kernel("conv3", _EXPANSION * width, 1, 1, last),
    ]


def _add_block(  # what a block is
    builder: NetworkBuilder, block: str, kernels: list[_Kernel], images: _Images, batch: int, end: tuple[str, ...]
) -> _Images:
    """Add a block; `end` is the vector work behind its sum, for which its last layer pays."""
    *inner, last = kernels
    changes = (last.channels, True) != (images.channels, all(kernel.stride == 1 for kernel in kernels))
    branch = images
    for kernel in inner:
        branch = _add(builder, block, kernel, branch, batch)
    if not changes:
        last = _Kernel(last.name, last.channels, last.side, last.stride, (*last.vector, *end))
        return _add(builder, block, last, branch, batch).plus(images)
    branch = _add(builder, block, last, branch, batch)
    stride = max(kernel.stride for kernel in kernels)
    shortcut = _Kernel("downsample", last.channels, 1, stride, ("batchnorm", *end))
    joined = (*branch.terms, *_add(builder, block, shortcut, images, batch).terms)
    return _Images(joined, branch.channels, branch.size, newest=2)


def _add(builder: NetworkBuilder, block: str, kernel: _Kernel, images: _Images, batch: int) -> _Images:
    """Add a convolution and return its outputs."""
    convolution = Convolution(images.channels, kernel.channels, _square(images.size, kernel.side, kernel.stride, batch))
    shape = (convolution.rows, convolution.depth, convolution.columns)
    name = builder.add(kernel.name, shape, op="Conv", kind="conv", block=block, vector=kernel.vector)
    for term in images.terms:
        if term.pooling is not None:
            link = Link("x", windows_through(convolution, term.pooling))
        else:
            is_whole = len(images.terms) == 1 and convolution.needs == "same"
            link = Link("x", convolution.needs, in_place=is_whole)
        builder.link(term.layer, name, link)
    return _Images((_Term(name),), kernel.channels, convolution.window.output_size)


def _add_classifier(builder: NetworkBuilder, classes: int, images: _Images, batch: int) -> None:
    """Add the classifier, which reads the mean of each channel over all pixels of an image."""
    head = builder.add("head", (classes, images.channels, batch), kind="head")
    pixels = prod(images.size)
    starts = np.arange(batch) * pixels
    for term in images.terms:
        builder.link(term.layer, head, Link("x", Columns(starts, starts + pixels)))


def _square(size: tuple[int, ...], side: int, stride: int, batch: int) -> Window:
    """Return a square window that keeps the size of the image but for its stride."""
    pad = side // 2
    return Window(size, (side, side), (stride, stride), ((pad, pad),) * 2, (1, 1), batch)
