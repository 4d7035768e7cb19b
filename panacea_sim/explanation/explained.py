"""Runs that are explained: one that has just ended, or one that a folder holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from panacea_sim.analysis.accounting import state_cycles
from panacea_sim.description.description import Description
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import ConfigError, InvariantError
from panacea_sim.explanation.explain import explain, path_segments
from panacea_sim.explanation.explanation import Explanation, joined
from panacea_sim.explanation.folder import explanation_summary, explanation_tables, stored_explanation
from panacea_sim.explanation.recorded import TABLES_NEEDED, activity_columns, table_records
from panacea_sim.explanation.records import Records, recorder_records
from panacea_sim.explanation.row_kinds import STATES
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.summary import Summary

__all__ = [
    "explained",
    "explained_parts",
    "explained_run",
    "keep_explanation",
    "recorded_part",
    "recorded_segments",
]


def explained_run(description: Description, recorder: Recorder, result: EngineResult) -> Explanation:
    """Return the explanation of a run that has ended, whose recorder explains.

    Raises InvariantError if it does not add up to the makespan and the stalls of the run.
    """
    records = recorder_records(description, recorder, result.makespan_cycles)
    explanation = explain(records)
    records.let_go()
    sums: dict[str, int] = dict.fromkeys((part.name for part in description.components), 0)
    for cause in explanation.root_causes:
        sums[cause.component] += cause.cycles
    states = state_cycles(result)
    for name, cycles in sums.items():
        stalled = sum(states[name][state] for state in STATES)
        if cycles != stalled:
            raise InvariantError(f"the root causes of {name} explain {cycles} of {stalled} stalled cycles")
    return explanation


def explained(run: StoredRun) -> Explanation:
    """Return the explanation of a stored run: the one in its folder, or one that is made of its trace.

    Of a window there are only root causes. Raises ConfigError for a run that is partial, of schema 1, or of which not
    everything was recorded.
    """
    summary = _complete(run)
    stored = stored_explanation(run)
    if stored is not None:
        return stored
    if run.window is not None:
        return explain(recorded_part(run, run.recorded_cycles), with_path=False)
    if summary.schedule == "barrier":
        cycles = explained_parts(run, summary)
        return joined(
            [
                (layer.name, explain(recorded_part(run, each)))
                for layer, each in zip(summary.layers, cycles, strict=True)
            ]
        )
    return explain(recorded_part(run, (0, summary.makespan_cycles)))


def recorded_segments(run: StoredRun) -> pa.Table:
    """Return the critical path of a run that was recorded whole, stretch by stretch (explain.SEGMENTS).

    Raises ConfigError as `explained` does, and for a window.
    """
    summary = _complete(run)
    if run.window is not None:
        raise ConfigError(f"{run.path}", "a window of a run", "a run that was recorded whole", "Run without --window")
    parts = []
    for first, last in explained_parts(run, summary):
        part = path_segments(recorded_part(run, (first, last)))
        for name in ("start_cycle", "end_cycle"):
            place = part.schema.get_field_index(name)
            part = part.set_column(place, part.schema.field(place), pc.add(part.column(place), first))
        parts.append(part)
    return pa.concat_tables(parts)


def keep_explanation(run: StoredRun, explanation: Explanation) -> None:
    """Write an explanation into the folder of its run."""
    for name, table in explanation_tables(explanation).items():
        with new_file(run.path / f"{name}.parquet", force=True) as beside:
            pq.write_table(table, beside, compression="zstd")
    path = run.path / "summary.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["explanation"] = explanation_summary(explanation).model_dump(mode="json")
    with new_file(path, force=True) as beside, beside.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def _complete(run: StoredRun) -> Summary:
    if run.summary is None:
        found, accepted = "a run that has not reached its end", "a complete run: what comes later may be the cause"
        raise ConfigError(f"{run.path}", found, accepted, "Run the scenario again")
    return run.summary


def explained_parts(run: StoredRun, summary: Summary) -> list[tuple[int, int]]:
    """Return the cycles of a run that are explained each by themselves: those of layers that ran alone, or all."""
    if run.window is not None:
        return [run.recorded_cycles]
    if summary.schedule == "barrier":
        return list(pairwise([0, *(layer.end_cycle for layer in summary.layers)]))
    return [(0, summary.makespan_cycles)]


def recorded_part(run: StoredRun, cycles: tuple[int, int]) -> Records:
    """Return what was recorded between two cycles, at which one layer ends and another begins, or of a window."""
    topology = run.topology
    if not run.is_full:
        found = "no trace" if run.level == "off" else "a trace of the stalls alone"
        hint = "Run again with --explain, or with --trace full"
        raise ConfigError(f"{run.path}", found, "a run that was explained, or recorded whole", hint)
    return table_records(topology, cycles, _tables(run, cycles))


def _tables(run: StoredRun, cycles: tuple[int, int]) -> Mapping[str, pa.Table]:
    first, last = cycles
    columns: dict[str, list[str] | None] = dict.fromkeys(TABLES_NEEDED)
    # Of the widest table only what is needed: tiles and most actions are left where they are.
    columns["activities"] = activity_columns(run.topology)
    if run.window is not None or (first, last) == (0, run.end_cycle):
        return {name: run.dataset(name).to_table(columns[name]) for name in TABLES_NEEDED}
    # Nothing of one layer reaches into the next.
    inside = {
        "activities": (pc.field("start_cycle") >= first) & (pc.field("end_cycle") <= last),
        "dram": (pc.field("start_cycle") >= first) & (pc.field("end_cycle") <= last),
        "postings": (pc.field("cycle") >= first) & (pc.field("cycle") < last),
    }
    return {name: run.dataset(name).to_table(columns[name], filter=inside[name]) for name in TABLES_NEEDED}
