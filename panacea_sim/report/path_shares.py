"""Who has the critical path, as charts: by what it does and by class, and layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from panacea_sim.explanation.explanation import Explanation, PathRow
from panacea_sim.report.charts import CHART_INCHES, chart_style
from panacea_sim.report.names import name_forms, shortened
from panacea_sim.report.themes import LIGHT, class_curves
from panacea_sim.units import IntArray

__all__ = ["layer_shares_figure", "path_shares_figure"]

_FONT_POINTS = 9
_MOST_ROWS = 12
_LANE_INCHES = 0.25
_LAYERS_INCHES = 2.9
_LETTERS_PER_INCH = 11.5
_LEAST_LETTERS = 4
_SEEN_SHARE = 0.0005


def path_shares_figure(explanation: Explanation) -> Figure:
    """Return the rows of a critical path as bars in the colours of their classes, most cycles first.

    On top all classes lie side by side. Raises ValueError for an explanation without a path.
    """
    if explanation.path is None:
        raise ValueError("a window has no critical path")
    rows, rest = explanation.path[:_MOST_ROWS], explanation.path[_MOST_ROWS:]
    cycles = max(explanation.makespan_cycles, 1)
    curves = class_curves([*explanation.classes])
    bars: list[tuple[str, int, int | None]] = [(_row_text(row), row.cycles, curves[row.path_class]) for row in rows]
    if rest:
        bars.append((f"{len(rest)} more", sum(row.cycles for row in rest), None))
    with chart_style(_FONT_POINTS):
        height = _LANE_INCHES * (len(bars) + 2) + 0.9
        figure = Figure(figsize=(CHART_INCHES, height), layout="constrained")
        FigureCanvasAgg(figure)
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.4, len(bars)])
        _draw_classes(top, explanation.classes, cycles, curves)
        for place, (_, count, curve) in enumerate(bars):
            colour = LIGHT.muted if curve is None else LIGHT.curves[curve]
            below.barh(place, count / cycles, 0.72, color=colour)
            share = f"{count / cycles:.1%}" if count >= _SEEN_SHARE * cycles else "under 0.1%"
            below.annotate(
                f"{count:,} ({share})", (count / cycles, place), (4, 0), textcoords="offset points", va="center"
            )
        below.set_yticks(range(len(bars)), [text for text, _, _ in bars])
        below.set_ylim(len(bars) - 0.4, -0.6)
        below.set_xlim(0, 1.12)
        below.set_xticks(np.linspace(0, 1, 6))
        below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        below.set_xlabel("of the run's cycles")
        _strip(top, below)
        _add_legend(figure, explanation.classes, cycles, curves)
    return figure


def layer_shares_figure(explanation: Explanation, blocks: Sequence[str]) -> Figure:
    """Return the classes of each layer's critical path: a layer is as wide as it takes cycles, so areas are cycles.

    `blocks` names the block of each layer, empty for one that is in none: layers of a block that follow each other
    share their name above. Raises ValueError for an explanation without layers, or without a path.
    """
    if not explanation.layers:
        raise ValueError("a run in one simulation has one critical path")
    curves = class_curves([*explanation.classes])
    lengths = [part.makespan_cycles for _, part in explanation.layers]
    edges = np.concatenate([[0], np.cumsum(lengths)])
    whole = np.maximum(lengths, 1)
    with chart_style(_FONT_POINTS):
        figure = Figure(figsize=(CHART_INCHES, _LAYERS_INCHES), layout="constrained")
        FigureCanvasAgg(figure)
        names, axes = figure.subplots(2, 1, sharex=True, height_ratios=[1, 8])
        below = np.zeros(len(lengths))
        for name in explanation.classes:
            share = np.array([part.classes.get(name, 0) for _, part in explanation.layers]) / whole
            colour = LIGHT.curves[curves[name]]
            axes.stairs(below + share, edges, baseline=below, fill=True, color=colour, linewidth=0)
            below = below + share
        _draw_names(names, [block or name for block, (name, _) in zip(blocks, explanation.layers, strict=True)], edges)
        axes.set_ylim(0, 1)
        axes.set_xlim(0, edges[-1] or 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda cycle, _: f"{cycle:,.0f}"))
        axes.set_xlabel("cycle: each layer is as wide as it is long")
        axes.set_ylabel("of the layer")
        _strip(names, axes)
        _add_legend(figure, explanation.classes, int(edges[-1]) or 1, curves)
    return figure


def _row_text(row: PathRow) -> str:
    cause = f" ({row.cause})" if row.cause else ""
    return f"{row.component} {row.kind}{cause}"


def _draw_classes(axes: Axes, classes: Mapping[str, int], cycles: int, curves: Mapping[str, int]) -> None:
    left = 0.0
    for name, count in classes.items():
        axes.barh(0, count / cycles, 0.9, left=left, color=LIGHT.curves[curves[name]])
        left += count / cycles
    axes.set_yticks([0], ["all by class"])


def _draw_names(axes: Axes, names: Sequence[str], edges: IntArray) -> None:
    """Mark every layer or block above its column, and name those that have room."""
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    firsts = [at for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    bands = list(zip(firsts, [*firsts[1:], len(names)], name_forms([names[at] for at in firsts]), strict=True))
    for number, (first, last, forms) in enumerate(bands):
        start, width = float(edges[first]), float(edges[last] - edges[first])
        letters = int(width / max(float(edges[-1]), 1) * CHART_INCHES * _LETTERS_PER_INCH)
        axes.broken_barh([(start, width)], (0.1, 0.8), facecolor=LIGHT.layers[number % 2], linewidth=0)
        if letters >= min(len(forms[-1]), _LEAST_LETTERS):
            text = shortened(forms, letters)
            axes.text(start + width / 2, 0.46, text, ha="center", va="center", clip_on=True, parse_math=False)


def _strip(*figure_axes: Axes) -> None:
    for axes in figure_axes:
        axes.tick_params(axis="y", length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    figure_axes[0].spines["bottom"].set_visible(False)
    figure_axes[0].tick_params(axis="x", length=0)


def _add_legend(figure: Figure, classes: Mapping[str, int], cycles: int, curves: Mapping[str, int]) -> None:
    """Explain the classes that can be seen; those that share a colour stand together."""
    seen: dict[int, list[str]] = {}
    for name, count in classes.items():
        if count >= _SEEN_SHARE * cycles:
            seen.setdefault(curves[name], []).append(name)
    handles = [Patch(color=LIGHT.curves[curve], label=", ".join(names)) for curve, names in seen.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=6, frameon=False, handlelength=1, borderpad=0)
