"""The roofline as a chart: every layer a point below the roofs of bandwidth and multipliers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from panacea_sim.analysis.performance import Performance
from panacea_sim.report.charts import CHART_INCHES, chart_style
from panacea_sim.report.names import name_forms, shortened
from panacea_sim.report.themes import LIGHT

__all__ = ["RooflinePoint", "roofline_figure"]

_FONT_POINTS = 9
_HEIGHT_INCHES = 4.2
_ROOM = 3.0
"""By what factor the axes go on beyond points and ridge."""

_NAMED = 6
"""So many of the longest layers are named."""

_LETTERS = 22
_NAME_PIXELS = (150, 14)
"""The room that a name needs, across and up."""

_LARGEST, _SMALLEST = 260.0, 14.0
"""Areas of points, in square points."""


@dataclass(frozen=True)
class RooflinePoint:
    """A layer: its name, its rates, and which of the theme's curves has its colour."""

    name: str
    rates: Performance
    curve: int


def roofline_figure(run: Performance, layers: Sequence[RooflinePoint]) -> Figure:
    """Return the chart: a diamond for the run, and for each layer a point whose area is its share of their cycles.

    Both axes are logarithmic: MACs of the dense product for each byte of DRAM traffic, and MACs a cycle. The roofs are
    those of the machine, the multipliers' only where it counts them. What moves no byte is left out.
    """
    points = [each for each in layers if each.rates.macs_per_byte]
    with chart_style(_FONT_POINTS):
        figure = Figure(figsize=(CHART_INCHES, _HEIGHT_INCHES), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _scale(axes, [run, *(each.rates for each in points)])
        _draw_roofs(axes, run)
        _draw_layers(axes, points)
        if run.macs_per_byte:
            place = [run.macs_per_byte], [run.macs_per_cycle]
            axes.scatter(*place, s=90, marker="D", facecolor="none", edgecolor=LIGHT.ink, linewidth=1.4, zorder=4)
        axes.set_xlabel("MACs for each byte of DRAM traffic")
        axes.set_ylabel("MACs a cycle")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure


def _scale(axes: Axes, drawn: Sequence[Performance]) -> None:
    across = [each.macs_per_byte for each in drawn if each.macs_per_byte]
    across += [each.ridge_macs_per_byte for each in drawn[:1] if each.ridge_macs_per_byte]
    up = [each.macs_per_cycle for each in drawn if each.macs_per_byte]
    up += [each.peak_macs_per_cycle for each in drawn[:1] if each.peak_macs_per_cycle]
    axes.set_xscale("log")
    axes.set_yscale("log")
    if across and up:
        axes.set_xlim(min(across) / _ROOM, max(across) * _ROOM)
        axes.set_ylim(min(up) / _ROOM, max(up) * _ROOM)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.set_minor_locator(NullLocator())
    axes.grid(color=LIGHT.grid, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_roofs(axes: Axes, run: Performance) -> None:
    left, right = axes.get_xlim()
    bandwidth, peak = run.peak_bytes_per_cycle, run.peak_macs_per_cycle
    ridge = right if run.ridge_macs_per_byte is None else min(max(run.ridge_macs_per_byte, left), right)
    across, up = [left, ridge], [left * bandwidth, ridge * bandwidth]
    if peak is not None:
        across, up = [*across, right], [*up, peak]
        axes.annotate(
            f"{peak:,.0f} MACs a cycle: all multipliers",
            (right, peak),
            (-4, 4),
            textcoords="offset points",
            ha="right",
        )
    axes.plot(across, up, color=LIGHT.ink, linewidth=1.2, zorder=2)
    # Below the middle of what is seen of the slope.
    at = math.sqrt(max(left, axes.get_ylim()[0] / bandwidth) * ridge)
    axes.annotate(
        f"{bandwidth:,.4g} bytes a cycle: all channels",
        (at, at * bandwidth),
        (10, -4),
        textcoords="offset points",
        ha="left",
        va="top",
    )


def _draw_layers(axes: Axes, points: Sequence[RooflinePoint]) -> None:
    if not points:
        return
    cycles = [each.rates.cycles for each in points]
    areas = [max(_SMALLEST, _LARGEST * each / max(cycles)) for each in cycles]
    axes.scatter(
        [each.rates.macs_per_byte or 0 for each in points],
        [each.rates.macs_per_cycle for each in points],
        s=areas,
        c=[LIGHT.curves[each.curve] for each in points],
        alpha=0.55,
        linewidth=0,
        zorder=3,
    )
    forms = name_forms([each.name for each in points])
    named: list[tuple[float, float]] = []
    for at in sorted(range(len(points)), key=lambda at: -cycles[at]):
        place = points[at].rates.macs_per_byte or 0, points[at].rates.macs_per_cycle
        x, y = axes.transData.transform(place).tolist()
        # Layers of equal work lie in one place: one name stands for all of them.
        is_free = all(abs(y - other) > _NAME_PIXELS[1] or abs(x - left) > _NAME_PIXELS[0] for left, other in named)
        if is_free and len(named) < _NAMED:
            named.append((x, y))
            axes.annotate(
                shortened(forms[at], _LETTERS),
                place,
                (0, math.sqrt(areas[at]) / 2 + 2),
                textcoords="offset points",
                ha="center",
                color=LIGHT.muted,
                parse_math=False,
            )
