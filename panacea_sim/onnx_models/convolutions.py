"""Convolutions of a model file as products, forwards and transposed."""

from __future__ import annotations

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import Node
from panacea_sim.onnx_models.products import Product, Shape, Shapes, plain_term
from panacea_sim.onnx_models.terms import Axis, Dim, Source, Term, axes_of
from panacea_sim.onnx_models.views import ImageView, MatrixView, RepeatDim
from panacea_sim.onnx_models.windows import attribute_axes, window_of
from panacea_sim.workload.networks.convolution import Convolution, TransposedConvolution, Window

__all__ = ["convolution", "quantized_convolution", "transposed_convolution"]

_FIRST_AXIS = 2
"""Dimensions before the axes of an image: batch and channels."""


def convolution(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    """Return a convolution: a product for each group, as repeats."""
    return _convolution(node, (node.input(0), node.input(1)), shapes, constants)


def quantized_convolution(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    """Return a convolution of which scales and zero points are inputs."""
    return _convolution(node, (node.input(0), node.input(3)), shapes, constants)


def transposed_convolution(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    """Return a transposed convolution: a product for each group, whose outputs are added up."""
    images, kernel, outputs = shapes[node.input(0)], shapes[node.input(1)], shapes[node.outputs[0]]
    if node.input(0) in constants and node.input(1) in constants:
        return []
    groups = node.attribute("group", 1)
    window = _transposed_window(node, images, kernel, outputs)
    found = TransposedConvolution(images[1], kernel[1] * groups, window, groups)
    source = Source(node.name, found.rows * groups, found.columns)
    weight = MatrixView(
        node.input(1),
        (groups, found.depth, found.rows),
        (RepeatDim(0, groups),),
        (2,),
        (1,),
    )
    pixels = tuple(range(_FIRST_AXIS + 1, len(images) + 1))
    activation = MatrixView(
        node.input(0),
        (images[0], groups, found.depth, *images[_FIRST_AXIS:]),
        (RepeatDim(1, groups),),
        (2,),
        (0, *pixels),
    )
    # The taps of a channel are rows of their own, which are not told apart: each pixel needs all features.
    term = Term(
        source,
        outputs,
        _image_dims(outputs, ()),
        tuple((0, extent) for extent in outputs),
        spread=(Axis(source.features, 1, 0),) if source.features > 1 else (),
        ranges=found.input_ranges(),
    )
    sizes = (found.rows, found.depth, found.columns)
    made = ((node.outputs[0], term),)
    return [Product(node.name, node, sizes, groups, weight, activation, made, vector=("col2im",))]


def _convolution(node: Node, operands: tuple[str, str], shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    images, kernel, outputs = shapes[operands[0]], shapes[operands[1]], shapes[node.outputs[0]]
    if operands[0] in constants and operands[1] in constants:
        return []
    groups = node.attribute("group", 1)
    window = window_of(node, kernel[_FIRST_AXIS:], images[_FIRST_AXIS:], outputs[_FIRST_AXIS:], images[0])
    if window.output_size != tuple(outputs[_FIRST_AXIS:]):
        found = f"outputs of {outputs[_FIRST_AXIS:]}"
        raise ConfigError(f"node {node.name!r}", found, f"{window.output_size}, as kernel, strides and pads give")
    made = Convolution(images[1], kernel[0], window, groups)
    source = Source(node.name, made.out_channels, made.columns)
    weight = MatrixView(
        operands[1],
        (groups, made.rows, made.depth),
        (RepeatDim(0, groups),),
        (1,),
        (2,),
    )
    term = plain_term(source, outputs, _image_dims(outputs, axes_of(made.out_channels, 1, 0)))
    sizes = (made.rows, made.depth, made.columns)
    activation = ImageView(operands[0], made)
    return [Product(node.name, node, sizes, groups, weight, activation, ((node.outputs[0], term),))]


def _image_dims(shape: Shape, channels: Dim) -> tuple[Dim, ...]:
    """Return the dimensions of images of which the pixels are columns in their order."""
    dims: list[Dim] = [()] * len(shape)
    dims[1] = channels or axes_of(shape[1])
    stride = 1
    for dim in (*range(len(shape) - 1, 1, -1), 0):
        dims[dim] = axes_of(shape[dim], 0, stride)
        stride *= shape[dim]
    return tuple(dims)


def _transposed_window(node: Node, images: Shape, kernel: Shape, outputs: Shape) -> Window:
    """Return the window of the convolution of which this is the transpose: it slides over the outputs."""
    size, taps = outputs[_FIRST_AXIS:], kernel[_FIRST_AXIS:]
    axes = len(size)
    stride, dilation = attribute_axes(node, "strides", axes), attribute_axes(node, "dilations", axes)
    reached = [
        (pixels - 1) * step + (count - 1) * apart + 1
        for pixels, step, count, apart in zip(images[_FIRST_AXIS:], stride, taps, dilation, strict=True)
    ]
    auto_pad = node.attribute("auto_pad", "NOTSET")
    behind = node.attribute("output_padding", [0] * axes)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER") or "output_shape" in node.attributes:
        total = [max(each + more - pixels, 0) for each, more, pixels in zip(reached, behind, size, strict=True)]
        before = [(each // 2 if auto_pad == "SAME_UPPER" else each - each // 2) for each in total]
    else:
        pads = node.attribute("pads", [0] * 2 * axes) if auto_pad == "NOTSET" else [0] * 2 * axes
        before = list(pads[:axes])
    # Pixels behind those that the windows reach are none of the products': the window would not slide there.
    padding = tuple(
        (first, max(each - first - pixels, 0)) for first, each, pixels in zip(before, reached, size, strict=True)
    )
    return Window(tuple(size), tuple(taps), stride, padding, dilation, images[0])
