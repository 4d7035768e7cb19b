"""The page of a comparison in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page
from stored_runs import rows

from panacea_sim.analysis.comparison import Comparison, compare_runs, layer_pieces, timing
from panacea_sim.report.comparison_page import write_comparison
from panacea_sim.report.themes import DARK, LIGHT
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.synthetic import synthetic_layer

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
STATES = [state.value for state in State]
LANE_HEIGHT = 0.84
"""Of a row's height; the rest is the gap to the next one."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[StoredRun]:
    """Return two layers on a fast and on a slow memory, and once more without intervals, each layer alone."""
    folder = tmp_path_factory.mktemp("runs")
    layers = tuple(
        synthetic_layer(name=f"a/layer<{number}>", M=512, K=128, N=24, rho_w=0.3, rho_x=0.6, seed=number)
        for number in range(2)
    )
    slow = {"dram": "ideal", "dram_channels": 1, "dram_bytes_per_cycle": 4}
    made: list[tuple[str, dict[str, object], TraceOptions]] = [
        ("fast", {}, TraceOptions()),
        ("slow", slow, TraceOptions()),
        ("bare", slow, TraceOptions("off")),
    ]
    for name, settings, trace in made:
        scenario = Scenario(name, layers, settings=settings, values=False, schedule="barrier")
        run(scenario, RunOptions(folder / name, trace=trace, engine="reference"))
    return [open_run(folder / name) for name, _, _ in made]


@pytest.fixture(scope="module")
def compared(runs: list[StoredRun]) -> Comparison:
    """Return the three side by side."""
    return compare_runs(runs)


@pytest.fixture(scope="module")
def html(compared: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return their page."""
    path = tmp_path_factory.mktemp("page") / "compare.html"
    write_comparison(compared, path)
    return path


def _align(page: Page, alignment: str) -> None:
    drawn = page.evaluate("panacea.drawn")
    page.click(f"#align button[value={alignment}]")
    page.wait_for_function(f"panacea.drawn > {drawn}")


def _axis(page: Page) -> tuple[float, float, str]:
    first, last, label = page.evaluate(
        "(({cycles, placeAxis}) => [cycles.start, cycles.end, placeAxis.axis_label])(panacea.models())"
    )
    return first, last, label


def _layer_starts(page: Page) -> list[float]:
    """Return where the drawn layers begin, run by run."""
    found: list[float] = page.evaluate("Array.from(panacea.layers().left)")
    return found


def _drawn_cycles(page: Page, label: str, group: str) -> dict[str, float]:
    """Return the cycles of each state in a lane, by the areas of its rectangles."""
    lanes: list[dict[str, Any]] = page.evaluate("panacea.rows()")
    run = page.evaluate("(label) => panacea.rows().find((row) => row.label.split('  ').pop() === label).run", label)
    (y,) = [lane["y"] for lane in lanes if lane["run"] == run and lane["group"] == group]
    columns = dict(page.evaluate("Object.entries(panacea.parts()).map(([name, values]) => [name, Array.from(values)])"))
    parts = {name: np.array(values, float) for name, values in columns.items()}
    area = (parts["right"] - parts["left"]) * (parts["bottom"] - parts["top"]) / LANE_HEIGHT
    mine = (parts["top"] < y) & (y < parts["bottom"]) | (np.abs((parts["top"] + parts["bottom"]) / 2 - y) < 0.5)
    return {state: float(area[mine & (parts["state"] == number)].sum()) for number, state in enumerate(STATES)}


def _keep_screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_the_switch_moves_the_axis(html: Path, runs: list[StoredRun], open_page: Open) -> None:
    """By cycle the axis has the longest run, by share 0 to 1, by layer what the slowest layers take together."""
    page = open_page(html)
    ends = [run.end_cycle for run in runs]
    starts = [timing(run).starts for run in runs]
    assert _axis(page) == (0, max(ends), "cycles")
    assert page.locator("#align button[aria-pressed=true]").inner_text() == "cycle"
    assert _layer_starts(page) == [start for each in starts for start in each]
    _keep_screenshot(page, "compare")
    _align(page, "share")
    assert _axis(page) == (0, 1, "share of the run")
    expected = [start / end for each, end in zip(starts, ends, strict=True) for start in each]
    assert _layer_starts(page) == pytest.approx(expected)
    _align(page, "layer")
    assert page.locator("#align button[aria-pressed=true]").inner_text() == "layer"
    found = np.array(_layer_starts(page)).reshape(len(runs), 2)
    assert (found == found[0]).all()
    pieces = layer_pieces([timing(run) for run in runs])
    assert _axis(page)[:2] == (0, max(mine[-1].end + mine[-1].offset for mine in pieces))
    assert found[0][1] > starts[0][1]
    _keep_screenshot(page, "compare-layers")
    _align(page, "cycle")
    assert _axis(page) == (0, max(ends), "cycles")


@pytest.mark.parametrize("alignment", ["cycle", "share", "layer"])
def test_lanes_show_the_cycles_of_the_states(
    html: Path, runs: list[StoredRun], open_page: Open, alignment: str
) -> None:
    """At every alignment the areas of a lane are the cycles of its rows, or the shares of them."""
    page = open_page(html)
    if alignment != "cycle":
        _align(page, alignment)
    for label, stored in zip(("A", "B"), runs, strict=False):
        for component in ("w_dma", "ppu"):
            cycles = dict.fromkeys(STATES, 0)
            for row in rows(stored, "activities"):
                if row["component"] == component:
                    cycles[row["state"]] += row["end_cycle"] - row["start_cycle"]
            scale = stored.end_cycle if alignment == "share" else 1
            found = {state: scale * area for state, area in _drawn_cycles(page, label, component).items()}
            assert found == pytest.approx(cycles, rel=1e-6, abs=1e-3)


def test_a_run_without_intervals_has_its_means(html: Path, compared: Comparison, open_page: Open) -> None:
    """Its lanes are marked, hold the cycles of the summary, and a line says why."""
    page = open_page(html)
    assert page.get_by_text("C: No intervals were recorded (--trace off)").is_visible()
    summary = compared.runs[2].run.summary
    assert summary is not None
    found = _drawn_cycles(page, "C (mean)", "w_dma")
    assert found == pytest.approx(summary.components["w_dma"], rel=1e-6, abs=1e-3)
    labels = [row["label"] for row in page.evaluate("panacea.rows()")]
    assert labels[:3] == ["w_dma  A", "B", "C (mean)"]


def test_what_is_below_the_pointer(html: Path, runs: list[StoredRun], open_page: Open) -> None:
    """Texts have the run's own cycles, at every alignment."""
    page = open_page(html)
    _align(page, "layer")
    times = timing(runs[0])
    text = page.evaluate("panacea.describeLayer(1)")
    assert text.startswith("A: layer 2, a/layer<1>\n")
    assert f"cycles {times.starts[1]:,} to {times.ends[1]:,}" in text
    part = page.evaluate("panacea.parts().i.length - 1")
    described = page.evaluate("(part) => panacea.describe(panacea.parts().i[part])", part)
    assert described.startswith("C: dram*\nmean of the whole run\n")
    last = page.evaluate(
        "Math.max(...panacea.parts().i.filter((_, j) => panacea.describe(panacea.parts().i[j])[0] === 'A'))"
    )
    assert f" to {runs[0].end_cycle:,} " in page.evaluate("(i) => panacea.describe(i)", last)


def test_zooming_and_resetting(html: Path, runs: list[StoredRun], open_page: Open) -> None:
    """Ctrl and the wheel zoom around the pointer; the round arrow shows all of the axis that is chosen."""
    page = open_page(html)
    _align(page, "share")
    box = page.locator("canvas").last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_function("panacea.models().cycles.end - panacea.models().cycles.start < 0.99")
    page.locator(".bk-tool-icon-reset").first.click()
    page.wait_for_function("panacea.models().cycles.start === 0 && panacea.models().cycles.end === 1")
    assert max(run.end_cycle for run in runs) > 1


def test_the_tables_are_below(html: Path, compared: Comparison, open_page: Open) -> None:
    """Each section has its rows, the largest difference first, with names as they are."""
    page = open_page(html)
    headings = page.locator("h2").all_inner_texts()
    assert headings[0] == "Configuration"
    assert "States, cycles" in headings
    states = compared.section("states").rows[0]
    table = page.locator("h2:has-text('States, cycles') + div table")
    cells = table.locator("tr").nth(1).locator("td").all_inner_texts()
    assert cells[1] == states.key[1]
    assert cells[2] == f"{states.shown[0]:,.0f}"
    assert page.locator("td", has_text="a/layer<0>").count() > 0


def test_the_page_is_dark_where_that_is_preferred(html: Path, open_page: Open) -> None:
    """Ground, text, axes and layers have the colours of the theme, and change with it."""
    page = open_page(html)
    for scheme, theme in (("light", LIGHT), ("dark", DARK)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
        page.wait_for_function("(ink) => panacea.models().laneAxis.major_label_text_color === ink", arg=theme.ink)
        found = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert "#" + bytes(int(part) for part in found[4:-1].split(",")).hex() == theme.paper
        page.wait_for_function("(colour) => panacea.layers().colour[0] === colour", arg=theme.layers[0])
    _keep_screenshot(page, "compare-dark")
