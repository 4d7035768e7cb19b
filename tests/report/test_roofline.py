"""The roofline: points are the rates of the layers, roofs those of the machine."""

from __future__ import annotations

import numpy as np
import pytest
from figures import cut_texts
from matplotlib.collections import PathCollection

from panacea_sim.analysis.performance import Performance
from panacea_sim.report.roofline import RooflinePoint, roofline_figure


def _rates(macs: int, cycles: int, dram_bytes: int, multipliers: int | None = 3072) -> Performance:
    return Performance(macs, cycles, cycles / 1e9, multipliers, None, dram_bytes, 32.0)


RUN = _rates(6_000_000, 20_000, 100_000)
LAYERS = [
    RooflinePoint("/net/layer.0/attention/query/MatMul", _rates(1_000_000, 5_000, 50_000), 0),
    RooflinePoint("/net/layer.1/attention/query/MatMul", _rates(5_000_000, 15_000, 50_000), 2),
    RooflinePoint("/net/no traffic", _rates(5, 10, 0), 2),
]


def test_points_are_rates() -> None:
    """A layer is at its MACs a byte and MACs a cycle, the longest the largest; one that moves nothing has no point."""
    (axes,) = roofline_figure(RUN, LAYERS).axes
    layers, run = (each for each in axes.collections if isinstance(each, PathCollection))
    assert np.allclose(np.asarray(layers.get_offsets()), [[20, 200], [100, 1000 / 3]])
    assert np.allclose(np.asarray(run.get_offsets()), [[60, 300]])
    assert np.allclose(np.array(layers.get_sizes()) / max(layers.get_sizes()), [1 / 3, 1])


def test_the_roof_has_its_ridge() -> None:
    """It rises with 32 bytes a cycle up to 24 MACs a byte, and goes on at 768 MACs a cycle."""
    (axes,) = roofline_figure(RUN, LAYERS).axes
    (line,) = axes.lines
    across, up = (np.asarray(each, float) for each in line.get_data())
    assert (across[1], up[1]) == (24, 768)
    assert up[0] == 32 * across[0]
    assert up[2] == 768
    assert (across[0], across[2]) == axes.get_xlim()
    texts = [text.get_text() for text in axes.texts]
    assert texts[:2] == ["768 MACs a cycle: all multipliers", "32 bytes a cycle: all channels"]


def test_a_machine_without_multipliers_has_one_roof() -> None:
    """Where they are not counted the bandwidth is the only roof."""
    (axes,) = roofline_figure(_rates(1000, 100, 100, None), []).axes
    (line,) = axes.lines
    assert len(line.get_data()[0]) == 2
    assert [text.get_text() for text in axes.texts] == ["32 bytes a cycle: all channels"]


@pytest.mark.parametrize("count", [0, 1, 200])
def test_no_text_is_cut(count: int) -> None:
    """Names and roofs are inside, and a few layers of many are named."""
    layers = [
        RooflinePoint(
            f"/net/layer.{n}/query/MatMul", _rates(1_000_000 + 7 * n, 5_000 + 9 * n % 4000, 50_000 + n * n), 0
        )
        for n in range(count)
    ]
    figure = roofline_figure(RUN, layers)
    assert not list(cut_texts(figure))
    named = [text for text in figure.axes[0].texts if "…" in text.get_text() or "/" in text.get_text()]
    assert min(count, 1) <= len(named) <= 6
