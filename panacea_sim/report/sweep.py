"""A sweep in a terminal: its best points by each objective, and the points that failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from panacea_sim.report.tables import Column, print_table

__all__ = ["figure_text", "print_best", "print_sweep"]

_Rows = Sequence[Mapping[str, Any]]
_MOST_ERRORS = 3
_DIGITS = 6
_WITH_COMMAS = 10_000
_EXACT_BELOW = 10**15


def print_sweep(
    console: Console, name: str, points: int, axes: Sequence[str], best: Mapping[str, _Rows], failed: _Rows
) -> None:
    """Print the first of the best points by each objective, whose texts are the keys, and how many points failed."""
    console.print(Text(f"{name}: {points:,} points, {len(failed):,} of them failed", "bold"), soft_wrap=True)
    columns = (
        Column("best by", "name"),
        Column("value"),
        Column("point"),
        Column("equal", leaves=1),
        *(Column(axis.partition(".")[2], "word") for axis in axes),
    )
    rows = [_best_cells(objective, found, axes) for objective, found in best.items()]
    if rows:
        print_table(console, columns, rows)
    for row in failed[:_MOST_ERRORS]:
        settings = ", ".join(f"{axis.partition('.')[2]} = {figure_text(row[axis])}" for axis in axes)
        console.print(Text(f"failed: point {row['point']} ({settings}): {row['error']}"), soft_wrap=True)
    if len(failed) > _MOST_ERRORS:
        console.print(Text(f"... and {len(failed) - _MOST_ERRORS:,} more: results.csv has the error of each"))


def print_best(console: Console, objectives: Sequence[str], axes: Sequence[str], rows: _Rows) -> None:
    """Print points with their axes and these objectives, the one by which they are best first."""
    columns = (
        Column("point"),
        *(Column(axis.partition(".")[2], "word") for axis in axes),
        *(Column(objective) for objective in objectives),
    )
    cells = [[str(row["point"]), *(figure_text(row[name]) for name in (*axes, *objectives))] for row in rows]
    print_table(console, columns, cells)


def figure_text(value: object) -> str:
    """Return a value of an axis or an objective as text; "-" where nobody knows it."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (math.isfinite(value) and value.is_integer() and abs(value) < _EXACT_BELOW):
        return f"{int(value):,}" if abs(value) >= _WITH_COMMAS else str(int(value))
    return f"{value:.{_DIGITS}g}" if math.isfinite(value) else "none lost"


def _best_cells(objective: str, rows: _Rows, axes: Sequence[str]) -> list[str]:
    if not rows:
        return [objective, "-", "-", "-", *("-" for _ in axes)]
    first = rows[0]
    equal = f"{len(rows) - 1:,} more" if rows[1:] else ""
    return [
        objective,
        figure_text(first[objective]),
        str(first["point"]),
        equal,
        *(figure_text(first[axis]) for axis in axes),
    ]
