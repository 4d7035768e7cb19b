"""The critical path and the root causes: both engines, their tables, and a second writing in plain Python agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import pytest
from case_counts import at_most
from engine_runs import LAYERS, NEEDS_NUMBA
from hypothesis import event, given
from hypothesis import strategies as st
from naive import NaiveResult, accounted
from naive_machine import Machine, StuckError
from naive_path import EventGraph, critical_path, path_stalls, root_causes, stalled_cycles
from strategies import (
    ABLATED,
    BANKED_DEVICES,
    RIVALS,
    SPLITTING_DEVICES,
    ablated_scenarios,
    machines,
    programs,
    rival_scenarios,
)

from panacea_sim.description.description import Description
from panacea_sim.description.topology import Topology, topology_of
from panacea_sim.engines.choice import ChosenEngine, run_engine
from panacea_sim.errors import DeadlockError
from panacea_sim.explanation.drawn import drawn_part
from panacea_sim.explanation.explain import explain, path_segments
from panacea_sim.explanation.explanation import Explanation, Terminal
from panacea_sim.explanation.recorded import TABLES_NEEDED, table_records
from panacea_sim.explanation.records import Records, recorder_records
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder

pytestmark = pytest.mark.timeout(1_800)

_LONGEST_CYCLES = 1_500
"""Machines up to this makespan are judged, cycle by cycle."""


@at_most(250)
@given(machines())
@NEEDS_NUMBA
def test_equal_on_ideal_channels(machine: Description) -> None:
    """All four agree, stretch by stretch and stall by stall; they add up to the makespan and to the stalls."""
    _check(machine)


@at_most(250)
@given(machines(BANKED_DEVICES))
@NEEDS_NUMBA
def test_equal_with_banks_and_refresh(machine: Description) -> None:
    """They agree as well where devices have reasons of their own."""
    _check(machine)


@at_most(200)
@given(programs)
@NEEDS_NUMBA
def test_equal_on_real_programs(scenario: Scenario) -> None:
    """They agree on whole machines at work."""
    _check(prepare(replace(scenario, values=False)).description)


@pytest.mark.parametrize("machine", [*RIVALS, *ABLATED])
@at_most(15)
@given(data=st.data())
@NEEDS_NUMBA
def test_equal_on_rivals(machine: str, data: st.DataObject) -> None:
    """They agree, and all sums hold, on every kind of machine beside panacea."""
    drawn = rival_scenarios(machine) if machine in RIVALS else ablated_scenarios(machine)
    prepared = prepare(replace(data.draw(drawn), values=False))
    _check(prepared.description)


@at_most(100)
@given(machines(SPLITTING_DEVICES))
def test_equal_where_a_request_takes_several_grants(machine: Description) -> None:
    """The reference engine and the judge agree where other grants come between those of one request."""
    _check(machine, ("reference",))


def _check(machine: Description, engines: tuple[ChosenEngine, ...] = ("reference", "compiled")) -> None:
    try:
        found = [_explained(machine, engine) for engine in engines]
    except DeadlockError:
        return
    assert all(each == found[0] for each in found)
    explanation, segments, drawn = found[0]
    path = explanation.path
    assert path is not None
    assert sum(row.cycles for row in path) == explanation.makespan_cycles
    assert all(sum(row.members.values()) == row.cycles for row in path)
    judged = explanation.makespan_cycles <= _LONGEST_CYCLES
    event(f"judged: {judged}")
    if judged:
        _judge(machine, explanation, segments, drawn)


class Drawn(NamedTuple):
    """What there is to draw: stretches as (component, start, end, hops, terminal), stalls on the path without these."""

    stretches: list[tuple[str, int, int, int, Terminal]]
    path_stalls: list[tuple[str, int, int]]


def _drawn(records: Records) -> Drawn:
    part = drawn_part(records, with_path=True, with_stretches=True)
    stretches, stalls, names = part.stretches, part.stalls, records.owners
    assert stretches is not None
    assert stalls is not None
    columns = (stretches.component, stretches.start_cycle, stretches.end_cycle, stretches.hops, stretches.terminal)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    met = zip(*(column.tolist() for column in (stalls.component, stalls.start_cycle, stalls.end_cycle)), strict=True)
    return Drawn(
        [(names[component], *rest, stretches.terminals[terminal]) for component, *rest, terminal in rows],
        [(names[component], *cycles) for component, *cycles in met],
    )


def _explained(machine: Description, engine: ChosenEngine) -> tuple[Explanation, list[dict[str, object]], Drawn]:
    """Return what an engine's recorder gives; its tables must give the same, and so must a run without tables."""
    recorder, quiet = Recorder(layers=LAYERS, explains=True), Recorder(TraceOptions("off"), LAYERS, explains=True)
    result = run_engine(engine, machine, recorder)
    run_engine(engine, machine, quiet)
    tables = {name: recorder.table(name) for name in TABLES_NEEDED}
    recorded = table_records(topology_of(machine), (0, result.makespan_cycles), tables)
    kept = recorder_records(machine, recorder, result.makespan_cycles)
    explanation, segments = explain(kept), path_segments(kept).to_pylist()
    assert (explain(recorded), path_segments(recorded).to_pylist()) == (explanation, segments)
    untraced = recorder_records(machine, quiet, result.makespan_cycles)
    assert (explain(untraced), path_segments(untraced).to_pylist()) == (explanation, segments)
    stalls = {
        name: sum(total.cycles for total in totals if total.cause)
        for name, totals in result.totals.items()
        if name not in topology_of(machine).channels
    }
    sums = Counter[str]()
    for cause in explanation.root_causes:
        sums[cause.component] += cause.cycles
    assert sums == {name: cycles for name, cycles in stalls.items() if cycles}
    drawn = _drawn(kept)
    assert _drawn(untraced) == drawn
    by_terminal = Counter[tuple[str, Terminal]]()
    for component, start, end, _, terminal in drawn.stretches:
        by_terminal[component, terminal] += end - start
    assert by_terminal == {(each.component, each.terminal): each.cycles for each in explanation.root_causes}
    return explanation, segments, drawn


def _judge(machine: Description, explanation: Explanation, segments: list[dict[str, object]], drawn: Drawn) -> None:
    naive = Machine(machine)
    try:
        naive.run()
    except StuckError:  # pragma: no cover  # the engines agree on deadlocks elsewhere
        raise AssertionError("a deadlock that the engines have not found") from None
    result: NaiveResult = accounted(naive)
    graph = EventGraph(naive)
    assert graph.makespan() == result.makespan_cycles
    met: list[tuple[str, int]] = []
    path, crossings, cycles = critical_path(graph, met)
    services = [{**row, "cause": "" if row["kind"] == "service" else row["cause"]} for row in segments]
    assert [
        tuple(row[name] for name in ("component", "kind", "cause", "start_cycle", "end_cycle")) for row in services
    ] == [tuple(segment) for segment in path]
    expected = _shortened(crossings, topology_of(machine)), _shortened(cycles, topology_of(machine))
    limits = explanation.limits
    assert {(limit.name, limit.kind): limit.crossings for limit in limits} == expected[0]
    assert {(limit.name, limit.kind): limit.stalled_cycles for limit in limits} == expected[1]
    causes = {
        (each.component, each.terminal.name, each.terminal.kind, each.terminal.cause): each.cycles
        for each in explanation.root_causes
    }
    assert causes == dict(root_causes(graph, result))
    stalled = {
        (component, cycle): (hops, (terminal.name, terminal.kind, terminal.cause))
        for component, start, end, hops, terminal in drawn.stretches
        for cycle in range(start, end)
    }
    assert stalled == {
        (component, cycle): (len(chain) - 1, terminal)
        for component, cycle, chain, terminal in stalled_cycles(graph, result)
    }
    assert len(set(drawn.path_stalls)) == len(drawn.path_stalls)
    assert set(drawn.path_stalls) == path_stalls(result, path, met)


def _shortened(counts: Counter[tuple[str, str]], topology: Topology) -> dict[tuple[str, str], int]:
    """Return the counts with one name for alike queues, and groups for components."""
    shortened = Counter[tuple[str, str]]()
    for (name, kind), count in counts.items():
        if kind == "dataflow":
            waits, _, other = name.partition(" after ")
            name = f"{topology.group_of[waits]} after {topology.group_of[other]}"  # noqa: PLW2901
        elif kind in {"queue", "memory"}:
            name = topology.short_names.get(name, name)  # noqa: PLW2901
        shortened[name, kind] += count
    return dict(shortened)
