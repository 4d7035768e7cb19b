"""A run as one picture: how the states of every component share the time, for a screen or a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from panacea_sim.analysis.shares import StateShares, state_shares
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.report.charts import picture_style, save_picture
from panacea_sim.report.groups import group_label
from panacea_sim.report.names import name_forms, shortened
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.trace.bandwidth import bandwidth
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import left_out
from panacea_sim.units import IntArray

__all__ = ["PictureStyle", "check_ending", "run_figure", "write_picture"]

PictureStyle = Literal["screen", "paper"]

_ENDINGS = ("png", "svg", "pdf")
_LAYER_COLOURS = ("#d0d0d0", "#ececec")
_GAP_LANES = 0.6
"""Between two sections."""
_POINTS_PER_INCH = 72
_LETTERS_PER_EM = 1.3
_LINE_EMS = 1.4
_CHANNEL_COLOURS = ("#0072b2", "#56b4e9", "#444444", "#aaaaaa")


@dataclass(frozen=True)
class _Look:
    width_inches: float
    lane_inches: float
    font_points: float
    bins: int
    compact: bool
    """All members of a group in one lane, and no names of sections, for which two lanes leave no room."""
    dpi: int


_LOOKS: dict[PictureStyle, _Look] = {
    "screen": _Look(width_inches=13, lane_inches=0.23, font_points=9, bins=1000, compact=False, dpi=120),
    # One column of a two-column page; 8 points there are the size of a caption.
    "paper": _Look(width_inches=3.5, lane_inches=0.17, font_points=8, bins=300, compact=True, dpi=600),
}


@dataclass(frozen=True)
class _Lane:
    label: str
    section: str
    shares: npt.NDArray[np.float64]
    """[bins, states]"""


def check_ending(path: Path, option: str = "--out") -> str:
    """Return png, svg or pdf, whichever `path` ends with; raises ConfigError, naming the option, for another ending."""
    ending = path.suffix.lower().lstrip(".")
    if ending not in _ENDINGS:
        raise ConfigError(option, f"{path.name!r}", "a file name that ends with .png, .svg or .pdf", _nearest(ending))
    return ending


def write_picture(
    run: StoredRun,
    path: Path,
    *,
    style: PictureStyle = "screen",
    window: tuple[int, int] | None = None,
    ending: str | None = None,
) -> None:
    """Write the picture of a run; `ending` is the format if the name of `path` does not tell it.

    Raises ConfigError for an unknown ending or if nothing was recorded in `window`.
    """
    ending = ending or check_ending(path)
    save_picture(run_figure(run, style=style, window=window), path, ending)


def run_figure(run: StoredRun, *, style: PictureStyle = "screen", window: tuple[int, int] | None = None) -> Figure:
    """Return the picture of a run as a figure of matplotlib that belongs to no window of the desktop.

    The lane of a component is filled from below by the shares of its states in each bin of time. What was not recorded
    stays white. Raises ConfigError if nothing was recorded in `window`.
    """
    look = _LOOKS[style]
    shares = state_shares(run, look.bins, window)
    lanes = _lanes(run, shares, merge_groups=look.compact)
    lines = _bandwidth_lines(run, shares.edges)
    layers = _layer_spans(run, shares.edges)
    rows = _rows(layers)
    said = [line for each in left_out(run) for line in wrap(each, _letters(look))]
    heights = [
        max(0.22 * (max(rows, default=-1) + 1), 0.01),
        look.lane_inches * (len(lanes) + _gaps(lanes)),
        0.8 if lines else 0.01,
    ]
    with picture_style(look.font_points):
        size = (look.width_inches, sum(heights) + 1.1 + len(said) * _LINE_EMS * look.font_points / _POINTS_PER_INCH)
        figure = Figure(figsize=size, dpi=look.dpi, layout="constrained")
        FigureCanvasAgg(figure)
        top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=heights)
        _draw_layers(top, layers, rows, shares.edges, look)
        _draw_lanes(middle, lanes, shares.edges)
        if not look.compact:
            _name_sections(middle, lanes)
        _draw_bandwidth(bottom, lines, shares.edges)
        lowest = bottom if lines else middle
        lowest.tick_params(axis="x", labelbottom=True, length=3)
        _label_cycles(lowest, shares.edges, said)
        _draw_legend(figure, lanes, narrow=style == "paper")
        if style == "screen":
            figure.suptitle(_title(run), fontsize=look.font_points + 1, x=0.01, ha="left")
    return figure


def _lanes(run: StoredRun, shares: StateShares, *, merge_groups: bool) -> list[_Lane]:
    """Return the lanes from top to bottom, grouped by section in the order in which sections come first."""
    of_component = dict(zip(shares.components, shares.shares(), strict=True))
    members_of = {name: (group, names) for group, names in run.groups.items() for name in names}
    lanes = []
    for name, section in run.sections.items():
        group, members = members_of.get(name, (name, (name,)))
        if not merge_groups or len(members) == 1:
            lanes.append(_Lane(name, section, of_component[name]))
        elif name == members[0]:
            mean = np.mean([of_component[member] for member in members], axis=0)
            lanes.append(_Lane(group_label(group, len(members)), section, mean))
    order = list(dict.fromkeys(lane.section for lane in lanes))
    return sorted(lanes, key=lambda lane: order.index(lane.section))


def _gaps(lanes: Sequence[_Lane]) -> float:
    """Return the heights of the gaps between sections, in lanes."""
    return _GAP_LANES * (len({lane.section for lane in lanes}) - 1)


def _draw_lanes(axes: Axes, lanes: Sequence[_Lane], edges: IntArray) -> None:
    height = 0.86
    tops = _tops(lanes)
    for lane, top in zip(lanes, tops, strict=True):
        for state, vertices in _stacked(lane.shares, edges, top + height, height):
            axes.add_collection(
                PolyCollection(vertices, facecolors=STATE_COLOURS[state], linewidths=0, antialiaseds=False),
                autolim=False,
            )
    axes.set_yticks([top + height / 2 for top in tops], [lane.label for lane in lanes])
    axes.set_ylim(tops[-1] + height + 0.1, -0.1)
    axes.tick_params(axis="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _tops(lanes: Sequence[_Lane]) -> list[float]:
    """Return where each lane begins, in lanes from the top."""
    sections = list(dict.fromkeys(lane.section for lane in lanes))
    return [number + _GAP_LANES * sections.index(lane.section) for number, lane in enumerate(lanes)]


def _name_sections(axes: Axes, lanes: Sequence[_Lane]) -> None:
    of_section: dict[str, list[float]] = {}
    for lane, top in zip(lanes, _tops(lanes), strict=True):
        of_section.setdefault(lane.section, []).append(top)
    for section, tops in of_section.items():
        axes.annotate(
            section,
            (1, (tops[0] + tops[-1] + 1) / 2),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            rotation=270,
            va="center",
            color="#555555",
            annotation_clip=False,
        )


def _stacked(
    shares: npt.NDArray[np.float64], edges: IntArray, bottom: float, height: float
) -> list[tuple[State, list[npt.NDArray[np.float64]]]]:
    """Return the areas of each state: one polygon for each run of bins in which it occurs.

    An area reaches up to that of the last state, and later ones are drawn over it: side by side they would leave white
    pixels between them where a share is less than a pixel high.
    """
    tops = np.cumsum(shares, axis=1)
    areas = []
    for number, state in enumerate(State):
        present = np.flatnonzero(shares[:, number] > 0)
        if not len(present):
            continue
        parts = np.split(present, np.flatnonzero(np.diff(present) > 1) + 1)
        low, high = tops[:, number] - shares[:, number], tops[:, -1]
        areas.append((state, [_area(part, low, high, edges, bottom, height) for part in parts]))
    return areas


def _area(
    bins: npt.NDArray[np.int64],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    edges: IntArray,
    bottom: float,
    height: float,
) -> npt.NDArray[np.float64]:
    """Return the outline of an area of steps: along the upper edge and back along the lower one."""
    first, last = bins[0], bins[-1] + 1
    # Bins that continue the one before need no corner of their own.
    differs = np.flatnonzero(np.diff(low[first:last]) ** 2 + np.diff(high[first:last]) ** 2 > 0) + 1
    starts = first + np.concatenate([[0], differs])
    stops = np.concatenate([starts[1:], [last]])
    cycles = np.stack([edges[starts], edges[stops]], axis=1).ravel().astype(np.float64)
    upper, lower = (np.repeat(bottom - height * side[starts], 2) for side in (high, low))
    return np.concatenate([np.stack([cycles, upper], 1), np.stack([cycles, lower], 1)[::-1]])


def _layer_spans(run: StoredRun, edges: IntArray) -> list[tuple[str, int, int]]:
    """Return the layers with the cycles in which they are seen; a partial run does not know them."""
    first, last = int(edges[0]), int(edges[-1])
    spans = [
        (layer.name, max(layer.start_cycle, first), min(layer.end_cycle, last))
        for layer in (() if run.summary is None else run.summary.layers)
    ]
    return [span for span in spans if span[1] < span[2]]


def _rows(layers: Sequence[tuple[str, int, int]]) -> list[int]:
    """Return a row for each layer: the first free one, since fetches of a layer begin before another one ends."""
    ends: list[int] = []
    rows = []
    for _, start, end in layers:
        row = next((row for row, busy_until in enumerate(ends) if busy_until <= start), len(ends))
        ends[row : row + 1] = [end]
        rows.append(row)
    return rows


def _draw_layers(
    axes: Axes, layers: Sequence[tuple[str, int, int]], rows: Sequence[int], edges: IntArray, look: _Look
) -> None:
    axes.set_axis_off()
    axes.set_ylim(max(rows, default=0) + 1, 0)
    span_cycles = int(edges[-1] - edges[0])
    forms = name_forms([name for name, _, _ in layers])
    for number, ((_, start, end), row) in enumerate(zip(layers, rows, strict=True)):
        axes.broken_barh([(start, end - start)], (row + 0.04, 0.92), facecolor=_LAYER_COLOURS[number % 2])
        letters = int((end - start) / span_cycles * _letters(look))
        if letters > 2:  # noqa: PLR2004  # less says nothing
            text = shortened(forms[number], letters)
            axes.text((start + end) / 2, row + 0.5, text, ha="center", va="center", clip_on=True, parse_math=False)


def _bandwidth_lines(run: StoredRun, edges: IntArray) -> Mapping[str, npt.NDArray[np.float64]]:
    return bandwidth(run, edges) if run.is_full and run.has_table("dram") else {}


def _draw_bandwidth(axes: Axes, lines: Mapping[str, npt.NDArray[np.float64]], edges: IntArray) -> None:
    if not lines:
        axes.set_axis_off()
        return
    below = np.zeros(len(edges) - 1)
    for number, (channel, values) in enumerate(lines.items()):
        colour = _CHANNEL_COLOURS[number % len(_CHANNEL_COLOURS)]
        axes.stairs(below + values, edges, baseline=below, fill=True, color=colour, linewidth=0, label=channel)
        below = below + values
    axes.set_ylim(bottom=0)
    axes.set_ylabel("DRAM bytes\nper cycle")
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.95),
        ncols=4,
        frameon=False,
        borderpad=0,
        handlelength=1,
        handleheight=0.8,
    )


def _letters(look: _Look) -> int:
    """Return how many letters have room in the width of the picture, beside the names of the lanes."""
    return int(look.width_inches * _POINTS_PER_INCH / look.font_points * _LETTERS_PER_EM)


def _label_cycles(axes: Axes, edges: IntArray, said: Sequence[str]) -> None:
    """Label the axis of cycles, and say below it what was not recorded."""
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel("\n".join(["cycle", *said]))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda cycle, _: f"{cycle:,.0f}"))


def _draw_legend(figure: Figure, lanes: Sequence[_Lane], *, narrow: bool) -> None:
    """Explain the states that occur."""
    seen = np.sum([lane.shares.sum(axis=0) for lane in lanes], axis=0) > 0
    patches = [
        Patch(color=STATE_COLOURS[state], label=state.value) for state, here in zip(State, seen, strict=True) if here
    ]
    figure.legend(
        handles=patches,
        loc="outside upper center" if narrow else "outside upper right",
        ncols=3 if narrow else len(patches),
        frameon=False,
        handlelength=1,
        handleheight=0.8,
        columnspacing=1,
    )


def _title(run: StoredRun) -> str:
    length = "interrupted" if run.is_partial else f"{run.end_cycle:,} cycles"
    # A dollar would start a formula.
    return f"{run.name} on {run.heading.hardware}: {length}".replace("$", r"\$")


def _nearest(ending: str) -> str:
    return nearest_name(ending, _ENDINGS)
