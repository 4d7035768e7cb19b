"""Where an explained run without a trace keeps its rows and grants: a region for each owner, and one for each channel.

What the evaluation writes is what is explained: no row is moved while there is room. The room of a run is that of the
next one, since the host takes longer to find fresh memory than the evaluation to fill it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.engines.compiled.columns import ACCESSES, POSTING_WIDTH, ROW_WIDTH, ROWS, Trace
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.trace.schema import EXPLAINED_COLUMNS
from panacea_sim.units import IntArray

__all__ = ["UNKNOWN", "Room", "explained_trace", "give_back", "look_up", "new_trace", "with_more_room"]

UNKNOWN = -1
"""What stands for the number of a kind until it is looked up."""

_GROWTH = 2
"""How many times as much room there is next."""

_MOST_SPARE_BYTES = 1 << 28
"""A room to which more was written is not kept for the next run."""

_spare: list[Trace] = []


class Room(NamedTuple):
    """How many rows of each owner, accesses of a channel and postings of a port there is room for at first.

    Before the rows of an owner, and behind rows and postings, there are `margin` places more; pages to which nobody
    writes take no memory.
    """

    rows: IntArray
    accesses: int
    postings: int
    margin: int


def new_trace(serves: Sequence[bool], channels: int, ports: int, room: Room) -> Trace:
    """Return an empty trace with regions for owners, which serve or not."""
    first, limit, code, end = _regions(room.rows, room.margin)
    trace = Trace(
        1,
        0,
        np.zeros(2, np.int64),
        np.zeros(len(serves), np.int64),
        np.empty((1, 2, ROW_WIDTH), np.int64),
        np.zeros(channels, np.int64),
        np.empty((channels, room.accesses, EXPLAINED_COLUMNS), np.int64),
        room.margin,
        first,
        first.copy(),
        limit,
        np.array(serves, np.int64),
        code,
        end,
        np.zeros(ports, np.int64),
        np.empty((ports, room.postings + room.margin, POSTING_WIDTH), np.int64),
    )
    trace.kept_end[first - 1] = 0
    return trace


def _regions(rows: IntArray, margin: int) -> tuple[IntArray, IntArray, npt.NDArray[np.int32], IntArray]:
    """Return `kept_first`, `kept_limit`, `kept_code` and `kept_end` of regions for so many rows of each owner."""
    at = np.concatenate([[0], np.cumsum(rows + 2 * margin)])
    return at[:-1] + margin, at[1:] - margin, np.empty(at[-1], np.int32), np.empty(at[-1], np.int64)


def explained_trace(serves: Sequence[bool], channels: int, ports: int, room: Room) -> Trace:
    """Return what `new_trace` does, if possible in the room that an earlier run has given back."""
    spare = _taken_spare()
    if spare is not None and _shape(spare) == (room.margin, len(serves), channels, ports):
        had = _room(spare)
        if (had.rows >= room.rows).all() and had.accesses >= room.accesses and had.postings >= room.postings:
            for counts in (spare.most, spare.access_counts, spare.posting_counts):
                counts[:] = 0
            spare.kept_serves[:], spare.kept_next[:] = serves, spare.kept_first
            spare.kept_end[spare.kept_first - 1] = 0
            return spare
        accesses, postings = max(had.accesses, room.accesses), max(had.postings, room.postings)
        room = Room(np.maximum(had.rows, room.rows), accesses, postings, room.margin)
    return new_trace(serves, channels, ports, room)


def _shape(trace: Trace) -> tuple[int, int, int, int]:
    return trace.kept_margin, len(trace.kept_first), len(trace.accesses), len(trace.postings)


def _room(trace: Trace) -> Room:
    margin = trace.kept_margin
    return Room(
        trace.kept_limit - trace.kept_first,
        trace.accesses.shape[1],
        trace.postings.shape[1] - margin,
        margin,
    )


def _taken_spare() -> Trace | None:
    # Another thread may have been faster.
    try:
        return _spare.pop()
    except IndexError:
        return None


def give_back(trace: Trace) -> None:
    """Let the next run have the room of a trace that nobody needs any more."""
    rows = (trace.kept_next - trace.kept_first).sum() * (trace.kept_code.itemsize + trace.kept_end.itemsize)
    tables = ((trace.access_counts, trace.accesses), (trace.posting_counts, trace.postings))
    if rows + sum([counts.sum() * table.strides[1] for counts, table in tables]) <= _MOST_SPARE_BYTES:
        _spare[:] = [trace]


def with_more_room(trace: Trace) -> Trace:
    """Return the trace with more room where it is full, for rows, grants or postings."""
    if trace.most[ACCESSES] == trace.accesses.shape[1]:
        trace = trace._replace(accesses=_longer(trace.accesses))
    if trace.posting_counts.max(initial=0) > trace.postings.shape[1] - trace.kept_margin:
        trace = trace._replace(postings=_longer(trace.postings))
        trace.most[ROWS] = 0
    if (trace.kept_next > trace.kept_limit).any():
        used = trace.kept_next - trace.kept_first
        rows = np.maximum(trace.kept_limit - trace.kept_first, _GROWTH * used)
        first, limit, code, end = _regions(rows, trace.kept_margin)
        # The place before the first row says when that one begins.
        for old, new, count in zip(trace.kept_first - 1, first - 1, used + 1, strict=True):
            code[new : new + count] = trace.kept_code[old : old + count]
            end[new : new + count] = trace.kept_end[old : old + count]
        trace.kept_first[:], trace.kept_limit[:], trace.kept_next[:] = first, limit, first + used
        trace.most[ROWS] = 0
        trace = trace._replace(kept_code=code, kept_end=end)
    return trace


def _longer(table: IntArray) -> IntArray:
    """Return a table with room for more rows of each owner."""
    owners, count, width = table.shape
    longer = np.empty((owners, _GROWTH * count, width), np.int64)
    longer[:, :count] = table
    return longer


@entry
def look_up(known: npt.NDArray[np.int32], lowest: int, codes: npt.NDArray[np.int32], first: int) -> int:
    """Replace codes by what is `known` of each from `lowest` on; return the place of one that is UNKNOWN, or the end.

    `first` is where to begin.
    """
    for place in range(first, len(codes)):
        code = known[codes[place] - lowest]
        if code == UNKNOWN:
            return place
        codes[place] = code
    return len(codes)
