"""The walk: from the last end of all back to cycle 0, each step to what came last. It finds the critical path.

A place is a component in a cycle, a stream being two of them, posting and taking. What ends there in that cycle says
where the path came from: services behind each other take it to the start of the first; a wait to the component at its
other end, a token's latency before; data of a request through the grants of the channel, whosever they are, until one
that was posted no earlier than the grant before it ended, and on at the posting side of its stream. A wait of no
cycles leaves no row, so that ties go to the own step before (docs/model.md, "The critical path").
"""

from __future__ import annotations

from panacea_sim.explanation.compilation import entry, inner
from panacea_sim.explanation.events import G_END, G_PORT, G_POSTED, G_START, Events, channel_of
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
    "WHATS",
    "walk",
]

SERVICE, TRANSFER, REASON, LATENCY_OF, CROSSING, ORDER, WHATS = range(7)
"""What a segment is, and how many things it may be. `number` says which: the row of services, the terminal of a
transfer, a device's reason and a latency, the kind of row of a crossing, the grant that stood behind another. The last
two take no time of the path; their cycles are those of the wait. Services are all from the start of their row on,
behind each other.
"""

SEGMENT_WIDTH = 4
"""A segment: what, number, start, end."""

PLACE_WIDTH = 4
"""A place of the walk: component, whether it is its posting side, cycle, grant (NONE: it is no grant)."""

LOST = -1

_ROOM = 8
"""Segments that one step may add: those of a grant and its reasons."""


@entry
def walk(events: Events, place: IntArray, cursors: IntArray, out: IntArray) -> int:  # noqa: C901, PLR0911, PLR0912, PLR0915  # in one piece it is compiled in half the time
    """Walk on from `place`, fill `out` with segments, last first, and return how many: LOST if it leads nowhere.

    At the end `place` is in cycle 0, or where to go on with an empty `out`. `cursors` are where to look for the rows of
    each owner, at first the last ones.
    """
    row_end, kinds, grants = events.row_end, events.kinds, events.grants
    component, posts, now, grant = place[0], place[1], place[2], place[3]
    count = 0
    while now > 0 and count + _ROOM <= len(out):
        kind = since = NONE
        if grant == NONE and posts:
            # The step that delayed the posting last.
            first, end = events.posting_at[component], events.posting_at[component + 1]
            found = _first_at_least(events.posting_end, first, end, now)
            if found == end or events.posting_end[found] != now:
                return LOST
            kind, since = int(events.posting_kind[found]), int(events.posting_since[found])
        elif grant == NONE:
            # The row that ends here, or services of which one does; of a stream what counts is a wait to give.
            first = events.rows_at[component]
            row = _reaching(row_end, first, cursors[component], now)
            is_stream = events.ready_at[component + 1] > events.ready_at[component]
            if row != NONE:
                cursors[component] = row
                kind = int(events.row_kind[row])
                since = row_end[row - 1] if row > first else events.starts[component]
                if kinds[kind, WHAT] == SERVES:
                    count = _add(out, count, SERVICE, row, since, now)
                    now = since
                    continue
                if row_end[row] != now:
                    row = NONE
            if is_stream and (row == NONE or not kinds[kind, GIVES]):
                found = _first_at_least(
                    events.ready_cycle, events.ready_at[component], events.ready_at[component + 1], now
                )
                if found == events.ready_at[component + 1] or events.ready_cycle[found] != now:
                    return LOST
                grant = events.ready_grant[found]
                posts = 1  # where nothing was asked for
                if grant == NONE:
                    continue
            elif row == NONE:
                return LOST
        if grant == NONE:
            if kinds[kind, WHAT] != FOLLOWS:
                return LOST
            # The other end, before the latency of a token.
            late = kinds[kind, LATENCY]
            count = _add(out, count, CROSSING, kind, since, now)
            count = _add(out, count, LATENCY_OF, kinds[kind, TERMINAL], now - late, now)
            component, posts, now = kinds[kind, OTHER], kinds[kind, POSTS], now - late
            continue
        # Through a grant to the one before on its channel, if it had to wait for that, or to its posting.
        posted, port = grants[grant, G_POSTED], grants[grant, G_PORT]
        channel, moved = channel_of(events, grant), events.port_component[port]
        start, end = grants[grant, G_START], grants[grant, G_END]
        count = _add(out, count, LATENCY_OF, events.channel_latency[channel], end, now)
        count = _add(out, count, TRANSFER, events.transfer[channel, moved], start, end)
        free = grants[grant - 1, G_END] if grant > events.grants_at[channel] else 0
        since, owner = max(posted, free), events.components + channel
        row = _reaching(row_end, events.rows_at[owner], cursors[owner], start) if since < start else NONE
        if row != NONE and row_end[row] != start:
            return LOST
        while start > since:
            if row < events.rows_at[owner]:
                return LOST
            before = row_end[row - 1] if row > events.rows_at[owner] else events.starts[owner]
            before = max(before, since)
            count = _add(out, count, REASON, kinds[events.row_kind[row], TERMINAL], before, start)
            cursors[owner], start, row = row, before, row - 1
        now = since
        if free > posted:
            grant -= 1
            if grants[grant, G_PORT] != port:
                count = _add(out, count, ORDER, grant + 1, max(posted, grants[grant, G_START]), now)
        else:
            component, posts, grant = moved, 1, NONE
    place[0], place[1], place[2], place[3] = component, posts, now, grant
    return count


@inner
def _add(out: IntArray, count: int, what: int, number: int, start: int, end: int) -> int:
    """Add a segment, unless it is empty, and return how many there are."""
    if end == start:
        return count
    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = what, number, start, end
    return count + 1


@inner
def _reaching(ends: IntArray, first: int, last: int, cycle: int) -> int:
    """Return the first row between `first` and `last` that ends in a cycle or later, NONE if none does.

    The last ones are near.
    """
    if last < first:
        return NONE
    step, low = 1, last
    while low > first and ends[low] > cycle:
        low = max(first, low - step)
        step *= 2
    found = _first_at_least(ends, low, last + 1, cycle)
    return found if found <= last else NONE


@inner
def _first_at_least(values: IntArray, low: int, high: int, value: int) -> int:
    """Return the first place from `low` on where values, which never fall, are at least `value`; `high` for none."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
