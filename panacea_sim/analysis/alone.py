"""What can be said of a layer that ran alone: which part was busiest, and what its beginning and end cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panacea_sim.description.topology import Topology
from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import StallTotal

__all__ = ["border_cycles", "border_of", "busiest_of", "busiest_part"]

Totals = Mapping[str, Sequence[StallTotal]]
"""The cycles of each component and channel, by state and cause."""


def busiest_part(topology: Topology, totals: Totals) -> str:
    """Return the group, or the channel, with the most busy cycles in the mean over its members; the first of equals."""
    return busiest_of(topology, _of_state(totals, State.BUSY))


def border_cycles(topology: Topology, totals: Totals) -> int:
    """Return for how many cycles the computing components had not begun or had ended, in the mean, rounded down."""
    return border_of(topology, _of_state(totals, State.IDLE))


def busiest_of(topology: Topology, busy_cycles: Mapping[str, int]) -> str:
    """Return the same, from the busy cycles of each component and channel."""
    members = {**topology.groups, **{channel: (channel,) for channel in topology.channels}}
    busy = {name: sum([busy_cycles[each] for each in parts]) / len(parts) for name, parts in members.items()}
    return max(busy, key=lambda name: busy[name])


def border_of(topology: Topology, idle_cycles: Mapping[str, int]) -> int:
    """Return the same, from the idle cycles of each component."""
    computing = topology.computing
    return sum([idle_cycles[name] for name in computing]) // max(1, len(computing))


def _of_state(totals: Totals, state: State) -> dict[str, int]:
    return {name: sum([each.cycles for each in those if each.state == state]) for name, those in totals.items()}
