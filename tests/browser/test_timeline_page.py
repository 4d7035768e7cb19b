"""The timeline in a real browser."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Page
from timeline_pages import keep_screenshot, point_at, show, view_of

from panacea_sim.analysis.shares import state_shares
from panacea_sim.commands.main import main
from panacea_sim.energy.charging import default_charging
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.themes import DARK, LIGHT
from panacea_sim.report.timeline import write_timeline
from panacea_sim.report.timeline.content import timeline_content
from panacea_sim.report.timeline.document import timeline_page
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.synthetic import synthetic_layer

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Rows = list[dict[str, Any]]
LANE_HEIGHT = 0.84
"""Of a row's height; the rest is the gap to the next one."""
STATES = [state.value for state in State]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a run on 16 PEAs with firings that are narrower than two pixels of the whole run, and wider ones."""
    target = tmp_path_factory.mktemp("runs") / "small"
    layer = synthetic_layer(name="a<b & c", M=2048, K=128, N=24, rho_w=0.3, rho_x=0.6, seed=3)
    run(Scenario("small", layer, values=False), RunOptions(target, engine="reference"))
    return open_run(target)


@pytest.fixture(scope="module")
def html(stored: StoredRun) -> Path:
    """Return the timeline of the run."""
    path = stored.path / "timeline.html"
    write_timeline(stored, path)
    return path


@pytest.fixture(scope="module")
def coarse(stored: StoredRun) -> Path:
    """Return the timeline as if the run had too many intervals for a page."""
    path = stored.path / "coarse.html"
    path.write_text(timeline_page(timeline_content(stored, None, most_rows=100)), encoding="utf-8")
    return path


def _parts(page: Page) -> dict[str, npt.NDArray[np.float64]]:
    """Return the columns of the rectangles that are drawn."""
    columns = page.evaluate("Object.entries(panacea.parts()).map(([name, values]) => [name, Array.from(values)])")
    return {name: np.array(values, float) for name, values in columns}


def _drawn_shares(page: Page, first: float, last: float) -> dict[str, list[float]]:
    """Return the shares of the states in each lane, by the areas of the rectangles between first and last."""
    parts = _parts(page)
    width = np.minimum(parts["right"], last) - np.maximum(parts["left"], first)
    area = np.maximum(width, 0) * (parts["bottom"] - parts["top"])
    row = np.floor(parts["bottom"] + 0.5 - 1e-9)
    shares = {}
    for y, described in enumerate(page.evaluate("panacea.rows()")):
        if described["lane"]:
            sums = [area[(row == y) & (parts["state"] == state)].sum() for state in range(len(STATES))]
            shares[described["label"]] = [share / (last - first) / LANE_HEIGHT for share in sums]
    return shares


def _true_shares(rows: Rows, lane: str, first: float, last: float) -> list[float]:
    cycles = dict.fromkeys(STATES, 0.0)
    for row in rows:
        if row["component"] == lane:
            cycles[row["state"]] += max(min(row["end_cycle"], last) - max(row["start_cycle"], first), 0)
    return [cycles[state] / (last - first) for state in STATES]


def _hover_text(row: dict[str, Any]) -> str:
    """Return what the page has to say about an activity."""
    start, end = row["start_cycle"], row["end_cycle"]
    tile = ", ".join(f"{name} {row[name]}" for name in "mnk" if row[name] >= 0)
    lines = [
        f"{row['component']}: {row['state']}",
        f"cycles {start:,} to {end:,} ({end - start:,})",
        f"layer {row['layer']}" if row["layer"] else "",
        f"tile {tile}" if tile else "",
        f"cause {row['cause']}" if row["cause"] else "",
        f"other end {row['cause_component']}" if row["cause_component"] else "",
        f"{row['bytes']:,} bytes" if row["bytes"] else "",
        f"{row['dwo_steps']:,} DWO, {row['swo_steps']:,} SWO, {row['cs_steps']:,} CS steps" if row["dwo_steps"] else "",
    ]
    return "\n".join(line for line in lines if line)


def test_power_is_that_of_the_run(stored: StoredRun, html: Path, open_page: Open) -> None:
    """The areas of the whole run in mW, times its time, are the nominal energy of each category; the table is named."""
    page = open_page(html)
    assert stored.summary is not None
    found = default_charging().of(stored.summary).run
    drawn = page.evaluate("panacea.powerDrawn()")
    assert drawn["name"] == ["static", "DRAM", "buffer", "core"]
    for name, xs, ys in zip(drawn["name"], drawn["xs"], drawn["ys"], strict=True):
        cycles = np.subtract(xs[1::2], xs[::2])
        pj = found.of_category(name)
        assert pj is not None
        energy_pj = float(np.dot(cycles, ys[1::2])) / stored.heading.clock_hz * 1e9
        assert energy_pj == pytest.approx(float(pj.nominal), rel=1e-6)
    assert page.evaluate("panacea.describePower(700)").endswith("table default, DRAM by the bit")


def _point_at_bytes(page: Page, cycle: float, rate: float) -> None:
    """Move the mouse to a cycle and a value of the bytes a cycle."""
    x, y = page.evaluate(
        """([cycle, rate]) => {
             const view = Bokeh.index.find_one(panacea.models().bandwidth);
             view.el.scrollIntoView({block: "center"});
             const box = view.canvas_view.el.getBoundingClientRect();
             return [box.x + view.frame.x_scale.compute(cycle), box.y + view.frame.y_scale.compute(rate)];
           }""",
        [cycle, rate],
    )
    page.mouse.move(x, y - 1)
    page.mouse.move(x, y)


def test_all_lanes_are_there(html: Path, open_page: Open, stored: StoredRun) -> None:
    """The page opens offline and shows every component and channel, grouped by section."""
    page = open_page(html)
    page.wait_for_timeout(200)
    keep_screenshot(page, "whole-run")
    shown = page.evaluate("panacea.rows()")
    assert sorted(row["label"] for row in shown if row["lane"]) == sorted(stored.sections)
    assert [row["label"] for row in shown if not row["lane"]] == ["MEMORY", "CODECS", "COMPUTE", "OUTPUT"]
    assert page.locator("#leftOut").count() == 0


@pytest.mark.parametrize("kind", ["html", "coarse"])
def test_the_legend_has_the_states_that_occur(
    kind: str, request: pytest.FixtureRequest, open_page: Open, rows: Rows
) -> None:
    """The legend explains the states of the run and no other one."""
    page = open_page(request.getfixturevalue(kind))
    occurring = {row["state"] for row in rows}
    assert page.locator("#legend span").all_text_contents() == [state for state in STATES if state in occurring]
    assert len(occurring) < len(STATES)


@pytest.mark.parametrize("kind", ["html", "coarse"])
def test_drawn_shares_are_true(
    kind: str, request: pytest.FixtureRequest, open_page: Open, rows: Rows, stored: StoredRun
) -> None:
    """In any window, each lane is coloured as the table says; in the coarse page if no stretch of time is cut."""
    page = open_page(request.getfixturevalue(kind))
    first_cycle, last_cycle = map(int, view_of(page))
    chosen = np.random.default_rng(5)
    edges = np.arange(0, last_cycle, 5) if kind == "html" else state_shares(stored, 4096).edges
    windows = [(first_cycle, last_cycle), *(sorted(chosen.choice(edges, 2, replace=False)) for _ in range(6))]
    assert (_parts(page)["i"] < 0).sum() > 100
    for first, last in np.array(windows).tolist():
        if (first, last) != view_of(page):
            show(page, first, last)
        for lane, shares in _drawn_shares(page, first, last).items():
            assert shares == pytest.approx(_true_shares(rows, lane, first, last), abs=1e-9), (lane, first, last)


def test_a_cut_stretch_counts_in_proportion(coarse: Path, open_page: Open, stored: StoredRun, rows: Rows) -> None:
    """In any window, lanes of the coarse page are those of its stretches, each by the part of it that is in view."""
    page = open_page(coarse)
    shares = state_shares(stored, 4096)
    low, high = shares.edges[:-1], shares.edges[1:]
    widest = (high - low).max()
    assert widest > 1
    chosen = np.random.default_rng(7)
    for _ in range(6):
        first, last = sorted(chosen.uniform(0, shares.edges[-1], 2).tolist())
        last = min(max(last, first + 4), float(shares.edges[-1]))
        show(page, first, last)
        part = np.maximum(np.minimum(high, last) - np.maximum(low, first), 0) / (high - low) / (last - first)
        for lane, drawn in _drawn_shares(page, first, last).items():
            expected = part @ shares.cycles[shares.components.index(lane)]
            assert drawn == pytest.approx(expected.tolist(), abs=1e-9), (lane, first, last)
            # At either end, no more than a stretch can be wrong.
            assert drawn == pytest.approx(_true_shares(rows, lane, first, last), abs=2 * widest / (last - first))


def test_single_firings_tell_their_row(html: Path, open_page: Open, rows: Rows) -> None:
    """Zoomed in, what appears at the pointer is the row of the table, whatever the state."""
    page = open_page(html)
    for state in ("busy", "starved", "blocked", "contended"):
        row = max((row for row in rows if row["state"] == state), key=lambda row: row["end_cycle"] - row["start_cycle"])
        middle = (row["start_cycle"] + row["end_cycle"]) / 2
        show(page, row["start_cycle"] - 5, row["end_cycle"] + 5)
        page.wait_for_timeout(100)
        point_at(page, middle, row["component"])
        tooltip = page.locator(".bk-Tooltip div[style*=pre]").first
        tooltip.wait_for(timeout=5000)
        page.wait_for_timeout(100)
        assert tooltip.inner_text().strip() == _hover_text(row)
    keep_screenshot(page, "single-firing")
    row = next(row for row in rows if row["component"] == "pea5" and row["dwo_steps"])
    assert page.evaluate("i => panacea.describe(i)", _number(page, row)) == _hover_text(row)


def _number(page: Page, row: dict[str, Any]) -> int:
    """Return the number that the page has for an interval, which is then in view."""
    show(page, row["start_cycle"] - 5, row["end_cycle"] + 5)
    y = [each["label"] for each in page.evaluate("panacea.rows()")].index(row["component"])
    parts = _parts(page)
    found = (np.floor(parts["bottom"] + 0.5 - 1e-9) == y) & (parts["left"] == row["start_cycle"])
    return int(parts["i"][found].item())


def test_firings_are_single_when_zoomed_in(html: Path, open_page: Open, rows: Rows) -> None:
    """In a window with few firings, every rectangle is one interval of the table, with its cycles."""
    page = open_page(html)
    first, last = 1000, 1200
    show(page, first, last)
    parts = _parts(page)
    assert (parts["i"] >= 0).all()
    drawn = sorted(zip(parts["left"], parts["right"], strict=True))
    inside = [row for row in rows if row["start_cycle"] < last and row["end_cycle"] > first]
    assert drawn == sorted((row["start_cycle"], row["end_cycle"]) for row in inside)


def test_peas_join_to_one_lane_and_back(html: Path, open_page: Open, rows: Rows) -> None:
    """The button puts the mean of all PEAs into one lane, and takes it apart again."""
    page = open_page(html)
    first, last = view_of(page)
    before = page.evaluate("panacea.rows()")
    page.get_by_role("button", name="Join 16 PEAs").click()
    page.wait_for_timeout(200)
    keep_screenshot(page, "joined-peas")
    labels = [row["label"] for row in page.evaluate("panacea.rows()")]
    assert "16 PEAs" in labels
    assert "pea3" not in labels
    peas = [_true_shares(rows, f"pea{number}", first, last) for number in range(16)]
    assert _drawn_shares(page, first, last)["16 PEAs"] == pytest.approx(np.mean(peas, axis=0), abs=1e-9)
    page.get_by_role("button", name="Show 16 PEAs").click()
    page.wait_for_timeout(100)
    assert page.evaluate("panacea.rows()") == before


def _search(page: Page, text: str) -> str:
    page.locator("#search").fill(text)
    page.locator("#search").press("Enter")
    page.wait_for_timeout(150)
    return page.locator("#found").inner_text()


def test_search_jumps_to_a_tile(html: Path, open_page: Open, rows: Rows) -> None:
    """A component with a tile leads to the cycles of that firing, and says them."""
    page = open_page(html)
    row = next(row for row in rows if row["component"] == "pea3" and row["state"] == "busy" and row["m"] == 2)
    found = _search(page, f"pea3 {row['m']},{row['n']},{row['k']}")
    assert f"cycles {row['start_cycle']:,} to {row['end_cycle']:,}" in found
    first, last = view_of(page)
    assert first <= row["start_cycle"] < row["end_cycle"] <= last
    assert last - first < 3 * (row["end_cycle"] - row["start_cycle"])
    keep_screenshot(page, "search")


def test_search_jumps_to_a_layer(html: Path, open_page: Open, stored: StoredRun) -> None:
    """A layer's name, or a part of it, leads to the cycles of the layer."""
    page = open_page(html)
    layer = stored.summary.to_json()["layers"][0]
    for text in ("a<b & c", "B & ", "A<B & C"):
        show(page, 1000, 1500)
        assert f"Layer a<b & c: cycles {layer['start_cycle']:,} to {layer['end_cycle']:,} (" in _search(page, text)
        first, last = view_of(page)
        assert first <= layer["start_cycle"] < layer["end_cycle"] <= last


def test_search_answers(html: Path, open_page: Open) -> None:
    """The search says what it found, or what it understands."""
    page = open_page(html)
    for text, answer in [
        ("ppu", "ppu is marked."),
        ("pea99", "No component or layer pea99: the components are w_dma, x_dma"),
        ("pea3 99,0,0", "No firing of pea3 99,0,0 is recorded here."),
        ("PEA3", "pea3 is marked."),
        ("PPu 99,0,0", "No firing of PPu 99,0,0 is recorded here."),
        ("4,0", "Give a component (pea3), a tile (m,n,k), both (pea3 4,0,2), a cycle (12,345) or a layer."),
        ("99,999,999", "No firing of 99,999,999 is recorded here. Cycle 99,999,999 is not on this page"),
        ("cycle 99 999", "Cycle 99,999 is not on this page, which has cycles 0 to "),
        ("pea3 -1,0,0", "Give a component (pea3), a tile (m,n,k)"),
    ]:
        assert answer in _search(page, text)


@pytest.mark.parametrize("kind", ["html", "coarse"])
def test_search_jumps_to_a_cycle(kind: str, request: pytest.FixtureRequest, open_page: Open) -> None:
    """A number, however its thousands are separated, leads to that cycle, marks it, and shows what is around it."""
    page = open_page(request.getfixturevalue(kind))
    whole = view_of(page)
    for text in ("2345", "2,345", "2 345", "Cycle 2'345"):
        assert _search(page, "17") == "Cycle 17 is marked."
        show(page, *whole)
        assert _search(page, text) == "Cycle 2,345 is marked."
        first, last = view_of(page)
        assert (first + last) / 2 == 2345.5
        assert 0 < last - first < (whole[1] - whole[0]) / 20
        mark = page.evaluate("(({left, right, visible}) => [left, right, visible])(panacea.models().mark)")
        assert mark == [2345, 2346, True]


def test_what_is_searched_fits_into_its_field(html: Path, open_page: Open) -> None:
    """The field of the search shows all of what can be entered there."""
    page = open_page(html)
    room, needed = page.evaluate(
        """() => {
             const field = document.getElementById("search"), style = getComputedStyle(field);
             const context = document.createElement("canvas").getContext("2d");
             context.font = style.font;
             return [field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
                     context.measureText(field.placeholder).width];
           }"""
    )
    assert 100 < needed <= room


@pytest.mark.parametrize(
    ("link", "said", "shown"),
    [
        (
            "#x=90000000:90000100",
            "The link asks for cycles 90,000,000 to 90,000,100, but this page has cycles 0 to ",
            None,
        ),
        ("#x=-500:-20", "The link asks for cycles -500 to -20, but this page has cycles 0 to ", None),
        ("#x=100", "The link says x=100, not the first and the last cycle as x=A:B;", None),
        ("#x=900:800", "The link says x=900:800, not the first", None),
        ("#x=-500:1000", "The link asks for cycles -500 to 1,000, but", (0, 1000)),
        (
            "#x=200:1000&curves=q_none",
            "The link asks for the occupancy of q_none, which is not on this page.",
            (200, 1000),
        ),
        ("#x=200:1000", "", (200, 1000)),
        ("", "", None),
    ],
)
def test_a_link_off_range_is_said(
    link: str, said: str, shown: tuple[int, int] | None, stored: StoredRun, html: Path, open_page: Open
) -> None:
    """A link to what is not on the page says so, and shows what there is; one to what is there says nothing."""
    page = open_page(html, link)
    found = page.locator("#found").inner_text()
    assert found.startswith(said) if said else found == ""
    assert view_of(page) == (shown or (0, stored.end_cycle))


def test_the_address_leads_back_to_the_view(html: Path, open_page: Open) -> None:
    """The part of the address behind # follows the view; opened again it gives the same cycles, lanes and curves."""
    page = open_page(html)
    show(page, 1000, 1500)
    page.get_by_role("button", name="Join 16 PEAs").click()
    page.locator("#curves").select_option("q_pea3")
    page.wait_for_url("**joined=1&curves=q_pea3")
    fragment = page.url[page.url.index("#") :]
    again = open_page(html, fragment)
    assert view_of(again) == (1000, 1500)
    assert "16 PEAs" in [row["label"] for row in again.evaluate("panacea.rows()")]
    assert again.locator("#curves").input_value() == "q_pea3"


def test_it_works_inside_of_another_page(html: Path, open_page: Open) -> None:
    """In the sandbox of a report, where it has no address of its own, the timeline draws and zooms as well."""
    outer = html.with_name("outer.html")
    inside = escape(html.read_text(encoding="utf-8"))
    # The page around it has to look ready to `open_page`, too.
    script = "<script>panacea = {ready: true, drawn: 1}</script>"
    outer.write_text(f'{script}<iframe sandbox="allow-scripts" width=1200 height=900 srcdoc="{inside}"></iframe>')
    frame = open_page(outer).frames[1]
    frame.wait_for_function("window.panacea && panacea.ready && panacea.drawn > 0")
    frame.evaluate("panacea.show(100, 200)")
    frame.wait_for_function("panacea.drawn > 1")
    frame.page.wait_for_timeout(400)
    assert frame.evaluate("panacea.models().cycles.end") == 200


def _turn_wheel(page: Page, delta: int) -> None:
    page.mouse.move(700, 400)
    page.mouse.wheel(0, delta)
    page.wait_for_timeout(300)


def test_the_wheel_scrolls(html: Path, open_page: Open) -> None:
    """Over a figure, as elsewhere, the wheel moves the page and leaves the view alone; the page says what zooms."""
    page = open_page(html)
    page.set_viewport_size({"width": 1440, "height": 700})
    page.wait_for_timeout(300)
    before = view_of(page)
    _turn_wheel(page, 120)
    assert page.evaluate("scrollY") > 50
    assert view_of(page) == before
    assert "Ctrl + wheel zooms" in page.locator("#hint").inner_text()


@pytest.mark.parametrize("key", ["Control", "Meta"])
def test_the_wheel_zooms_with_ctrl_and_reset_returns(key: str, html: Path, open_page: Open) -> None:
    """With Ctrl or Cmd the wheel zooms to the cycle below the pointer and the page stays; reset shows the whole run."""
    page = open_page(html)
    page.set_viewport_size({"width": 1440, "height": 700})
    page.wait_for_timeout(300)
    first, last = view_of(page)
    page.mouse.move(700, 400)
    below = page.evaluate("panacea.cycleBelow({clientX: 700, clientY: 400})")
    page.keyboard.down(key)
    _turn_wheel(page, -100)
    page.keyboard.up(key)
    zoomed = view_of(page)
    assert zoomed[1] - zoomed[0] < 0.9 * (last - first)
    assert page.evaluate("panacea.cycleBelow({clientX: 700, clientY: 400})") == pytest.approx(below, abs=1)
    assert page.evaluate("[scrollY, visualViewport.scale]") == [0, 1]
    page.locator(".bk-tool-icon-reset").click()
    page.wait_for_timeout(300)
    assert view_of(page) == (first, last)


def test_the_wheel_zooms_alone_when_its_tool_is_chosen(html: Path, open_page: Open) -> None:
    """The tool of the wheel, once pressed, zooms without a key."""
    page = open_page(html)
    page.locator(".bk-tool-icon-wheel-zoom").click()
    first, last = view_of(page)
    _turn_wheel(page, -400)
    zoomed = view_of(page)
    assert zoomed[1] - zoomed[0] < last - first


def test_cycles_are_on_the_first_screen(html: Path, open_page: Open) -> None:
    """At 1440 x 900 the axis of cycles is above the lanes, in sight without scrolling, and has labels."""
    page = open_page(html)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_timeout(300)
    top, bottom, ticks = page.evaluate(
        """() => {
             const view = Bokeh.index.find_one(panacea.models().layers);
             const axis = view.axis_views.find(({model}) => panacea.models().layers.above.includes(model));
             const box = view.el.getBoundingClientRect();
             return [box.top + axis.bbox.top, box.top + axis.bbox.bottom, axis.tick_coords.major[0].length];
           }"""
    )
    assert 0 < top < bottom < 300
    assert ticks >= 3


def _choose_scheme(page: Page, scheme: str) -> None:
    """Prefer light or dark, as a reader does in the settings, and wait until the page knows."""
    page.emulate_media(color_scheme=scheme)
    ink = (DARK if scheme == "dark" else LIGHT).ink
    page.wait_for_function(f"panacea.models().laneAxis.major_label_text_color === '{ink}'")


def _pixels(page: Page) -> npt.NDArray[np.int64]:
    """Return what is on the screen, as [y, x, red green blue]."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return np.asarray(picture.convert("RGB"), np.int64)


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))


def _lane_pixels(page: Page, lane: str, first: float, last: float) -> npt.NDArray[np.int64]:
    """Return the pixels from left to right in the middle of a lane, between two cycles."""
    left, right, y = page.evaluate(
        """([lane, first, last]) => {
             const view = Bokeh.index.find_one(panacea.models().lanes);
             const box = view.canvas_view.el.getBoundingClientRect();
             const row = panacea.rows().findIndex(({label}) => label === lane);
             const x = (cycle) => box.x + view.frame.x_scale.compute(cycle);
             return [x(first), x(last), box.y + view.frame.y_scale.compute(row)];
           }""",
        [lane, first, last],
    )
    return _pixels(page)[round(y), int(left) + 2 : int(right) - 2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["html", "coarse"])
def test_no_gap_shows_where_there_is_none(
    kind: str, scheme: str, request: pytest.FixtureRequest, open_page: Open, rows: Rows
) -> None:
    """Where a PEA is busy all the time, at any zoom, every pixel has the colour of busy, or of a line between firings.

    The page behind the lane, light or dark, is not seen.
    """
    page = open_page(request.getfixturevalue(kind))
    _choose_scheme(page, scheme)
    whole = view_of(page)
    for zoom in (1, 2.7, 13, 60):
        first = whole[0] + (whole[1] - whole[0]) / 3.1
        last = first + (whole[1] - whole[0]) * 0.6 / zoom
        show(page, first, last)
        page.wait_for_timeout(200)
        lane, low, high = _longest_busy(rows, first, last)
        assert high - low > (last - first) / 20
        _assert_busy(_lane_pixels(page, lane, low, high), scheme)


def _assert_busy(pixels: np.ndarray, scheme: str) -> None:
    """Check pixels of a lane that is busy."""
    theme = DARK if scheme == "dark" else LIGHT
    busy, ink, paper = (np.array(_rgb(colour)) for colour in (STATE_COLOURS[State.BUSY], theme.ink, theme.paper))
    # Between the colour of busy and 0.45 of that of text, which leads away from the page.
    towards = ink - busy
    part = (pixels - busy) @ towards / (towards @ towards)
    assert np.abs(pixels - busy - part[:, None] * towards).max() <= 3
    assert part.min() >= -0.01
    assert part.max() <= 0.47
    assert np.abs(pixels - paper).sum(axis=1).min() > 150
    assert (part < 0.01).mean() > 0.7


def _longest_busy(rows: Rows, first: float, last: float) -> tuple[str, float, float]:
    """Return the PEA that is busy for the longest between two cycles, and from when to when."""
    longest = ("", 0.0, 0.0)
    for lane in sorted({row["component"] for row in rows if row["component"].startswith("pea")}):
        low = high = first
        for row in sorted((row for row in rows if row["component"] == lane), key=lambda row: row["start_cycle"]):
            if row["state"] != "busy" or row["end_cycle"] <= first:
                continue
            low = low if row["start_cycle"] <= high else row["start_cycle"]
            high = min(row["end_cycle"], last)
            if high - low > longest[2] - longest[1]:
                longest = (lane, low, high)
    return longest


def test_dark_is_dark_everywhere(html: Path, open_page: Open) -> None:
    """Page, figures, text and curves follow the reader's choice of dark or light, at once."""
    page = open_page(html)
    for scheme, theme in (("dark", DARK), ("light", LIGHT)):
        _choose_scheme(page, scheme)
        page.wait_for_timeout(200)
        keep_screenshot(page, scheme)
        pixels = _pixels(page)
        share = (np.abs(pixels - _rgb(theme.paper)).sum(axis=2) == 0).mean()
        assert share > 0.25
        models = "panacea.models()"
        assert page.evaluate(f"{models}.laneAxis.major_label_text_color") == theme.ink
        assert page.evaluate(f"{models}.utilizationSource.data.colour") == list(theme.curves[:3])
        assert page.evaluate("getComputedStyle(document.body).color") == f"rgb({', '.join(map(str, _rgb(theme.ink)))})"
        other = LIGHT if scheme == "dark" else DARK
        assert (np.abs(pixels - _rgb(other.paper)).sum(axis=2) == 0).mean() < 0.05


def test_curves_are_true(html: Path, open_page: Open, stored: StoredRun) -> None:
    """The mean of a drawn curve over a window is that of the tables: bytes in a memory, bytes a cycle on a bus."""
    page = open_page(html)
    first, last = 300, 1700
    show(page, first, last)
    lines = page.evaluate(
        "panacea.curvesDrawn().flatMap(({name, xs, ys}) =>"
        " name.map((each, i) => [each, Array.from(xs[i]), Array.from(ys[i])]))"
    )
    means = {name: float(np.sum(np.diff(xs) * np.array(ys)[:-1])) / (last - first) for name, xs, ys in lines}
    moved = dict.fromkeys(("dram0", "dram1"), 0.0)
    for row in stored.dataset("dram").to_table().to_pylist():
        inside = max(min(row["end_cycle"], last) - max(row["start_cycle"], first), 0)
        moved[row["channel"]] += row["bytes"] * inside / (row["end_cycle"] - row["start_cycle"]) / (last - first)
    held = np.zeros(last)
    for row in stored.dataset("queues").to_table().to_pylist():
        if row["queue"] == "WMEM":
            held[row["cycle"] :] = row["occupancy"]
    assert {name: means[name] for name in moved} == pytest.approx(moved)
    assert means["WMEM"] == pytest.approx(held[first:].mean())


def test_channels_are_stacked(html: Path, open_page: Open) -> None:
    """Each channel is an area upon the ones before it, and the pointer finds the value of each and their sum."""
    page = open_page(html)
    show(page, 300, 1700)
    lines = page.evaluate("panacea.curvesDrawn()[1]")
    areas = page.evaluate(
        "(({name, xs, ys}) => ({name, xs: xs.map(x => Array.from(x)), ys: ys.map(y => Array.from(y))}))"
        "(panacea.channelAreas())"
    )
    assert areas["name"] == lines["name"] == ["dram0", "dram1"]
    below = np.zeros(len(lines["xs"][0]))
    for corners, heights, xs, ys in zip(areas["xs"], areas["ys"], lines["xs"], lines["ys"], strict=True):
        assert corners == [*xs, *xs[::-1]]
        assert heights == pytest.approx([*(below + ys), *below[::-1]])
        below += ys
    bin_number = int(np.argmax(np.minimum(*np.array(lines["ys"]))))
    middle = (lines["xs"][0][bin_number] + lines["xs"][0][bin_number + 1]) / 2
    values = [ys[bin_number] for ys in lines["ys"]]
    _point_at_bytes(page, middle, values[0] / 2)
    tooltip = page.locator(".bk-Tooltip div[style*=pre]").first
    tooltip.wait_for(timeout=5000)
    keep_screenshot(page, "channels")
    found = [float(text.replace(",", "")) for text in re.findall(r": ([\d.,]+) bytes/cycle", tooltip.inner_text())]
    assert found == pytest.approx([*values, sum(values)], abs=0.06)


@pytest.mark.parametrize("kind", ["html", "coarse"])
def test_utilization_is_true(kind: str, request: pytest.FixtureRequest, open_page: Open, stored: StoredRun) -> None:
    """Each of the three curves is, in each of its bins, the steps of the rows in percent of the operators."""
    page = open_page(request.getfixturevalue(kind))
    if kind == "html":
        show(page, 611, 1737.5)
        keep_screenshot(page, "utilization")
    names, xs, ys = page.evaluate(
        "(({name, xs, ys}) => [name, xs.map(x => Array.from(x)), ys.map(y => Array.from(y))])(panacea.curvesDrawn()[2])"
    )
    assert names == ["DWO", "SWO", "CS"]
    table = stored.dataset("activities").to_table()
    start, end = (table[name].to_numpy().astype(float) for name in ("start_cycle", "end_cycle"))
    operators, makespan = stored.summary.to_json()["operators"], stored.summary.to_json()["makespan_cycles"]
    for name, lefts, values in zip(names, np.array(xs), np.array(ys), strict=True):
        edges = np.append(lefts[::2], lefts[-1])
        covered = np.maximum(np.minimum(end, edges[1:, None]) - np.maximum(start, edges[:-1, None]), 0)
        steps = covered @ (table[f"{name.lower()}_steps"].to_numpy() / (end - start))
        capacity = operators[f"{name.lower()}_capacity"] / makespan * np.diff(edges)
        assert 0 < values.max() <= 100
        # A stretch that a bin cuts counts in proportion, and the steps of stretches are rounded.
        assert values[::2] == pytest.approx(100 * steps / capacity, abs=1e-6 if kind == "html" else 1)


def test_a_coarse_page_says_what_it_left_out(coarse: Path, open_page: Open, rows: Rows) -> None:
    """With too many intervals the page still opens, tells what is missing and how to see it."""
    page = open_page(coarse)
    notes = " ".join(page.locator("#notes li").all_text_contents())
    assert f"{len(rows):,} intervals are too many for a page" in notes
    assert "--window A:B shows them" in notes
    first, last = view_of(page)
    assert page.locator("#command").inner_text() == _command(coarse.parent, first, last)
    assert "Single tiles are not in this page" in _search(page, "0,0,0")
    keep_screenshot(page, "coarse")


def _command(run: Path, first: float, last: float) -> str:
    return f"panacea-sim timeline {shlex.quote(str(run))} --window {int(first)}:{-int(-last // 1)}"


def test_a_coarse_page_has_the_command_of_its_view(coarse: Path, open_page: Open, stored: StoredRun) -> None:
    """The command follows the view, and draws just these cycles with every interval; one page in detail has none."""
    page = open_page(coarse)
    assert "and a page holds 100: zoom in first" in page.locator("#detail").inner_text()
    show(page, 700.25, 750.5)
    command = page.locator("#command").inner_text()
    assert command == _command(coarse.parent, 700, 751)
    detailed = stored.path / "detailed.html"
    assert main([*shlex.split(command)[1:], "--html", str(detailed)]) == 0
    again = open_page(detailed)
    assert view_of(again) == (700, 751)
    assert not again.locator("#detail").is_visible()
    assert again.evaluate("panacea.search('pea3 *,*,*'); document.getElementById('found').textContent") != ""


@pytest.mark.parametrize("level", ["stalls", "window"])
def test_parts_of_a_trace_are_shown(level: str, tmp_path: Path, open_page: Open) -> None:
    """A trace of stalls alone, or of a window, says at its top what was not recorded, and shows what was.

    The axis has the recorded cycles and no other ones, though rows reach beyond them; all curves end with it.
    """
    layer = synthetic_layer(name="layer", M=128, K=64, N=12, rho_w=0.3, rho_x=0.6, seed=3)
    trace = TraceOptions("stalls") if level == "stalls" else TraceOptions("full", (300, 500))
    run(Scenario("part", layer, values=False), RunOptions(tmp_path / "part", engine="reference", trace=trace))
    stored = open_run(tmp_path / "part")
    write_timeline(stored, tmp_path / "part.html")
    page = open_page(tmp_path / "part.html")
    keep_screenshot(page, f"only-{level}")
    end = stored.summary.to_json()["makespan_cycles"]
    rows = stored.dataset("activities").to_table().to_pylist()
    assert level == "stalls" or max(row["end_cycle"] for row in rows) > 500
    first, last = view_of(page)
    assert (first, last) == ((0, end) if level == "stalls" else (300, 500))
    window_text = f"Only the cycles 300 to 500 of {end:,} were recorded (--window)."
    said = "Busy and idle were not recorded (--trace stalls)." if level == "stalls" else window_text
    assert page.locator("#leftOut").inner_text() == said
    notes = " ".join(page.locator("#notes li").all_text_contents())
    assert bool(re.search("not recorded", notes)) == (level == "stalls")
    curves = page.evaluate("panacea.curvesDrawn().map(({name}) => name)")
    assert curves[1:] == ([[], []] if level == "stalls" else [["dram0", "dram1"], ["DWO", "SWO", "CS"]])
    for lane, shares in _drawn_shares(page, first, last).items():
        assert shares == pytest.approx(_true_shares(rows, lane, first, last), abs=1e-9), lane
        assert level == "stalls" or sum(shares) == pytest.approx(1), lane
