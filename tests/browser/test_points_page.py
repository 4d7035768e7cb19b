"""The page of points in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from panacea_sim.report.points import Goal, ShownPoint, ShownPoints
from panacea_sim.report.points_page import write_points
from panacea_sim.report.tables import Column
from panacea_sim.report.themes import DARK, LIGHT
from panacea_sim.report.why import KnownWhy, WhyTable

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
AXES = ("hardware.n_dwo", "quantization.zpm", "hardware.n_cs")
GOALS = (Goal("cycles", "cycles", 1), Goal("energy_pj", "energy, pJ", 1), Goal("accuracy_db", "SQNR, dB", -1))
ERROR = "layer <l> does not fit </script>"


def _point(number: int) -> ShownPoint:
    settings = {"hardware.n_dwo": 1 + number % 4, "quantization.zpm": ("off", "auto")[number % 2], "hardware.n_cs": 4}
    if number == 7:
        return ShownPoint(number, settings, {}, ERROR)
    table = WhyTable(
        "The critical path", (Column("found", "name"), Column("on the path")), [["w_dma", f"{number} of <9>"]]
    )
    why = KnownWhy(f"run {number}: bound by bandwidth", (table,), ("By class: all.",))
    figures = {"cycles": 100 - number, "energy_pj": 10.0 + number, "accuracy_db": 30.0 if number else None}
    return ShownPoint(number, settings, figures, None, why)


POINTS = ShownPoints("a <b> sweep", AXES, GOALS, [_point(number) for number in range(12)])


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of twelve points: one has failed, one lacks a figure."""
    path = tmp_path_factory.mktemp("page") / "points.html"
    write_points(POINTS, path)
    return path


def _opened(open_page: Open, html: Path) -> Page:
    page = open_page(html, is_timeline=False)
    page.wait_for_function("window.panacea && panacea.ready")
    return page


def _chosen(page: Page) -> tuple[list[int], list[int], list[int]]:
    """Return the points that are chosen: in the pictures, on the page, and in the table by their numbers."""
    pictures: list[int] = page.evaluate("Array.from(panacea.models().source.selected.indices)")
    mine: list[int] = page.evaluate("panacea.chosen()")
    rows = page.locator("#rows tr[aria-selected=true] td:first-child").all_inner_texts()
    return sorted(pictures), sorted(mine), sorted(map(int, rows))


def _place(page: Page, figure: str, x: float, y: float) -> tuple[float, float]:
    """Return where in the window a place of a picture is."""
    left, top = page.evaluate(
        """([name, x, y]) => {
            const view = Bokeh.index.find_one(panacea.models()[name]);
            const { left, top } = view.el.getBoundingClientRect();
            return [left + view.frame.x_scale.compute(x), top + view.frame.y_scale.compute(y)];
        }""",
        [figure, x, y],
    )
    return left, top


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def test_what_is_chosen_in_one_is_chosen_in_all(html: Path, open_page: Open) -> None:
    """A box in the scatter, a box on an axis of the parallel coordinates, a row and the buttons choose the same way."""
    page = _opened(open_page, html)
    _drag(page, _place(page, "scatter", 95.5, 9.6), _place(page, "scatter", 100.4, 14.4))
    page.wait_for_function("panacea.chosen().length > 0")
    assert _chosen(page) == ([0, 1, 2, 3, 4],) * 3
    assert page.locator("#rows td:first-child").all_inner_texts()[:5] == ["0", "1", "2", "3", "4"]
    # The axis of the words off (0) and auto (1) is the second one; the failed point 7 has no line.
    _drag(page, _place(page, "parallel", 0.8, 0.8), _place(page, "parallel", 1.2, 1.1))
    page.wait_for_function("panacea.chosen().includes(9)")
    assert _chosen(page) == ([1, 3, 5, 9, 11],) * 3
    page.locator("#rows tr").nth(0).click(modifiers=["Control"])
    assert _chosen(page) == ([3, 5, 9, 11],) * 3
    page.locator("#rows tr").filter(has_text=ERROR).click()
    assert _chosen(page) == ([7],) * 3
    page.get_by_role("button", name="Choose those not beaten").click()
    assert _chosen(page) == (sorted(point.index for point in POINTS.front),) * 3
    page.get_by_role("button", name="Choose none").click()
    assert _chosen(page) == ([], [], [])


def test_each_point_opens_its_why(html: Path, open_page: Open) -> None:
    """A click on a point or on a row shows its own tables and sentences; of a failed one its error, escaped."""
    page = _opened(open_page, html)
    page.mouse.click(*_place(page, "scatter", 97, 13))
    page.wait_for_function("document.getElementById('opened').textContent === 'Why: point 3'")
    assert "run 3: bound by bandwidth" in page.locator("#text").inner_text()
    assert page.locator("#text tbody td").all_inner_texts() == ["w_dma", "3 of <9>"]
    page.locator("#rows tr").nth(5).press("Enter")
    assert page.locator("#opened").inner_text() == "Why: point 5"
    page.locator("#rows tr").filter(has_text=ERROR).click()
    assert page.locator("#text").inner_text() == f"It failed: {ERROR}"


def test_axes_and_order_are_chosen(html: Path, open_page: Open) -> None:
    """The scatter takes any two measures, and a title of the table sorts by it; figures that are missing come last."""
    page = _opened(open_page, html)
    assert page.locator("#x option").all_inner_texts() == ["n_dwo", "zpm", "cycles", "energy, pJ", "SQNR, dB"]
    page.select_option("#x", label="n_dwo")
    page.select_option("#y", label="cycles")
    found = page.evaluate("(({x, y}) => [Array.from(x), Array.from(y)])(panacea.models().source.data)")
    assert found[0] == [1 + number % 4 for number in range(12)]
    assert found[1][:7] == [100 - number for number in range(7)]
    assert page.get_by_text("The same in all: hardware.n_cs = 4.").is_visible()
    page.locator("#titles button", has_text="cycles").click()
    numbers = page.locator("#rows td:first-child").all_inner_texts()
    assert numbers == ["11", "10", "9", "8", "6", "5", "4", "3", "2", "1", "0", "7"]
    page.locator("#titles button", has_text="cycles").click()
    assert page.locator("#rows td:first-child").all_inner_texts() == [*numbers[-2::-1], "7"]


def test_light_and_dark(html: Path, open_page: Open) -> None:
    """Points and texts of the pictures follow what the reader prefers."""
    page = _opened(open_page, html)
    for theme, scheme in ((LIGHT, "light"), (DARK, "dark")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
        page.wait_for_function("(ink) => panacea.models().scatterX.major_label_text_color === ink", arg=theme.ink)
        colours = set(page.evaluate("panacea.models().source.data.colour"))
        assert colours == {theme.curves[0], theme.curves[1]}
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"points-{scheme}.png", full_page=True)
