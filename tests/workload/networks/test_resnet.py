"""What the layers of residual networks need of each other."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.convolution import Convolution, Window, windows_through
from panacea_sim.workload.networks.zoo import build


def _producers(graph: LayerGraph, name: str) -> set[str]:
    return set(graph.predecessors(name))


def _only_link(graph: LayerGraph, producer: str, consumer: str) -> Link:
    (link,) = graph.edges[producer, consumer]["links"]
    assert isinstance(link, Link)
    return link


def test_sums_have_all_their_terms() -> None:
    """A block reads the branch and what it was added to: the layers of the block before, a shortcut, or the stem."""
    graph = build("resnet-18")
    assert _producers(graph, "layer1.0.conv1") == {"stem"}
    assert _producers(graph, "layer1.1.conv1") == {"layer1.0.conv2", "stem"}
    assert _producers(graph, "layer2.0.downsample") == {"layer1.1.conv2", "layer1.0.conv2"}
    assert _producers(graph, "layer2.1.conv1") == {"layer2.0.conv2", "layer2.0.downsample"}
    assert _producers(graph, "layer3.0.conv1") == {"layer2.1.conv2", "layer2.0.conv2", "layer2.0.downsample"}
    assert _producers(graph, "head") == {"layer4.1.conv2", "layer4.0.conv2", "layer4.0.downsample"}


def test_a_pointwise_layer_reads_in_place() -> None:
    """Behind one layer and no sum, a 1 x 1 convolution reads the outputs as they are; behind a sum it does not."""
    graph = build("resnet-50")
    assert _only_link(graph, "layer1.0.conv2", "layer1.0.conv3").in_place
    link = _only_link(graph, "layer1.0.conv3", "layer1.1.conv1")
    assert (link.needs, link.in_place) == ("same", False)
    assert isinstance(_only_link(graph, "layer2.0.conv1", "layer2.0.conv2").needs, Columns)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_classifier_needs_all_pixels_of_its_image(batch: int) -> None:
    """The mean over an image needs its 49 pixels, feature by feature."""
    needs = _only_link(build("resnet-18", batch=batch), "layer4.1.conv2", "head").needs
    assert isinstance(needs, Columns)
    assert needs.low.tolist() == [49 * image for image in range(batch)]
    assert (needs.high - needs.low).tolist() == [49] * batch


@st.composite
def _windows(draw: st.DrawFn, size: tuple[int, int], batch: int) -> Window:
    kernel = tuple(draw(st.integers(1, min(3, pixels))) for pixels in size)
    # Pooling windows may not lie in the padding alone.
    padding = tuple((draw(st.integers(0, taps // 2)), draw(st.integers(0, taps // 2))) for taps in kernel)
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return Window(size, kernel, stride, padding, (1, 1), batch)


def _met(window: Window, image: int, pixel: tuple[int, ...]) -> set[int]:
    """Return the numbers of the pixels that a window holds."""
    found = set()
    for tap in product(*map(range, window.kernel)):
        place = [
            at * stride - pads[0] + step
            for at, stride, pads, step in zip(pixel, window.stride, window.padding, tap, strict=True)
        ]
        if all(0 <= at < size for at, size in zip(place, window.size, strict=True)):
            found.add(image * prod(window.size) + int(np.ravel_multi_index(place, window.size)))
    return found


@settings(max_examples=60)
@given(st.data(), st.integers(3, 8), st.integers(3, 8), st.integers(1, 2))
def test_windows_of_windows(data: st.DataObject, height: int, width: int, batch: int) -> None:
    """Behind a pooling a convolution needs the pixels of all pooling windows in its own, from the first to the last."""
    pooling = data.draw(_windows((height, width), batch))
    window = data.draw(_windows(pooling.output_size, batch))
    needs = windows_through(Convolution(1, 1, window), pooling)
    pooled = [_met(pooling, image, at) for image in range(batch) for at in np.ndindex(pooling.output_size)]
    column = 0
    for image in range(batch):
        for at in np.ndindex(window.output_size):
            met = set().union(*(pooled[number] for number in _met(window, image, at)))
            assert (needs.low[column], needs.high[column]) == (min(met), max(met) + 1)
            column += 1
    assert column == len(needs.low)
