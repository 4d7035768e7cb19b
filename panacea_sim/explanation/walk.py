"""The walk: from the last end of all back to cycle 0, each step to what came last. It finds the critical path.

A place is a component in a cycle, a stream being two of them, posting and taking. What ends there in that cycle says
where the path came from: a service takes it to its start; a wait to the component at its other end, a token's latency
before; data of a request through the grants of the channel, whosever they are, until one that was posted no earlier than
the grant before it ended, and on at the posting side of its stream. A wait of no cycles leaves no row, so that ties go
to the own step before (docs/model.md, "The critical path").
"""

from __future__ import annotations

from panacea_sim.explanation.compilation import entry, inner
from panacea_sim.explanation.events import G_CHANNEL, G_END, G_PORT, G_POSTED, G_START, Events
from panacea_sim.explanation.row_kinds import FOLLOWS, GIVES, LATENCY, NONE, OTHER, POSTS, SERVES, TERMINAL, WHAT
from panacea_sim.units import IntArray

__all__ = [
    "CROSSING",
    "LATENCY_OF",
    "LOST",
    "ORDER",
    "PLACE_WIDTH",
    "REASON",
    "SEGMENT_WIDTH",
    "SERVICE",
    "TRANSFER",
    "walk",
]

SERVICE, TRANSFER, REASON, LATENCY_OF, CROSSING, ORDER = range(6)
"""What a segment is. `number` says which: the row of a service, the terminal of a transfer, a device's reason and a
latency, the kind of row of a crossing, the grant that stood behind another. The last two take no time of the path; their
cycles are those of the wait.
"""

SEGMENT_WIDTH = 4
"""A segment: what, number, start, end."""

PLACE_WIDTH = 4
"""A place of the walk: component, whether it is its posting side, cycle, grant (NONE: it is no grant)."""

LOST = -1

_ROOM = 8
"""Segments that one step may add: those of a grant and its reasons."""


@entry
def walk(events: Events, place: IntArray, cursors: IntArray, out: IntArray) -> int:
    """Walk on from `place`, fill `out` with segments, last first, and return how many there are: LOST if it goes nowhere.

    At the end `place` is in cycle 0, or where to go on with an empty `out`. `cursors` [owner] are where to look for rows,
    at first the last ones.
    """
    count = 0
    while place[2] > 0 and count + _ROOM <= len(out):
        if place[3] != NONE:
            count = _through_grant(events, place, cursors, out, count)
        elif place[1]:
            count = _from_posting(events, place, out, count)
        else:
            count = _from_row(events, place, cursors, out, count)
        if count == LOST:
            return LOST
    return count


@inner
def _from_row(events: Events, place: IntArray, cursors: IntArray, out: IntArray, count: int) -> int:
    """Go on from where a row of a component ends, or its data was ready."""
    component, now = place[0], place[2]
    row = _ending(events.row_end, events.rows_at[component], cursors[component], now)
    is_stream = events.ready_at[component + 1] > events.ready_at[component]
    if row != NONE:
        cursors[component] = row
        kind = events.row_kind[row]
        start = events.starts[component] if row == events.rows_at[component] else events.row_end[row - 1]
        if is_stream and not events.kinds[kind, GIVES]:
            return _from_data(events, place, count)
        if events.kinds[kind, WHAT] == SERVES:
            place[2] = start
            return _add(out, count, SERVICE, row, start, now)
        if events.kinds[kind, WHAT] == FOLLOWS:
            return _cross(events, place, out, count, kind, start)
        return LOST
    return _from_data(events, place, count) if is_stream else LOST


@inner
def _from_data(events: Events, place: IntArray, count: int) -> int:
    """Go on at the grant that made a stream's data ready, or at its posting where nothing was asked for."""
    first, end = events.ready_at[place[0]], events.ready_at[place[0] + 1]
    found = _first_at_least(events.ready_cycle, first, end, place[2])
    if found == end or events.ready_cycle[found] != place[2]:
        return LOST
    place[3] = events.ready_grant[found]
    if place[3] == NONE:
        place[1] = 1
    return count


@inner
def _from_posting(events: Events, place: IntArray, out: IntArray, count: int) -> int:
    """Go on from the step that delayed a posting last."""
    first, end = events.posting_at[place[0]], events.posting_at[place[0] + 1]
    found = _first_at_least(events.posting_end, first, end, place[2])
    if found == end or events.posting_end[found] != place[2]:
        return LOST
    return _cross(events, place, out, count, events.posting_kind[found], events.posting_since[found])


@inner
def _cross(events: Events, place: IntArray, out: IntArray, count: int, kind: int, since: int) -> int:
    """Go on at the other end of a wait, before the latency of its token."""
    now, late = place[2], events.kinds[kind, LATENCY]
    count = _add(out, count, CROSSING, kind, since, now)
    if late:
        count = _add(out, count, LATENCY_OF, events.kinds[kind, TERMINAL], now - late, now)
    place[0], place[1], place[2] = events.kinds[kind, OTHER], events.kinds[kind, POSTS], now - late
    return count


@inner
def _through_grant(events: Events, place: IntArray, cursors: IntArray, out: IntArray, count: int) -> int:
    """Go through a grant to the one before on its channel, if it had to wait for that, or to its posting."""
    grant, now = place[3], place[2]
    posted, start, end = events.grants[grant, G_POSTED], events.grants[grant, G_START], events.grants[grant, G_END]
    channel, port = events.grants[grant, G_CHANNEL], events.grants[grant, G_PORT]
    if now > end:
        count = _add(out, count, LATENCY_OF, events.channel_latency[channel], end, now)
    count = _add(out, count, TRANSFER, events.transfer[channel, port], start, end)
    free = events.grants[grant - 1, G_END] if grant > events.grants_at[channel] else 0
    since, at, owner = max(posted, free), start, events.components + channel
    row = _ending(events.row_end, events.rows_at[owner], cursors[owner], start) if since < start else NONE
    while at > since:
        if row < events.rows_at[owner]:
            return LOST
        begin = events.starts[owner] if row == events.rows_at[owner] else events.row_end[row - 1]
        begin = max(begin, since)
        count = _add(out, count, REASON, events.kinds[events.row_kind[row], TERMINAL], begin, at)
        cursors[owner], at, row = row, begin, row - 1
    if free > posted:
        place[2], place[3] = free, grant - 1
        if events.grants[grant - 1, G_PORT] != port:
            before = events.grants[grant - 1, G_START]
            count = _add(out, count, ORDER, grant, max(posted, before), free)
    else:
        place[0], place[1], place[2], place[3] = port, 1, posted, NONE
    return count


@inner
def _add(out: IntArray, count: int, what: int, number: int, start: int, end: int) -> int:
    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = what, number, start, end
    return count + 1


@inner
def _ending(ends: IntArray, first: int, last: int, cycle: int) -> int:
    """Return the row between `first` and `last` that ends in a cycle, NONE if none does; the last ones are near."""
    if last < first:
        return NONE
    step, low = 1, last
    while low > first and ends[low] > cycle:
        low = max(first, low - step)
        step *= 2
    found = _first_at_least(ends, low, last + 1, cycle)
    return found if found <= last and ends[found] == cycle else NONE


@inner
def _first_at_least(values: IntArray, low: int, high: int, value: int) -> int:
    """Return the first place from `low` on where values that never fall are at least `value`, `high` if there is none."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
