"""The records of a run as flat arrays, over which the walk and the sweep go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.explanation.compilation import entry, inner
from panacea_sim.explanation.explanation import Terminal
from panacea_sim.explanation.records import Postings, Records
from panacea_sim.explanation.row_kinds import KIND_WIDTH, NONE, RowKinds
from panacea_sim.trace.schema import EXPLAINED_COLUMNS
from panacea_sim.units import IntArray

__all__ = ["G_END", "G_FIRING", "G_PORT", "G_POSTED", "G_START", "Events", "channel_of", "events_of"]

G_PORT, G_FIRING, G_POSTED, G_START, G_END, _G_READY = range(EXPLAINED_COLUMNS)
"""Columns of a grant."""


class Events(NamedTuple):
    """Rows, postings and grants of all components and channels, one behind the other.

    Owners of rows are `components` components, then the channels; the rows of owner i are those from `rows_at[i]` to
    before `rows_behind[i]`, the first of them begins in cycle `starts[i]`, the others where the one before ends.
    `kinds` are those of row_kinds.py. A row of a component that serves may be several services behind each other. A
    channel may have no rows for grants. `posting_*` are the steps that delayed postings of each component, in order of
    time. `ready_cycle` has in order of time when the request of each firing of a component was ready, and `ready_grant`
    the grant that was ready last (NONE for a request without bytes). `grants` are those of each channel in order of
    time, from `grants_at` to before `grants_behind`, `port_component` which component each port is. `channel_latency`
    [channel] and `transfer` [channel, component] are terminals.
    """

    components: int
    starts: IntArray
    rows_at: IntArray
    rows_behind: IntArray
    row_end: IntArray
    row_kind: npt.NDArray[np.int32]
    kinds: IntArray
    posting_at: IntArray
    posting_since: IntArray
    posting_end: IntArray
    posting_kind: IntArray
    ready_at: IntArray
    ready_cycle: IntArray
    ready_grant: IntArray
    grants_at: IntArray
    grants_behind: IntArray
    grants: IntArray
    port_component: IntArray
    channel_latency: IntArray
    transfer: IntArray


def events_of(records: Records, kinds: RowKinds) -> Events:
    """Return the events of what was recorded; `kinds`, which are empty, learn of their kinds and terminals."""
    parts, channels = records.topology.components, records.topology.channels
    for owner, kind in records.rows.kinds:
        kinds.add(owner, kind)
    streams = [records.postings.get(part.name, Postings((), 0, *[np.zeros(0, np.int64)] * 4)) for part in parts]
    postings = [_delays(kinds, owner, each) for owner, each in enumerate(streams)]
    posting_since, posting_end, posting_kind = _joined(postings, 3)
    ready_at, ready_cycle, ready_grant = _ready(records, streams)
    transfer = np.full((len(channels), len(parts)), NONE, np.int64)
    for owner, part in enumerate(parts):
        if part.name in records.postings:
            transfer[:, owner] = [kinds.terminal(Terminal(part.name, "transfer", name)) for name in channels]
    return Events(
        len(parts),
        records.rows.start_cycle,
        records.rows.at,
        records.rows.behind,
        records.rows.end_cycle,
        records.rows.kind,
        np.array(kinds.columns, np.int64).reshape(-1, KIND_WIDTH),
        _starts([len(each[0]) for each in postings]),
        posting_since,
        posting_end,
        posting_kind,
        ready_at,
        ready_cycle,
        ready_grant,
        records.grants.at,
        records.grants.behind,
        records.grants.rows,
        records.port_component,
        np.array([kinds.terminal(Terminal(name, "latency")) for name in channels], np.int64),
        transfer,
    )


@inner
def channel_of(events: Events, grant: int) -> int:
    """Return the channel of a grant."""
    channel = 0
    while grant >= events.grants_behind[channel]:
        channel += 1
    return channel


def _delays(kinds: RowKinds, owner: int, postings: Postings) -> tuple[IntArray, IntArray, IntArray]:
    """Return start, end and kind of the steps that delayed the postings of a stream."""
    if not len(postings.firing):
        return (np.zeros(0, np.int64),) * 3
    end = postings.cycle.copy()
    goes_on = postings.firing[1:] == postings.firing[:-1]
    end[:-1][goes_on] = postings.since_cycle[1:][goes_on]
    numbers = np.array([NONE if kind is None else kinds.add(owner, kind) for kind in postings.kinds], np.int64)
    kind = numbers[postings.code]
    late = kind != NONE
    return postings.since_cycle[late], end[late], kind[late]


def _ready(records: Records, streams: Sequence[Postings]) -> tuple[IntArray, IntArray, IntArray]:
    """Return when the requests of each stream are ready, in order, and the grant of each that was ready last.

    Of grants that are ready in the same cycle that of the first channel counts.
    """
    first, grants = _starts([each.firings for each in streams]), records.grants
    last, cycle = np.full(first[-1], NONE, np.int64), np.full(first[-1], NONE, np.int64)
    _ready_last(grants.rows, grants.at, grants.behind, records.port_component, first, last, cycle)
    ready = [
        _in_order(each, cycle[first[owner] : first[owner + 1]], last[first[owner] : first[owner + 1]])
        for owner, each in enumerate(streams)
    ]
    ready_cycle, ready_grant = _joined(ready, 2)
    return _starts([len(each[0]) for each in ready]), ready_cycle, ready_grant


def _in_order(postings: Postings, cycle: IntArray, grant: IntArray) -> tuple[IntArray, IntArray]:
    """Return the cycles in which requests are ready and their last grants in order of time, in the same arrays."""
    count = _known(postings.firing, postings.cycle, cycle, grant)
    cycle, grant = cycle[:count], grant[:count]
    if (cycle[1:] < cycle[:-1]).any():
        in_order = np.argsort(cycle, kind="stable")
        return cycle[in_order], grant[in_order]
    return cycle, grant


@entry
def _known(firing: IntArray, posted: IntArray, cycle: IntArray, grant: IntArray) -> int:
    """Move what is known of firings, none of which is ready before it was posted, to the front; return how many."""
    for row in range(len(firing)):
        cycle[firing[row]] = max(cycle[firing[row]], posted[row])
    count = 0
    for place in range(len(cycle)):
        if cycle[place] != NONE:
            cycle[count], grant[count] = cycle[place], grant[place]
            count += 1
    return count


@entry
def _ready_last(  # grants, and what to fill
    grants: IntArray,
    at: IntArray,
    behind: IntArray,
    port_component: IntArray,
    first: IntArray,
    last: IntArray,
    cycle: IntArray,
) -> None:
    """Note for each firing of each stream when it is ready, and the grant that is ready last.

    `first` says where the firings of each component stand.
    """
    for channel in range(len(at) - 1, -1, -1):
        for grant in range(at[channel], behind[channel]):
            place = first[port_component[grants[grant, G_PORT]]] + grants[grant, G_FIRING]
            if grants[grant, _G_READY] >= cycle[place]:
                cycle[place] = grants[grant, _G_READY]
                last[place] = grant


def _joined(parts: Sequence[Sequence[IntArray]], columns: int) -> list[IntArray]:
    empty = np.zeros(0, np.int64)
    return [np.concatenate([empty, *(part[column] for part in parts)]) for column in range(columns)]


def _starts(lengths: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
