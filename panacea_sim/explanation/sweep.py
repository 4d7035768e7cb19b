"""The sweep: at every moment each stalled component follows the other ends to a terminal. It finds the root causes.

A stall is cut where something along its chain changes. The chain ends at a component that is busy, a transfer, a device
reason or a latency. A stream that is busy waits for its last data: the grant that is ready last says what for, a
transfer on its channel, its own or another, a device reason, or the latency of the read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from panacea_sim.explanation.compilation import entry, inner
from panacea_sim.explanation.events import G_CHANNEL, G_END, G_PORT, G_START, Events
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
    "add_stalls",
    "first_nodes",
    "follow",
    "new_cursors",
    "restart",
    "sweep",
]

CYCLES, STALLS, MEMBERS, LAST_ROW, LAST_COMPONENT, NODE_WIDTH = range(6)
"""What a node counts of the chains that end there; the last two tell stalls and members from those before."""

NO_ROOM = 0
"""The node of chains for which there is no room."""

DONE, LOST = 0, -1

_STATES = len(STATES)


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


def new_cursors(events: Events) -> IntArray:
    """Return room for a cursor into the rows of each owner and one into the grants of each channel."""
    return np.zeros(len(events.starts) + len(events.channel_latency), np.int64)


def first_nodes(groups: int) -> int:
    """Return how many nodes there are at first."""
    return 1 + groups * _STATES


class _Stretch(NamedTuple):
    """From a cycle on, until when a chain stays as it is, its terminal, and its node before that."""

    until: int
    terminal: int
    node: int


@entry
def sweep(events: Events, cycles: IntArray, cursors: IntArray, matrix: IntArray, chains: Chains) -> int:
    """Add up the stalls of all components in [cycles[0], cycles[1]) by terminal, in `matrix` [component, terminal].

    Returns DONE, or LOST where a chain goes nowhere or in a circle. `cursors` are worked with, see `restart`.
    """
    for component in range(events.components):
        restart(events, cursors)
        start = events.starts[component]
        for row in range(events.rows_at[component], events.rows_at[component + 1]):
            now, end = max(start, cycles[0]), min(events.row_end[row], cycles[1])
            start = events.row_end[row]
            if events.kinds[events.row_kind[row], STALL] == NONE:
                continue
            while now < end:
                stretch = follow(events, cursors, chains, component, row, now)
                if stretch.terminal == NONE:
                    return LOST
                until = min(stretch.until, end)
                matrix[component, stretch.terminal] += until - now
                node = _next(chains, stretch.node, chains.element[stretch.terminal])
                _count(chains.nodes, node, component, row, until - now)
                now = until
    return DONE


@entry
def add_stalls(events: Events, cycles: IntArray, stalled: IntArray) -> None:
    """Add up the stalled cycles of each component in [cycles[0], cycles[1]), whatever their causes."""
    for component in range(events.components):
        start = events.starts[component]
        for row in range(events.rows_at[component], events.rows_at[component + 1]):
            if events.kinds[events.row_kind[row], STALL] != NONE:
                stalled[component] += max(0, min(events.row_end[row], cycles[1]) - max(start, cycles[0]))
            start = events.row_end[row]


@inner
def restart(events: Events, cursors: IntArray) -> None:
    """Put the cursors, those of the rows of owners and of the grants of channels, back to cycle 0."""
    owners = len(events.starts)
    for owner in range(owners):
        cursors[owner] = events.rows_at[owner]
    for channel in range(owners - events.components):
        cursors[owners + channel] = events.grants_at[channel]


@inner
def follow(events: Events, cursors: IntArray, chains: Chains, component: int, row: int, now: int) -> _Stretch:
    """Follow the chain of a stall in a cycle."""
    kinds, kind = events.kinds, events.row_kind[row]
    node = 1 + chains.group[component] * _STATES + kinds[kind, STALL]
    until = events.row_end[row]
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
        node = _next(chains, node, chains.group[component])
    return _Stretch(until, NONE, node)


@inner
def _last_data(
    events: Events, cursors: IntArray, component: int, row: int, now: int, until: int, node: int
) -> _Stretch:
    """Say what a stream waits for in a cycle in which it takes data."""
    grant = _last_grant(events, component, events.row_end[row])
    if grant == NONE:
        return _Stretch(until, events.kinds[events.row_kind[row], TERMINAL], node)
    grants, channel = events.grants, events.grants[grant, G_CHANNEL]
    if now >= grants[grant, G_END]:
        return _Stretch(until, events.channel_latency[channel], node)
    # What the channel moves until then, or why it does not.
    place = len(events.starts) + channel
    moved = cursors[place] = _first_after(grants[:, G_END], cursors[place], grant, now)
    if now >= grants[moved, G_START]:
        return _Stretch(min(until, grants[moved, G_END]), events.transfer[channel, grants[moved, G_PORT]], node)
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
    end = events.rows_at[owner + 1]
    row = cursors[owner] = _first_after(events.row_end, cursors[owner], end, cycle)
    return row if row < end else NONE


@inner
def _first_after(ends: IntArray, low: int, end: int, cycle: int) -> int:
    """Return the first place from `low` to before `end` that ends after a cycle, `end` for none; the first are near."""
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
        chains.used[0] += 1
    return found


@inner
def _count(nodes: IntArray, node: int, component: int, row: int, cycles: int) -> None:
    nodes[node, CYCLES] += cycles
    if nodes[node, LAST_ROW] != row:
        nodes[node, LAST_ROW] = row
        nodes[node, STALLS] += 1
    if nodes[node, LAST_COMPONENT] != component:
        nodes[node, LAST_COMPONENT] = component
        nodes[node, MEMBERS] += 1
