"""What a timeline holds; the page itself is tested in tests/browser."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stored_runs import RUNS, rows

from panacea_sim.cli import main
from panacea_sim.errors import ConfigError
from panacea_sim.report.timeline import timeline_html
from panacea_sim.report.timeline.content import TimelineContent, timeline_content
from panacea_sim.report.timeline.packing import Packed, differences, pack
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun

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
    """Return component, state, cycles, layer, tile, cause, other end and bytes of every interval."""
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
            moved = columns["bytes"][i]
            found.append(
                (lane["name"], header["states"][state], start, cycle, layer, m[i], n[i], k[i], cause, other, moved)
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


def test_every_interval_is_held(any_run: StoredRun) -> None:
    """The page holds the rows of the table, of any kind of run."""
    expected = [tuple(row.values()) for row in rows(any_run, "activities")]
    assert sorted(_intervals(timeline_content(any_run, None))) == sorted(expected)


def test_a_window_takes_what_overlaps_it(full_run: StoredRun) -> None:
    """With a window, the page holds the intervals and the accesses that overlap it."""
    first, last = 700, 900
    content = timeline_content(full_run, (first, last))
    expected = [tuple(row.values()) for row in rows(full_run, "activities")]
    assert sorted(_intervals(content)) == sorted(row for row in expected if row[2] < last and row[3] > first)
    assert content.header["span"] == (first, last)


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


@pytest.mark.parametrize("most_rows", [10, 10_000_000])
def test_all_bytes_are_in_the_curves(full_run: StoredRun, most_rows: int) -> None:
    """The curve of a channel adds up to the bytes that it moved, single accesses or stretches of time alike."""
    content = timeline_content(full_run, None, most_rows=most_rows)
    moved = {
        curve["name"]: int(content.columns["values"][curve["from"] : curve["to"]].sum())
        for curve in content.header["curves"]
        if curve["panel"] == "dram"
    }
    channels = full_run.summary["dram"]["channels"]
    assert moved == {name: channel["read_bytes"] + channel["write_bytes"] for name, channel in channels.items()}


def test_no_text_ends_the_script(full_run: StoredRun) -> None:
    """Names of layers stand in the page so that they cannot close an element, and come back as they were."""
    page = timeline_html(full_run)
    header = re.search(r'<script type="application/json" id="header">(.*?)</script>', page, re.DOTALL)
    assert header is not None
    assert "<" not in header[1]
    assert json.loads(header[1])["layers"][-1] == full_run.summary["layers"][-1]["name"]
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
    assert capsys.readouterr().out.splitlines()[-1] == f"Timeline: {run.path / 'timeline.html'}"
    assert "cycles 0 to 100" in (run.path / "timeline.html").read_text(encoding="utf-8")
