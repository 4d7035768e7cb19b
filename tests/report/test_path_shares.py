"""The shares of the critical path: bars and columns are its cycles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from figures import cut_texts, overlapping_texts
from matplotlib.patches import Rectangle, StepPatch

from panacea_sim.explanation.explanation import Explanation, PathRow, joined
from panacea_sim.report.charts import themed_svg
from panacea_sim.report.path_shares import layer_shares_figure, path_shares_figure


def _explanation(*cycles: int, groups: Sequence[str] = ("pea", "ppu", "w_dma")) -> Explanation:
    rows = [
        PathRow(group, "transfer", "dram0", count, 1, {group: count})
        if group.endswith("dma")
        else PathRow(group, "service", "", count, 1, {group: count})
        for group, count in zip(groups, cycles, strict=True)
    ]
    rows.sort(key=lambda row: -row.cycles)
    return Explanation((0, sum(cycles)), tuple(rows), (), (), ())


def test_bars_are_the_rows_of_the_path() -> None:
    """Each row has its share; all classes side by side are the run."""
    top, below = path_shares_figure(_explanation(60, 10, 30)).axes
    assert [text.get_text() for text in below.get_yticklabels()] == [
        "pea service",
        "w_dma transfer (dram0)",
        "ppu service",
    ]
    bars = [bar for bar in below.patches if isinstance(bar, Rectangle)]
    assert [bar.get_width() for bar in bars] == [0.6, 0.3, 0.1]
    assert [text.get_text() for text in below.texts] == ["60 (60.0%)", "30 (30.0%)", "10 (10.0%)"]
    classes = [bar for bar in top.patches if isinstance(bar, Rectangle)]
    assert [bar.get_facecolor() for bar in classes] == [bar.get_facecolor() for bar in bars]
    assert len({bar.get_facecolor() for bar in bars}) == 3
    assert np.allclose([bar.get_x() for bar in classes], [0, 0.6, 0.9])


def test_small_rows_are_added_up() -> None:
    """The twelve longest are shown, and one bar for all others: together they are the whole run."""
    explanation = _explanation(*range(1, 31), groups=[f"group{number}" for number in range(30)])
    _, below = path_shares_figure(explanation).axes
    widths = [bar.get_width() for bar in below.patches if isinstance(bar, Rectangle)]
    assert len(widths) == 13
    assert below.get_yticklabels()[-1].get_text() == "18 more"
    assert sum(widths) == pytest.approx(1)


def test_layers_are_as_wide_as_long() -> None:
    """Each class is one area: its heights are the shares of each layer, and all together fill every layer."""
    layers = [("a", _explanation(60, 10, 30)), ("b", _explanation(0, 300, 100))]
    _, axes = layer_shares_figure(joined(layers), ["", ""]).axes
    areas = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert len(areas) == 3
    heights = []
    for area in areas:
        values, edges, base = area.get_data()
        assert edges.tolist() == [0, 100, 500]
        heights.append((np.asarray(values) - np.asarray(base)).tolist())
    assert np.allclose(heights, [[0.1, 0.75], [0.3, 0.25], [0.6, 0]])
    assert np.allclose(areas[-1].get_data()[0], 1)


def test_layers_of_a_block_share_its_name() -> None:
    """Where layers say their block, one name stands above those that follow each other."""
    layers = [(f"layer{number}", _explanation(10, 10, 10)) for number in range(6)]
    names, _ = layer_shares_figure(joined(layers), ["one", "one", "", "two", "two", "two"]).axes
    assert [text.get_text() for text in names.texts] == ["one", "layer2", "two"]


@pytest.mark.parametrize("count", [1, 12, 200])
def test_many_layers_stay_readable(count: int) -> None:
    """No text is cut, no name lies upon another, and the chart stays small."""
    layers = [
        (f"/backbone/layer.{number}/attention/query/MatMul", _explanation(1 + 97 * number % 89, 5, number % 3))
        for number in range(count)
    ]
    explanation = joined(layers)
    for figure in (path_shares_figure(explanation), layer_shares_figure(explanation, [""] * count)):
        assert not list(cut_texts(figure))
        assert not list(overlapping_texts(figure))
        assert len(themed_svg(figure, "chart", "")) < 150_000


def test_what_has_no_path_is_refused() -> None:
    """A window has no path, and a run in one simulation no layers."""
    window = Explanation((0, 10), None, (), (), ())
    with pytest.raises(ValueError, match="a window has no critical path"):
        path_shares_figure(window)
    with pytest.raises(ValueError, match="one critical path"):
        layer_shares_figure(_explanation(1, 2, 3), [])
