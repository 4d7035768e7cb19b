"""What-if results as a picture: a bar for the best and the worst turn of each knob, the largest gain on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from panacea_sim.analysis.whatif import Kind, WhatIf, WhatIfRow
from panacea_sim.report.charts import CHART_INCHES, chart_style, save_picture
from panacea_sim.report.themes import LIGHT

__all__ = ["tornado_figure", "write_tornado"]

_BOUND, _SLOWER, _FASTER = LIGHT.curves[:3]

_MOST_KNOBS = 24
_LEAST_SHARE = 0.0005
"""Knobs whose bars are shorter than this share of the run are left out."""

_WIDEST_SHARE = 1.0
"""Bars end here: a run of several times the length would make all others too short to be seen."""

_BAR = 0.72
_LANE_INCHES, _FONT_POINTS = 0.27, 9
_GAP_LANES = 0.8


@dataclass(frozen=True)
class _Lane:
    """A knob, a pair or an ideal machine, with its rows: of a knob the fastest that gains, the slowest that loses."""

    label: str
    rows: tuple[WhatIfRow, ...]


def write_tornado(found: WhatIf, path: Path, ending: str) -> None:
    """Write the picture as png, svg or pdf."""
    save_picture(tornado_figure(found), path, ending)


def tornado_figure(found: WhatIf) -> Figure:
    """Return the picture as a figure of matplotlib that belongs to no window of the desktop.

    A bar leads from the cycles of the base to those of the change, planned anew; what does not fit has none.
    """
    kinds = (_knobs(found), _alone(found, "data"), _alone(found, "pair"), _alone(found, "ideal"))
    sections = [lanes for lanes in kinds if lanes]
    lanes = max(1, sum(map(len, sections)) + _GAP_LANES * max(len(sections) - 1, 0))
    with chart_style(_FONT_POINTS):
        figure = Figure(figsize=(CHART_INCHES, lanes * _LANE_INCHES + 1.5), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _draw(axes, sections)
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.08)  # type: ignore[union-attr,call-arg]  # the constrained one
        figure.suptitle(_title(found), fontsize=_FONT_POINTS + 1, x=0.01, ha="left")
        handles = [
            Patch(color=_FASTER, label="faster"),
            Patch(color=_SLOWER, label="slower"),
            Patch(color=_BOUND, label="bound: cannot be built"),
        ]
        figure.legend(handles=handles, loc="outside lower right", ncols=3, frameon=False, handlelength=1)
    return figure


def _knobs(found: WhatIf) -> list[_Lane]:
    """Return the knobs with bars that can be seen, the largest gain first, then the largest loss."""
    of_knob: dict[str, list[WhatIfRow]] = {}
    for row in found.of_kind("step"):
        if row.gain_planned is not None and abs(_share(row)) >= _LEAST_SHARE:
            of_knob.setdefault(row.knob, []).append(row)
    lanes = [_Lane(knob, _ends(rows)) for knob, rows in of_knob.items()]
    return sorted(lanes, key=lambda lane: (min(_share(lane.rows[0]), 0.0), -_share(lane.rows[-1])))[:_MOST_KNOBS]


def _alone(found: WhatIf, kind: Kind) -> list[_Lane]:
    """Return a lane for each row of a kind that fits."""
    rows = [row for row in found.of_kind(kind) if row.gain_planned is not None]
    return [_Lane(row.knob.replace("_", " ") if kind == "ideal" else row.knob, (row,)) for row in rows]


def _ends(rows: Sequence[WhatIfRow]) -> tuple[WhatIfRow, ...]:
    """Return the row that gains most and the one that loses most; two on one side would hide each other."""
    fastest, slowest = min(rows, key=_share), max(rows, key=_share)
    if _share(fastest) < 0 < _share(slowest):
        return fastest, slowest
    return (fastest,) if _share(fastest) < 0 else (slowest,)


def _share(row: WhatIfRow) -> float:
    """Return how much longer the run takes, as a share of the base."""
    assert row.gain_planned is not None
    return -row.gain_planned.share


def _draw(axes: Axes, sections: Sequence[Sequence[_Lane]]) -> None:
    tops = _tops(sections)
    lanes = [lane for section in sections for lane in section]
    for top, lane in zip(tops, lanes, strict=True):
        for row in lane.rows:
            _draw_bar(axes, top, row)
    axes.axvline(0, color=LIGHT.ink, linewidth=0.8)
    axes.set_yticks(tops, [lane.label for lane in lanes])
    axes.set_ylim(max(tops, default=0) + 0.6, -0.6)
    _set_room(axes, [_end(row) for lane in lanes for row in lane.rows])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    unseen = "" if lanes else f"\nno knob changes them by {_LEAST_SHARE:.2%} or more"
    axes.set_xlabel(f"cycles against the base{unseen}")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _tops(sections: Sequence[Sequence[_Lane]]) -> list[float]:
    """Return the middle of each lane, in lanes from the top."""
    sizes = [len(section) for section in sections]
    return [
        sum(sizes[:number]) + place + _GAP_LANES * number for number, size in enumerate(sizes) for place in range(size)
    ]


def _draw_bar(axes: Axes, top: float, row: WhatIfRow) -> None:
    """Draw a bar, and outside of it its text, which a short bar would cut."""
    end = _end(row)
    hatch = "///" if row.kind == "ideal" else None
    axes.barh(top, end, _BAR, color=_colour(row), hatch=hatch, edgecolor=LIGHT.paper, linewidth=0)
    side, away = ("right", -3) if end < 0 else ("left", 3)
    axes.annotate(
        _text(row),
        (end, top),
        (away, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=_FONT_POINTS - 1.5,
        parse_math=False,
    )


def _end(row: WhatIfRow) -> float:
    """Return where the bar of a row ends."""
    return min(_share(row), _WIDEST_SHARE)


def _set_room(axes: Axes, ends: Sequence[float]) -> None:
    """Leave room for the texts on both sides, about a quarter of the width each, and mark no shares in it."""
    low, high = min([*ends, 0.0]), max([*ends, 0.0])
    room = 0.42 * max(high - low, _LEAST_SHARE)
    axes.set_xlim(low - room, high + room)
    marks = MaxNLocator(8).tick_values(low, high)
    axes.set_xticks([mark for mark in marks if low - room <= mark <= _WIDEST_SHARE])


def _colour(row: WhatIfRow) -> str:
    if row.kind == "ideal":
        return _BOUND
    return _FASTER if _share(row) <= 0 else _SLOWER


def _text(row: WhatIfRow) -> str:
    share = f"{_share(row):+.1%}" if abs(_share(row)) >= _LEAST_SHARE else "0.0%"
    if _share(row) > _WIDEST_SHARE:
        share = f"{share} >>"  # the bar ends before
    if row.kind == "data":
        share += " (none lost)" if row.sqnr_db is None else f" ({row.sqnr_db:.1f} dB)"
    after = f"{row.after:,}" if isinstance(row.after, int) else row.after
    return f"{after}: {share}" if after else share


def _title(found: WhatIf) -> str:
    # A dollar would start a formula.
    return f"{found.scenario} on {found.hardware}: {found.makespan_cycles:,} cycles".replace("$", r"\$")
