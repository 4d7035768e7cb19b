"""What can be said of a layer that ran alone: which part was busiest, and what its beginning and end cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from panacea_sim.description.topology import Topology
from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import StallTotal

__all__ = ["border_cycles", "busiest_part"]

Totals = Mapping[str, Sequence[StallTotal]]
"""The cycles of each component and channel, by state and cause."""


def busiest_part(topology: Topology, totals: Totals) -> str:
    """Return the group, or the channel, with the most busy cycles in the mean over its members; the first of equals."""
    members = {**topology.groups, **{channel: (channel,) for channel in topology.channels}}
    busy = {
        name: sum(_cycles(totals[each], State.BUSY) for each in parts) / len(parts) for name, parts in members.items()
    }
    return max(busy, key=lambda name: busy[name])


def border_cycles(topology: Topology, totals: Totals) -> int:
    """Return for how many cycles the computing components had not begun or had ended, in the mean, rounded down."""
    computing = topology.computing
    idle = sum(_cycles(totals[name], State.IDLE) for name in computing)
    return idle // max(1, len(computing))


def _cycles(totals: Sequence[StallTotal], state: State) -> int:
    return sum(total.cycles for total in totals if total.state == state)
