"""Machines against each other as a picture: bars of their speed-up, and stacked bars of their energy, by each table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from panacea_sim.analysis.versus.contender import TABLES, Contender, Part, Versus
from panacea_sim.analysis.versus.verdicts import BEST, POOLED
from panacea_sim.energy.energy import CATEGORIES
from panacea_sim.report.charts import CHART_INCHES, picture_style, save_picture
from panacea_sim.report.energy import CATEGORY_COLOURS
from panacea_sim.report.themes import LIGHT

__all__ = ["versus_figure", "write_versus"]

_FONT_POINTS = 9
_GROUP = 0.8
"""The width of all bars of a machine."""

_ROW_INCHES = 2.9
_ROOMY = 9
"""Names up to so many have room in one line."""


def write_versus(found: Versus, path: Path, ending: str) -> None:
    """Write the picture as png, svg or pdf."""
    save_picture(versus_figure(found), path, ending)


def versus_figure(found: Versus) -> Figure:
    """Return the picture: speed-up above, with a bar for each part, and below a row of energy for each table.

    Energy is divided by that of the baseline; its line leads from the low to the high case, each by that of the
    baseline in the nominal one. Bounds are hatched and have no energy.
    """
    names = [each.name for each in found.parts[0].contenders]
    runs = [each.name for each in found.parts[0].runs]
    with picture_style(_FONT_POINTS):
        figure = Figure(figsize=(CHART_INCHES, _ROW_INCHES * (1 + len(TABLES))), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        rows = figure.subplots(1 + len(TABLES), 1)
        _draw_speed_up(rows[0], found, names)
        for axes, table in zip(rows[1:], TABLES, strict=True):
            _draw_energy(axes, found, runs, table)
        handles = [Patch(color=CATEGORY_COLOURS[each], label=each) for each in reversed(CATEGORIES)]
        figure.legend(handles=handles, loc="outside lower right", ncols=len(handles), frameon=False, handlelength=1)
        # A dollar would start a formula.
        what = (
            f"steps of an ablation, {found.normalise} equal"
            if found.steps
            else f"machines with equal {found.normalise}"
        )
        title = f"{found.workload}: {what}{_order(found)}".replace("$", r"\$")
        figure.suptitle(title, fontsize=_FONT_POINTS + 1, x=0.01, ha="left")
    return figure


def _draw_speed_up(axes: Axes, found: Versus, names: Sequence[str]) -> None:
    for number, part in enumerate(found.parts):
        base = part.named(found.baseline).cycles
        for place, name in enumerate(names):
            each = part.named(name)
            centre = _centre(place, number, len(found.parts))
            height = base / each.cycles
            axes.bar(
                centre,
                height,
                _width(found),
                color=LIGHT.curves[number],
                hatch="///" if each.is_bound else None,
                edgecolor=LIGHT.paper,
                linewidth=0.4,
            )
            _annotate(axes, centre, height, f"{height:.2f}")
    _finish(axes, names, f"speed-up over {found.baseline}")
    if len(found.parts) > 1:
        patches = [
            Patch(color=LIGHT.curves[number], label=f"{part.weights} weights")
            for number, part in enumerate(found.parts)
        ]
        axes.legend(handles=patches, frameon=False, handlelength=1, ncols=2, loc="upper left", borderaxespad=0)


def _draw_energy(axes: Axes, found: Versus, names: Sequence[str], table: str) -> None:
    for number, part in enumerate(found.parts):
        base = _total_pj(part.named(found.baseline), table)
        if base:
            for place, name in enumerate(names):
                _draw_stack(axes, part, name, table, base, _centre(place, number, len(found.parts)), _width(found))
    _finish(axes, names, f"energy over {found.baseline},\ntable {table}")


def _draw_stack(axes: Axes, part: Part, name: str, table: str, base_pj: float, centre: float, width: float) -> None:
    run = part.named(name).energies[table].run
    if run.total is None:
        return
    bottom = 0.0
    for category in CATEGORIES:
        pj = run.of_category(category)
        height = 0.0 if pj is None else float(pj.nominal) / base_pj
        axes.bar(centre, height, width, bottom, color=CATEGORY_COLOURS[category], edgecolor=LIGHT.paper, linewidth=0.4)
        bottom += height
    low, high = (float(case) / base_pj for case in (run.total.low, run.total.high))
    axes.vlines(centre, low, high, color=LIGHT.ink, linewidth=0.9)
    _annotate(axes, centre, max(high, bottom), f"{bottom:.2f}")


def _order(found: Versus) -> str:
    """Return which bar of a machine is whose."""
    names = [f"{part.weights} weights" for part in found.parts]
    return f"; bars from left to right: {', '.join(names)}" if len(names) > 1 else ""


def _total_pj(each: Contender, table: str) -> float | None:
    total = each.energies[table].run.total if each.energies else None
    return None if total is None else float(total.nominal)


def _folded(name: str) -> str:
    """Return a name with what stands behind it in a second line."""
    more = next((each for each in (BEST, POOLED) if name.endswith(each)), "")
    return name if not more else f"{name.removesuffix(more)}\n{more.lstrip('_')}"


def _width(found: Versus) -> float:
    return _GROUP / len(found.parts)


def _centre(place: int, number: int, parts: int) -> float:
    """Return where the bar of a part stands in the group of a machine."""
    return place + (number - (parts - 1) / 2) * _GROUP / parts


def _annotate(axes: Axes, centre: float, height: float, text: str) -> None:
    axes.annotate(text, (centre, height), (0, 2), textcoords="offset points", ha="center", fontsize=_FONT_POINTS - 2)


def _finish(axes: Axes, names: Sequence[str], label: str) -> None:
    crowded = len(names) > _ROOMY
    labels = [_folded(name) if crowded else name for name in names]
    axes.set_xticks(range(len(names)), labels, fontsize=_FONT_POINTS - 2 * crowded)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(label)
    axes.margins(y=0.18)
    axes.axhline(1, color=LIGHT.muted, linewidth=0.6, linestyle="--", zorder=0)
    axes.tick_params(axis="x", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
