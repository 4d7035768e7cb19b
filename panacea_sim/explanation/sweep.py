"""The sweep: at every moment each stalled component follows the other ends to a terminal. It finds the root causes.

A stall is cut where something along its chain changes. The chain ends at a component that is busy, a transfer, a device
reason or a latency. A stream that is busy waits for its last data: the grant that is ready last says what for, a
transfer on its channel, its own or another, a device reason, or the latency of the read.

Chains that meet go on together. Components that many follow are swept first, and the stretches of their stalls are
known to those that follow them: see Known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from panacea_sim.explanation.compilation import entry, inner
from panacea_sim.explanation.events import G_END, G_PORT, G_START, Events, channel_of
from panacea_sim.explanation.row_kinds import (
    CONTENDED,
    FOLLOWS,
    LATENCY,
    NONE,
    OTHER,
    SERVES,
    STALL,
    STATES,
    TAKES,
    TERMINAL,
    WHAT,
    RowKinds,
)
from panacea_sim.units import IntArray

__all__ = [
    "CYCLES",
    "DONE",
    "MEMBERS",
    "NODE_WIDTH",
    "NO_ROOM",
    "STALLS",
    "Chains",
    "Known",
    "add_stalls",
    "first_nodes",
    "follow",
    "new_cursors",
    "new_known",
    "restart",
    "sweep",
]

CYCLES, STALLS, MEMBERS, LAST_ROW, LAST_COMPONENT, PARENT, ELEMENT, NODE_WIDTH = range(8)
"""What a node counts of the chains that end there; the next two tell stalls and members from those before. The last two
say how to come to the node, NONE where chains begin.
"""

NO_ROOM = 0
"""The node of chains for which there is no room."""

DONE, LOST = 0, -1

_STATES = len(STATES)

_MANY = 3
"""So many others make it worth while to keep what is known of a component."""

_MOST_KNOWN, _KNOWN_OF_ROW = 1 << 22, 4
"""Room for known stretches: most, and for each row that there is."""

_TERMINAL_BITS = 32
_TERMINALS = (1 << _TERMINAL_BITS) - 1

_NEAR = 4
"""So many places are looked at one by one."""

_JOINED = 1 << 10
"""Room for joined chains, a power of two: machines have few."""


class Chains(NamedTuple):
    """All chains as a tree whose nodes count the chains that end there.

    `child` [node, element] is the node behind another, 0 for none; an element is a group or, behind the groups, a
    terminal by group. `group` is that of each component, `element` that of each terminal. The nodes behind NO_ROOM are
    those where chains begin, a group in one of STATES each. `used` [0] says how many nodes there are.
    """

    group: IntArray
    element: IntArray
    child: IntArray
    nodes: IntArray
    used: IntArray


class Known(NamedTuple):
    """The stretches of the stalls of some components, in order of time, one component behind the other.

    `order` are the components in the order of their sweep; those before `kept` [0] are kept here, from `at` to before
    `end` [component]. What there is no room for is followed anew. `until` is that of a stretch, `leads` its node and
    terminal in one number. `joined` remembers which node it is if a chain goes on, from one node, as the chain of
    another: these two and the one that was found, each at a place that the two give.
    """

    order: IntArray
    kept: IntArray
    at: IntArray
    end: IntArray
    until: IntArray
    leads: IntArray
    joined: IntArray


def new_known(events: Events, kinds: RowKinds) -> Known:
    """Return an empty list of what will be known, for the components that many others follow."""
    pairs = {(owner, each[OTHER]) for owner, each in zip(kinds.owners, kinds.columns, strict=True)}
    followers = np.bincount([other for _, other in pairs if other != NONE], minlength=events.components)
    # Chains mostly lead on to later components.
    kept, others = np.flatnonzero(followers >= _MANY)[::-1], np.flatnonzero(followers < _MANY)
    room = min(_MOST_KNOWN, _KNOWN_OF_ROW * int((events.rows_behind - events.rows_at).sum()))
    return Known(
        np.concatenate([kept, others]),
        np.array([len(kept)]),
        np.zeros(events.components, np.int64),
        np.zeros(events.components, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.zeros((_JOINED, 3), np.int64),
    )


def new_cursors(events: Events) -> IntArray:
    """Return room for a cursor into the rows of each owner, the grants of each channel, and what is known of each."""
    return np.zeros(len(events.starts) + len(events.channel_latency) + events.components, np.int64)


def first_nodes(groups: int) -> int:
    """Return how many nodes there are at first."""
    return 1 + groups * _STATES


class _Stretch(NamedTuple):
    """From a cycle on, until when a chain stays as it is, its terminal, and its node before that."""

    until: int
    terminal: int
    node: int


@entry
def sweep(  # events, cycles, what is worked with and what is filled
    events: Events, cycles: IntArray, cursors: IntArray, own: IntArray, matrix: IntArray, chains: Chains, known: Known
) -> int:
    """Add up the stalls of all components in [cycles[0], cycles[1]) by terminal, in `matrix` [component, terminal].

    Returns DONE, or LOST where a chain goes nowhere or in a circle. `cursors` are worked with, see `restart`, and so is
    `own` [kind of row, 2], all zeros.
    """
    count = 0
    for turn in range(events.components):
        component = known.order[turn]
        restart(events, cursors, known)
        known.at[component] = known.end[component] = count
        start = events.starts[component]
        for row in range(events.rows_at[component], events.rows_behind[component]):
            now, end = max(start, cycles[0]), min(events.row_end[row], cycles[1])
            start = events.row_end[row]
            kind = events.row_kind[row]
            if events.kinds[kind, STALL] == NONE or now >= end:
                continue
            if events.kinds[kind, WHAT] == CONTENDED and turn >= known.kept[0]:
                # It leads nowhere else.
                own[kind, CYCLES] += end - now
                own[kind, STALLS] += 1
                continue
            first = count
            while now < end:
                stretch = follow(events, cursors, chains, known, component, row, now)
                if stretch.terminal == NONE:
                    return LOST
                until = min(stretch.until, end)
                matrix[component, stretch.terminal] += until - now
                node = _next(chains, stretch.node, chains.element[stretch.terminal])
                _count(chains.nodes, node, component, row, until - now)
                now = until
                if turn < known.kept[0] and count < len(known.until):
                    leads = stretch.node << _TERMINAL_BITS | stretch.terminal
                    if count == first or known.leads[count - 1] != leads:
                        known.leads[count] = leads
                        count += 1
                    known.until[count - 1] = until
        known.end[component] = count
        _add_own(events, own, matrix, chains, component)
    return DONE


@inner
def _add_own(events: Events, own: IntArray, matrix: IntArray, chains: Chains, component: int) -> None:
    """Add the stalls of a component that are their own ends, which `own` has by kind and forgets."""
    for kind in range(len(own)):
        if own[kind, STALLS]:
            node, terminal = _first_node(chains, component, events.kinds[kind, STALL]), events.kinds[kind, TERMINAL]
            matrix[component, terminal] += own[kind, CYCLES]
            node = _next(chains, node, chains.element[terminal])
            chains.nodes[node, CYCLES] += own[kind, CYCLES]
            chains.nodes[node, STALLS] += own[kind, STALLS]
            _count_member(chains.nodes, node, component)
            own[kind, CYCLES] = own[kind, STALLS] = 0


@entry
def add_stalls(events: Events, cycles: IntArray, stalled: IntArray) -> None:
    """Add up the stalled cycles of each component in [cycles[0], cycles[1]), whatever their causes."""
    for component in range(events.components):
        start = events.starts[component]
        for row in range(events.rows_at[component], events.rows_behind[component]):
            if events.kinds[events.row_kind[row], STALL] != NONE:
                stalled[component] += max(0, min(events.row_end[row], cycles[1]) - max(start, cycles[0]))
            start = events.row_end[row]


@inner
def restart(events: Events, cursors: IntArray, known: Known) -> None:
    """Put the cursors, those of new_cursors, back to cycle 0."""
    owners = len(events.starts)
    for owner in range(owners):
        cursors[owner] = events.rows_at[owner]
    for channel in range(owners - events.components):
        cursors[owners + channel] = events.grants_at[channel]
    for component in range(events.components):
        cursors[2 * owners - events.components + component] = known.at[component]


@inner
def follow(  # a stall in a cycle, and what there is to follow it
    events: Events, cursors: IntArray, chains: Chains, known: Known, component: int, row: int, now: int
) -> _Stretch:
    """Follow the chain of a stall in a cycle."""
    kinds, kind = events.kinds, events.row_kind[row]
    node, until = _first_node(chains, component, kinds[kind, STALL]), events.row_end[row]
    for _ in range(events.components + 1):
        what = kinds[kind, WHAT]
        if what == SERVES or what == CONTENDED:  # noqa: PLR1714, SIM109  # numba would build a tuple
            return _Stretch(until, kinds[kind, TERMINAL], node)
        if what == TAKES:
            return _last_data(events, cursors, component, row, now, until, node)
        if what != FOLLOWS:
            break
        arrives = events.row_end[row] - kinds[kind, LATENCY]
        if now >= arrives:
            return _Stretch(until, kinds[kind, TERMINAL], node)
        until = min(until, arrives)
        component = kinds[kind, OTHER]
        row = _row_of(events, cursors, component, now)
        if row == NONE:
            break
        until, kind = min(until, events.row_end[row]), events.row_kind[row]
        end = known.end[component]
        if known.at[component] < end and kinds[kind, STALL] != NONE:
            place = 2 * len(events.starts) - events.components + component
            found = cursors[place] = _first_after(known.until, cursors[place], end, now)
            if found < end:
                leads = known.leads[found]
                node = _joined(chains, known.joined, node, leads >> _TERMINAL_BITS)
                return _Stretch(min(until, known.until[found]), leads & _TERMINALS, node)
        node = _next(chains, node, chains.group[component])
    return _Stretch(until, NONE, node)


@inner
def _first_node(chains: Chains, component: int, state: int) -> int:
    """Return the node where chains of a component in a state begin."""
    node: int = 1 + chains.group[component] * _STATES + state
    return node


@inner
def _last_data(
    events: Events, cursors: IntArray, component: int, row: int, now: int, until: int, node: int
) -> _Stretch:
    """Say what a stream waits for in a cycle in which it takes data."""
    grant = _last_grant(events, component, events.row_end[row])
    if grant == NONE:
        return _Stretch(until, events.kinds[events.row_kind[row], TERMINAL], node)
    grants, channel = events.grants, channel_of(events, grant)
    if now >= grants[grant, G_END]:
        return _Stretch(until, events.channel_latency[channel], node)
    # What the channel moves until then, or why it does not.
    place = len(events.starts) + channel
    moved = cursors[place] = _first_after(grants[:, G_END], cursors[place], grant, now)
    if now >= grants[moved, G_START]:
        return _Stretch(
            min(until, grants[moved, G_END]),
            events.transfer[channel, events.port_component[grants[moved, G_PORT]]],
            node,
        )
    seen = _row_of(events, cursors, events.components + channel, now)
    if seen == NONE:
        return _Stretch(until, NONE, node)
    until = min(until, grants[moved, G_START], events.row_end[seen])
    return _Stretch(until, events.kinds[events.row_kind[seen], TERMINAL], node)


@inner
def _last_grant(events: Events, component: int, cycle: int) -> int:
    """Return the grant that made a stream's data ready in a cycle, NONE if none is known."""
    low, end = events.ready_at[component], events.ready_at[component + 1]
    high = end
    while low < high:
        middle = (low + high) // 2
        if events.ready_cycle[middle] < cycle:
            low = middle + 1
        else:
            high = middle
    while low < end and events.ready_cycle[low] == cycle:
        if events.ready_grant[low] != NONE:
            grant: int = events.ready_grant[low]
            return grant
        low += 1
    return NONE


@inner
def _row_of(events: Events, cursors: IntArray, owner: int, cycle: int) -> int:
    """Return the row of an owner in a cycle, which is not before the one asked for last; NONE if there is none."""
    end = events.rows_behind[owner]
    row = cursors[owner] = _first_after(events.row_end, cursors[owner], end, cycle)
    return row if row < end else NONE


@inner
def _first_after(ends: IntArray, low: int, end: int, cycle: int) -> int:
    """Return the first place from `low` to before `end` that ends after a cycle, `end` for none; the first are near."""
    # Most often it is one of the next few.
    high = min(low + _NEAR, end)
    while low < high:
        if ends[low] > cycle:
            return low
        low += 1
    step = 1
    while low + step < end and ends[low + step - 1] <= cycle:
        low += step
        step *= 2
    high = min(low + step, end)
    while low < high:
        middle = (low + high) // 2
        if ends[middle] <= cycle:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _next(chains: Chains, node: int, element: int) -> int:
    """Return the node of a chain that goes on, a new one if need be; without room for it NO_ROOM, where it stays."""
    if node == NO_ROOM:
        return NO_ROOM
    found = int(chains.child[node, element])
    if not found and chains.used[0] < len(chains.nodes):
        found = int(chains.used[0])
        chains.child[node, element] = found
        chains.nodes[found, PARENT], chains.nodes[found, ELEMENT] = node, element
        chains.used[0] += 1
    return found


@inner
def _joined(chains: Chains, joined: IntArray, node: int, other: int) -> int:
    """Return the node of a chain that goes on as that of another node does from its beginning."""
    place = (node * _STATES + other) & (len(joined) - 1)
    if joined[place, 0] == node and joined[place, 1] == other:
        return int(joined[place, 2])
    hops, begin, found = 0, other, NO_ROOM
    if other != NO_ROOM:
        while chains.nodes[begin, PARENT] != NONE:
            begin = chains.nodes[begin, PARENT]
            hops += 1
        found = _next(chains, node, (begin - 1) // _STATES)
        for hop in range(hops - 1, -1, -1):
            behind = other
            for _ in range(hop):
                behind = chains.nodes[behind, PARENT]
            found = _next(chains, found, chains.nodes[behind, ELEMENT])
    joined[place, 0], joined[place, 1], joined[place, 2] = node, other, found
    return found


@inner
def _count(nodes: IntArray, node: int, component: int, row: int, cycles: int) -> None:
    nodes[node, CYCLES] += cycles
    if nodes[node, LAST_ROW] != row:
        nodes[node, LAST_ROW] = row
        nodes[node, STALLS] += 1
    _count_member(nodes, node, component)


@inner
def _count_member(nodes: IntArray, node: int, component: int) -> None:
    if nodes[node, LAST_COMPONENT] != component:
        nodes[node, LAST_COMPONENT] = component
        nodes[node, MEMBERS] += 1
