"""The windows of convolutions and poolings of a model file, and where the pixels of a resized image come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import Node
from panacea_sim.units import FloatArray, IntArray
from panacea_sim.workload.networks.convolution import Ranges, Window, grid_ranges

__all__ = ["attribute_axes", "resize_ranges", "window_of"]

_ROUNDING_ERROR = 1e-6
_CUBIC = "cubic"


def window_of(node: Node, kernel: Sequence[int], size: Sequence[int], outputs: Sequence[int], batch: int) -> Window:
    """Return the window of a convolution or pooling over `batch` images of `size`, of which `outputs` come out.

    Padding behind an image is as much as the last window needs, whatever says how much: `pads`, `auto_pad` or
    `ceil_mode`. Raises ConfigError naming the node.
    """
    axes = len(size)
    stride, dilation = attribute_axes(node, "strides", axes), attribute_axes(node, "dilations", axes)
    needed = [
        (count - 1) * step + (taps - 1) * apart + 1 - pixels
        for count, step, taps, apart, pixels in zip(outputs, stride, kernel, dilation, size, strict=True)
    ]
    auto_pad = node.attribute("auto_pad", "NOTSET")
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        upper = auto_pad == "SAME_UPPER"
        before = [max(each, 0) // 2 if upper else (max(each, 0) + 1) // 2 for each in needed]
    else:
        pads = node.attribute("pads", [0] * 2 * axes) if auto_pad == "NOTSET" else [0] * 2 * axes
        before = list(pads[:axes])
    padding = tuple((first, max(each - first, 0)) for first, each in zip(before, needed, strict=True))
    return Window(tuple(size), tuple(kernel), stride, padding, dilation, batch)


def attribute_axes(node: Node, name: str, axes: int) -> tuple[int, ...]:
    """Return an attribute with a number for each axis of the images, 1 where it is left out."""
    values = node.attribute(name, [1] * axes)
    if len(values) != axes:
        raise ConfigError(f"node {node.name!r}, {name}", f"{len(values)} numbers", f"{axes}, one for each axis")
    return tuple(values)


def resize_ranges(node: Node, size: Sequence[int], outputs: Sequence[int], batch: int) -> Ranges | None:
    """Return for each pixel of a resized image the pixels that it is made of, None where that is not told here."""
    mode = node.attribute("mode", "nearest")
    transformation = node.attribute(
        "coordinate_transformation_mode", "asymmetric" if node.op == "Upsample" else "half_pixel"
    )
    if node.attribute("antialias", 0) or transformation == "tf_crop_and_resize":
        return None
    ends = [
        _resized_axis(before, after, mode, transformation, node.attribute("nearest_mode", "round_prefer_floor"))
        for before, after in zip(size, outputs, strict=True)
    ]
    return grid_ranges(ends, tuple(size), batch)


def _resized_axis(
    before: int, after: int, mode: str, transformation: str, nearest_mode: str
) -> tuple[IntArray, IntArray]:
    """Return the first and the last pixel that each pixel of a resized axis is made of."""
    place = _places(np.arange(after), before, after, transformation)
    # Runtimes count with 32 bits: where these do not hold the scale, a place between two pixels may be on either side.
    error = 0.0 if float(np.float32(after / before)) == after / before else _ROUNDING_ERROR
    if mode == "nearest":
        first, last = _nearest(place - error, nearest_mode), _nearest(place + error, nearest_mode)
    else:
        reach = 1 if mode == _CUBIC else 0
        first, last = np.floor(place - error) - reach, np.ceil(place + error) + reach
    return np.clip(first, 0, before - 1).astype(np.int64), np.clip(last, 0, before - 1).astype(np.int64)


def _places(pixels: IntArray, before: int, after: int, transformation: str) -> FloatArray:
    scale = before / after
    at = pixels.astype(np.float64)
    if transformation == "asymmetric":
        return at * scale
    if transformation == "align_corners":
        return at * ((before - 1) / max(after - 1, 1))
    if transformation == "tf_half_pixel_for_nn":
        return (at + 0.5) * scale
    if transformation == "pytorch_half_pixel" and after == 1:
        return np.zeros(1, np.float64)
    return (at + 0.5) * scale - 0.5


def _nearest(place: FloatArray, mode: str) -> FloatArray:
    if mode == "floor":
        return np.floor(place)
    if mode == "ceil":
        return np.ceil(place)
    return np.ceil(place - 0.5) if mode == "round_prefer_floor" else np.floor(place + 0.5)
