"""What a comparison looks like in a terminal and as JSON, and what its page holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import MappingProxyType

import pytest
from rich.console import Console
from stored_runs import RUNS, small_run

from panacea_sim.analysis.comparison import Comparison, compare_runs
from panacea_sim.analysis.comparison.rows import section
from panacea_sim.report.comparison import (
    bounds_text,
    change_text,
    comparison_json,
    figure_texts,
    key_cells,
    not_explained,
    print_comparison,
    value_text,
)
from panacea_sim.report.comparison_page import comparison_page
from panacea_sim.report.comparison_page.content import page_content
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import energy_text


class _Nothing:
    """An explanation without a path."""

    path = None
    classes: Mapping[str, int] = MappingProxyType({})
    limits = ()
    root_causes = ()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[StoredRun]:
    """Return a run with 16 PEAs, one with 4 on a slow channel, and one without intervals."""
    folder = tmp_path_factory.mktemp("runs")
    slow = small_run(folder / "slow", dram="ideal", dram_channels=1, dram_bytes_per_cycle=4, n_pea=4)
    return [small_run(folder / "fast"), slow, small_run(folder / "bare", TraceOptions("off"))]


@pytest.fixture(scope="module")
def compared(runs: list[StoredRun]) -> Comparison:
    """Return the three side by side."""
    return compare_runs(runs)


def _printed(comparison: Comparison, width: int) -> str:
    console = Console(file=StringIO(), width=width)
    print_comparison(console, comparison)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


class _Path(_Nothing):
    """An explanation with a path of two classes."""

    path = ()
    classes = MappingProxyType({"latency": 1, "bandwidth": 3})


def test_the_bound_of_each_run_is_told_before_the_tables(compared: Comparison) -> None:
    """The class with most of the path, of the runs that have one; nothing where none has."""
    first, *others = compared.runs
    found = Comparison((first, replace(others[0], explained=_Path()), replace(others[1], explained=_Nothing())), ())
    assert bounds_text(found) == "Bound: B by bandwidth (75.0%)"
    assert bounds_text(found) in _printed(found, 160)
    assert bounds_text(compared) == ""


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_figure_is_cut(compared: Comparison, width: int) -> None:
    """At every width the makespans and the largest differences of each section are there whole."""
    text = _printed(compared, width)
    for each in compared.runs:
        assert f"{each.cycles:,}" in text
    for name in ("states", "stalls", "bytes", "layers"):
        each_section = compared.section(name)
        row = each_section.rows[0]
        assert {value_text(each_section, row, value) for value in row.shown} <= set(text.split())


def test_what_differs_is_printed_with_its_difference(compared: Comparison, runs: list[StoredRun]) -> None:
    """Makespans are followed by their difference to the first and in percent; equal sections are one line."""
    text = _printed(compared, 160)
    first, second = (run.summary for run in runs[:2])
    assert first is not None
    assert second is not None
    by = second.makespan_cycles - first.makespan_cycles
    percent = f"{second.makespan_cycles / first.makespan_cycles - 1:+.1%}"
    figures = rf"{re.escape(f'{by:+,}')} +{re.escape(percent)}"
    assert re.search(rf"^ B +\S+ +panacea +{second.makespan_cycles:,} +{figures} ", text, re.MULTILINE)
    assert re.search(r"^ hardware +n_pea +16 +4 +16 +$", text, re.MULTILINE)
    assert "16/4 PEAs (mean)" in text
    assert "dram* (mean of 2/1)" in text
    assert "C: No intervals were recorded (--trace off): its timeline shows only means over the whole run." in text
    assert "seed" not in text


def test_runs_without_explanation_are_named_with_the_command(runs: list[StoredRun]) -> None:
    """The line names the runs and the command for the first of them; it is gone where all are explained."""
    comparison = compare_runs(runs)
    text = not_explained(comparison)
    assert text.startswith("Not explained: A, B, C, ")
    assert text.endswith(f": panacea-sim why {runs[0].path}")
    explained = replace(comparison.runs[0], explained=_Nothing())
    assert not_explained(Comparison((explained, comparison.runs[1]), ())).startswith("Not explained: B, ")
    assert not_explained(Comparison((explained,), ())) == ""


def test_sections_without_differences_are_one_line(runs: list[StoredRun]) -> None:
    """A run beside one of the same figures has no tables but that of the runs."""
    text = _printed(compare_runs([runs[0], runs[2]]), 120)
    assert "States, cycles: the same in all runs, " in text
    assert "Configuration: the same in all runs, " in text
    assert text.count("─ \n") == 1


def test_long_sections_are_cut_and_counted(compared: Comparison) -> None:
    """Twelve rows of a section are shown, and how many more differ is said."""
    each = compared.section("stalls")
    differing = [row for row in each.rows if row.difference]
    assert len(differing) > 12
    assert f".. and {len(differing) - 12} more that differ" in _printed(compared, 200)


def test_texts_of_figures() -> None:
    """Shares have percent and change by points, counts change by percent, cycles by cycles, and settings by nothing."""
    work = section("work", ("figure",), "", "relative", [{("dwo_use",): 0.5, ("rho_w",): 0.25}, {("dwo_use",): 0.25}])
    use, density = sorted(work.rows, key=lambda row: row.key)
    assert [value_text(work, use, value) for value in use.values] == ["50.0%", "25.0%"]
    assert change_text(work, use, 0.25) == "-25.0 points"
    assert [value_text(work, density, value) for value in density.values] == ["0.2500", "-"]
    assert change_text(work, density, 0.5) == "+100.0%"
    assert change_text(work, density, None) == ""
    states = section(
        "states", ("component", "state"), "cycles", "absolute", [{("a", "busy"): 1000}, {("a", "busy"): 1}]
    )
    assert value_text(states, states.rows[0], 1000) == "1,000"
    assert [change_text(states, states.rows[0], value) for value in (1, 1000, 2000)] == ["-999", "0", "+1,000"]
    assert key_cells(states.rows[0]) == ["a", "busy"]
    settings = section("configuration", ("of", "field"), "", "relative", [{("h", "x"): True}, {("h", "x"): ""}])
    assert [value_text(settings, settings.rows[0], value) for value in (True, "", 1500)] == ["yes", "-", "1,500"]


def test_json_has_every_row(compared: Comparison, runs: list[StoredRun]) -> None:
    """JSON has the runs, and each section with all of its rows, also those that do not differ."""
    content = json.loads(json.dumps(comparison_json(compared)))
    assert [run["label"] for run in content["runs"]] == ["A", "B", "C"]
    for found, run in zip(content["runs"], runs, strict=True):
        assert run.summary is not None
        assert found["makespan_cycles"] == run.summary.makespan_cycles
        assert found["path"] == str(run.path)
    for each in compared.sections:
        listed = content[each.name]
        assert len(listed) == len(each.rows)
        for found, row in zip(listed, each.rows, strict=True):
            assert tuple(found[key] for key in each.keys) == row.key
            assert tuple(found["values"]) == row.values
            assert found.get("members", []) == list(row.members)
            assert found["difference"] == row.difference
            assert [each and tuple(each) for each in found.get("spans", [])] == list(row.spans)


def test_energy_has_its_range(compared: Comparison) -> None:
    """The table says by which figures; a cell is nominal with its range, or `-`; the change has the unit too."""
    text = _printed(compared, 200)
    assert "Energy: nominal (low .. high), by the table default" in text
    each = compared.section("energy")
    row = each.rows[0]
    assert row.spans[0] is not None
    low, high = map(energy_text, row.spans[0])
    value = row.values[0]
    assert isinstance(value, float)
    assert figure_texts(each, row)[0] == f"{energy_text(value)} ({low} .. {high})" in text
    total = next(row for row in each.rows if row.key == ("run", "total"))
    assert figure_texts(each, total)[1] == "-"
    assert change_text(each, row, value + 2e6) == "+2.000 µJ"


def test_files_page_names_every_key_of_the_json(compared: Comparison) -> None:
    """docs/files.md describes every key of the JSON, and every figure of bytes and work."""
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    content = comparison_json(compared)
    keys = {*content, *(key for rows in content.values() for row in rows for key in row)}
    keys |= {row.key[0] for name in ("bytes", "work") for row in compared.section(name).rows}
    keys -= {"dwo_use", "swo_use", "cs_use"}
    assert not sorted(key for key in keys if f"`{key}`" not in page)


def test_the_page_escapes_and_needs_no_network(compared: Comparison) -> None:
    """Names of layers cannot end a script or become an element, and nothing is loaded from elsewhere."""
    page = comparison_page(compared, "layer")
    assert "layer <0>" not in page
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?!data:)", page)


def test_lanes_of_the_page_hold_the_cycles_of_the_states(compared: Comparison) -> None:
    """The stretches of a lane add up to the cycles of the table of states; a run without intervals has means."""
    content = page_content(compared, "cycle")
    states = {row.key: row for row in compared.section("states").rows}
    cycles = content.columns["cycles"]
    groups = {"16/4 PEAs": "pea"}
    assert len(content.header["lanes"]) == 3 * len({lane["group"] for lane in content.header["lanes"]})
    for lane in content.header["lanes"]:
        stretches = len(content.columns[f"edges{lane['run']}"]) - 1
        for number, state in enumerate(content.header["states"]):
            row = states[groups.get(lane["group"], lane["group"]), state]
            expected = row.values[lane["run"]]
            if lane["means"] is None:
                mine = cycles[6 * lane["from"] :][: 6 * stretches].reshape(stretches, 6)
                assert mine[:, number].sum() == expected
            else:
                end = compared.runs[lane["run"]].cycles
                assert end is not None
                assert lane["means"][number] * end * lane["members"] == pytest.approx(expected)
    assert {lane["run"] for lane in content.header["lanes"] if lane["means"] is not None} == {2}


def test_stretches_end_where_layers_begin(compared: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stretch has cycles of two pieces, so that each can be moved as a whole."""
    monkeypatch.setattr("panacea_sim.report.comparison_page.content._STRETCHES", 7)
    content = page_content(compared, "layer")
    for number, run in enumerate(content.header["runs"]):
        edges = set(content.columns[f"edges{number}"].cumsum().tolist())
        assert {start for start, _, _ in run["pieces"]} <= edges
        assert {layer["start"] for layer in run["layers"]} <= edges


def test_a_partial_run_without_rows_has_no_lane(runs: list[StoredRun], tmp_path: Path) -> None:
    """Of a partial run without intervals nothing can be drawn; a windowed one begins with its window."""
    partial = RUNS["partial"](tmp_path / "partial")
    for table in partial.path.glob("*.parquet"):
        table.unlink()
    windowed = RUNS["window"](tmp_path / "window")
    content = page_content(compare_runs([runs[0], partial, windowed]), "cycle")
    assert {lane["run"] for lane in content.header["lanes"]} == {0, 2}
    assert content.columns["edges2"].cumsum()[[0, -1]].tolist() == list(windowed.recorded_cycles)
