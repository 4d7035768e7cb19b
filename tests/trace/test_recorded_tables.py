"""The tables of a run: what rows they have, which of them options keep, and what their columns mean."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from engine_runs import ENGINES
from hypothesis import given, settings
from strategies import chains, scenarios

from panacea_sim.engines.choice import Engine
from panacea_sim.machines.panacea.pea import OPERATORS, pea_work
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace import access_log, posting_log
from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.posting_log import Delay
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import ACTIVITIES, TABLES, State
from panacea_sim.units import ceil_div
from panacea_sim.workload.synthetic import synthetic_layer

Row = dict[str, Any]


def _scenario() -> Scenario:
    layer = synthetic_layer(16, 24, 24, rho_w=0.3, rho_x=0.5, seed=1)
    machine = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": "mnk", "dtp": "off"}
    machine |= {"dram": "ideal", "dram_channels": 1, "dram_bytes_per_cycle": 4}
    return Scenario("traced", layer, settings=machine)


def _rows(folder: Path, table: str) -> list[Row]:
    rows: list[Row] = pq.read_table(folder / f"{table}.parquet").to_pylist()
    return rows


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with a full trace."""
    folder = tmp_path_factory.mktemp("traced") / "full"
    run(_scenario(), RunOptions(folder))
    return folder


@pytest.fixture(scope="module")
def makespan_cycles() -> int:
    """Return the makespan of that run."""
    return int(run(_scenario()).summary.to_json()["makespan_cycles"])


@settings(max_examples=15)
@given(scenario=scenarios())
def test_rows_tile_the_makespan(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The rows of each component and channel follow one another without gap from 0 to the makespan."""
    folder = tmp_path_factory.mktemp("tiled") / "run"
    summary = run(scenario, RunOptions(folder)).summary.to_json()
    by_component: dict[str, list[Row]] = {}
    for row in _rows(folder, "activities"):
        by_component.setdefault(row["component"], []).append(row)
    assert list(by_component) == list(summary["components"])
    for name, rows in by_component.items():
        assert rows[0]["start_cycle"] == 0
        assert rows[-1]["end_cycle"] == summary["makespan_cycles"]
        assert all(before["end_cycle"] == after["start_cycle"] for before, after in pairwise(rows))
        assert all(row["start_cycle"] < row["end_cycle"] for row in rows)
        for state in State:
            cycles = sum(row["end_cycle"] - row["start_cycle"] for row in rows if row["state"] == state)
            assert cycles == summary["components"][name][state]


def test_stalls_name_their_cause(full: Path) -> None:
    """Each stall names what is waited for; busy time has no cause, and idle time has one before the first firing."""
    begun = set()
    for row in _rows(full, "activities"):
        is_stall = row["state"] in {"starved", "blocked", "contended", "waiting"}
        begun |= {row["component"]} if row["state"] != "idle" else set()
        if row["component"] in begun:
            assert bool(row["cause"]) == is_stall
        if is_stall and row["cause"] != "requests":
            assert row["cause_component"]


def test_idle_time_names_the_input_that_came_last(full: Path) -> None:
    """Before its first firing a component names what it waited for last and the producer; totals call that no stall."""
    first = {row["component"]: row for row in reversed(_rows(full, "activities"))}
    waits = {name: (row["cause"], row["cause_component"]) for name, row in first.items() if row["state"] == "idle"}
    assert waits["w_decoder"] == ("w_loaded", "w_dma")
    assert waits["pea1"] == ("q_pea1", "dispatcher")
    assert waits["accumulator"][0].startswith("q_sum")
    assert waits["o_dma"] == ("q_o", "encoder")
    assert first["w_dma"]["state"] != "idle"
    stalls = run(_scenario()).summary.to_json()["stalls"]
    assert not [stall for of_component in stalls.values() for stall in of_component if stall["state"] == "idle"]


@pytest.mark.parametrize("engine", ENGINES)
def test_each_request_was_posted_once(engine: Engine, tmp_path: Path) -> None:
    """Every firing of a stream has a posting, in whose cycle its request reached the channels."""
    scenario = replace(_scenario(), values=False, settings={**_scenario().settings, "outstanding": 2})
    run(scenario, RunOptions(tmp_path / "run", engine=engine))
    postings: dict[str, list[Row]] = {}
    for row in _rows(tmp_path / "run", "postings"):
        postings.setdefault(row["component"], []).append(row)
    assert list(postings) == ["w_dma", "x_dma", "o_dma"]
    for rows in postings.values():
        assert all(after["firing"] - before["firing"] in {0, 1} for before, after in pairwise(rows))
        assert all(before["cycle"] <= after["cycle"] for before, after in pairwise(rows))
    grants = _rows(tmp_path / "run", "dram")
    assert {row["port"] for row in grants} == set(postings)
    cycles = {(row["component"], row["firing"]): row["cycle"] for rows in postings.values() for row in rows}
    for row in grants:
        assert row["request_cycle"] == cycles[row["port"], row["firing"]]
        assert row["end_cycle"] <= row["ready_cycle"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_posting_names_what_delayed_it(engine: Engine, tmp_path: Path) -> None:
    """A full number of requests in flight, a full memory or a missing output delays a posting up to its cycle."""
    scenario = replace(_scenario(), values=False, settings={**_scenario().settings, "outstanding": 2})
    run(scenario, RunOptions(tmp_path / "run", engine=engine))
    rows = _rows(tmp_path / "run", "postings")
    for row in rows:
        assert bool(row["state"]) == bool(row["cause"]) == (row["since_cycle"] < row["cycle"])
    kinds = {(row["component"], row["state"], row["cause"], row["cause_component"]) for row in rows}
    assert {("w_dma", "", "", ""), ("w_dma", "blocked", "slot", "w_dma")} <= kinds
    assert ("o_dma", "starved", "q_o", "encoder") in kinds
    third = next(row for row in rows if (row["component"], row["firing"]) == ("w_dma", 2))
    ready = [
        row["ready_cycle"] for row in _rows(tmp_path / "run", "dram") if (row["port"], row["firing"]) == ("w_dma", 0)
    ]
    assert (third["cause"], third["since_cycle"], third["cycle"]) == ("slot", 0, max(ready))


def test_busy_rows_name_layer_tile_and_bytes(full: Path) -> None:
    """Busy time belongs to a tile of the layer; the reads of a stream sum to the bytes of its operand."""
    rows = [row for row in _rows(full, "activities") if row["state"] == "busy"]
    assert {row["layer"] for row in rows} == {"synthetic_16x24x24"}
    pea_tiles = [(row["m"], row["n"], row["k"]) for row in rows if row["component"] == "pea1"]
    assert pea_tiles == [(m, n, k) for m in range(2) for n in range(3) for k in range(3)]
    (layer,) = run(_scenario()).summary.to_json()["layers"]
    for stream, key in (("w_dma", "weight_bytes"), ("x_dma", "activation_bytes"), ("o_dma", "output_bytes")):
        assert sum(row["bytes"] for row in rows if row["component"] == stream) == layer[key]
    assert sum(row["bytes"] for row in rows if row["component"] == "dram0") == sum(
        layer[key] for key in ("weight_bytes", "activation_bytes", "output_bytes")
    )


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=15)
@given(scenario=chains())
def test_steps_of_all_firings_are_the_operators_work(
    engine: Engine, scenario: Scenario, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The steps of all rows add up to the busy cycles of the operators; only busy PEAs have any."""
    folder = tmp_path_factory.mktemp("steps") / "run"
    summary = run(replace(scenario, values=False), RunOptions(folder, engine=engine)).summary.to_json()
    rows = _rows(folder, "activities")
    for name in OPERATORS:
        assert sum(row[f"{name}_steps"] for row in rows) == summary["operators"][f"{name}_busy"]
        working = [row for row in rows if row[f"{name}_steps"]]
        assert all(row["state"] == "busy" and row["component"].startswith("pea") for row in working)


def test_actions_of_all_rows_are_those_of_the_summary(full: Path) -> None:
    """Each action that a component declares is a column; its rows add up to the total in the summary."""
    rows, actions = _rows(full, "activities"), run(_scenario()).summary.to_json()["actions"]
    columns = {action for of_component in actions.values() for action in of_component}
    assert columns == set(rows[0]) - set(ACTIVITIES.names)
    for action in columns:
        found: dict[str, int] = {}
        for row in rows:
            found[row["component"]] = found.get(row["component"], 0) + row[action]
        assert found == {name: actions.get(name, {}).get(action, 0) for name in found}


@pytest.mark.parametrize("dtp", ["on", "off"])
def test_a_firing_has_the_steps_of_its_tile(dtp: str, tmp_path: Path) -> None:
    """The steps of a busy PEA are those that its cycles were computed from, the greatest quotient of which they are."""
    scenario = replace(_scenario(), settings={**_scenario().settings, "dtp": dtp, "n_dwo": 2, "n_swo": 3, "n_cs": 1})
    outcome = run(scenario, RunOptions(tmp_path / "run"))
    (layer,) = outcome.prepared.program.layers
    work, height = pea_work(layer.plan.work, outcome.prepared.program.hardware, layer.plan.height), layer.plan.height
    rows = [row for row in _rows(tmp_path / "run", "activities") if row["dwo_steps"]]
    assert {row["m"] for row in rows} == set(range(0, 2, height))
    for row in rows:
        at = row["m"] // height, int(row["component"].removeprefix("pea")), row["n"], row["k"]
        found = row["dwo_steps"], row["swo_steps"], row["cs_steps"]
        assert found == (work.dwo[at], work.swo[at], work.cs[at])
        busiest = max(ceil_div(steps, count) for steps, count in zip(found, (2, 3, 1), strict=True))
        assert row["end_cycle"] - row["start_cycle"] == busiest


def test_queue_rows_are_changes_at_the_end_of_a_cycle(full: Path) -> None:
    """A queue has at most one row a cycle, in order, and each differs from the one before."""
    by_queue: dict[str, list[Row]] = {}
    for row in _rows(full, "queues"):
        by_queue.setdefault(row["queue"], []).append(row)
    capacities = run(_scenario()).summary.to_json()["queues"]
    for name, rows in by_queue.items():
        assert rows[0]["occupancy"] > 0
        assert rows[-1]["occupancy"] == 0
        for before, after in pairwise(rows):
            assert before["cycle"] < after["cycle"]
            assert before["occupancy"] != after["occupancy"]
        assert max(row["occupancy"] for row in rows) == capacities[name]["high_water"] <= capacities[name]["capacity"]
    assert {"WMEM", "AMEM", "OMEM"} <= set(by_queue)


def test_dram_rows_do_not_overlap_and_sum_to_the_bytes(full: Path) -> None:
    """The grants of a channel follow one another, none before its request, and move all bytes."""
    rows = _rows(full, "dram")
    assert all(row["request_cycle"] <= row["start_cycle"] < row["end_cycle"] for row in rows)
    assert all(before["end_cycle"] <= after["start_cycle"] for before, after in pairwise(rows))
    dram = run(_scenario()).summary.to_json()["dram"]
    assert sum(row["bytes"] for row in rows if not row["write"]) == dram["read_bytes"]
    assert sum(row["bytes"] for row in rows if row["write"]) == dram["write_bytes"]
    assert {row["port"] for row in rows if row["write"]} == {"o_dma"}


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_described(table: str, full: Path) -> None:
    """Each Parquet column carries its meaning and unit, and each file its table and schema version."""
    schema = pq.read_schema(full / f"{table}.parquet")
    assert schema.names[: len(TABLES[table])] == TABLES[table].names
    assert schema.metadata[b"table"] == table.encode()
    assert schema.metadata[b"schema"] == b"2"
    for field in schema:
        assert len(field.metadata[b"description"]) > 5
        if field.name.endswith("_cycle") or field.name == "cycle":
            assert field.metadata[b"unit"] == b"cycles"
        if field.name.endswith("_steps"):
            assert field.metadata[b"unit"] == b"operator-cycles"
        if field.name == "bytes":
            assert field.metadata[b"unit"] == b"bytes"


def test_stalls_only(full: Path, tmp_path: Path) -> None:
    """Level "stalls" keeps exactly the stall rows of the full trace, and no row of the other tables."""
    run(_scenario(), RunOptions(tmp_path / "run", trace=TraceOptions("stalls")))
    stalls = [row for row in _rows(full, "activities") if row["state"] not in {"busy", "idle"}]
    assert stalls
    assert _rows(tmp_path / "run", "activities") == stalls
    for table in ("queues", "dram", "postings"):
        assert _rows(tmp_path / "run", table) == []


def test_off_writes_no_tables(tmp_path: Path) -> None:
    """Level "off" writes no table; the summary is complete."""
    run(_scenario(), RunOptions(tmp_path / "run", trace=TraceOptions("off")))
    assert not list((tmp_path / "run").glob("*.parquet"))
    assert (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize("first_share", [0.0, 0.3, 0.9])
def test_window_keeps_what_overlaps(first_share: float, full: Path, makespan_cycles: int, tmp_path: Path) -> None:
    """A window keeps exactly the intervals that overlap it, uncut, and the changes inside."""
    first = int(first_share * makespan_cycles)
    last = first + makespan_cycles // 5
    run(_scenario(), RunOptions(tmp_path / "run", trace=TraceOptions("full", (first, last))))
    for table in ("activities", "dram"):
        inside = [row for row in _rows(full, table) if row["start_cycle"] < last and row["end_cycle"] > first]
        assert _rows(tmp_path / "run", table) == inside
    for table in ("queues", "postings"):
        inside = [row for row in _rows(full, table) if first <= row["cycle"] < last]
        assert _rows(tmp_path / "run", table) == inside


def test_a_window_after_the_end_is_empty(makespan_cycles: int, tmp_path: Path) -> None:
    """A window in which nothing happens gives tables without rows that can still be read."""
    window = (makespan_cycles + 1, makespan_cycles + 9)
    outcome = run(_scenario(), RunOptions(tmp_path / "run", trace=TraceOptions("full", window)))
    assert [_rows(tmp_path / "run", table) for table in TABLES] == [[], [], [], []]
    assert outcome.summary.to_json()["makespan_cycles"] == makespan_cycles


def _recorded(folder: Path | None) -> Recorder:
    recorder = Recorder(TraceOptions(), ("one", "two"), folder)
    log = recorder.activity_log("c", None)
    busy, starved = log.code(State.BUSY), log.code(State.STARVED, "q", "p")
    occupancy = recorder.occupancy_log("q")
    accesses, postings = recorder.access_log("dram0", ["c", "p"]), recorder.posting_log("c")
    for cycle in range(0, 300, 3):
        log.rows.extend((busy, cycle, cycle + 1, -1))
        log.rows.extend((starved, cycle + 1, cycle + 3, -1))
        occupancy.rows.extend((cycle, cycle % 7))
        accesses.add((0, True, cycle % 2, cycle // 2, cycle, cycle + 1, cycle + 2, cycle + 9, 8, False))
        postings.add(cycle // 3, cycle, [Delay(Kind(State.STARVED, "q", "p"), cycle - 1)] * (cycle % 2))
        if cycle % 60 == 0:
            log.flush()
            occupancy.flush()
    return recorder


def test_spilled_chunks_equal_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that went over disk in many chunks equal those that stayed in memory; the chunks go as they are read."""
    for module in (access_log, posting_log):
        monkeypatch.setattr(module, "CHUNK_ROWS", 16)
    in_memory, spilled = _recorded(None), _recorded(tmp_path)
    assert list(tmp_path.iterdir())
    for table in TABLES:
        rows = spilled.table(table).to_pylist()
        assert in_memory.table(table).to_pylist() == rows
        assert rows
    assert not list(tmp_path.iterdir())


def test_only_the_last_occupancy_of_a_cycle_counts() -> None:
    """What is filled and freed in one cycle leaves no row and no high-water mark, in a queue as in a memory."""
    recorder = Recorder()
    memory, queue = recorder.occupancy_log("MEM"), recorder.occupancy_log("q")
    memory.rows.extend((3, 1, 5, 1, 5, -1, 9, 1))
    queue.moves.extend((3, 5, ~5, 9))
    for log in (memory, queue):
        log.flush()
    memory.rows.extend((9, 1, 9, -3))
    queue.moves.extend((9, ~9, ~9, ~9))
    assert (memory.high_water(), queue.high_water()) == (1, 1)
    rows = recorder.table("queues").to_pylist()
    changes = [(row["queue"], row["cycle"], row["occupancy"]) for row in rows]
    assert changes == [("MEM", 3, 1), ("MEM", 9, 0), ("q", 3, 1), ("q", 9, 0)]


def test_totals_do_not_depend_on_what_is_kept() -> None:
    """Totals count every interval, also those outside the window, and intervals of no length leave no row."""
    recorder = Recorder(TraceOptions("full", (100, 200)))
    log = recorder.activity_log("c", None)
    busy, idle = log.code(State.BUSY), log.code(State.IDLE)
    log.rows.extend((idle, 0, 10, -1, busy, 10, 10, -1, busy, 10, 17, -1))
    log.flush()
    log.rows.extend((busy, 17, 18, -1))
    assert log.totals_cycles() == [8, 10]
    assert recorder.table("activities").num_rows == 0


def test_a_kind_of_interval_has_one_code() -> None:
    """The same state, cause and component have one code, others another."""
    log = Recorder().activity_log("c", None)
    assert log.code(State.STARVED, "q", "a") == log.code(State.STARVED, "q", "a")
    assert log.code(State.STARVED, "q", "a") != log.code(State.STARVED, "q", "b")
