"""The tree of chains that the sweep fills, and the chains that it holds."""

from __future__ import annotations

import numpy as np

from panacea_sim.description.topology import Topology
from panacea_sim.explanation.explanation import Chain, Terminal, joined_chains
from panacea_sim.explanation.row_kinds import STATES, RowKinds
from panacea_sim.explanation.sweep import CYCLES, MEMBERS, NO_ROOM, NODE_WIDTH, STALLS, Chains, first_nodes

__all__ = ["chains_of", "new_chains"]

_MOST_NODES = 4_096
_MOST_BRANCHES = 1 << 22
"""Far more than the machines of today need; a machine with more loses its rarest chains."""


def new_chains(topology: Topology, kinds: RowKinds) -> Chains:
    """Return an empty tree for a machine with these terminals."""
    groups = list(topology.groups)
    group = np.array([groups.index(part.group) for part in topology.components], np.int64)
    terminals = list(dict.fromkeys(_by_group(topology, each) for each in kinds.terminals))
    element = [len(groups) + terminals.index(_by_group(topology, each)) for each in kinds.terminals]
    elements = len(groups) + len(terminals)
    first = first_nodes(len(groups))
    room = first + max(len(groups), min(_MOST_NODES, _MOST_BRANCHES // max(elements, 1)))
    nodes = np.zeros((room, NODE_WIDTH), np.int64)
    nodes[:, MEMBERS + 1 :] = -1
    return Chains(
        group, np.array(element, np.int64), np.zeros((room, elements), np.int64), nodes, np.array([first], np.int64)
    )


def chains_of(chains: Chains, topology: Topology, kinds: RowKinds) -> tuple[Chain, ...]:
    """Return the longest chains of the tree."""
    groups = list(topology.groups)
    terminals = dict(zip(chains.element.tolist(), (_by_group(topology, each) for each in kinds.terminals), strict=True))
    path: dict[int, tuple[tuple[str, ...], str]] = {
        1 + number * len(STATES) + place: ((group,), state.value)
        for number, group in enumerate(groups)
        for place, state in enumerate(STATES)
    }
    found = []
    # A node is made after the one before it.
    for node in range(NO_ROOM + 1, int(chains.used[0])):
        if node not in path:
            continue
        for element in np.flatnonzero(chains.child[node]).tolist():
            child, (before, state) = int(chains.child[node, element]), path[node]
            if element < len(groups):
                path[child] = (*before, groups[element]), state
            else:
                counts = chains.nodes[child]
                numbers = int(counts[MEMBERS]), int(counts[STALLS]), int(counts[CYCLES])
                found.append(Chain(before, state, terminals[element], *numbers))
    return joined_chains(found)


def _by_group(topology: Topology, terminal: Terminal) -> Terminal:
    """Return a terminal by group: one for all PEAs that are busy, one for all queues between two groups."""
    if terminal.kind == "busy":
        return Terminal(topology.group_of[terminal.name], "busy")
    if terminal.kind == "latency":
        return Terminal(topology.short_names.get(terminal.name, terminal.name), "latency")
    return terminal
