"""For which firing each stretch of a critical path was spent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.explanation.events import G_END, G_FIRING, G_PORT, G_START, Events, events_of
from panacea_sim.explanation.explain import whole_walk
from panacea_sim.explanation.records import Records
from panacea_sim.explanation.row_kinds import NONE, RowKinds
from panacea_sim.explanation.services import single_services
from panacea_sim.explanation.walk import LATENCY_OF, REASON, SERVICE, TRANSFER
from panacea_sim.units import IntArray

__all__ = ["PathOwners", "path_owners"]


@dataclass(frozen=True)
class PathOwners:
    """The stretches of a critical path in order of time: their cycles, and the component and firing that each is for.

    `component` counts those of the topology; both are -1 for a stretch that is for none.
    """

    cycles: IntArray
    component: IntArray
    firing: IntArray


def path_owners(records: Records) -> PathOwners:
    """Return for which firing each stretch of the critical path was spent, from what a recorder has kept.

    A service is for its own firing; a transfer, the device's reasons before it and the latency of its data for the one
    whose request it is; the latency of a token for the firing of the next stretch, which waited for it: the last
    stretch of all may be for none. Raises InvariantError as `explain` does.
    """
    kinds = RowKinds(records.topology, frozenset(records.postings))
    events = events_of(records, kinds)
    stretches, services = single_services(records, events, whole_walk(records, events))
    component, firing = np.full(len(stretches), NONE), np.full(len(stretches), NONE)
    for each in services:
        component[each.place], firing[each.place] = each.owner, each.reference
    _own_grants(records, events, kinds, stretches, component, firing)
    # Latencies of tokens: the next stretch with an owner.
    places = np.where(component == NONE, len(stretches), np.arange(len(stretches)))
    following = np.minimum.accumulate(places[::-1])[::-1]
    component, firing = np.append(component, NONE)[following], np.append(firing, NONE)[following]
    return PathOwners(stretches[:, 3] - stretches[:, 2], component, firing)


def _own_grants(  # the records, and what to fill
    records: Records, events: Events, kinds: RowKinds, stretches: IntArray, component: IntArray, firing: IntArray
) -> None:
    """Find the grant of transfers by its end, of reasons before it by its start, of read latency by its end before."""
    channels = records.topology.channels
    terminal_channel = np.array(
        [
            channels.index(name) if (name := each.cause if each.kind == "transfer" else each.name) in channels else NONE
            for each in kinds.terminals
        ],
        np.int64,
    )
    of_channel = np.full(len(stretches), NONE)
    others = stretches[:, 0] != SERVICE
    of_channel[others] = terminal_channel[stretches[others, 1]]
    for number in range(len(channels)):
        grants = events.grants[events.grants_at[number] : events.grants_behind[number]]
        for what, column, edge in ((TRANSFER, G_END, 3), (REASON, G_START, 3), (LATENCY_OF, G_END, 2)):
            places = np.flatnonzero((of_channel == number) & (stretches[:, 0] == what))
            grant = np.searchsorted(grants[:, column], stretches[places, edge])
            component[places], firing[places] = events.port_component[grants[grant, G_PORT]], grants[grant, G_FIRING]
