"""The segments of a critical path added up in groups, and told one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from panacea_sim.explanation.compilation import entry
from panacea_sim.explanation.events import G_PORT, Events, channel_of
from panacea_sim.explanation.explanation import BEHIND, Limit, LimitKind, PathRow, SegmentKind
from panacea_sim.explanation.records import Records
from panacea_sim.explanation.row_kinds import RowKinds
from panacea_sim.explanation.services import served, single_services
from panacea_sim.explanation.walk import CROSSING, LATENCY_OF, ORDER, REASON, SEGMENT_WIDTH, SERVICE, TRANSFER, WHATS
from panacea_sim.units import IntArray

__all__ = ["PathSums", "segment_rows"]

_KINDS: dict[int, SegmentKind] = {
    TRANSFER: "transfer",
    REASON: "device",
    LATENCY_OF: "latency",
}
"""The segments that take time, apart from services."""


@dataclass
class _Sums:
    """Cycles and stretches of each member."""

    cycles: dict[str, int] = field(default_factory=dict)
    stretches: int = 0

    def add(self, member: str, cycles: int, stretches: int) -> None:
        self.cycles[member] = self.cycles.get(member, 0) + cycles
        self.stretches += stretches


class PathSums:
    """The sums of the segments that were added, in groups."""

    def __init__(self, records: Records, events: Events, kinds: RowKinds) -> None:
        self._records, self._events, self._kinds = records, events, kinds
        channels, components = events.transfer.shape
        self._sums = np.zeros((WHATS, max(len(kinds.terminals), len(kinds.columns)), 2), np.int64)
        self._ordered = np.zeros((channels, components, components, 2), np.int64)
        self._services = [np.zeros((0, SEGMENT_WIDTH - 1), np.int64)]

    @property
    def cycles(self) -> int:
        """All cycles together."""
        services = sum(int((each[:, 2] - each[:, 1]).sum()) for each in self._services)
        return services + int(self._sums[list(_KINDS), :, 0].sum())

    def add(self, segments: IntArray) -> None:
        """Add segments as the walk gives them, the last ones first."""
        _add_up(self._events, segments, self._sums, self._ordered)
        self._services.append(segments[segments[:, 0] == SERVICE, 1:])

    def rows(self) -> tuple[PathRow, ...]:
        """Return the sums, most cycles first; raises InvariantError where services do not fill their rows."""
        found = dict[tuple[str, SegmentKind, str], _Sums]()
        groups, short_names = self._records.topology.group_of, self._records.topology.short_names
        for kind, member, cause, cycles, stretches in self._told():
            group = groups.get(member, short_names.get(member, member))
            found.setdefault((group, kind, cause), _Sums()).add(member, cycles, stretches)
        rows = [
            PathRow(component, kind, cause, sum(sums.cycles.values()), sums.stretches, sums.cycles)
            for (component, kind, cause), sums in found.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.cycles, row.component, row.kind, row.cause)))

    def limits(self) -> tuple[Limit, ...]:
        """Return the limits that were crossed, those that were waited for longest first."""
        found = dict[tuple[str, LimitKind], _Sums]()
        for (name, kind), cycles, crossings in self._crossed():
            found.setdefault((name, kind), _Sums()).add(name, cycles, crossings)
        limits = [Limit(name, kind, sums.stretches, sums.cycles[name]) for (name, kind), sums in found.items()]
        return tuple(sorted(limits, key=lambda limit: (-limit.stalled_cycles, limit.name, limit.kind)))

    def _told(self) -> Iterator[tuple[SegmentKind, str, str, int, int]]:
        """Return kind, name, cause, cycles and number of the segments that take time, added up by these three."""
        for what, kind in _KINDS.items():
            for number, (cycles, stretches) in _counted(self._sums[what]):
                terminal = self._kinds.terminals[number[0]]
                yield kind, terminal.name, terminal.cause, cycles, stretches
        for each in served(self._records, self._events, np.concatenate(self._services)):
            name = self._records.owners[each.owner]
            names, action = self._records.causes(name, each.reference)
            sums = np.stack([np.bincount(action, each.cycles), np.bincount(action)], axis=1).astype(np.int64)
            for number, (cycles, stretches) in _counted(sums):
                yield "service", name, names[number[0]], cycles, stretches

    def _crossed(self) -> Iterator[tuple[tuple[str, LimitKind], int, int]]:
        for number, (cycles, crossings) in _counted(self._sums[CROSSING]):
            limit = self._kinds.limits[number[0]]
            if limit is not None:
                yield limit, cycles, crossings
        names, channels = self._records.owners, self._records.topology.channels
        for (channel, component, other), (cycles, crossings) in _counted(self._ordered):
            name = f"{names[component]}{BEHIND}{names[other]} on {channels[channel]}"
            yield (name, "order"), cycles, crossings


def segment_rows(
    records: Records, events: Events, kinds: RowKinds, segments: IntArray, schema: pa.Schema
) -> pa.RecordBatch:
    """Return the stretches among the segments, which come last ones first, in order of time, each by itself."""
    segments, services = single_services(records, events, segments)
    names = np.zeros((len(segments), 3), object)
    for place in np.flatnonzero(segments[:, 0] != SERVICE).tolist():
        terminal = kinds.terminals[segments[place, 1]]
        names[place] = terminal.name, _KINDS[int(segments[place, 0])], terminal.cause
    for each in services:
        name = records.owners[each.owner]
        causes = records.causes(name, each.reference)
        names[each.place, 0], names[each.place, 1] = name, "service"
        names[each.place, 2] = np.array(causes.names, object)[causes.number]
    return pa.record_batch([segments[:, 2], segments[:, 3], *(pa.array(names[:, i]) for i in range(3))], schema=schema)


@entry
def _add_up(events: Events, segments: IntArray, sums: IntArray, ordered: IntArray) -> None:
    """Add cycles and number of segments to `sums` by what they are and its number, but for services.

    Grants that stood behind others are added to `ordered` by channel, component and the other component.
    """
    grants, port_component = events.grants, events.port_component
    for place in range(len(segments)):
        what, number = segments[place, 0], segments[place, 1]
        cycles = segments[place, 3] - segments[place, 2]
        if what == ORDER:
            component, other = port_component[grants[number, G_PORT]], port_component[grants[number - 1, G_PORT]]
            channel = channel_of(events, number)
            ordered[channel, component, other, 0] += cycles
            ordered[channel, component, other, 1] += 1
        elif what != SERVICE:
            sums[what, number, 0] += cycles
            sums[what, number, 1] += 1


def _counted(sums: IntArray) -> Iterator[tuple[list[int], list[int]]]:
    """Return where something was added up, and the cycles and how many there are there."""
    places = np.argwhere(sums[..., 1])
    return zip(places.tolist(), sums[tuple(places.T)].tolist(), strict=True)
