"""What a reader does with causes in a timeline: the path, clicks on stalls, ranges, keys; one page for all tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from timeline_pages import keep_screenshot, place_of, point_at, show, view_of

from panacea_sim.explanation.explained import explained, recorded_segments
from panacea_sim.report.themes import DARK, LIGHT
from panacea_sim.report.timeline import write_timeline
from panacea_sim.report.timeline.content import timeline_content
from panacea_sim.report.timeline.document import timeline_page
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.synthetic import synthetic_layer

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Rows = list[dict[str, Any]]
_STALLS = ("starved", "blocked", "contended", "waiting")
_LANE_HEIGHT = 0.84


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a run that waits for everything: memory, queues, and the order of its streams."""
    target = tmp_path_factory.mktemp("runs") / "small"
    layer = synthetic_layer(name="layer", M=1024, K=128, N=24, rho_w=0.3, rho_x=0.6, seed=3)
    run(Scenario("small", layer, values=False), RunOptions(target, engine="reference"))
    return open_run(target)


@pytest.fixture(scope="module")
def shared(stored: StoredRun, open_shared_page: Open) -> Page:
    """Return its timeline."""
    path = stored.path / "timeline.html"
    write_timeline(stored, path)
    return open_shared_page(path)


@pytest.fixture
def page(shared: Page, stored: StoredRun) -> Page:
    """Return its timeline as it was when it was opened."""
    shared.locator("#cycle").fill("")
    shared.locator("#search").fill("")
    shared.evaluate("document.activeElement.blur()")
    if shared.locator("#together[aria-pressed=true]").count():
        shared.click("#together")
    for _ in range(2):
        shared.keyboard.press("Escape")
    if shared.locator("#stalls").is_visible():
        shared.click("#stallsButton")
    if view_of(shared) != (0, stored.end_cycle):
        show(shared, 0, stored.end_cycle)
    assert _said(shared) == ""
    return shared


@pytest.fixture(scope="module")
def coarse(stored: StoredRun, open_shared_page: Open) -> Page:
    """Return the timeline as if the run had too many intervals for a page."""
    path = stored.path / "coarse.html"
    path.write_text(timeline_page(timeline_content(stored, None, most_rows=100)), encoding="utf-8")
    return open_shared_page(path)


def _said(page: Page) -> str:
    return page.locator("#found").inner_text()


def _click(page: Page, cycle: float, lane: str) -> None:
    page.mouse.click(*place_of(page, cycle, lane))
    page.wait_for_timeout(150)


def _row_in(rows: Rows, component: str, cycle: int) -> dict[str, Any]:
    (row,) = (row for row in rows if row["component"] == component and row["start_cycle"] <= cycle < row["end_cycle"])
    return row


def _span(start: int, end: int) -> str:
    return f"cycles {start:,} to {end:,} ({end - start:,})"


def _lit(page: Page) -> list[tuple[str, float, float]]:
    """Return component, start and end of what is outlined, without the lines from lane to lane."""
    found: list[list[Any]] = page.evaluate(
        """(({left, right, bottom, top}) => Array.from(left, (start, i) =>
             [panacea.laneLabel(Math.round((bottom[i] + top[i]) / 2)), start, right[i]]))
           (panacea.models().litSource.data)"""
    )
    return [(label, start, end) for label, start, end in found if end > start]


def test_the_path_has_a_lane(page: Page, stored: StoredRun) -> None:
    """In any view, its colours have the cycles of each kind of stretch; the legend has the kinds that occur."""
    segments = recorded_segments(stored).to_pylist()
    assert page.locator("#pathLegend span").all_text_contents() == [
        kind for kind in ("service", "transfer", "device", "latency") if kind in {each["kind"] for each in segments}
    ]
    kinds = page.evaluate("JSON.parse(document.getElementById('header').textContent).path.kinds")
    for first, last in ((0, stored.end_cycle), (101, 333), (stored.end_cycle - 50, stored.end_cycle)):
        if view_of(page) != (first, last):
            show(page, first, last)
        expected = Counter[str]()
        for each in segments:
            expected[each["kind"]] += max(min(each["end_cycle"], last) - max(each["start_cycle"], first), 0)
        parts = page.evaluate(
            """(({left, right, bottom, top, state}) => Array.from(left, (_, i) =>
                 [left[i], right[i], bottom[i] - top[i], state[i]]))(panacea.pathParts())"""
        )
        found = Counter[str]()
        for left, right, height, state in parts:
            found[kinds[int(state)]] += (min(right, last) - max(left, first)) * height / _LANE_HEIGHT
        assert {kind: cycles for kind, cycles in found.items() if cycles > 1e-6} == pytest.approx(
            {kind: cycles for kind, cycles in expected.items() if cycles}
        )


def test_the_path_tells_what_it_is(page: Page, stored: StoredRun) -> None:
    """The pointer shows component, kind, cause and cycles of a stretch; a click marks where it is."""
    segments = recorded_segments(stored).to_pylist()
    number, row = max(enumerate(segments), key=lambda each: each[1]["end_cycle"] - each[1]["start_cycle"])
    lines = [f"critical path: {row['component']}", row["kind"]]
    lines += [f"cause {row['cause']}"] if row["cause"] else []
    lines.append(_span(row["start_cycle"], row["end_cycle"]))
    assert page.evaluate("i => panacea.describePath(i)", number) == "\n".join(lines)
    page.evaluate("cycle => panacea.clickPath(cycle)", (row["start_cycle"] + row["end_cycle"]) / 2)
    assert _said(page).startswith(f"Critical path: {row['component']} {row['kind']}")
    mark = page.evaluate("(({left, right, visible}) => [left, right, visible])(panacea.models().mark)")
    assert mark == [row["start_cycle"], row["end_cycle"], True]


@pytest.mark.parametrize("state", ["starved", "blocked", "contended"])
def test_a_click_on_a_stall_lights_up_its_chain(state: str, page: Page, rows: Rows, stored: StoredRun) -> None:
    """From other end to other end in the cycle that was clicked, up to what the root causes blame."""
    stalls = [row for row in rows if row["state"] == state and not row["component"].startswith("dram")]
    causes = {(each.component, str(each.terminal)) for each in explained(stored).root_causes}
    for row in sorted(stalls, key=lambda row: row["start_cycle"] - row["end_cycle"])[:40:13]:
        start, end = row["start_cycle"], row["end_cycle"]
        show(page, start - 20, end + 20)
        cycle = (start + end) // 2
        _click(page, cycle + 0.5, row["component"])
        at = page.evaluate("panacea.lit().cycle")
        assert abs(at - cycle) <= 1 + (end - start) / 400
        members, blamed, end_of_chain = page.evaluate(
            """(({members, blamed, end}) => [members.map(({lane}) => lane), blamed ? blamed.lane : null, end])
               (panacea.lit().chain)"""
        )
        names = [_lane_names(page)[lane] for lane in members]
        chain = [_row_in(rows, name, at) for name in names]
        assert chain[0] == row
        assert [each["cause_component"] for each in chain[:-1]] == names[1:]
        if blamed is not None:
            chain.append(_row_in(rows, _lane_names(page)[blamed], at))
        assert _lit(page) == [(each["component"], each["start_cycle"], each["end_cycle"]) for each in chain]
        words = {
            "busy": f"{end_of_chain['name']} busy",
            "transfer": f"transfer of {end_of_chain['name']} on {end_of_chain['cause']}",
            "device": f"{end_of_chain['cause']} of {end_of_chain['name']}",
            "latency": f"latency of {end_of_chain['name']}",
        }[end_of_chain["kind"]]
        assert (row["component"], words) in causes
        assert _said(page).startswith(" <- ".join([f"{names[0]} {state}", *names[1:]]))
    keep_screenshot(page, f"chain-{state}")
    page.keyboard.press("Escape")
    assert _lit(page) == []


def _lane_names(page: Page) -> list[str]:
    names: list[str] = page.evaluate(
        "JSON.parse(document.getElementById('header').textContent).lanes.map(({name}) => name)"
    )
    return names


def test_a_click_jumps_to_the_cause(page: Page, rows: Rows) -> None:
    """What is too narrow to be seen is zoomed to; a cause that is off the screen is scrolled to."""
    row = next(
        row
        for row in rows
        if row["component"] == "pea15" and row["state"] == "starved" and row["cause_component"] == "dispatcher"
    )
    page.set_viewport_size({"width": 1300, "height": 420})
    page.evaluate("scrollTo(0, 600)")
    page.wait_for_timeout(200)
    _click(page, (row["start_cycle"] + row["end_cycle"]) / 2, "pea15")
    first, last = view_of(page)
    start, end = page.evaluate("[panacea.lit().chain.from, panacea.lit().chain.to]")
    assert first <= start < end <= last
    assert (end - start) / (last - first) * 1100 >= 12
    page.wait_for_timeout(200)
    name = _lit(page)[-1][0]
    _, y = place_of(page, start, name)
    assert 0 < y < 420, name
    page.set_viewport_size({"width": 1300, "height": 1000})
    page.evaluate("scrollTo(0, 0)")


def test_a_click_on_what_is_no_stall_says_so(page: Page, rows: Rows) -> None:
    """A busy component has no cause to show."""
    row = max(
        (row for row in rows if row["component"] == "pea3" and row["state"] == "busy"),
        key=lambda row: row["end_cycle"] - row["start_cycle"],
    )
    show(page, row["start_cycle"] - 5, row["end_cycle"] + 5)
    _click(page, (row["start_cycle"] + row["end_cycle"]) / 2, "pea3")
    assert _said(page).startswith("pea3 is busy in cycle ")
    assert _lit(page) == []


def test_joined_lanes_come_apart_for_a_chain(page: Page, rows: Rows) -> None:
    """A click on the lane of all PEAs finds one that stalls there, and shows it by itself."""
    stall = next(row for row in rows if row["component"] == "pea7" and row["state"] == "starved")
    page.click("#together")
    page.wait_for_timeout(150)
    _click(page, stall["start_cycle"] + 1, "16 PEAs")
    labels = [row["label"] for row in page.evaluate("panacea.rows()")]
    assert "pea15" in labels
    assert _lit(page)[0][0].startswith("pea")


def _drag(page: Page, first: float, last: float, key: str = "") -> tuple[int, int]:
    """Drag from one cycle to another over the lanes, and return the range that the page says."""
    (left, y), (right, _) = place_of(page, first, "dispatcher"), place_of(page, last, "dispatcher")
    if key:
        page.keyboard.down(key)
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move((left + right) / 2, y)
    page.mouse.move(right, y)
    page.mouse.up()
    if key:
        page.keyboard.up(key)
    page.wait_for_timeout(150)
    left, right, is_shown = page.evaluate(
        "(({left, right, visible}) => [left, right, visible])(panacea.models().chosen)"
    )
    assert is_shown
    assert page.locator("#rangeText").inner_text() == f"Totals, {_span(left, right)}"
    return int(left), int(right)


def _totals(page: Page) -> dict[str, Counter[tuple[str, str]]]:
    """Return the cycles of each group by state and cause, as the table says them."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    group = ""
    cells = "({cells}) => Array.from(cells, ({textContent}) => textContent)"
    for line in page.evaluate(f"Array.from(document.querySelectorAll('#totals tr'), {cells})"):
        if len(line) == 1:
            group = line[0]
            found[group] = Counter()
        else:
            found[group][line[0], line[1]] += int(line[2].replace(",", ""))
    return found


def _expected_totals(stored: StoredRun, rows: Rows, first: int, last: int) -> dict[str, Counter[tuple[str, str]]]:
    found: dict[str, Counter[tuple[str, str]]] = {}
    for row in rows:
        name = "16 PEAs" if row["component"].startswith("pea") else row["component"]
        cycles = min(row["end_cycle"], last) - max(row["start_cycle"], first)
        cause = "q_pea*" if row["cause"].startswith("q_pea") else row["cause"]
        cause = "q_sum*" if cause.startswith("q_sum") else cause
        if cycles > 0:
            found.setdefault(name, Counter())[row["state"], cause] += cycles
    path = found["critical path"] = Counter()
    for each in recorded_segments(stored).to_pylist():
        cycles = min(each["end_cycle"], last) - max(each["start_cycle"], first)
        if cycles > 0:
            path[f"{each['component']} {each['kind']}", each["cause"]] += cycles
    return found


def test_a_range_has_totals(page: Page, stored: StoredRun, rows: Rows) -> None:
    """Shift and dragging choose cycles; the table has those of each group by state and cause, and the path's."""
    before = view_of(page)
    first, last = _drag(page, 300, 700, "Shift")
    assert abs(first - 300) + abs(last - 700) < 10
    assert view_of(page) == before
    keep_screenshot(page, "range")
    found, expected = _totals(page), _expected_totals(stored, rows, first, last)
    assert set(found) == set(expected)
    path = expected.pop("critical path")
    assert found.pop("critical path").items() <= path.items()
    for group, counts in expected.items():
        whole = {key: cycles for key, cycles in found[group].items() if not key[1].endswith("others")}
        assert whole.items() <= counts.items(), group
        assert sum(found[group].values()) == sum(counts.values()), group
    page.keyboard.press("Escape")
    assert not page.locator("#range").is_visible()
    assert not page.evaluate("panacea.models().chosen.visible")


def test_the_tool_of_ranges_needs_no_key(page: Page) -> None:
    """The tool above the lanes, once pressed, chooses cycles by dragging alone; moving comes back with its tool."""
    page.locator(".bk-tool-icon-x-box-select").first.click()
    first, last = _drag(page, 200, 500)
    assert abs(first - 200) + abs(last - 500) < 10
    page.click("#clearRange")
    assert not page.locator("#range").is_visible()
    page.locator(".bk-tool-icon-x-pan").first.click()


def test_a_coarse_page_has_totals_of_states(coarse: Page, stored: StoredRun, rows: Rows) -> None:
    """Where there are no single intervals, totals are those of the states, and a click says how to see more."""
    coarse.evaluate("last => panacea.chooseRange(0, last)", stored.end_cycle)
    states = Counter[tuple[str, str]]()
    for row in rows:
        if row["component"] == "w_dma":
            states[row["state"], ""] += row["end_cycle"] - row["start_cycle"]
    assert _totals(coarse)["w_dma"] == states
    _click(coarse, 100, "w_dma")
    assert "Single stalls are not in this page; --window A:B shows them" in _said(coarse)
    coarse.keyboard.press("n")
    coarse.wait_for_timeout(150)
    assert coarse.evaluate("panacea.models().mark.visible")


def _listed(page: Page) -> list[tuple[str, str, int]]:
    """Return component, state and cycles of the listed stalls."""
    found = []
    for text in page.locator("#stallList button").all_inner_texts():
        cycles, component, state = text.split()[:3]
        found.append((component, state, int(cycles.replace(",", ""))))
    return found


def test_stalls_on_the_path_are_listed(page: Page, rows: Rows) -> None:
    """The longest come first, and a click leads to one: it is in view, lit, and the one that is marked."""
    page.click("#stallsButton")
    found = _listed(page)
    assert page.locator("#stallsTitle").inner_text() == f"{len(found)} stalls on the critical path"
    cycles = [each[2] for each in found]
    assert cycles == sorted(cycles, reverse=True)
    known = Counter((row["component"], row["state"], row["end_cycle"] - row["start_cycle"]) for row in rows)
    assert not Counter(found) - known
    page.locator("#stallList button").nth(2).click()
    page.wait_for_timeout(200)
    keep_screenshot(page, "path-stalls")
    component, start, end = _lit(page)[0]
    assert (component, end - start) == (found[2][0], found[2][2])
    first, last = view_of(page)
    assert first <= start < end <= last
    assert page.locator("#stallList button[aria-current]").count() == 1
    assert page.locator("#stallList button").nth(2).get_attribute("aria-current") is not None


def test_keys_go_through_the_stalls(page: Page, rows: Rows) -> None:
    """N and p go through the stalls on the path in order of time, and say where there are no more."""
    count = len(timeline_stalls := page.evaluate("panacea.pathStalls()"))
    expected = sorted((each["start"], each["end"]) for each in timeline_stalls)
    met = []
    for _ in range(count):
        page.keyboard.press("n")
        page.wait_for_timeout(60)
        _, start, end = _lit(page)[0]
        met.append((start, end))
    assert met == expected
    page.keyboard.press("n")
    assert _said(page) == "There is no stall on the path after this one."
    page.keyboard.press("p")
    page.wait_for_timeout(60)
    assert _lit(page)[0][1:] == expected[-2]
    assert len(rows) > count


def test_keys_move_and_zoom(page: Page, stored: StoredRun) -> None:
    """Arrows move by a quarter of the view, plus and minus zoom around its middle, within the run."""
    show(page, 400, 600)
    page.keyboard.press("ArrowRight")
    assert view_of(page) == (450, 650)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert view_of(page) == (350, 550)
    page.keyboard.press("+")
    assert view_of(page) == pytest.approx((450 - 100 / 1.5, 450 + 100 / 1.5))
    page.keyboard.press("-")
    assert view_of(page) == pytest.approx((350, 550))
    for _ in range(12):
        page.keyboard.press("-")
    assert view_of(page) == (0, stored.end_cycle)
    page.keyboard.press("Control+ArrowRight")
    assert view_of(page) == (0, stored.end_cycle)


def test_fields_keep_their_keys(page: Page) -> None:
    """What is typed into a field stays there; Escape leaves the field."""
    before = view_of(page)
    page.locator("#search").focus()
    page.keyboard.type("png-+?")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#search").input_value() == "png-+?"
    assert view_of(page) == before
    assert not page.locator("#keys").is_visible()
    assert _lit(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    keys = page.locator("#keys kbd").all_inner_texts()
    assert keys == ["←", "→", "+", "\N{MINUS SIGN}", "g", "n", "p", "Esc", "?"]
    page.keyboard.press("?")
    assert not page.locator("#keys").is_visible()


def test_a_cycle_is_gone_to(page: Page) -> None:
    """G leads to the field; a cycle is marked with what is around it, and a wrong one is answered beside the lanes."""
    page.keyboard.press("g")
    page.keyboard.type("1,234")
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    first, last = view_of(page)
    assert (first + last) / 2 == 1234.5
    assert _said(page) == "Cycle 1,234 is marked."
    assert page.locator("#cycle").get_attribute("aria-invalid") == "false"
    for wrong, answer in (
        ("12x", "“12x” is no cycle: give a whole number from 0 to "),
        ("9999999", "Cycle 9,999,999 is"),
    ):
        page.locator("#cycle").fill(wrong)
        page.locator("#cycle").press("Enter")
        assert _said(page).startswith(answer)
        assert page.locator("#cycle").get_attribute("aria-invalid") == "true"
        assert view_of(page) == (first, last)
    page.locator("#cycle").fill("99")
    page.locator("#cycle").press("Enter")
    assert page.locator("#cycle").get_attribute("aria-invalid") == "false"


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_tooltips_have_the_colours_of_the_page(scheme: str, page: Page) -> None:
    """Ground and text of what appears at the pointer are those of the theme."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    theme = DARK if scheme == "dark" else LIGHT
    page.wait_for_function("(ink) => panacea.models().laneAxis.major_label_text_color === ink", arg=theme.ink)
    point_at(page, 400, "dispatcher")
    tooltip = page.locator(".bk-Tooltip").first
    tooltip.wait_for(timeout=5000)
    ground = tooltip.evaluate("(host) => getComputedStyle(host).backgroundColor")
    text = page.locator(".bk-Tooltip div[style*=pre]").first.evaluate("(each) => getComputedStyle(each).color")
    assert [_hex(ground), _hex(text)] == [theme.paper, theme.ink]
    keep_screenshot(page, f"tooltip-{scheme}")


def _hex(colour: str) -> str:
    parts = colour[colour.index("(") + 1 : -1].split(",")[:3]
    return "#" + bytes(int(part) for part in parts).hex()


def test_a_run_without_a_path_has_no_lane_for_it(stored: StoredRun, open_shared_page: Open) -> None:
    """A page whose path is not known says so at its foot, and when a key asks for a stall on it."""
    content = timeline_content(stored, None)
    header = content.header | {"path": content.header["path"] | {"keys": []}, "chains": []}
    header["pathStalls"] = {"kinds": [], "count": 0}
    header["stretchLanes"] = [{"from": 0, "to": 0} for _ in header["lanes"]]
    names = ("path", "stretch", "stall")
    columns = {name: column[:0] if name.startswith(names) else column for name, column in content.columns.items()}
    path = Path(stored.path) / "bare.html"
    path.write_text(timeline_page(type(content)(header, columns)), encoding="utf-8")
    page = open_shared_page(path)
    assert not page.evaluate("panacea.models().path.visible")
    assert not page.locator("#stallsButton").is_visible()
    assert not page.locator("#pathLegend").is_visible()
    page.keyboard.press("n")
    assert _said(page) == "The critical path is not known on this page."
    _click(page, 500, "pea3")
    assert "is not known on this page" in _said(page) or "is busy" in _said(page)
