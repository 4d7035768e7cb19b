"""The records of a run as flat arrays, over which the walk and the sweep go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.explanation.compilation import entry
from panacea_sim.explanation.explanation import Terminal
from panacea_sim.explanation.records import Postings, Records
from panacea_sim.explanation.row_kinds import KIND_WIDTH, NONE, RowKinds
from panacea_sim.units import IntArray

__all__ = ["GRANT_WIDTH", "G_CHANNEL", "G_END", "G_PORT", "G_POSTED", "G_START", "Events", "events_of"]

G_POSTED, G_START, G_END, G_CHANNEL, G_PORT, GRANT_WIDTH = range(6)
"""Columns of a grant."""


class Events(NamedTuple):
    """Rows, postings and grants of all components and channels, one behind the other.

    Owners of rows are `components` components, then the channels; the rows of owner i begin at `rows_at[i]`, the first
    of them in cycle `starts[i]`, the others where the one before ends. `kinds` are those of row_kinds.py. `posting_*`
    are the steps that delayed postings of each component, in order of time. `ready_cycle` has in order of time when
    the request of each firing of a component was ready, and `ready_grant` the grant that was ready last (NONE for a
    request without bytes). `grants` are those of each channel in order of time. `channel_latency` [channel] and
    `transfer` [channel, component] are terminals.
    """

    components: int
    starts: IntArray
    rows_at: IntArray
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
    grants: IntArray
    channel_latency: IntArray
    transfer: IntArray


def events_of(records: Records, kinds: RowKinds) -> Events:
    """Return the events of what was recorded; `kinds` learns of their kinds and terminals."""
    names, channels = records.owners, records.topology.channels
    components = len(names) - len(channels)
    rows_at, row_end, row_kind = _rows(records, kinds)
    grants_at, grants = _grants(records)
    postings = [_delays(kinds, owner, records.postings.get(name)) for owner, name in enumerate(names[:components])]
    ready = [_ready(records, owner, name, grants_at) for owner, name in enumerate(names[:components])]
    transfer = np.full((len(channels), components), NONE, np.int64)
    for channel, name in enumerate(channels):
        for owner in np.flatnonzero(np.bincount(records.grants[name].port)).tolist():
            transfer[channel, owner] = kinds.terminal(Terminal(names[owner], "transfer", name))
    posting_since, posting_end, posting_kind = _joined(postings, 3)
    ready_cycle, ready_grant = _joined(ready, 2)
    return Events(
        components,
        np.array([records.rows[name].start_cycle for name in names], np.int64),
        rows_at,
        row_end,
        row_kind,
        np.array(kinds.columns, np.int64).reshape(-1, KIND_WIDTH),
        _starts([len(each[0]) for each in postings]),
        posting_since,
        posting_end,
        posting_kind,
        _starts([len(each[0]) for each in ready]),
        ready_cycle,
        ready_grant,
        grants_at,
        grants,
        np.array([kinds.terminal(Terminal(name, "latency")) for name in channels], np.int64),
        transfer,
    )


def _rows(records: Records, kinds: RowKinds) -> tuple[IntArray, IntArray, npt.NDArray[np.int32]]:
    names = records.owners
    rows_at = _starts([len(records.rows[name]) for name in names])
    row_end, row_kind = np.empty(rows_at[-1], np.int64), np.empty(rows_at[-1], np.int32)
    for owner, name in enumerate(names):
        rows, first = records.rows[name], rows_at[owner]
        numbers = np.array([kinds.add(owner, kind) for kind in rows.kinds], np.int32)
        for part in rows.parts:
            end = first + len(part.code)
            row_end[first:end] = part.end_cycle
            np.take(numbers, part.code, out=row_kind[first:end], mode="clip")  # no check: codes number the kinds
            first = end
    return rows_at, row_end, row_kind


def _grants(records: Records) -> tuple[IntArray, IntArray]:
    of_channels = [records.grants[name] for name in records.topology.channels]
    grants_at = _starts([len(each.port) for each in of_channels])
    grants = np.empty((grants_at[-1], GRANT_WIDTH), np.int64)
    for channel, each in enumerate(of_channels):
        mine = grants[grants_at[channel] : grants_at[channel + 1]]
        _fill_grants(channel, each.port, each.request_cycle, each.start_cycle, each.end_cycle, mine)
    return grants_at, grants


@entry
def _fill_grants(  # columns of grants, and what to fill
    channel: int, port: IntArray, posted: IntArray, start: IntArray, end: IntArray, out: IntArray
) -> None:
    """Put the columns of a channel's grants side by side."""
    for grant in range(len(port)):
        row = out[grant]
        row[G_POSTED], row[G_START], row[G_END] = posted[grant], start[grant], end[grant]
        row[G_CHANNEL], row[G_PORT] = channel, port[grant]


def _delays(kinds: RowKinds, owner: int, postings: Postings | None) -> tuple[IntArray, IntArray, IntArray]:
    """Return start, end and kind of the steps that delayed the postings of a stream."""
    if postings is None or not len(postings.firing):
        return (np.zeros(0, np.int64),) * 3
    end = postings.cycle.copy()
    goes_on = postings.firing[1:] == postings.firing[:-1]
    end[:-1][goes_on] = postings.since_cycle[1:][goes_on]
    numbers = np.array([NONE if kind is None else kinds.add(owner, kind) for kind in postings.kinds], np.int64)
    kind = numbers[postings.code]
    late = kind != NONE
    return postings.since_cycle[late], end[late], kind[late]


def _ready(records: Records, owner: int, name: str, grants_at: IntArray) -> tuple[IntArray, IntArray]:
    """Return when the requests of a stream are ready, in order, and the grant of each that was ready last.

    Of grants that are ready in the same cycle that of the first channel counts.
    """
    if name not in records.postings:
        return (np.zeros(0, np.int64),) * 2
    postings = records.postings[name]
    of_channels = [records.grants[channel] for channel in records.topology.channels]
    firings = 1 + max(
        [int(postings.firing.max(initial=-1)), *(_last_firing(owner, each.port, each.firing) for each in of_channels)]
    )
    last, cycle = np.full(firings, NONE, np.int64), np.full(firings, NONE, np.int64)
    for channel in range(len(of_channels) - 1, -1, -1):
        grants = of_channels[channel]
        _ready_last(owner, grants.port, grants.firing, grants.ready_cycle, grants_at[channel], last, cycle)
    posted = postings.firing
    cycle[posted] = np.maximum(cycle[posted], postings.cycle)
    known = np.flatnonzero(cycle != NONE)
    if (np.diff(cycle[known]) < 0).any():
        known = known[np.argsort(cycle[known], kind="stable")]
    return cycle[known], last[known]


@entry
def _last_firing(owner: int, port: IntArray, firing: IntArray) -> int:
    """Return the last firing whose request an owner was granted, -1 without any."""
    last = -1
    for grant in range(len(port)):
        if port[grant] == owner:
            last = max(last, firing[grant])
    return last


@entry
def _ready_last(  # columns of grants, and what to fill
    owner: int, port: IntArray, firing: IntArray, ready: IntArray, first: int, last: IntArray, cycle: IntArray
) -> None:
    """Note for each firing of an owner the grant of a channel that was ready last, if none was ready later."""
    for grant in range(len(port)):
        if port[grant] == owner and ready[grant] >= cycle[firing[grant]]:
            cycle[firing[grant]] = ready[grant]
            last[firing[grant]] = first + grant


def _joined(parts: Sequence[Sequence[IntArray]], columns: int) -> list[IntArray]:
    empty = np.zeros(0, np.int64)
    return [np.concatenate([empty, *(part[column] for part in parts)]) for column in range(columns)]


def _starts(lengths: Sequence[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
