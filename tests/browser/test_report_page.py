"""The report in a real browser: on paper, and in the dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page

from panacea_sim.report.page import report_page
from panacea_sim.report.themes import DARK, LIGHT
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.synthetic import synthetic_layer

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
_A4_PIXELS = 703
"""Between margins of 12 mm, at 96 pixels an inch."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a run of two layers with long names."""
    target = tmp_path_factory.mktemp("runs") / "report"
    names = [f"/backbone/encoder/layer.{number}/attention/self/query/MatMul" for number in (3, 4)]
    layers = [synthetic_layer(name=name, M=256, K=64, N=24, rho_w=0.3, rho_x=0.6, seed=3) for name in names]
    run(Scenario("report", tuple(layers), values=False), RunOptions(target))
    path = target / "report.html"
    path.write_text(report_page(open_run(target)), encoding="utf-8")
    return path


def _colour(page: Page | Frame, selector: str, name: str) -> str:
    found = page.evaluate("([s, name]) => getComputedStyle(document.querySelector(s))[name]", [selector, name])
    return "#" + bytes(int(part) for part in found[4:-1].split(",")).hex()


def test_paper_has_the_picture_in_place_of_the_timeline(report: Path, open_page: Open) -> None:
    """Printed, the timeline is gone and the picture is there, with a line that says so; on the screen both are."""
    page = open_page(report, is_timeline=False)
    assert page.locator("iframe").is_visible()
    assert not page.get_by_text("The timeline, which zooms").is_visible()
    page.emulate_media(media="print")
    assert not page.locator("iframe").is_visible()
    assert not page.get_by_role("heading", name="Timeline").is_visible()
    assert page.get_by_text("The timeline, which zooms").is_visible()
    assert page.locator("img").is_visible()
    assert page.evaluate("document.querySelector('img').naturalWidth") > 1000


def test_paper_keeps_colours_and_tables(report: Path, open_page: Open) -> None:
    """Printed from a dark screen, the page is light, bars keep their colours, and every table fits the width of A4."""
    page = open_page(report, is_timeline=False)
    page.set_viewport_size({"width": _A4_PIXELS, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    assert _colour(page, "body", "backgroundColor") == LIGHT.paper
    assert _colour(page, "body", "color") == LIGHT.ink
    assert page.evaluate("getComputedStyle(document.querySelector('.bar span')).printColorAdjust") == "exact"
    widths = page.evaluate(
        "[...document.querySelectorAll('table')].map((table) => table.getBoundingClientRect().right)"
    )
    assert len(widths) == 5
    assert max(widths) <= _A4_PIXELS
    # The rows of headings are repeated on each sheet.
    assert page.locator("table thead").count() == 5
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_report_is_dark_with_its_timeline(report: Path, open_page: Open) -> None:
    """In the dark, the page and the timeline in it have dark grounds."""
    page = open_page(report, is_timeline=False)
    page.emulate_media(color_scheme="dark")
    assert _colour(page, "body", "backgroundColor") == DARK.paper
    frame = page.frames[1]
    page.locator("iframe").scroll_into_view_if_needed()
    frame.wait_for_function("window.panacea && panacea.ready && panacea.drawn > 0")
    assert _colour(frame, "body", "backgroundColor") == DARK.paper
    assert frame.evaluate("panacea.models().laneAxis.major_label_text_color") == DARK.ink


def test_charts_have_the_colours_of_the_page(report: Path, open_page: Open) -> None:
    """Texts and bars of the charts follow the page into the dark and back onto paper, and keep inside of its width."""
    page = open_page(report, is_timeline=False)
    charts = page.locator(".chart svg")
    assert charts.count() == 2
    for media, theme in (("dark", DARK), ("light", LIGHT)):
        page.emulate_media(color_scheme=media)
        colours = {_colour(page, ".chart svg text", "fill")}
        assert colours == {theme.ink}
        bars = page.evaluate(
            "[...document.querySelectorAll('.chart svg path')].map((bar) => getComputedStyle(bar).fill)"
        )
        shown = {"#" + bytes(int(part) for part in bar[4:-1].split(",")).hex() for bar in bars if bar[:4] == "rgb("}
        assert shown & {*theme.curves}
        assert not shown - {*theme.curves, theme.paper, theme.ink, theme.muted, "#000000"}
    page.emulate_media(media="print", color_scheme="dark")
    assert _colour(page, ".chart svg text", "fill") == LIGHT.ink
    page.set_viewport_size({"width": _A4_PIXELS, "height": 1000})
    assert all(charts.nth(number).bounding_box()["width"] <= _A4_PIXELS for number in range(2))  # type: ignore[index]
    fonts = page.evaluate("getComputedStyle(document.querySelector('.chart svg text')).fontFamily")
    assert "DejaVu Sans" in fonts
    assert "sans-serif" in fonts
