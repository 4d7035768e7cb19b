"""What people see of explored points beside their tables: the frontier as table and picture, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from panacea_sim.explanation.folder import RowsByLayer, explanation_of
from panacea_sim.exploring.objectives import OBJECTIVES
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.results import write_csv
from panacea_sim.exploring.store import Store
from panacea_sim.report.points import Goal, ShownPoint, ShownPoints
from panacea_sim.report.why import KnownWhy, known_why
from panacea_sim.trace.schema import EXPLANATION_TABLES
from panacea_sim.trace.summary import Summary

__all__ = ["shown_files", "shown_points", "write_shown"]

_MOST_EXPLAINED = 2000
"""Each takes some kilobytes of the page."""


def shown_files(stem: str = "") -> tuple[str, str, str]:
    """Return the names of the files that `write_shown` writes: frontier as CSV and picture, and the page."""
    return tuple(f"{stem}{name}" for name in ("pareto.csv", "pareto.png", "points.html"))  # type: ignore[return-value]  # three


def shown_points(entry: Mapping[str, Any], table: pa.Table, store: Store | None = None) -> ShownPoints:
    """Return the rows of results as points to show; with the store also why each run took so long.

    `entry` is what sweep.json says.
    """
    goals = [Goal(each.name, each.text, each.sign) for each in map(OBJECTIVES.__getitem__, entry["objectives"])]
    axes = list(entry["axes"])
    rows = table.to_pylist()
    points = [
        ShownPoint(
            row["point"],
            {name: row[name] for name in axes},
            {goal.name: row[goal.name] for goal in goals},
            row["error"],
        )
        for row in rows
    ]
    found = ShownPoints(entry["name"], axes, goals, points)
    return found if store is None else replace(found, points=_explained(found, [row["key"] for row in rows], store))


def write_shown(store: Store, entry: Mapping[str, Any], table: pa.Table, stem: str = "") -> None:
    """Write the frontier as CSV and picture, and the page of all points, into the folder of a store."""
    # The libraries of pictures and pages take a while to import.
    from panacea_sim.report.pareto import write_pareto  # noqa: PLC0415
    from panacea_sim.report.points_page import write_points  # noqa: PLC0415

    found = shown_points(entry, table, store)
    front = table.filter(pc.is_in(table["point"], pa.array([each.index for each in found.front], pa.int64())))
    csv, picture, page = shown_files(stem)
    store.write(Path(csv), lambda path: write_csv(front, path))
    store.write(Path(picture), lambda path: write_pareto(found, path, "png"))
    store.write(Path(page), lambda path: write_points(found, path))


def _explained(found: ShownPoints, keys: Sequence[str | None], store: Store) -> list[ShownPoint]:
    """Return the points with why their runs took so long; of very many only some: first those not beaten."""
    front = {point.index for point in found.front}
    asked = sorted(range(len(keys)), key=lambda number: found.points[number].index not in front)[:_MOST_EXPLAINED]
    explained = list(found.points)
    for number in asked:
        key = keys[number]
        explained[number] = replace(explained[number], why=None if key is None else _why(store.record(key)))
    return explained


def _why(record: Record | None) -> KnownWhy | None:
    """Return what is known of the run of a point; None of one that failed."""
    if record is None or record.summary is None:
        return None
    # A record has no times of the host.
    summary = Summary.model_validate({**record.summary, "host_seconds": 0.0})
    if summary.explanation is None:
        return None
    paths = None if record.critical_path is None else _rows("critical_path", record.critical_path)
    # The page names the longest chains of the summary, and needs no matrix of root causes.
    return known_why(summary, explanation_of(summary.explanation, paths, {}))


def _rows(table: str, rows: Sequence[Sequence[Any]]) -> RowsByLayer:
    """Return the rows of a record, which are those of the whole run, with the names of their columns."""
    names = [field.name for field in EXPLANATION_TABLES[table] if field.name != "layer"]
    return {"": [dict(zip(names, row, strict=True)) for row in rows]}
