"""The stalls of a run one by one: each stretch of one with the chain that it waits for, as the sweep follows it.

The sweep adds these stretches up; here they are kept, for what draws them. A stretch is a part of one recorded stall
over which the groups of the chain and its end stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import InvariantError
from panacea_sim.explanation.chains import new_chains
from panacea_sim.explanation.compilation import entry
from panacea_sim.explanation.events import Events
from panacea_sim.explanation.explanation import Terminal
from panacea_sim.explanation.records import Records
from panacea_sim.explanation.row_kinds import NONE, STALL, RowKinds
from panacea_sim.explanation.sweep import LOST, NO_ROOM, Chains, Known, follow, new_cursors, new_known, restart
from panacea_sim.units import IntArray

__all__ = ["STRETCHES_AT_ONCE", "StallStretches", "stall_stretches"]

_WIDTH = 5

STRETCHES_AT_ONCE = 1 << 16
"""How many are found before their room is made anew; a stretch may end where one of these does."""


@dataclass(frozen=True)
class StallStretches:
    """Stretches of stalls, component by component and in order of time.

    `component` counts those of the topology. `hops` says how many other ends lead from the stalled component to the
    last one of the chain: 0 if that is the stalled one itself, -1 where the tree of chains had no room. `terminal`
    counts `terminals`.
    """

    component: IntArray
    start_cycle: IntArray
    end_cycle: IntArray
    hops: IntArray
    terminal: IntArray
    terminals: tuple[Terminal, ...]


def stall_stretches(records: Records, events: Events, kinds: RowKinds) -> StallStretches:
    """Return the stretches of all stalls; raises InvariantError as `explain` does for chains that lead nowhere."""
    chains = new_chains(records.topology, kinds)
    cursors, place = new_cursors(events), np.array([0, NONE, 0], np.int64)
    cycles, known = np.array(records.cycles, np.int64), new_known(events, kinds)
    parts = [np.zeros((0, _WIDTH), np.int64)]
    while place[0] < events.components:
        out = np.zeros((STRETCHES_AT_ONCE, _WIDTH), np.int64)
        count = _stretches(events, cycles, cursors, place, chains, known, out)
        if count == LOST:
            raise InvariantError("a stall leads to nothing, or in a circle: the records contradict each other")
        parts.append(out[:count])
    component, start, end, terminal, node = np.concatenate(parts).T
    return StallStretches(component, start, end, _hops(chains)[node], terminal, tuple(kinds.terminals))


@entry
def _stretches(
    events: Events,
    cycles: IntArray,
    cursors: IntArray,
    place: IntArray,
    chains: Chains,
    known: Known,
    out: IntArray,
) -> int:
    """Fill `out` with component, start, end, terminal and node of stretches from `place` on; return how many.

    `place` is the component, the row (NONE: its first) and the cycle where to go on, with an empty `out`; the component
    is behind the last one at the end. LOST where a chain goes nowhere.
    """
    count = 0
    while place[0] < events.components:
        component = place[0]
        if place[1] == NONE:
            restart(events, cursors, known)
            place[1], place[2] = events.rows_at[component], max(events.starts[component], cycles[0])
        while place[1] < events.rows_behind[component]:
            row, now = place[1], place[2]
            end = min(events.row_end[row], cycles[1])
            first = count
            if events.kinds[events.row_kind[row], STALL] != NONE:
                while now < end:
                    if count == len(out):
                        place[2] = now
                        return count
                    stretch = follow(events, cursors, chains, known, component, row, now)
                    if stretch.terminal == NONE:
                        return LOST
                    until = min(stretch.until, end)
                    if count > first and out[count - 1, 3] == stretch.terminal and out[count - 1, 4] == stretch.node:
                        out[count - 1, 2] = until
                    else:
                        out[count, 0], out[count, 1], out[count, 2] = component, now, until
                        out[count, 3], out[count, 4] = stretch.terminal, stretch.node
                        count += 1
                    now = until
            place[1], place[2] = row + 1, max(place[2], events.row_end[row])
        place[0], place[1] = component + 1, NONE
    return count


def _hops(chains: Chains) -> IntArray:
    """Return for each node how far it is from where its chains begin, -1 for that of chains without room."""
    hops = np.zeros(len(chains.nodes), np.int64)
    hops[NO_ROOM] = -1
    # A node is made after the one before it.
    for node in range(NO_ROOM + 1, int(chains.used[0])):
        behind = chains.child[node]
        hops[behind[behind > 0]] = hops[node] + 1
    return hops
