"""What the timelines of a comparison show: the lanes of every group, one for each run, and where layers begin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.analysis.comparison import Compared, Comparison, Piece, Timing, layer_pieces, timing
from panacea_sim.analysis.comparison.times import has_rows, states
from panacea_sim.analysis.shares import shares_between
from panacea_sim.choices import Alignment
from panacea_sim.report.groups import plural
from panacea_sim.report.names import name_forms
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.timeline.content import in_tracks
from panacea_sim.report.timeline.packing import differences
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.schema import State
from panacea_sim.units import IntArray

__all__ = ["PageContent", "page_content"]

_STRETCHES = 2048
"""Stretches of time of a run, beside those that end where a layer begins."""


@dataclass(frozen=True)
class PageContent:
    """What the page shows: `header` becomes JSON, and `columns` are its long rows of whole numbers."""

    header: dict[str, Any]
    columns: dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Drawn:
    """The lanes of a run: `cycles` [groups, stretches, states] between `edges`, or the mean of each over the run."""

    groups: tuple[str, ...]
    edges: IntArray
    cycles: IntArray | None
    means: dict[str, list[float]]


def page_content(comparison: Comparison, align: Alignment) -> PageContent:
    """Return what the page of a comparison shows, with this alignment at first.

    A run without intervals has the means of its states over the whole run in every lane; a partial one without them has
    no lane.
    """
    timings = [timing(each.run) for each in comparison.runs]
    pieces = layer_pieces(timings)
    drawn = [_drawn(each, mine) for each, mine in zip(comparison.runs, pieces, strict=True)]
    starts = _row_starts(drawn)
    header = {
        "align": align,
        "states": [state.value for state in State],
        "colours": [STATE_COLOURS[state] for state in State],
        "seen": _seen(drawn),
        "runs": [_run(*each) for each in zip(comparison.runs, timings, pieces, strict=True)],
        "lanes": list(_lanes(comparison.runs, drawn, starts)),
    }
    columns = {f"edges{number}": differences(each.edges) for number, each in enumerate(drawn)}
    cycles = [each.cycles.reshape(-1) for each in drawn if each.cycles is not None]
    return PageContent(header, columns | {"cycles": np.concatenate([np.zeros(0, np.int64), *cycles])})


def _drawn(each: Compared, pieces: Sequence[Piece]) -> _Drawn:
    run, groups = each.run, tuple(each.naming.members)
    borders = np.array([0, *(piece.end for piece in pieces)], np.int64)
    if not has_rows(run):
        return _Drawn(groups, borders, None, _means(each))
    first, last = run.recorded_cycles
    inside = borders[(borders > first) & (borders < last)]
    edges = np.union1d(bin_edges(first, last, _STRETCHES), inside)
    shares = shares_between(run, edges)
    number = {name: position for position, name in enumerate(groups)}
    cycles = np.zeros((len(groups), *shares.cycles.shape[1:]), np.int64)
    np.add.at(cycles, [number[each.naming.group_of[name]] for name in shares.components], shares.cycles)
    return _Drawn(groups, edges, cycles, {})


def _means(each: Compared) -> dict[str, list[float]]:
    """Return the mean share of each state in each group; nothing for a run without totals."""
    totals, end = states(each.run, each.naming), each.cycles
    if totals is None or not end:
        return {}
    return {
        group: [float(totals[group, state.value] or 0) / count / end for state in State]
        for group, count in each.naming.members.items()
    }


def _row_starts(drawn: Sequence[_Drawn]) -> list[int]:
    """Return where the stretches of each run begin in the column of all."""
    rows = [0 if each.cycles is None else each.cycles.shape[0] * each.cycles.shape[1] for each in drawn]
    return [sum(rows[:number]) for number in range(len(rows))]


def _lanes(runs: Sequence[Compared], drawn: Sequence[_Drawn], starts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Return the lanes from top to bottom: groups in the order of the runs' machines, each with a lane for each run."""
    for group in dict.fromkeys(group for each in drawn for group in each.groups):
        counts = [each.naming.members.get(group, 0) for each in runs]
        for number, each in enumerate(drawn):
            if group not in each.groups or (each.cycles is None and group not in each.means):
                continue
            bins = len(each.edges) - 1
            yield {
                "run": number,
                "group": _group_text(group, [count for count in counts if count]),
                "members": counts[number],
                "from": starts[number] + each.groups.index(group) * bins,
                "means": each.means.get(group),
            }


def _group_text(group: str, counts: Sequence[int]) -> str:
    if max(counts) == 1 or group.endswith("*"):
        return group
    return f"{'/'.join(map(str, dict.fromkeys(counts)))} {plural(group)}"


def _run(each: Compared, times: Timing, pieces: Sequence[Piece]) -> dict[str, Any]:
    spans = zip(times.names, times.starts, times.ends, name_forms(times.names), strict=True)
    layers = in_tracks(
        [{"name": name, "start": start, "end": end, "forms": forms} for name, start, end, forms in spans]
    )
    return {
        "label": each.label,
        "name": str(each.run.path),
        "end": times.end_cycle,
        "pieces": [list(asdict(piece).values()) for piece in pieces],
        "layers": layers,
        "tracks": 1 + max((layer["track"] for layer in layers), default=0),
        "isMean": not has_rows(each.run),
    }


def _seen(drawn: Sequence[_Drawn]) -> list[int]:
    found = np.zeros(len(State), bool)
    for each in drawn:
        if each.cycles is not None:
            found |= each.cycles.any(axis=(0, 1))
        for means in each.means.values():
            found |= np.array(means) > 0
    return np.flatnonzero(found).tolist()
