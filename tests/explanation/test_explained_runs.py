"""Runs that are explained: at once, later from their folder, layer by layer; and what cannot be explained."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow.parquet as pq
import pytest
from engine_runs import ENGINES

from panacea_sim.commands.door import run_command_line
from panacea_sim.engines.choice import Engine, run_engine
from panacea_sim.errors import ConfigError, InvariantError
from panacea_sim.explanation.explain import explain, path_segments
from panacea_sim.explanation.explained import explained, keep_explanation, recorded_segments
from panacea_sim.explanation.explanation import Chain, Explanation, PathRow, Terminal
from panacea_sim.explanation.records import Services, recorder_records
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE, TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.masked_layer import MaskedLayer

if TYPE_CHECKING:
    from panacea_sim.engines.compiled.columns import Trace

_SETTINGS = {"n_pea": 4, "tile_k": 16, "tile_n": 16, "dram": "hbm2", "dram_channels": 2}


def _scenario(layers: int = 1) -> Scenario:
    found = [
        MaskedLayer(f"layer{number}", 80, 60 + 20 * (number % 2), 40, 0.5, 0.5, number % 2) for number in range(layers)
    ]
    schedule = "barrier" if layers > 1 else "overlap"
    return Scenario("explained", tuple(found), settings=_SETTINGS, schedule=schedule, values=False)


def _run(folder: Path | None = None, layers: int = 1, **options: object) -> RunOutcome:
    return run(_scenario(layers), RunOptions(folder, **options))  # type: ignore[arg-type]  # options of a run


def _checked(explanation: Explanation | None) -> Explanation:
    assert explanation is not None
    return explanation


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_is_explained_without_a_trace(engine: Engine, tmp_path: Path) -> None:
    """With `explain` a run that records nothing has the explanation of one that is recorded whole."""
    at_once = _checked(_run(tmp_path / "quiet", trace=NO_TRACE, explain=True, engine=engine).explanation)
    assert not (tmp_path / "quiet" / "activities.parquet").exists()
    _run(tmp_path / "full", engine=engine)
    assert explained(open_run(tmp_path / "full")) == at_once
    assert sum(row.cycles for row in at_once.path or ()) == at_once.makespan_cycles
    assert at_once.bound == next(iter(at_once.classes))


_LARGE = MaskedLayer("large", 512, 256, 512, 0.5, 0.8, 1)


def _compiled_explanation(layer: MaskedLayer) -> Explanation:
    options = RunOptions(trace=NO_TRACE, explain=True, engine="compiled")
    return _checked(run(replace(_scenario(), layer=layer), options).explanation)


def test_it_does_not_matter_how_much_room_there_is_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled engine makes more room for rows and grants when there is none left, again and again if need be."""
    tables = pytest.importorskip("panacea_sim.engines.compiled.tables", exc_type=ImportError)
    kept_rows = pytest.importorskip("panacea_sim.engines.compiled.kept_rows", exc_type=ImportError)
    for usual in ("ROWS", "CHANNEL_ROWS", "ACCESSES", "POSTINGS"):
        monkeypatch.setattr(tables, f"_USUAL_{usual}", 0)
    rooms, found = list[tuple[int, int]](), []

    def watched(trace: Trace) -> Trace:
        more = kept_rows.with_more_room(trace)
        rooms.append((len(more.kept_end), more.accesses.shape[1]))
        return cast("Trace", more)

    monkeypatch.setattr("panacea_sim.engines.compiled.engine.with_more_room", watched)
    for owner_rows, accesses, least, most in ((1, 2, 10, 100), (1 << 17, 1 << 17, 1, 1)):
        monkeypatch.setattr(tables, "_OWNER_ROWS", owner_rows)
        monkeypatch.setattr(tables, "_CHANNEL_ACCESSES", accesses)
        kept_rows._spare.clear()
        rooms.clear()
        found.append(_compiled_explanation(_LARGE))
        assert least <= len(set(rooms)) <= most
    assert found[0] == found[1]


def test_the_next_run_has_the_room_of_the_last() -> None:
    """A run is explained in the room of the one before, whatever lies there, and as it would be by itself."""
    kept_rows = pytest.importorskip("panacea_sim.engines.compiled.kept_rows", exc_type=ImportError)
    layers = [replace(_LARGE, M=M, seed=M) for M in (512, 80, 512, 256)]
    alone = []
    for layer in layers:
        kept_rows._spare.clear()
        alone.append(_compiled_explanation(layer))
    kept_rows._spare.clear()
    assert [_compiled_explanation(layers[0])] == alone[:1]
    (room,) = kept_rows._spare
    assert [_compiled_explanation(layer) for layer in layers[1:]] == alone[1:]
    assert [np.shares_memory(each.kept_end, room.kept_end) for each in kept_rows._spare] == [True]


def test_a_large_room_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room to which much was written does not wait for the next run."""
    kept_rows = pytest.importorskip("panacea_sim.engines.compiled.kept_rows", exc_type=ImportError)
    kept_rows._spare.clear()
    monkeypatch.setattr(kept_rows, "_MOST_SPARE_BYTES", 1 << 10)
    _compiled_explanation(_LARGE)
    assert kept_rows._spare == []


def test_services_of_peas_name_their_operator() -> None:
    """Cycles of PEAs on the path are those of the operator that needs most of them."""
    explanation = _checked(_run(explain=True).explanation)
    rows = [row for row in explanation.path or () if row.component == "pea"]
    assert rows
    assert {row.cause for row in rows} <= {"dwo", "swo", "cs"}
    assert all(row.kind == "service" and set(row.members) <= {f"pea{number}" for number in range(4)} for row in rows)


def test_a_folder_keeps_its_explanation(tmp_path: Path) -> None:
    """The tables and summary.json say the same as the explanation that was made at the end of the run."""
    outcome = _run(tmp_path / "run", explain=True, trace=NO_TRACE)
    explanation = _checked(outcome.explanation)
    assert explained(open_run(tmp_path / "run")) == explanation
    content = json.loads((tmp_path / "run" / "summary.json").read_text())["explanation"]
    assert content["bound"] == explanation.bound
    assert sum(content["classes"].values()) == outcome.summary.makespan_cycles
    table = pq.read_table(tmp_path / "run" / "critical_path.parquet").to_pylist()
    assert sum(row["cycles"] for row in table) == outcome.summary.makespan_cycles
    sums = Counter[str]()
    for row in pq.read_table(tmp_path / "run" / "root_causes.parquet").to_pylist():
        sums[row["component"]] += row["cycles"]
    stalls = {
        name: sum(cycles for state, cycles in states.items() if state not in {"busy", "idle"})
        for name, states in outcome.summary.components.items()
        if not name.startswith("dram")
    }
    assert sums == {name: cycles for name, cycles in stalls.items() if cycles}


def test_a_recorded_run_keeps_its_explanation_if_asked(tmp_path: Path) -> None:
    """An explanation that was made later lies in the folder only when somebody has put it there."""
    _run(tmp_path / "run")
    explanation = explained(open_run(tmp_path / "run"))
    assert not (tmp_path / "run" / "critical_path.parquet").exists()
    keep_explanation(open_run(tmp_path / "run"), explanation)
    (tmp_path / "run" / "dram.parquet").unlink()
    assert explained(open_run(tmp_path / "run")) == explanation


@pytest.mark.parametrize("options", [{}, {"memoize": False}, {"workers": 2}], ids=["memoized", "each", "processes"])
def test_layers_that_run_alone_are_added_up(options: dict[str, object], tmp_path: Path) -> None:
    """Each layer is explained where it runs, equal ones by the one that ran, and the whole is their sum."""
    outcome = _run(tmp_path / "run", layers=4, trace=NO_TRACE, explain=True, **options)
    explanation = _checked(outcome.explanation)
    assert [name for name, _ in explanation.layers] == [f"layer{number}" for number in range(4)]
    assert explanation.layers[0][1] == explanation.layers[2][1] != explanation.layers[1][1]
    assert sum(part.makespan_cycles for _, part in explanation.layers) == outcome.summary.makespan_cycles
    assert _path_cycles(explanation) == sum((_path_cycles(part) for _, part in explanation.layers), Counter())
    crossings = [Counter({each.name: each.crossings for each in part.limits}) for _, part in explanation.layers]
    assert Counter({each.name: each.crossings for each in explanation.limits}) == sum(crossings, Counter())
    stored = explained(open_run(tmp_path / "run"))
    assert replace(stored, layers=()) == replace(explanation, layers=())
    assert [(name, part.path, part.root_causes) for name, part in stored.layers] == [
        (name, part.path, part.root_causes) for name, part in explanation.layers
    ]


def _path_cycles(explanation: Explanation) -> Counter[tuple[str, str, str]]:
    return Counter({(row.component, row.kind, row.cause): row.cycles for row in explanation.path or ()})


def test_recorded_layers_are_explained_later(tmp_path: Path) -> None:
    """The joined trace of layers that ran alone has the explanation that they had where they ran."""
    outcome = _run(tmp_path / "run", layers=3, explain=True, memoize=False)
    (tmp_path / "run" / "critical_path.parquet").unlink()
    path = tmp_path / "run" / "summary.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"explanation": None}))
    assert explained(open_run(tmp_path / "run")) == outcome.explanation
    segments = recorded_segments(open_run(tmp_path / "run")).to_pylist()
    assert (segments[0]["start_cycle"], segments[-1]["end_cycle"]) == (0, outcome.summary.makespan_cycles)
    assert all(before["end_cycle"] == after["start_cycle"] for before, after in pairwise(segments))


def test_a_window_has_root_causes_but_no_path(tmp_path: Path) -> None:
    """Of a window each component's stalls in it are explained, and nothing is said of a path."""
    _run(tmp_path / "full")
    makespan = open_run(tmp_path / "full").end_cycle
    window = (makespan // 3, 2 * makespan // 3)
    _run(tmp_path / "part", trace=TraceOptions("full", window))
    explanation = explained(open_run(tmp_path / "part"))
    assert (explanation.cycles, explanation.path, explanation.bound) == ((0, window[1] - window[0]), None, None)
    sums = Counter[str]()
    for cause in explanation.root_causes:
        sums[cause.component] += cause.cycles
    expected = Counter[str]()
    for row in open_run(tmp_path / "full").dataset("activities").to_table().to_pylist():
        cycles = min(row["end_cycle"], window[1]) - max(row["start_cycle"], window[0])
        if row["state"] not in {"busy", "idle"} and cycles > 0 and not row["component"].startswith("dram"):
            expected[row["component"]] += cycles
    assert sums == expected
    with pytest.raises(ConfigError, match="found a window of a run; accepted: a run that was recorded whole"):
        recorded_segments(open_run(tmp_path / "part"))


def test_what_was_not_recorded_cannot_be_explained(tmp_path: Path) -> None:
    """Stalls alone, no trace and a run that was stopped are refused with what to do."""
    for level, found in (("stalls", "a trace of the stalls alone"), ("off", "no trace")):
        _run(tmp_path / level, trace=TraceOptions(level))  # type: ignore[arg-type]  # one of its words
        with pytest.raises(ConfigError, match=rf"found {found}; .* Run again with --explain, or with --trace full"):
            explained(open_run(tmp_path / level))
    _run(tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"partial": True}))
    with pytest.raises(ConfigError, match="a run that has not reached its end"):
        explained(open_run(tmp_path / "run"))
    path.write_text(json.dumps(content | {"schema": 1, "topology": None, "sections": {}}))
    with pytest.raises(ConfigError, match="a run of schema 1, which has no topology"):
        explained(open_run(tmp_path / "run"))


def test_the_command_writes_the_tables(tmp_path: Path) -> None:
    """`run --explain` writes the two tables beside summary.json."""
    scenario = Path(__file__).parents[2] / "scenarios" / "quickstart.py"
    arguments = ["run", str(scenario), "--out", str(tmp_path / "run"), "--trace", "off", "--explain", "--values", "off"]
    assert run_command_line(arguments, frozenset()) == 0
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"critical_path.parquet", "root_causes.parquet"} <= names
    assert explained(open_run(tmp_path / "run")).makespan_cycles == 76_215


def test_chains_in_words() -> None:
    """A chain reads from the component that stalls to what is to blame."""
    chain = Chain(("pea", "dispatcher", "w_dma"), "starved", Terminal("o_dma", "transfer", "dram0"), 16, 20, 300)
    assert str(chain) == "16 pea starved <- dispatcher <- w_dma behind o_dma on dram0"
    own = replace(chain, members=1, terminal=Terminal("w_dma", "transfer", "dram0"))
    assert str(own) == "pea starved <- dispatcher <- w_dma, transfer on dram0"
    assert str(replace(own, terminal=Terminal("dram0", "device", "refresh"))).endswith("w_dma <- refresh of dram0")
    assert str(replace(own, terminal=Terminal("dram0", "latency"))).endswith("w_dma <- latency of dram0")
    busy = Chain(("pea", "dispatcher"), "starved", Terminal("dispatcher", "busy"), 1, 2, 3)
    assert str(busy) == "pea starved <- dispatcher busy"


def test_services_that_do_not_fill_their_rows_are_refused() -> None:
    """A component on the path whose services take other cycles than it was busy ends the run, with its name."""
    prepared, recorder = prepare(_scenario()), Recorder(NO_TRACE, ("layer0",), explains=True)
    assert isinstance(prepared, Prepared)
    result = run_engine("reference", prepared.description, recorder)
    records = recorder_records(prepared.description, recorder, result.makespan_cycles)
    busiest = max(_path(explain(records)), key=lambda row: row.cycles * (row.kind == "service"))
    name = max(busiest.members, key=lambda each: busiest.members[each])
    cycles = records.services[name].cycles
    for wrong in (cycles + 1, cycles - (cycles > 0), cycles[:0], np.roll(cycles, 1)):
        changed = replace(records, services={**records.services, name: Services(wrong)})
        with pytest.raises(InvariantError, match=f"^{name} serves for other cycles than its services take"):
            explain(changed)
        with pytest.raises(InvariantError, match=f"^{name} serves for other cycles than its services take"):
            path_segments(changed)


def _path(explanation: Explanation) -> tuple[PathRow, ...]:
    assert explanation.path is not None
    return explanation.path
