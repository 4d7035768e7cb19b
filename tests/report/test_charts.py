"""Charts in a page: they have its colours and load nothing."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from panacea_sim.report.charts import chart_style, themed_svg
from panacea_sim.report.themes import DARK, LIGHT, class_curves, theme_css


@pytest.fixture
def figure() -> Figure:
    """Return a figure with a clip path, a hatch, a marker and all of the theme's colours."""
    with chart_style(9):
        figure = Figure(figsize=(4, 3))
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for place, colour in enumerate(LIGHT.curves):
            axes.barh(place, 1, color=colour, hatch="///", edgecolor=LIGHT.paper)
        axes.scatter([0.2, 0.4], [1, 2], color=LIGHT.muted)
        axes.plot([0, 1], [0, 1], "o-", color=LIGHT.line)
        axes.text(0.5, 3, "a < b & $c$", parse_math=False)
    return figure


def test_colours_are_those_of_the_page(figure: Figure) -> None:
    """No colour of the light theme is left: each is a variable, which both themes have."""
    text = themed_svg(figure, "one", "something")
    known = dict(re.findall(r"(--[\w-]+): (#\w{6});", theme_css().partition("@media")[0]))
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert {f"--curve-{number}" for number in range(8)} <= used <= set(known)
    assert "--ink" in used
    assert not set(re.findall(r"#[0-9a-f]{6}\b", text)) & {*LIGHT.curves, LIGHT.ink, LIGHT.muted}
    for name in used:
        assert f"{name}: " in theme_css().partition("@media")[2]


def test_it_is_an_element_that_loads_nothing(figure: Figure) -> None:
    """Well formed, without addresses of others, as wide as its room, with what it means for who cannot see it."""
    text = themed_svg(figure, "one", 'a < "b"')
    root = ET.fromstring(text.replace("xlink:href", "href"))  # noqa: S314  # our own
    assert root.tag == "svg"
    assert (root.get("role"), root.get("aria-label")) == ("img", 'a < "b"')
    assert root.get("viewBox")
    assert not {"width", "height"} & {*root.attrib}
    assert "http" not in text
    assert "a < b & $c$" in {"".join(each.itertext()) for each in root.iter("text")}


def test_charts_of_a_page_do_not_share_addresses(figure: Figure) -> None:
    """Every address inside leads somewhere, and that of another chart is another one."""
    one, other = (themed_svg(figure, name, "") for name in ("one", "two"))
    addresses = [set(re.findall(r' id="([^"]*)"', text)) for text in (one, other)]
    for text, mine in zip((one, other), addresses, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', text)) == mine
        assert mine
    assert not addresses[0] & addresses[1]
    assert themed_svg(figure, "one", "") == themed_svg(figure, "one", "")


def test_classes_have_colours_of_their_own() -> None:
    """Those of memory always have the same; what computes takes the others in turn, and late ones share the last."""
    computing = [f"compute of {name}" for name in "abcde"]
    found = class_curves([*computing, "latency", "bandwidth", "refresh", "row and turnaround"])
    assert len({*found.values()}) == 8
    assert found["compute of d"] == found["compute of e"] == 7
    assert class_curves(["bandwidth"])["bandwidth"] == found["bandwidth"]
    assert len({DARK.curves[curve] for curve in found.values()}) == 8
