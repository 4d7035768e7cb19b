"""What the policies of a layer skip and cost as a picture: each one a point, and the line of those that none beats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from panacea_sim.analysis.pareto import unbeaten
from panacea_sim.calibration.calibrated import LayerRecord
from panacea_sim.calibration.search import ALLOWED_LOSS_DB, Search, frontier
from panacea_sim.report.charts import picture_style, save_picture

__all__ = ["frontier_figure", "network_figure", "unbeaten_policies", "write_frontier", "write_network_frontier"]

_PER_CHANNEL, _PER_TENSOR, _CHOSEN = "#0072b2", "#e69f00", "#d55e00"
"""Okabe and Ito's palette."""

_FONT_POINTS = 9
_LOSSES_DB = np.arange(0.0, 20.25, 0.25).tolist()


def write_frontier(found: Search, path: Path, ending: str) -> None:
    """Write the picture of a layer's search as png, svg or pdf."""
    save_picture(frontier_figure(found), path, ending)


def write_network_frontier(searches: Sequence[Search], path: Path, ending: str) -> None:
    """Write the picture of all layers' searches as png, svg or pdf."""
    save_picture(network_figure(searches), path, ending)


def frontier_figure(found: Search) -> Figure:
    """Return the picture of a search; policies that lose nothing have no place in decibels and are left out."""
    with picture_style(_FONT_POINTS):
        figure, axes = _figure()
        _draw_points(axes, found)
        line = unbeaten_policies(found.tried)
        axes.step(*_places(line), where="pre", color="#222222", linewidth=0.9, label="not beaten by any other")
        axes.axvline(found.min_sqnr_db, color=_CHOSEN, linewidth=0.8, linestyle="--", label="least SQNR asked for")
        axes.scatter(*_places([found.chosen]), s=130, facecolors="none", edgecolors=_CHOSEN, label="chosen")
        axes.set_xlabel("SQNR of the outputs, dB")
        axes.set_ylabel("work skipped")
        axes.legend(frameon=False, fontsize=_FONT_POINTS - 1.5)
        # A dollar would start a formula.
        figure.suptitle(f"{found.plain.name}: what policies skip and cost".replace("$", r"\$"), x=0.01, ha="left")
    return figure


def network_figure(searches: Sequence[Search]) -> Figure:
    """Return the share of the work of all layers that is skipped if each may lose so much against plain min-max."""
    points = frontier(searches, _LOSSES_DB)
    with picture_style(_FONT_POINTS):
        figure, axes = _figure()
        losses, shares = [point.loss_db for point in points], [point.skipped_share for point in points]
        axes.step(losses, shares, where="post", color=_PER_CHANNEL)
        axes.axvline(ALLOWED_LOSS_DB, color=_CHOSEN, linewidth=0.8, linestyle="--", label="default of --search")
        axes.set_xlabel("what each layer may lose against min-max without ZPM and DBS, dB of SQNR")
        axes.set_ylabel("work skipped, all layers")
        axes.legend(frameon=False, fontsize=_FONT_POINTS - 1.5)
        figure.suptitle(f"{len(searches)} layers: what may be skipped at which loss", x=0.01, ha="left")
    return figure


def unbeaten_policies(tried: Sequence[LayerRecord]) -> list[LayerRecord]:
    """Return the policies than which none is more exact and skips as much, the least exact first, equal ones once."""
    known = {(each.figures.sqnr_db, each.figures.work.skipped_share): each for each in reversed(tried)}
    figures = [(sqnr_db, share) for sqnr_db, share in known if sqnr_db is not None]
    front = (figures[row] for row in unbeaten(figures, (-1, -1)))
    return [known[each] for each in sorted(front)]


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, 4.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _draw_points(axes: Axes, found: Search) -> None:
    for per_channel, colour in ((True, _PER_CHANNEL), (False, _PER_TENSOR)):
        some = [each for each in found.tried if each.scales.policy.per_channel is per_channel]
        label = "weights " + ("per channel" if per_channel else "per tensor")
        axes.scatter(*_places(some), s=22, color=colour, label=label)
    for each in unbeaten_policies(found.tried):
        axes.annotate(
            _short(each),
            (each.figures.sqnr_db or 0, each.figures.work.skipped_share),
            (4, 4),
            textcoords="offset points",
            fontsize=_FONT_POINTS - 2.5,
        )


def _places(layers: Sequence[LayerRecord]) -> tuple[list[float], list[float]]:
    shown = [each for each in layers if each.figures.sqnr_db is not None]
    return [each.figures.sqnr_db or 0 for each in shown], [each.figures.work.skipped_share for each in shown]


def _short(layer: LayerRecord) -> str:
    policy = layer.scales.policy
    parts = [
        "" if policy.percentile is None else f"{policy.percentile:g} %",
        "" if policy.zpm == "off" else "ZPM",
        "" if policy.dbs_z is None else f"DBS z={policy.dbs_z:g}",
    ]
    return ", ".join(filter(None, parts)) or "min-max"
