"""Why, for a timeline: the critical path, the stalls that it meets, and what each stall waits for in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from panacea_sim.explanation.known import path_obstacle, stalls_obstacle
from panacea_sim.report.themes import PATH_CURVES
from panacea_sim.report.timeline.packing import ends_before
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within
from panacea_sim.units import IntArray

if TYPE_CHECKING:
    from panacea_sim.explanation.drawn import DrawnPart

__all__ = ["MOST_FOLLOWED", "MOST_PATH_STALLS", "Causes", "read_causes"]

MOST_FOLLOWED = 4_000_000
"""The most intervals whose causes are followed for a page; of layers that ran alone those count that are shown."""

MOST_PATH_STALLS = 1_000
"""The most stalls on the critical path that a page lists."""

_NONE = np.zeros(0, np.int64)
_Columns = dict[str, npt.NDArray[Any]]


@dataclass
class Causes:
    """What a page gets of the causes: parts of its header, columns, and notes of what is left out."""

    header: dict[str, Any] = field(default_factory=dict)
    columns: _Columns = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_causes(
    run: StoredRun, span: tuple[int, int], lanes: list[str], *, most_rows: int, with_stretches: bool
) -> Causes:
    """Return the causes in `span`, for lanes from top to bottom; without `with_stretches` no single stalls.

    What has more than `most_rows` parts is left out, and so is what cannot be known.
    """
    causes = Causes()
    obstacle = stalls_obstacle(run) or _missing_table(run) or _too_many(run, span)
    parts = [] if obstacle else _parts(run, span, with_stretches=with_stretches)
    if obstacle or path_obstacle(run):
        what = "Critical path and chains of stalls are" if obstacle else "The critical path is"
        causes.notes.append(f"{what} not known: {obstacle or path_obstacle(run)}.")
    _add_path(causes, parts, span, most_rows)
    _add_path_stalls(causes, parts, span, _lane_numbers(run, lanes))
    _add_stretches(causes, parts, span, _lane_numbers(run, lanes), len(lanes), most_rows)
    return causes


def _parts_cycles(run: StoredRun, span: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the parts of the run that are explained by themselves and overlap `span`."""
    # The walk takes a while to import.
    from panacea_sim.explanation.explained import explained_parts  # noqa: PLC0415

    assert run.summary is not None  # stalls_obstacle says so
    return [part for part in explained_parts(run, run.summary) if part[0] < span[1] and part[1] > span[0]]


def _missing_table(run: StoredRun) -> str | None:
    # The tables that an explanation is made of take a while to import.
    from panacea_sim.explanation.recorded import TABLES_NEEDED  # noqa: PLC0415

    missing = [name for name in TABLES_NEEDED if not run.has_table(name)]
    return f"there is no {missing[0]}.parquet in the run folder" if missing else None


def _too_many(run: StoredRun, span: tuple[int, int]) -> str | None:
    parts = _parts_cycles(run, span)
    cycles = (parts[0][0], parts[-1][1]) if parts else span
    rows, most = run.dataset("activities").count_rows(filter=within(cycles)), MOST_FOLLOWED
    return None if rows <= most else f"{rows:,} intervals are more than the {most:,} that are followed for a page"


def _parts(run: StoredRun, span: tuple[int, int], *, with_stretches: bool) -> list[tuple[int, DrawnPart]]:
    """Return what there is to draw of the parts of the run that overlap `span`, each with its first cycle."""
    from panacea_sim.explanation.drawn import drawn_part  # noqa: PLC0415
    from panacea_sim.explanation.explained import recorded_part  # noqa: PLC0415

    with_path = run.window is None
    return [
        (part[0], drawn_part(recorded_part(run, part), with_path=with_path, with_stretches=with_stretches))
        for part in _parts_cycles(run, span)
    ]


def _lane_numbers(run: StoredRun, lanes: list[str]) -> IntArray:
    """Return the lane of each component of the topology, of which there is none without one."""
    topology = run.heading.topology
    return np.array([lanes.index(part.name) for part in topology.components] if topology else [], np.int64)


def _add_path(causes: Causes, parts: list[tuple[int, DrawnPart]], span: tuple[int, int], most_rows: int) -> None:
    """Add the path's stretches: its keys are component, kind and cause; each stretch begins where one has ended."""
    numbers: dict[tuple[str, str, str], int] = {}
    starts, ends, keys = [_NONE], [_NONE], [_NONE]
    for first, part in parts:
        if part.path is None:
            continue
        table = part.path.combine_chunks()
        names = zip(*(table[name].to_pylist() for name in ("component", "kind", "cause")), strict=True)
        keys.append(np.array([numbers.setdefault(each, len(numbers)) for each in names], np.int64))
        starts.append(table["start_cycle"].to_numpy() + first)
        ends.append(table["end_cycle"].to_numpy() + first)
    start, end, key = np.concatenate(starts), np.concatenate(ends), np.concatenate(keys)
    inside = (start < span[1]) & (end > span[0])
    count = int(inside.sum())
    if count > most_rows:
        causes.notes.append(
            f"The critical path is left out: {count:,} stretches are too many for a page. --window A:B shows fewer."
        )
        inside[:] = False
    start, end, key = start[inside], end[inside], key[inside]
    causes.header["path"] = {
        "kinds": list(PATH_CURVES),
        "curves": list(PATH_CURVES.values()),
        "keys": [list(each) for each in numbers] if len(start) else [],
        "start": int(start[0]) if len(start) else 0,
    }
    causes.columns |= {"pathDuration": end - start, "pathKey": key}


def _add_path_stalls(
    causes: Causes, parts: list[tuple[int, DrawnPart]], span: tuple[int, int], lane_of: IntArray
) -> None:
    """Add the longest stalls on the path, longest first: lane, start, duration, and a kind as the intervals have it."""
    kinds: dict[tuple[str, str, str], int] = {}
    rows = [np.zeros((4, 0), np.int64)]
    for first, part in parts:
        if part.stalls is None:
            continue
        named = [(kind.state.value, kind.cause, kind.cause_component) for kind in part.stalls.kinds]
        known = np.array([kinds.setdefault(each, len(kinds)) for each in named], np.int64)
        start, end = part.stalls.start_cycle + first, part.stalls.end_cycle + first
        rows.append(np.stack([lane_of[part.stalls.component], start, end - start, known[part.stalls.kind]]))
    lane, start, duration, kind = np.concatenate(rows, axis=1)
    inside = np.flatnonzero((start < span[1]) & (start + duration > span[0]))
    order = inside[np.lexsort((start[inside], -duration[inside]))][:MOST_PATH_STALLS]
    causes.header["pathStalls"] = {"kinds": [list(each) for each in kinds], "count": len(inside)}
    columns = {"stallLane": lane, "stallStart": start, "stallDuration": duration, "stallKind": kind}
    causes.columns |= {name: column[order] for name, column in columns.items()}


def _add_stretches(  # what to add to, from what, and where to
    causes: Causes,
    parts: list[tuple[int, DrawnPart]],
    span: tuple[int, int],
    lane_of: IntArray,
    lanes: int,
    most_rows: int,
) -> None:
    """Add the stretches of stalls, lane by lane: gaps and durations as intervals have them, and chains.

    A chain is how many other ends lead to its last component, and kind, name and cause of what it ends at.
    """
    chains: dict[tuple[int, str, str, str], int] = {}
    rows = [np.zeros((4, 0), np.int64)]
    for first, part in parts:
        found = part.stretches
        if found is None:
            continue
        ends = [(each.kind, each.name, each.cause) for each in found.terminals]
        pair, of_stretch = np.unique(found.hops * len(ends) + found.terminal, return_inverse=True)
        named = [(each // len(ends), *ends[each % len(ends)]) for each in pair.tolist()]
        known = np.array([chains.setdefault(each, len(chains)) for each in named], np.int64)
        rows.append(
            np.stack([lane_of[found.component], found.start_cycle + first, found.end_cycle + first, known[of_stretch]])
        )
    lane, start, end, chain = np.concatenate(rows, axis=1)
    inside = np.flatnonzero((start < span[1]) & (end > span[0]))
    if len(inside) > most_rows:
        causes.notes.append(
            f"Chains of stalls are left out: {len(inside):,} stretches are too many for a page. "
            "--window A:B shows fewer."
        )
        inside = inside[:0]
    order = inside[np.lexsort((start[inside], lane[inside]))]
    lane, start, end = lane[order], start[order], end[order]
    begins = np.searchsorted(lane, np.arange(lanes + 1))
    causes.header |= {
        "chains": [list(each) for each in chains],
        "stretchLanes": [{"from": int(a), "to": int(b)} for a, b in pairwise(begins)],
    }
    columns = {
        "stretchGap": start - ends_before(end, begins),
        "stretchDuration": end - start,
        "stretchChain": chain[order],
    }
    causes.columns |= columns
