"""The records of a run as flat arrays, over which the walk and the sweep go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import InvariantError
from panacea_sim.explanation.compilation import entry
from panacea_sim.explanation.explanation import Terminal
from panacea_sim.explanation.records import Postings, Records
from panacea_sim.explanation.row_kinds import KIND_WIDTH, NONE, SERVES, WHAT, RowKinds
from panacea_sim.units import IntArray

__all__ = ["GRANT_WIDTH", "G_CHANNEL", "G_END", "G_PORT", "G_POSTED", "G_START", "Events", "events_of"]

G_POSTED, G_START, G_END, G_CHANNEL, G_PORT, GRANT_WIDTH = range(6)
"""Columns of a grant."""


class Events(NamedTuple):
    """Rows, postings and grants of all components and channels, one behind the other.

    Owners of rows are `components` components, then the channels; the rows of owner i begin at `rows_at[i]`, the first
    of them in cycle `starts[i]`, the others where the one before ends. `kinds` are those of row_kinds.py. A row of a
    component that serves may be several services behind each other: `served_end` has when each of them ends, those of
    component i from `served_at[i]` on. A channel may have no rows for grants. `posting_*` are the steps that delayed
    postings of each component, in order of time. `ready_cycle` has in order of time when the request of each firing of
    a component was ready, and `ready_grant` the grant that was ready last (NONE for a request without bytes). `grants`
    are those of each channel in order of time. `channel_latency` [channel] and `transfer` [channel, component] are
    terminals.
    """

    components: int
    starts: IntArray
    rows_at: IntArray
    row_end: IntArray
    row_kind: npt.NDArray[np.int32]
    kinds: IntArray
    served_at: IntArray
    served_end: IntArray
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
    """Return the events of what was recorded; `kinds` learns of their kinds and terminals.

    Raises InvariantError where a component serves for other cycles than its services take.
    """
    names, channels = records.owners, records.topology.channels
    components = len(names) - len(channels)
    rows_at, row_end, row_kind = _rows(records, kinds)
    grants_at, grants, last_firing = _grants(records)
    postings = [_delays(kinds, owner, records.postings.get(name)) for owner, name in enumerate(names[:components])]
    ready_at, ready_cycle, ready_grant = _ready(records, last_firing, grants_at)
    transfer = np.full((len(channels), components), NONE, np.int64)
    for channel, name in enumerate(channels):
        for owner in np.flatnonzero(last_firing[channel] != NONE).tolist():
            transfer[channel, owner] = kinds.terminal(Terminal(names[owner], "transfer", name))
    posting_since, posting_end, posting_kind = _joined(postings, 3)
    starts = np.array([records.rows[name].start_cycle for name in names], np.int64)
    columns = np.array(kinds.columns, np.int64).reshape(-1, KIND_WIDTH)
    served_at, served_end = _services(records, starts, rows_at, row_end, row_kind, columns)
    return Events(
        components,
        starts,
        rows_at,
        row_end,
        row_kind,
        columns,
        served_at,
        served_end,
        _starts([len(each[0]) for each in postings]),
        posting_since,
        posting_end,
        posting_kind,
        ready_at,
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


def _services(
    records: Records, starts: IntArray, rows_at: IntArray, row_end: IntArray, row_kind: np.ndarray, columns: IntArray
) -> tuple[IntArray, IntArray]:
    """Return where the services of each component begin, and when each of them ends."""
    parts = records.topology.components
    services = [records.rows[part.name].services.cycles for part in parts]
    served_at, served_end = np.zeros(len(parts) + 1, np.int64), np.empty(sum(map(len, services)), np.int64)
    for owner, part in enumerate(parts):
        mine, first = slice(rows_at[owner], rows_at[owner + 1]), served_at[owner]
        # One component at a time, so that what is copied takes the same memory again.
        cycles = np.ascontiguousarray(services[owner], np.int64)
        count = _serve(starts[owner], row_end[mine], row_kind[mine], columns, cycles, served_end[first:])
        if count == NONE:
            raise InvariantError(f"{part.name} serves for other cycles than its services take")
        served_at[owner + 1] = first + count
    return served_at, served_end[: served_at[-1]]


@entry
def _serve(  # rows, and what is in them
    start: int, row_end: IntArray, row_kind: np.ndarray, kinds: IntArray, cycles: IntArray, out: IntArray
) -> int:
    """Let the services of a component follow each other in its rows; return how many take cycles, NONE for misfits."""
    count = service = 0
    now = start
    for row in range(len(row_end)):
        end = row_end[row]
        if kinds[row_kind[row], WHAT] == SERVES:
            while now < end and service < len(cycles):
                if cycles[service] > 0:
                    now += cycles[service]
                    out[count] = now
                    count += 1
                service += 1
            if now != end:
                return NONE
        now = end
    return count


def _grants(records: Records) -> tuple[IntArray, IntArray, IntArray]:
    """Return where the grants of each channel begin, the grants, and the last firing granted [channel, component]."""
    of_channels = [records.grants[name] for name in records.topology.channels]
    grants_at = _starts([len(each) for each in of_channels])
    grants = np.empty((grants_at[-1], GRANT_WIDTH), np.int64)
    last_firing = np.full((len(of_channels), len(records.topology.components)), NONE, np.int64)
    for channel, each in enumerate(of_channels):
        first = grants_at[channel]
        for part in each.parts:
            _fill_grants(channel, part, each.components, grants[first:], last_firing[channel])
            first += len(part)
    return grants_at, grants, last_firing


@entry
def _fill_grants(channel: int, part: IntArray, components: IntArray, out: IntArray, last_firing: IntArray) -> None:
    """Fill in grants of a channel, and note the last firing of each component among them."""
    for grant in range(len(part)):
        component = components[part[grant, 0]]
        row = out[grant]
        row[G_POSTED], row[G_START], row[G_END] = part[grant, 2], part[grant, 3], part[grant, 4]
        row[G_CHANNEL], row[G_PORT] = channel, component
        last_firing[component] = max(last_firing[component], part[grant, 1])


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


def _ready(records: Records, last_firing: IntArray, grants_at: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return when the requests of each stream are ready, in order, and the grant of each that was ready last.

    Of grants that are ready in the same cycle that of the first channel counts. `last_firing` [channel, component] are
    the last ones that were granted something.
    """
    parts, channels = records.topology.components, records.topology.channels
    none = np.zeros(0, np.int64)
    postings = [records.postings.get(part.name, Postings((), *[none] * 4)) for part in parts]
    last_posted = [int(each.firing.max(initial=NONE)) for each in postings]
    firings = 1 + np.maximum(last_posted, last_firing.max(0, initial=NONE))
    first = _starts(firings)
    last, cycle = np.full(first[-1], NONE, np.int64), np.full(first[-1], NONE, np.int64)
    for channel in range(len(channels) - 1, -1, -1):
        grants, number = records.grants[channels[channel]], grants_at[channel]
        for granted in grants.parts:
            _ready_last(granted, grants.components, number, first, last, cycle)
            number += len(granted)
    ready = [
        _in_order(each, cycle[first[owner] : first[owner + 1]], last[first[owner] : first[owner + 1]])
        for owner, each in enumerate(postings)
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
    part: IntArray, components: IntArray, number: int, first: IntArray, last: IntArray, cycle: IntArray
) -> None:
    """Note for each firing of each stream the grant of a channel that was ready last, if none was ready later.

    `number` is that of the first grant of this part, `first` where the firings of each component stand.
    """
    for grant in range(len(part)):
        place = first[components[part[grant, 0]]] + part[grant, 1]
        if part[grant, 5] >= cycle[place]:
            cycle[place] = part[grant, 5]
            last[place] = number + grant


def _joined(parts: Sequence[Sequence[IntArray]], columns: int) -> list[IntArray]:
    empty = np.zeros(0, np.int64)
    return [np.concatenate([empty, *(part[column] for part in parts)]) for column in range(columns)]


def _starts(lengths: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
