"""The frontier of a sweep in a terminal and as a picture: the points that no other one beats."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import isfinite
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console

from panacea_sim.report.charts import picture_style, save_picture
from panacea_sim.report.points import Goal, ShownPoint, ShownPoints
from panacea_sim.report.sweep import figure_text
from panacea_sim.report.tables import Column, print_table
from panacea_sim.report.themes import LIGHT

__all__ = ["pareto_figure", "print_front", "write_pareto"]

_SHOWN = 20
_FONT_POINTS = 9
_PANEL_INCHES = (5.2, 3.9)
_MOST_COLUMNS = 3
_FRONT, _OTHERS = LIGHT.curves[1], LIGHT.channels[3]


def print_front(console: Console, found: ShownPoints) -> None:
    """Print the points that no other one beats, the best in the first goal first, and how many there are in all."""
    columns = [
        Column("point"),
        *(Column(axis.partition(".")[2], "word") for axis in found.axes),
        *(Column(goal.text) for goal in found.goals),
    ]
    rows = [_cells(found, point) for point in found.front[:_SHOWN]]
    if rows:
        print_table(console, columns, rows, _title(found))
    for line in _remarks(found):
        console.print(line, markup=False, highlight=False)


def write_pareto(found: ShownPoints, path: Path, ending: str) -> None:
    """Write the picture as png, svg or pdf."""
    save_picture(pareto_figure(found), path, ending)


def pareto_figure(found: ShownPoints) -> Figure:
    """Return the picture: one panel for each two goals, those that no other point beats in colour.

    Of a single goal its figures are drawn over the points. What is not known or infinite has no place and is left out.
    """
    pairs: list[tuple[Goal | None, Goal]] = [*combinations(found.goals, 2)] or [(None, found.goals[0])]
    columns = min(len(pairs), _MOST_COLUMNS)
    rows = -(-len(pairs) // columns)
    with picture_style(_FONT_POINTS):
        size = (max(columns * _PANEL_INCHES[0], 6), rows * _PANEL_INCHES[1] + 0.6)
        figure = Figure(figsize=size, dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for axes, (across, up) in zip(panels, pairs, strict=False):
            _draw(axes, found, across, up)
        for axes in list(panels)[len(pairs) :]:
            axes.set_visible(False)
        # A dollar would start a formula.
        figure.suptitle(_title(found).replace("$", r"\$"), fontsize=_FONT_POINTS + 1, x=0.01, ha="left")
    return figure


def _draw(axes: Axes, found: ShownPoints, across: Goal | None, up: Goal) -> None:
    front = set(map(id, found.front))
    groups = (
        ("other points", _OTHERS, 14, [point for point in found.points if id(point) not in front]),
        ("not beaten", _FRONT, 30, found.front),
    )
    for label, colour, size, points in groups:
        places = [place for point in points if (place := _place(point, across, up)) is not None]
        if places:
            x, y = zip(*places, strict=True)
            axes.scatter(x, y, s=size, color=colour, label=label, linewidths=0)
    if len(found.goals) == 2:  # noqa: PLR2004  # of more goals a line would join what has nothing to do with each other
        line = sorted(place for point in found.front if (place := _place(point, across, up)) is not None)
        if line:
            x, y = zip(*line, strict=True)
            is_least = across is not None and across.sign > 0
            axes.step(x, y, where="post" if is_least else "pre", color=_FRONT, linewidth=0.9)
    axes.set_xlabel("point" if across is None else _label(across))
    axes.set_ylabel(_label(up))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=_FONT_POINTS - 1.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _place(point: ShownPoint, across: Goal | None, up: Goal) -> tuple[float, float] | None:
    x = float(point.index) if across is None else point.figures.get(across.name)
    y = point.figures.get(up.name)
    return None if x is None or y is None or not (isfinite(x) and isfinite(y)) else (x, y)


def _label(goal: Goal) -> str:
    return f"{goal.text}{' (more is better)' if goal.sign < 0 else ''}"


def _cells(found: ShownPoints, point: ShownPoint) -> list[str]:
    settings = [figure_text(point.settings[axis]) for axis in found.axes]
    return [str(point.index), *settings, *(figure_text(point.figures[goal.name]) for goal in found.goals)]


def _title(found: ShownPoints) -> str:
    by = _words([goal.text for goal in found.goals])
    return f"{found.name}: {len(found.front):,} of {len(found.points):,} points that no other one beats in {by}"


def _remarks(found: ShownPoints) -> list[str]:
    remarks = []
    if not found.front:
        remarks.append(f"{found.name}: no point has figures of {_words([goal.text for goal in found.goals])}.")
    if len(found.front) > _SHOWN:
        remarks.append(f".. and {len(found.front) - _SHOWN:,} more: pareto.csv has them")
    if found.unjudged:
        missing = [goal.text for goal in found.goals if any(_lacks(point, goal) for point in found.points)]
        remarks.append(
            f"Not compared, because they have no figure of {_words(missing)}: {found.unjudged:,} of the points."
        )
    return remarks


def _lacks(point: ShownPoint, goal: Goal) -> bool:
    return point.error is None and point.figures.get(goal.name) is None


def _words(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
