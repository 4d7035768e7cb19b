"""The results of a sweep: a row for each point, in the order of the points, as Parquet and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.objectives import OBJECTIVES
from panacea_sim.exploring.point import Point
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.store import Store

__all__ = ["RESULTS_CSV", "RESULTS_PARQUET", "read_results", "results_table", "write_csv", "write_results"]

RESULTS_PARQUET, RESULTS_CSV = "results.parquet", "results.csv"
_COLUMNS = {
    frozenset({int}): pa.int64(),
    frozenset({int, float}): pa.float64(),
    frozenset({bool}): pa.bool_(),
}


def results_table(rows: Iterable[tuple[Point, Record]]) -> pa.Table:
    """Return the table of points with their records, sorted by index.

    Columns: point, key (null where no run can be made), status, error; the axes by their names; the objectives; the
    figures of a study's results.csv. Values of an axis that are of several kinds are texts.
    """
    found = sorted(rows, key=lambda row: row[0].index)
    points, records = [point for point, _ in found], [record for _, record in found]
    columns: dict[str, pa.Array] = {
        "point": pa.array([point.index for point in points], pa.int64()),
        "key": pa.array([record.key or None for record in records], pa.string()),
        "status": pa.array([record.status for record in records], pa.string()),
        "error": pa.array([record.error for record in records], pa.string()),
    }
    for axis in dict.fromkeys(name for point in points for name in point.settings):
        columns[axis] = _column([point.settings.get(axis) for point in points])
    for name in OBJECTIVES:
        kind = pa.int64() if name == "cycles" else pa.float64()
        columns[name] = pa.array([record.objectives.get(name) for record in records], kind)
    for name in dict.fromkeys(name for record in records for name in record.figures):
        columns[name] = _column([record.figures.get(name) for record in records])
    return pa.table(columns)


def write_results(store: Store, table: pa.Table, stem: str = "") -> None:
    """Write the tables of a sweep, into files whose names begin with `stem`: equal rows give equal bytes."""
    store.write(Path(stem + RESULTS_PARQUET), lambda path: pq.write_table(table, path, store_schema=False))
    store.write(Path(stem + RESULTS_CSV), lambda path: write_csv(table, path))


def read_results(folder: Path, stem: str = "") -> pa.Table:
    """Return the results of a sweep; raises ConfigError where it has not come to its end."""
    path = folder / f"{stem}{RESULTS_PARQUET}"
    if not path.is_file():
        hint = "Start the sweep once more: its points are kept"
        raise ConfigError("sweep", f"{str(folder)!r} without {path.name}", "a sweep that has come to its end", hint)
    return pq.read_table(path)


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV with a header; true and false in small letters, nothing for null, inf for endless."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table.column_names, lineterminator="\n")
        writer.writeheader()
        for row in table.to_pylist():
            writer.writerow(
                {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
            )


def _column(values: Sequence[object]) -> pa.Array:
    """Return values as a column: numbers if all are numbers, flags if all are flags, else texts."""
    kinds = {type(value) for value in values if value is not None}
    for known, column in _COLUMNS.items():
        if kinds and kinds <= known:
            return pa.array(values, column)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
