"""The critical path and the root causes: both engines, their tables, and a second writing in plain Python agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from case_counts import at_most
from engine_runs import LAYERS, NEEDS_NUMBA
from hypothesis import event, given
from naive import NaiveResult, accounted
from naive_machine import Machine, StuckError
from naive_path import EventGraph, critical_path, root_causes
from strategies import BANKED_DEVICES, SPLITTING_DEVICES, machines, programs

from panacea_sim.description.description import Description
from panacea_sim.description.topology import Topology, topology_of
from panacea_sim.engines.choice import ChosenEngine, run_engine
from panacea_sim.errors import DeadlockError
from panacea_sim.explanation.explain import explain, path_segments
from panacea_sim.explanation.explanation import Explanation
from panacea_sim.explanation.recorded import TABLES_NEEDED, table_records
from panacea_sim.explanation.records import recorder_records
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


@at_most(200)
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
    explanation, segments = found[0]
    path = explanation.path
    assert path is not None
    assert sum(row.cycles for row in path) == explanation.makespan_cycles
    assert all(sum(row.members.values()) == row.cycles for row in path)
    judged = explanation.makespan_cycles <= _LONGEST_CYCLES
    event(f"judged: {judged}")
    if judged:
        _judge(machine, explanation, segments)


def _explained(machine: Description, engine: ChosenEngine) -> tuple[Explanation, list[dict[str, object]]]:
    """Return what an engine's recorder gives; its tables must give the same, and so must a run without tables."""
    recorder, quiet = Recorder(layers=LAYERS, explains=True), Recorder(TraceOptions("off"), LAYERS, explains=True)
    result = run_engine(engine, machine, recorder)
    run_engine(engine, machine, quiet)
    tables = {name: recorder.table(name) for name in TABLES_NEEDED}
    recorded = table_records(topology_of(machine), (0, result.makespan_cycles), tables)
    kept = recorder_records(machine, recorder, result.makespan_cycles)
    explanation, segments = explain(kept), path_segments(kept).to_pylist()
    assert (explain(recorded), path_segments(recorded).to_pylist()) == (explanation, segments)
    assert explain(recorder_records(machine, quiet, result.makespan_cycles)) == explanation
    stalls = {
        name: sum(total.cycles for total in totals if total.cause)
        for name, totals in result.totals.items()
        if name not in topology_of(machine).channels
    }
    sums = Counter[str]()
    for cause in explanation.root_causes:
        sums[cause.component] += cause.cycles
    assert sums == {name: cycles for name, cycles in stalls.items() if cycles}
    return explanation, segments


def _judge(machine: Description, explanation: Explanation, segments: list[dict[str, object]]) -> None:
    naive = Machine(machine)
    try:
        naive.run()
    except StuckError:  # pragma: no cover  # the engines agree on deadlocks elsewhere
        raise AssertionError("a deadlock that the engines have not found") from None
    result: NaiveResult = accounted(naive)
    graph = EventGraph(naive)
    assert graph.makespan() == result.makespan_cycles
    path, crossings, cycles = critical_path(graph)
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
