"""What people see of a run in a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from panacea_sim.hardware.config import Source, field_sources, load_hardware
from panacea_sim.report import terminal
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.study import print_study
from panacea_sim.report.terminal import print_run, print_sources
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import LayerSummary, Summary
from panacea_sim.workload.synthetic import synthetic_layer


def _console(width: int = 120) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=width, color_system=None), text


@pytest.fixture(scope="module")
def summary() -> Summary:
    """Return the summary of a small run with values."""
    layer = synthetic_layer(16, 24, 24, rho_w=0.3, rho_x=0.5, seed=1, name="ffn")
    return run(Scenario("seen", layer, settings={"n_pea": 2, "tile_k": 8, "tile_n": 8})).summary


def _with_layers(summary: Summary, *layers: LayerSummary) -> Summary:
    return summary.model_copy(update={"layers": layers})


def _printed(summary: Summary, width: int = 120) -> str:
    console, text = _console(width)
    print_run(console, summary)
    return text.getvalue()


def test_a_run_shows_what_matters(summary: Summary) -> None:
    """The report has cycles, layer, densities, operators, DRAM bytes and the verdict."""
    printed = _printed(summary)
    assert f"seen on panacea, reference engine: {summary.makespan_cycles:,} cycles" in printed
    assert "ffn: 16 x 24 x 24 (M x K x N)" in printed
    (layer,) = summary.layers
    assert f"rho_w {layer.rho_w:.4f}, rho_x {layer.rho_x:.4f}" in printed
    assert f"{layer.stored_w:,} w, {layer.stored_x:,} x" in printed
    for name in ("DWO", "SWO", "CS"):
        assert re.search(rf"{name} \d+\.\d%", printed)
    assert f"DRAM: {summary.dram.read_bytes:,} bytes read" in printed
    assert "Exact: every accumulator equals the integer product" in printed


def test_each_component_has_a_row(summary: Summary) -> None:
    """All components and channels have a row, the PEAs one together."""
    printed = _printed(summary)
    for name in summary.components:
        if not name.startswith("pea"):
            assert re.search(rf"^ *{name} ", printed, re.MULTILINE)
    assert "2 PEAs (mean)" in printed
    assert not re.search(r"^ *pea0 ", printed, re.MULTILINE)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int, summary: Summary) -> None:
    """Tables and lines fit the width of the terminal."""
    assert max(map(len, _printed(summary, width).splitlines())) <= width


@pytest.mark.parametrize(
    ("exact", "verdict"),
    [(True, "Exact: "), (False, "NOT EXACT: accumulators differ"), (None, "Values: none travelled")],
)
def test_the_verdict(exact: bool | None, verdict: str, summary: Summary) -> None:  # noqa: FBT001  # the value shown
    """Exact, not exact and not compared read differently."""
    assert verdict in _printed(summary.model_copy(update={"exact": exact}))


def test_operands_without_slices_have_no_density(summary: Summary) -> None:
    """A rho of null is shown as a dash."""
    (layer,) = summary.layers
    assert "rho_w -, rho_x -" in _printed(
        _with_layers(summary, layer.model_copy(update={"rho_w": None, "rho_x": None}))
    )


def test_states_have_distinct_letters_and_colours() -> None:
    """Each state can be told from the others by letter and by colour."""
    assert set(STATE_COLOURS) == set(terminal._LETTERS) == set(State)
    assert len(set(STATE_COLOURS.values())) == len(set(terminal._LETTERS.values())) == 6


def test_a_study_has_one_row_for_each_case(summary: Summary) -> None:
    """A study's table has its title, and for each case the chosen mapping, cycles and verdict."""
    layer = summary.layers[0].model_copy(update={"loop_order": "nkm", "double_tile": True})
    other = _with_layers(summary, layer).model_copy(update={"exact": False})
    several = _with_layers(summary, layer, layer.model_copy(update={"loop_order": "mnk", "double_tile": False}))
    console, text = _console()
    print_study(console, "Which is best?", {"one": summary, "two": other, "three": several})
    printed = text.getvalue()
    assert printed.startswith("Which is best?")
    order, tiles = summary.layers[0].loop_order, "on" if summary.layers[0].double_tile else "off"
    assert re.search(rf"one +{order} +{tiles} +{summary.makespan_cycles:,} .* yes", printed)
    assert re.search(rf"two +nkm +on +{summary.makespan_cycles:,} .* NO", printed)
    assert re.search(rf"three +mixed +mixed +{summary.makespan_cycles:,} ", printed)


def test_sources_show_each_field() -> None:
    """Each field of a preset is listed with value, standing and source."""
    console, text = _console(200)
    sources = field_sources()
    print_sources(console, load_hardware("panacea").model_dump(), sources)
    printed = text.getvalue()
    for field, source in sources.items():
        assert re.search(rf"hardware\.{field} .*{re.escape(source.text)}", printed)


def test_markup_in_names_is_text(summary: Summary) -> None:
    """Square brackets in names of the user are shown, not interpreted."""
    (layer,) = summary.layers
    named = _with_layers(summary, layer.model_copy(update={"name": "[bold]y[/nope]"})).model_copy(
        update={"scenario": "[red]x"}
    )
    printed = _printed(named)
    assert "[red]x" in printed
    assert "[bold]y[/nope]" in printed
    console, text = _console()
    print_study(console, "[blue]title", {"[red]case[/x]": summary})
    assert "[blue]title" in text.getvalue()
    assert "[red]case[/x]" in text.getvalue()
    console, text = _console()
    print_sources(console, {"n_pea": 1}, {"n_pea": replace(Source("A", ""), text="[see] figure 3")})
    assert "[see] figure 3" in text.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_network_shows_its_longest_layers(width: int, summary: Summary) -> None:
    """Of many layers the twelve longest are rows, the longest first; the rest is counted."""
    layer = summary.layers[0]
    copies = [
        layer.model_copy(
            update={"name": f"copy{n}", "memoized_from": "ffn", "start_cycle": 0, "end_cycle": 1000 + 1000 * n}
        )
        for n in range(14)
    ]
    alone = _with_layers(summary, layer, *copies).model_copy(update={"schedule": "barrier"})
    printed = _printed(alone, width)
    assert "15 layers, 14 of them with the work of an equal one" in printed
    assert [name for name in (f"copy{n}" for n in range(14)) if re.search(rf"^ ?{name}\b", printed, re.MULTILINE)] == [
        f"copy{n}" for n in range(2, 14)
    ]
    assert printed.index("copy13") < printed.index("copy12") < printed.index("copy2 ")
    assert re.search(r"copy13 +16 x 24 x 24 +14,000 ", printed)
    assert ".. and 3 more layers, none of them longer: see summary.json" in printed
    assert max(map(len, printed.splitlines())) <= width


@pytest.mark.parametrize(("count", "described"), [(1, True), (3, True), (4, False), (12, False)])
def test_few_layers_are_described(count: int, described: bool, summary: Summary) -> None:  # noqa: FBT001  # expected
    """Up to three layers have lines of their own; more are rows in the order of the run, none of them left out."""
    copies = [summary.layers[0].model_copy(update={"name": f"copy{n}"}) for n in range(count)]
    printed = _printed(_with_layers(summary, *copies))
    assert ("stored vectors with fillers" in printed) == described
    assert [printed.index(f"copy{n}") for n in range(count)] == sorted(printed.index(f"copy{n}") for n in range(count))
    assert "more layers" not in printed


def test_layers_that_overlap_count_from_write_to_write(summary: Summary) -> None:
    """In a table of layers that overlap, each has the cycles from the last write of the one before to its own."""
    (layer,) = summary.layers
    spans = [(0, 400), (100, 500), (150, 700), (600, 1000)]
    layers = [
        layer.model_copy(update={"name": f"part{n}", "start_cycle": start, "end_cycle": end})
        for n, (start, end) in enumerate(spans)
    ]
    overlapping = _with_layers(summary, *layers).model_copy(update={"schedule": "overlap", "makespan_cycles": 1000})
    printed = _printed(overlapping)
    rows = re.findall(r"^ *(part\d) +16 x 24 x 24 +(\d+) +(\d+)\.0%", printed, re.MULTILINE)
    assert rows == [("part0", "400", "40"), ("part1", "100", "10"), ("part2", "200", "20"), ("part3", "300", "30")]
    assert "Layers overlap: the cycles of one are those from the last write of the layer before to its own." in printed
    alone = _printed(overlapping.model_copy(update={"schedule": "barrier"}))
    assert "Layers overlap" not in alone
    assert re.search(r"part2 .* 550 +55\.0%", alone)
