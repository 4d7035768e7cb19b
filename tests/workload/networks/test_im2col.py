"""Operands of convolutions and recurrent layers against their definitions, computed pixel by pixel in int64."""

from __future__ import annotations

import hashlib
import re
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panacea_sim.errors import ConfigError
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.networks.convolution import Convolution, TransposedConvolution, Window
from panacea_sim.workload.networks.im2col import (
    col2im,
    convolution_operands,
    images_of,
    recurrent_operands,
    transposed_operands,
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Draw a window that fits its image, over 1 to 3 axes, with pads that need not be equal."""
    axes = draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(axes))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes))
    reach = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
    size = tuple(
        draw(st.integers(max(1, span - sum(pads)), span + 3)) for span, pads in zip(reach, padding, strict=True)
    )
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    return Window(size, kernel, stride, padding, dilation, draw(st.integers(1, 2)))


@st.composite
def channels(draw: st.DrawFn) -> tuple[int, int, int]:
    """Draw input channels, output channels and groups."""
    groups = draw(st.integers(1, 3))
    return groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2)), groups


def _convolved(weight: np.ndarray, images: np.ndarray, window: Window, zero_point: int, groups: int) -> np.ndarray:
    """Return the convolution by its definition; outside of an image stands the zero point."""
    out_channels, in_group = weight.shape[:2]
    outputs = np.zeros((window.batch, out_channels, *window.output_size), np.int64)
    for image, channel, *pixel in np.ndindex(outputs.shape):
        first = channel // (out_channels // groups) * in_group
        for inner, *tap in product(range(in_group), *map(range, window.kernel)):
            place = [
                at * stride - pads[0] + step * dilation
                for at, stride, pads, step, dilation in zip(
                    pixel, window.stride, window.padding, tap, window.dilation, strict=True
                )
            ]
            inside = all(0 <= at < size for at, size in zip(place, window.size, strict=True))
            value = int(images[image, first + inner, *place]) if inside else zero_point
            outputs[image, channel, *pixel] += int(weight[channel, inner, *tap]) * value
    return outputs


@settings(max_examples=40)
@given(windows(), channels(), st.integers(1, 4), st.integers(0, 2**16))
def test_convolutions_are_products(window: Window, sizes: tuple[int, int, int], packed: int, seed: int) -> None:
    """The products of all groups, packed or not, are the convolution; their sizes are those that are announced."""
    rng = np.random.default_rng(seed)
    convolution = Convolution(sizes[0], sizes[1], window, sizes[2])
    weight = rng.integers(-64, 64, (sizes[1], sizes[0] // sizes[2], *window.kernel)).astype(np.int8)
    images = rng.integers(0, 256, (window.batch, sizes[0], *window.size)).astype(np.uint8)
    operands = list(convolution_operands(convolution, weight, images, 130, packed))
    for each in operands:
        assert (each.weight.dtype, each.activation.dtype) == (np.int8, np.uint8)
        groups = each.weight.shape[0] // convolution.rows
        assert each.weight.shape == (groups * convolution.rows, groups * convolution.depth)
        assert each.activation.shape == (groups * convolution.depth, convolution.columns)
    outputs = images_of(convolution, [each.weight.astype(np.int64) @ each.activation for each in operands])
    assert np.array_equal(outputs, _convolved(weight, images, window, 130, sizes[2]))


@settings(max_examples=40)
@given(windows(), channels(), st.integers(0, 2**16))
def test_transposed_convolutions_are_products(window: Window, sizes: tuple[int, int, int], seed: int) -> None:
    """A transposed convolution moves each output of the convolution back to the pixels that it came from."""
    rng = np.random.default_rng(seed)
    in_channels, out_channels, groups = sizes
    convolution = TransposedConvolution(in_channels, out_channels, window, groups)
    weight = rng.integers(-64, 64, (in_channels, out_channels // groups, *window.kernel)).astype(np.int8)
    codes = rng.integers(0, 256, (window.batch, in_channels, *window.output_size)).astype(np.uint8)
    operands = list(transposed_operands(convolution, weight, codes))
    assert operands[0].weight.shape == (convolution.rows, convolution.depth)
    assert operands[0].activation.shape == (convolution.depth, convolution.columns)
    found = col2im(convolution, [each.weight.astype(np.int64) @ each.activation for each in operands])
    # By the adjoint: <transposed(y), x> = <y, convolution(x)> for every single pixel x.
    expected = np.zeros((window.batch, out_channels, *window.size), np.int64)
    for image, channel, *pixel in np.ndindex(codes.shape):
        group = channel // (in_channels // groups)
        for inner, *tap in product(range(out_channels // groups), *map(range, window.kernel)):
            place = [
                at * stride - pads[0] + step * dilation
                for at, stride, pads, step, dilation in zip(
                    pixel, window.stride, window.padding, tap, window.dilation, strict=True
                )
            ]
            if all(0 <= at < size for at, size in zip(place, window.size, strict=True)):
                term = int(codes[image, channel, *pixel]) * int(weight[channel, inner, *tap])
                expected[image, group * (out_channels // groups) + inner, *place] += term
    assert np.array_equal(found, expected)


@settings(max_examples=60)
@given(windows())
def test_ranges_reach_from_the_first_to_the_last_pixel(window: Window) -> None:
    """Each output pixel needs from its lowest to its highest pixel of its own image, and back the other way."""
    numbers = np.arange(window.batch * prod(window.size)).reshape(window.batch, 1, *window.size)
    ones = np.ones((1, 1, *window.kernel), np.int8)
    convolution = Convolution(1, 1, window)
    (operands,) = convolution_operands(convolution, ones, numbers, -1)
    low, high = window.ranges()
    back_low, back_high = TransposedConvolution(1, 1, window).input_ranges()
    reached: dict[int, list[int]] = {}
    for column, pixels in enumerate(operands.activation.T):
        met = pixels[pixels >= 0].tolist()
        assert (low[column], high[column]) == (min(met), max(met) + 1) if met else low[column] == high[column]
        for pixel in met:
            reached.setdefault(pixel, []).append(column)
    for pixel, columns in reached.items():
        # Between the taps of a dilated window lie pixels that it does not hold: those may wait for more.
        assert back_low[pixel] <= min(columns)
        assert back_high[pixel] > max(columns)
        if max(window.dilation) == 1:
            assert (back_low[pixel], back_high[pixel]) == (min(columns), max(columns) + 1)
    if max(window.dilation) == 1:
        assert all(back_low[pixel] == back_high[pixel] for pixel in set(range(numbers.size)) - set(reached))


def test_recurrent_layers_are_products() -> None:
    """All inputs are one product, then each step is one; together they are what the cell adds up."""
    rng = np.random.default_rng(3)
    inputs, hidden = rng.integers(0, 256, (4, 2, 3)), rng.integers(0, 256, (4, 2, 5))
    weights = rng.integers(-64, 64, (20, 3)), rng.integers(-64, 64, (20, 5))
    first, *steps = [each.weight @ each.activation for each in recurrent_operands(*weights, inputs, hidden)]
    for step, sequence in product(range(4), range(2)):
        expected = weights[0] @ inputs[step, sequence] + weights[1] @ hidden[step, sequence]
        assert np.array_equal(first[:, step * 2 + sequence] + steps[step][:, sequence], expected)


def test_a_machine_computes_a_convolution(tmp_path: Path) -> None:
    """Groups of a convolution that run as layers, their values travelling, come out as the definition has it."""
    rng = np.random.default_rng(5)
    window = Window((6, 5), (3, 2), (2, 1), ((1, 0), (1, 1)), (1, 2), 2)
    convolution = Convolution(4, 6, window, 2)
    weight = rng.integers(-64, 64, (6, 2, 3, 2)).astype(np.int8)
    images = rng.integers(0, 256, (2, 4, 6, 5)).astype(np.uint8)
    operands = convolution_operands(convolution, weight, images, 130)
    layers = tuple(each.layer(f"group{number}", 130) for number, each in enumerate(operands))
    outcome = run(Scenario("convolution", layers), RunOptions(tmp_path / "run", trace=TraceOptions("off")))
    assert outcome.summary.exact
    outputs = images_of(convolution, [layer.reference_accumulator().astype(np.int64) for layer in layers])
    expected = _convolved(weight, images, window, 130, 2)
    assert np.array_equal(outputs, expected)
    digests = [hashlib.sha256(layer.reference_accumulator().astype("<i4").tobytes()).hexdigest() for layer in layers]
    assert [layer.output_sha256 for layer in outcome.summary.layers] == digests


def test_products_are_made_one_by_one() -> None:
    """Nothing is computed before it is asked for, so that a layer of many groups takes the memory of one."""
    window = Window((4,), (1,), (1,), ((0, 0),), (1,))
    weight, images = np.zeros((3, 1, 1), np.int8), np.zeros((1, 3, 4), np.uint8)
    operands = convolution_operands(Convolution(3, 3, window, 3), weight, images, 0)
    assert next(operands).activation.shape == (1, 4)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"size": (4,)}, "layer.kernel: found 2 axes; accepted: 1, as many as size has"),
        ({"size": ()}, "layer.size: found 0 axes; accepted: 1, 2 or 3 axes"),
        ({"stride": (0, 1)}, "layer.stride: found 0; accepted: a whole number in 1 .. "),
        ({"padding": ((0, -1), (0, 0))}, "layer.padding: found -1; accepted: a whole number in 0 .. "),
        ({"kernel": (5, 3)}, "layer.kernel: found 5 pixels on axis 0; accepted: at most 4, size and padding"),
        ({"batch": 0}, "layer.batch: found 0; accepted: a whole number in 1 .. "),
    ],
)
def test_refused_windows(fields: dict[str, object], text: str) -> None:
    """A window that does not fit its image, or has other axes, is refused with the field."""
    good = {"size": (4, 4), "kernel": (3, 3), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    with pytest.raises(ConfigError, match=re.escape(text)):
        Window(**good | fields)  # type: ignore[arg-type]


def test_refused_operands() -> None:
    """Arrays of other shapes, and groups that do not divide the channels, are refused."""
    window = Window((4,), (1,), (1,), ((0, 0),), (1,))
    with pytest.raises(ConfigError, match=r"layer\.groups: found 2; accepted: a divisor of in_channels = 3"):
        Convolution(3, 4, window, 2)
    good = np.zeros((1, 3, 4), np.uint8)
    with pytest.raises(ConfigError, match=r"weight: found shape \(2, 3\); accepted: shape \(2, 3, 1\)"):
        next(convolution_operands(Convolution(3, 2, window), np.zeros((2, 3), np.int8), good, 0))
    with pytest.raises(ConfigError, match=r"activation: found shape \(1, 4, 4\); accepted: shape \(1, 3, 4\)"):
        next(convolution_operands(Convolution(3, 2, window), np.zeros((2, 3, 1), np.int8), np.zeros((1, 4, 4), int), 0))
