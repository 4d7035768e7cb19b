"""What the page of points shows: a measure for each axis and goal, and the place of every point on it."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from panacea_sim.report.points import ShownPoints
from panacea_sim.report.sweep import figure_text
from panacea_sim.report.why import KnownWhy

__all__ = ["page_content"]


def page_content(found: ShownPoints) -> dict[str, Any]:
    """Return what becomes the JSON of the page.

    `measures` has one entry for each axis that differs, then for each goal: its name and text, `sign` (0 of an axis),
    `places` of the points, null where there is none, `texts` of them, and `words` where places are those of words.
    """
    front = set(map(id, found.front))
    goals = [_goal_measure(found, number) for number in range(len(found.goals))]
    return {
        "name": found.name,
        "measures": [*(_axis_measure(found, axis) for axis in found.axes if _differs(found, axis)), *goals],
        "fixed": [
            f"{axis} = {figure_text(found.points[0].settings[axis])}"
            for axis in found.axes
            if not _differs(found, axis)
        ],
        "points": [
            {"index": point.index, "isFront": id(point) in front, "error": point.error, "why": _why(point.why)}
            for point in found.points
        ],
    }


def _differs(found: ShownPoints, axis: str) -> bool:
    return len({repr(point.settings[axis]) for point in found.points}) > 1


def _axis_measure(found: ShownPoints, axis: str) -> dict[str, Any]:
    values = [point.settings[axis] for point in found.points]
    texts = [figure_text(value) for value in values]
    places: Sequence[object] = values
    words: list[str] | None = None
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        words = list(dict.fromkeys(texts))
        places = [words.index(text) for text in texts]
    return {"name": axis, "text": _short(found, axis), "sign": 0, "places": places, "texts": texts, "words": words}


def _short(found: ShownPoints, axis: str) -> str:
    """Return an axis without its section, where no other one is called so."""
    name = axis.rpartition(".")[2]
    return name if sum(other.rpartition(".")[2] == name for other in found.axes) == 1 else axis


def _goal_measure(found: ShownPoints, number: int) -> dict[str, Any]:
    goal = found.goals[number]
    figures = [point.figures.get(goal.name) for point in found.points]
    return {
        "name": goal.name,
        "text": goal.text,
        "sign": goal.sign,
        "places": [figure if figure is not None and isfinite(figure) else None for figure in figures],
        "texts": [figure_text(figure) for figure in figures],
        "words": None,
    }


def _why(known: KnownWhy | None) -> dict[str, Any] | None:
    if known is None:
        return None
    tables = [
        {
            "title": table.title,
            "columns": [{"title": column.title, "isFigure": column.kind == "figure"} for column in table.columns],
            "rows": table.rows,
        }
        for table in known.tables
    ]
    return {"first": known.first, "tables": tables, "lines": known.lines}
