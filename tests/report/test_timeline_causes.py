"""What a timeline says of causes: the path, the stalls on it, and what each stall waits for; moves are in browser/."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import RUNS, rows

from panacea_sim.explanation import stretches
from panacea_sim.explanation.explained import explained, recorded_segments
from panacea_sim.report.timeline import causes
from panacea_sim.report.timeline.content import TimelineContent, timeline_content
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.masked_layer import MaskedLayer

_STALLS = ("starved", "blocked", "contended", "waiting")


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a run whose layers ran alone, one after the other."""
    target = tmp_path_factory.mktemp("runs") / "layers"
    layers = tuple(MaskedLayer(f"layer{number}", 80, 60 + 20 * number, 40, 0.5, 0.5, number) for number in range(3))
    settings = {"n_pea": 4, "tile_k": 16, "tile_n": 16}
    run(Scenario("layers", layers, settings=settings, schedule="barrier", values=False), RunOptions(target))
    return open_run(target)


def _path(content: TimelineContent) -> list[tuple[int, int, str, str, str]]:
    """Return start, end, component, kind and cause of the path's stretches, as page/path.js does."""
    described = content.header["path"]
    edges = described["start"] + np.append(0, np.cumsum(content.columns["pathDuration"]))
    keys = [described["keys"][key] for key in content.columns["pathKey"]]
    return [(int(start), int(end), *key) for (start, end), key in zip(pairwise(edges), keys, strict=True)]


def _stretches(content: TimelineContent) -> list[tuple[str, int, int, list[Any]]]:
    """Return component, start, end and chain of the stretches of stalls, as page/unpack.js does."""
    found = []
    for lane, place in zip(content.header["lanes"], content.header["stretchLanes"], strict=True):
        cycle = 0
        for i in range(place["from"], place["to"]):
            start = cycle + int(content.columns["stretchGap"][i])
            cycle = start + int(content.columns["stretchDuration"][i])
            found.append((lane["name"], start, cycle, content.header["chains"][content.columns["stretchChain"][i]]))
    return found


def _path_stalls(content: TimelineContent) -> list[tuple[str, int, int, str, str, str]]:
    """Return component, start, end, state, cause and other end of the listed stalls."""
    columns = (content.columns[name] for name in ("stallLane", "stallStart", "stallDuration", "stallKind"))
    return [
        (
            content.header["lanes"][lane]["name"],
            int(start),
            int(start + duration),
            *content.header["pathStalls"]["kinds"][kind],
        )
        for lane, start, duration, kind in zip(*columns, strict=True)
    ]


@pytest.fixture(params=["full", "layers"])
def known(request: pytest.FixtureRequest) -> StoredRun:
    """Return runs whose path is known: in one simulation, and layer by layer."""
    return request.getfixturevalue("full_run" if request.param == "full" else "layered")  # type: ignore[no-any-return]


def test_the_path_is_held(known: StoredRun) -> None:
    """The page holds the path stretch by stretch, from the first cycle of the run to the last."""
    found = _path(timeline_content(known, None))
    expected = [tuple(row.values()) for row in recorded_segments(known).to_pylist()]
    assert found == expected
    assert (found[0][0], found[-1][1]) == (0, known.end_cycle)


def test_stretches_add_up_to_root_causes(known: StoredRun) -> None:
    """Each stalled cycle of a component is in one stretch, and by their ends they are the root causes of the run."""
    found = _stretches(timeline_content(known, None))
    sums = Counter[tuple[str, ...]]()
    for component, start, end, (_, kind, name, cause) in found:
        sums[component, kind, name, cause] += end - start
    assert sums == {
        (each.component, each.terminal.kind, each.terminal.name, each.terminal.cause): each.cycles
        for each in explained(known).root_causes
    }
    covered = Counter((name, cycle) for name, start, end, _ in found for cycle in range(start, end))
    assert covered == {
        (row["component"], cycle): 1
        for row in rows(known, "activities")
        if row["state"] in _STALLS and not row["component"].startswith("dram")
        for cycle in range(row["start_cycle"], row["end_cycle"])
    }


def test_stalls_on_the_path_are_recorded_ones(known: StoredRun) -> None:
    """The longest come first; each is a row of the table, and when it ends the path is there, or its transfer is."""
    content = timeline_content(known, None)
    found, path = _path_stalls(content), _path(content)
    assert len(found) == content.header["pathStalls"]["count"] > 0
    lengths = [end - start for _, start, end, *_ in found]
    assert lengths == sorted(lengths, reverse=True)
    names = ("component", "start_cycle", "end_cycle", "state", "cause", "cause_component")
    assert set(found) <= {tuple(row[name] for name in names) for row in rows(known, "activities")}
    for component, _, end, state, *_ in found:
        assert state in _STALLS
        following = {each[2] for each in path if each[0] == end}
        assert following, (component, end)
        assert component in following or state != "contended"


def test_a_window_of_a_page_has_what_overlaps_it(full_run: StoredRun) -> None:
    """With --window, path, stalls and stretches are those of the whole run that reach into it."""
    span = (700, 900)
    whole, part = timeline_content(full_run, None), timeline_content(full_run, span)

    def inside(start: int, end: int) -> bool:
        return start < span[1] and end > span[0]

    assert _path(part) == [each for each in _path(whole) if inside(*each[:2])]
    assert _path_stalls(part) == [each for each in _path_stalls(whole) if inside(*each[1:3])]
    assert _stretches(part) == [each for each in _stretches(whole) if inside(*each[1:3])]
    assert _stretches(part)


def test_a_recorded_window_has_chains_but_no_path(tmp_path: Path) -> None:
    """What was recorded with --window has the causes of its stalls, in its own cycles, and says why it has no path."""
    run = RUNS["window"](tmp_path)
    content = timeline_content(run, None)
    assert _path(content) == _path_stalls(content) == []
    assert (
        "The critical path is not known: only a window of the run was recorded (--window)." in content.header["notes"]
    )
    found = _stretches(content)
    first, last = run.recorded_cycles
    stalled = Counter[str]()
    for row in rows(run, "activities"):
        if row["state"] in _STALLS and not row["component"].startswith("dram"):
            stalled[row["component"]] += min(row["end_cycle"], last) - max(row["start_cycle"], first)
    sums = Counter[str]()
    for component, start, end, _ in found:
        assert first <= start < end <= last
        sums[component] += end - start
    assert sums == {name: cycles for name, cycles in stalled.items() if cycles}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("stalls", "only stalls were recorded (--trace stalls)"),
        ("partial", "the run has not reached its end"),
        ("no table", "there is no dram.parquet in the run folder"),
        ("schema 1", "a run of schema 1 does not say what joins its components"),
    ],
)
def test_why_nothing_is_known_is_said(kind: str, reason: str, tmp_path: Path) -> None:
    """A page without causes says at its foot why."""
    run = RUNS.get(kind, RUNS["full"])(tmp_path)
    if kind == "no table":
        (run.path / "dram.parquet").unlink()
    if kind == "schema 1":
        run = replace(run, heading=run.heading.model_copy(update={"topology": None, "schema_version": 1}))
    content = timeline_content(run, None)
    assert f"Critical path and chains of stalls are not known: {reason}." in content.header["notes"]
    assert _path(content) == _path_stalls(content) == _stretches(content) == []


def test_what_is_too_much_is_left_out(full_run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has no more stretches than intervals, the longest stalls alone, and nothing of runs that are too large."""
    whole = timeline_content(full_run, None)
    monkeypatch.setattr(causes, "MOST_PATH_STALLS", 3)
    few = timeline_content(full_run, None, most_rows=len(_path(whole)) - 1)
    assert _path(few) == _stretches(few) == []
    assert _path_stalls(few) == _path_stalls(whole)[:3]
    assert few.header["pathStalls"]["count"] == len(_path_stalls(whole))
    notes = " ".join(few.header["notes"])
    assert f"The critical path is left out: {len(_path(whole)):,} stretches are too many for a page." in notes
    monkeypatch.setattr(causes, "MOST_FOLLOWED", 10)
    none = timeline_content(full_run, None)
    count = len(rows(full_run, "activities"))
    assert f"not known: {count:,} intervals are more than the 10 that are followed for a page." in " ".join(
        none.header["notes"]
    )
    assert _path(none) == _path_stalls(none) == _stretches(none) == []


def test_stretches_are_left_out_alone(full_run: StoredRun) -> None:
    """Where stalls have more stretches than a page may hold, the path and the list of stalls stay."""
    span, lanes = full_run.recorded_cycles, list(full_run.sections)
    most = len(recorded_segments(full_run))
    found = causes.read_causes(full_run, span, lanes, most_rows=most, with_stretches=True)
    assert len(found.columns["pathKey"]) == most
    assert len(found.columns["stallLane"]) > 0
    assert len(found.columns["stretchChain"]) == 0
    assert re.search(r"Chains of stalls are left out: [\d,]+ stretches are too many for a page", " ".join(found.notes))


def test_stretches_are_found_some_at_a_time(full_run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the room ends in the middle of a stall, nothing is lost, and nothing is told twice."""

    def cycles() -> Counter[tuple[Any, ...]]:
        content = timeline_content(full_run, None)
        return Counter(
            (name, cycle, *chain) for name, start, end, chain in _stretches(content) for cycle in range(start, end)
        )

    whole = cycles()
    monkeypatch.setattr(stretches, "STRETCHES_AT_ONCE", 7)
    assert cycles() == whole
    assert set(whole.values()) == {1}
