"""One point evaluated: its run, and the record of what it gave, as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from panacea_sim.analysis.study_results import study_rows
from panacea_sim.energy.area import area_of
from panacea_sim.energy.prices import SramCells
from panacea_sim.energy.table import energy_table
from panacea_sim.errors import ConfigError, DeadlockError, MappingError
from panacea_sim.explanation.folder import explanation_tables
from panacea_sim.exploring.accuracy import accuracy_db
from panacea_sim.exploring.maker import Base, Made, Maker
from panacea_sim.exploring.record import Figure, Record
from panacea_sim.running.run import RunOptions, run
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.summary import Summary

__all__ = ["Task", "evaluate", "evaluate_all"]

_PJ_PER_JOULE = 10**12
_NOT_OF_THE_POINT = ("case", "hardware", "engine")
"""Columns of a study that say nothing here: names do not count, and both engines give the same, of which a host may
have only one."""


@dataclass(frozen=True)
class Task:
    """What is to be evaluated: settings, and the key under which their record is kept."""

    key: str
    settings: Mapping[str, object]


def evaluate_all(base: Base, tasks: Sequence[Task]) -> list[bytes]:
    """Return the records of tasks, in order."""
    maker = _maker_of(base)
    return [evaluate(maker, task).to_bytes() for task in tasks]


def evaluate(maker: Maker, task: Task) -> Record:
    """Return the record of a task; whatever goes wrong is one too.

    What does not fit the machine, or stands still, fails everywhere; anything else may be the computer's fault.
    """
    try:
        made = maker.made(task.settings)
        return _record(task.key, made)
    except (MappingError, DeadlockError) as error:
        return Record.failed(task.key, error)
    except ConfigError as error:
        return Record.failed(task.key, error, lasting=False)
    except Exception as error:  # noqa: BLE001  # a point that fails must not stop the others
        return Record.failed(task.key, f"{type(error).__name__}: {error}", lasting=False)


_makers: dict[int, tuple[Base, Maker]] = {}


def _maker_of(base: Base) -> Maker:
    """Return the maker of a base, which this process keeps as long as points of the base come."""
    if id(base) not in _makers:
        _makers.clear()
        _makers[id(base)] = (base, Maker(base))
    return _makers[id(base)][1]


def _record(key: str, made: Made) -> Record:
    outcome = run(made.scenario, RunOptions(trace=NO_TRACE, log_level="error", explain=True))
    summary, explanation = outcome.summary, outcome.explanation
    assert explanation is not None  # it was asked for
    tables = explanation_tables(replace(explanation, layers=()))
    figures = study_rows({"": summary})[0]
    for name in _NOT_OF_THE_POINT:
        del figures[name]
    energy_pj = figures.pop("energy_pj")
    return Record(
        key,
        "ok",
        _objectives(summary, energy_pj, accuracy_db(made)),
        figures=figures,
        summary=_without_times(summary),
        critical_path=_rows(tables["critical_path"]),
        root_causes=_rows(tables["root_causes"]),
    )


def _objectives(summary: Summary, energy_pj: Figure, accuracy: float | None) -> dict[str, float | None]:
    """Return the figures by which points are compared; None where a part of the machine has no figure."""
    energy = None if energy_pj is None else float(energy_pj)
    return {
        "cycles": summary.makespan_cycles,
        "energy_pj": energy,
        "area_mm2": _area_mm2(summary),
        "edp_js": None if energy is None else energy * summary.seconds / _PJ_PER_JOULE,
        "accuracy_db": accuracy,
    }


def _area_mm2(summary: Summary) -> float | None:
    """Return the nominal area by the default table."""
    if summary.inventory is None:
        return None
    table = energy_table()
    nominal = table.sram.nominal
    total = area_of(summary.inventory, table, SramCells(nominal, nominal, nominal)).total
    return None if total is None else float(total.nominal)


def _without_times(summary: Summary) -> dict[str, Any]:
    """Return summary.json without what differs from host to host and from call to call."""
    content = summary.to_json()
    del content["host_seconds"]
    return content


def _rows(table: pa.Table) -> list[list[Any]]:
    """Return the rows of a table of an explanation without the layer, which is the whole run."""
    columns = table.drop_columns("layer").to_pydict().values()
    return [list(row) for row in zip(*columns, strict=True)]
