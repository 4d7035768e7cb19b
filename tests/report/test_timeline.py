"""What a timeline holds; the page itself is tested in tests/browser."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stored_runs import RUNS, rows

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.report.timeline import timeline_html
from panacea_sim.report.timeline.content import TimelineContent, timeline_content
from panacea_sim.report.timeline.packing import Packed, differences, pack
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.schema import ACTIVITIES, State
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.trace.utilization import operator_counts, operator_steps

_COLUMNS = arrays(np.int64, st.integers(0, 20), elements=st.integers(-(2**40), 2**40))


def _unpacked(packed: Packed) -> dict[str, npt.NDArray[Any]]:
    """Return the columns as page/unpack.js does."""
    described, text = packed
    content = zlib.decompress(base64.b64decode(text))
    columns = {}
    for column in described:
        kind = np.dtype(column["type"])
        size = kind.itemsize * column["length"]
        planes, content = np.frombuffer(content[:size], np.uint8), content[size:]
        columns[column["name"]] = planes.reshape(kind.itemsize, -1).T.copy().view(kind)[:, 0]
    assert not content
    return columns


def _intervals(content: TimelineContent) -> list[tuple[Any, ...]]:
    """Return component, state, cycles, layer, tile, cause, other end, bytes and steps of every interval."""
    header, columns = content.header, content.columns
    m, n, k = (np.cumsum(columns[name]) for name in "mnk")
    found = []
    for lane in header["lanes"]:
        cycle = 0
        for i in range(lane["from"], lane["to"]):
            start = cycle + int(columns["gap"][i])
            cycle = start + int(columns["duration"][i])
            state, cause, other = header["kinds"][columns["kind"][i]]
            layer = header["layers"][columns["layer"][i]]
            amounts = (columns[name][i] for name in header["amounts"])
            found.append(
                (lane["name"], header["states"][state], start, cycle, layer, m[i], n[i], k[i], cause, other, *amounts)
            )
    return found


@given(columns=st.lists(_COLUMNS, max_size=4))
def test_columns_come_back(columns: list[npt.NDArray[np.int64]]) -> None:
    """What is packed can be unpacked to the same numbers, whatever type each column was given."""
    named = {str(number): column for number, column in enumerate(columns)}
    unpacked = _unpacked(pack(named))
    assert {name: column.tolist() for name, column in unpacked.items()} == {
        name: column.tolist() for name, column in named.items()
    }
    assert all(np.array_equal(np.cumsum(differences(column)), column) for column in columns)


def _shown_rows(run: StoredRun) -> list[tuple[Any, ...]]:
    """Return the rows of the table, of their actions only those of operators, which a page shows."""
    shown = [*ACTIVITIES.names, *operator_counts(run)]
    return [tuple(row[name] for name in shown) for row in rows(run, "activities")]


def test_every_interval_is_held(any_run: StoredRun) -> None:
    """The page holds the rows of the table, of any kind of run."""
    expected = _shown_rows(any_run)
    assert sorted(_intervals(timeline_content(any_run, None))) == sorted(expected)


def test_a_window_takes_what_overlaps_it(full_run: StoredRun) -> None:
    """With a window, the page holds the intervals and the accesses that overlap it."""
    first, last = 700, 900
    content = timeline_content(full_run, (first, last))
    expected = _shown_rows(full_run)
    assert sorted(_intervals(content)) == sorted(row for row in expected if row[2] < last and row[3] > first)
    assert content.header["span"] == (first, last)


def test_curves_of_what_was_not_recorded_are_not_drawn(tmp_path: Path) -> None:
    """Curves are those of the recorded cycles: channels from their first one, queues from their first change on."""
    run = RUNS["window"](tmp_path)
    content = timeline_content(run, None)
    assert content.header["span"] == (900, 1300)
    knots = np.cumsum(content.columns["knots"])
    first = {curve["name"]: knots[curve["from"]] for curve in content.header["curves"]}
    changes: dict[str, list[int]] = {}
    for row in rows(run, "queues"):
        changes.setdefault(row["queue"], []).append(row["cycle"])
    assert {name: cycle for name, cycle in first.items() if not name.startswith("dram")} == {
        name: cycles[0] for name, cycles in changes.items()
    }
    assert first["dram0"] <= 900
    assert first["dram1"] <= 900


def test_a_channel_without_accesses_moves_nothing(full_run: StoredRun) -> None:
    """Cycles in which a channel was recorded and did nothing are no cycles without a recording."""
    accesses = sorted((row["start_cycle"], row["end_cycle"]) for row in rows(full_run, "dram"))
    ends = np.maximum.accumulate([end for _, end in accesses])
    gaps = [(int(end), start) for end, (start, _) in zip(ends, accesses[1:], strict=False) if start > end]
    quiet = max(gaps, key=lambda gap: gap[1] - gap[0])
    content = timeline_content(full_run, quiet)
    dram = [curve for curve in content.header["curves"] if curve["panel"] == "dram"]
    assert [curve["name"] for curve in dram] == ["dram0", "dram1"]
    assert all(not content.columns["values"][curve["from"] : curve["to"]].any() for curve in dram)
    assert not [note for note in content.header["notes"] if note.startswith("DRAM")]


@pytest.mark.parametrize("most_rows", [0, 1_000])
def test_cycles_without_a_stall_are_shown(most_rows: int, tmp_path: Path) -> None:
    """Of a trace of stalls, cycles without any are no error: nothing is in them, and the page says of what."""
    run = RUNS["stalls"](tmp_path)
    end = run.summary.to_json()["makespan_cycles"]
    quiet = (max(row["end_cycle"] for row in rows(run, "activities")), end)
    assert quiet[0] < end
    content = timeline_content(run, quiet, most_rows=most_rows)
    assert content.header["span"] == quiet
    assert content.header["seen"] == []
    assert content.header["leftOut"] == "Busy and idle were not recorded (--trace stalls)."


def test_too_many_intervals_become_stretches(full_run: StoredRun) -> None:
    """A page without room for every interval holds cycles of states that add up to the same, and says so."""
    content = timeline_content(full_run, None, most_rows=10)
    cycles = content.columns["cycles"].reshape(len(full_run.sections), -1, len(State)).sum(axis=1)
    expected = dict.fromkeys(((name, state.value) for name in full_run.sections for state in State), 0)
    for row in rows(full_run, "activities"):
        expected[row["component"], row["state"]] += row["end_cycle"] - row["start_cycle"]
    for lane, found in zip(content.header["lanes"], cycles.tolist(), strict=True):
        assert found == [expected[lane["name"], state.value] for state in State]
    notes = " ".join(content.header["notes"])
    assert "intervals are too many for a page" in notes
    assert "Queue occupancies are left out" in notes
    assert "DRAM bandwidth is a mean over" in notes
    assert "the command above the lanes is that for this view" in notes


@pytest.mark.parametrize("folder", ["runs/big", "my runs/it's $HOME"])
def test_the_command_of_a_page_names_its_run(
    folder: str, full_run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell reads the path as it was given, whatever is in it."""
    monkeypatch.chdir(tmp_path)
    Path(folder).parent.mkdir()
    shutil.copytree(full_run.path, folder)
    moved = open_run(Path(folder))
    command = timeline_content(moved, None).header["command"]
    assert shlex.split(command) == ["panacea-sim", "timeline", folder]


@pytest.mark.parametrize("most_rows", [10, 10_000_000])
def test_all_bytes_are_in_the_curves(full_run: StoredRun, most_rows: int) -> None:
    """The curve of a channel adds up to the bytes that it moved, single accesses or stretches of time alike."""
    content = timeline_content(full_run, None, most_rows=most_rows)
    moved = {
        curve["name"]: int(content.columns["values"][curve["from"] : curve["to"]].sum())
        for curve in content.header["curves"]
        if curve["panel"] == "dram"
    }
    channels = full_run.summary.to_json()["dram"]["channels"]
    assert moved == {name: channel["read_bytes"] + channel["write_bytes"] for name, channel in channels.items()}


def _steps(run: StoredRun, first: int, last: int) -> dict[str, float]:
    """Return the steps of each kind of operator between two cycles, from the rows of the table, one by one."""
    steps = dict.fromkeys(("DWO", "SWO", "CS"), 0.0)
    for row in rows(run, "activities"):
        inside = max(min(row["end_cycle"], last) - max(row["start_cycle"], first), 0)
        for name in steps:
            steps[name] += row[f"{name.lower()}_steps"] * inside / (row["end_cycle"] - row["start_cycle"])
    return steps


@pytest.mark.parametrize("most_rows", [10, 10_000_000])
def test_operators_are_counted(any_run: StoredRun, most_rows: int) -> None:
    """The page has the number of operators and where their work is known, of every run whose busy time is recorded."""
    header = timeline_content(any_run, None, most_rows=most_rows).header
    busy = [row for row in rows(any_run, "activities") if row["dwo_steps"]]
    notes = " ".join(header["notes"])
    assert ("DWO, SWO and CS utilization was not recorded" in notes) == (not busy)
    if not busy:
        assert header["operators"] is None
        return
    described = [(each["label"], each["count"]) for each in header["operators"]["actions"]]
    assert described == [("DWO", 16 * 4), ("SWO", 16 * 8), ("CS", 16 * 4)]
    assert header["operators"]["lanes"] == [f"pea{number}" for number in range(16)]
    first, last = header["operators"]["span"]
    assert header["span"][0] <= first < last <= header["span"][1]
    for number in range(16):
        mine = [row for row in rows(any_run, "activities") if row["component"] == f"pea{number}"]
        assert mine[0]["start_cycle"] <= first
        assert mine[-1]["end_cycle"] >= last


def test_steps_in_stretches_are_those_of_the_table(full_run: StoredRun) -> None:
    """In a page with stretches, the steps between any two edges are those of the rows, to a step."""
    content = timeline_content(full_run, None, most_rows=10)
    curves = [curve for curve in content.header["curves"] if curve["panel"] == "operators"]
    assert [curve["name"] for curve in curves] == ["dwo_steps", "swo_steps", "cs_steps"]
    knots = np.cumsum(content.columns["knots"])
    for first, last in ((0, 1), (0, 700), (311, 1200), (0, len(knots))):
        for curve in curves:
            edges = knots[curve["from"] : curve["to"]]
            chosen = slice(first, min(last, len(edges) - 1))
            steps = content.columns["values"][curve["from"] : curve["to"]][chosen].sum()
            expected = _steps(full_run, edges[chosen.start], edges[chosen.stop])[
                curve["name"].removesuffix("_steps").upper()
            ]
            assert steps == pytest.approx(expected, abs=1)
    operators = full_run.summary.to_json()["operators"]
    totals = [int(content.columns["values"][curve["from"] : curve["to"]].sum()) for curve in curves]
    assert totals == [operators[f"{name}_busy"] for name in ("dwo", "swo", "cs")]


def test_bins_of_utilization_are_those_of_the_table(any_run: StoredRun) -> None:
    """The steps in each bin are those of the rows, spread over their cycles, in any kind of run."""
    edges = bin_edges(800, 1500, 9)
    found = operator_steps(any_run, edges)
    for number, (first, last) in enumerate(pairwise(edges.tolist())):
        expected = _steps(any_run, first, last)
        assert [found[f"{name.lower()}_steps"][number] for name in expected] == pytest.approx(
            list(expected.values()), abs=1e-6
        )


def test_operators_of_a_partial_run_are_known(tmp_path: Path) -> None:
    """The topology tells what all PEAs together can do in a cycle, also of a run that did not end."""
    run = RUNS["partial"](tmp_path)
    assert operator_counts(run) == {"dwo_steps": 64, "swo_steps": 128, "cs_steps": 64}
    assert timeline_content(run, None).header["operators"] is not None


def test_a_run_without_topology_has_no_utilization(tmp_path: Path) -> None:
    """A run of the first schema tells no operators: the page opens without their curves."""
    run = RUNS["full"](tmp_path)
    content = timeline_content(replace(run, heading=run.heading.model_copy(update={"topology": None})), None)
    assert content.header["operators"] is None
    assert content.header["amounts"] == ["bytes"]


def test_no_text_ends_the_script(full_run: StoredRun) -> None:
    """Names of layers stand in the page so that they cannot close an element, and come back as they were."""
    page = timeline_html(full_run)
    header = re.search(r'<script type="application/json" id="header">(.*?)</script>', page, re.DOTALL)
    assert header is not None
    assert "<" not in header[1]
    assert json.loads(header[1])["layers"][-1] == full_run.summary.to_json()["layers"][-1]["name"]
    assert "<title>small &lt;b&gt; - timeline</title>" in page
    assert not re.search(r"<(script|link|img)[^>]* (src|href)=.?http", page)


def test_an_empty_window_is_refused(full_run: StoredRun) -> None:
    """A window in which nothing was recorded is an error that tells what was."""
    with pytest.raises(ConfigError, match=r"--window: found 90000000:90000001; accepted: a window that overlaps"):
        timeline_html(full_run, (90_000_000, 90_000_001))


def test_the_command_writes_into_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --html the page is timeline.html in the run folder, and is written anew each time."""
    run = RUNS["full"](tmp_path)
    for _ in range(2):
        assert main(["timeline", str(run.path), "--window", "0:100"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(run.path / "timeline.html")
    assert "cycles 0 to 100" in (run.path / "timeline.html").read_text(encoding="utf-8")
