"""The segments of a critical path added up in groups, and told one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from panacea_sim.explanation.events import G_CHANNEL, G_PORT, Events
from panacea_sim.explanation.explanation import BEHIND, Limit, LimitKind, PathRow, SegmentKind
from panacea_sim.explanation.records import Binding, Records
from panacea_sim.explanation.row_kinds import RowKinds
from panacea_sim.explanation.walk import CROSSING, LATENCY_OF, ORDER, REASON, SERVICE, TRANSFER
from panacea_sim.units import IntArray

__all__ = ["PathSums", "segment_rows", "served_rows"]

_KINDS: dict[int, SegmentKind] = {
    SERVICE: "service",
    TRANSFER: "transfer",
    REASON: "device",
    LATENCY_OF: "latency",
}


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
        self._rows: dict[tuple[str, SegmentKind, str], _Sums] = {}
        self._limits: dict[tuple[str, LimitKind], _Sums] = {}

    @property
    def cycles(self) -> int:
        """All cycles together."""
        return sum(sum(sums.cycles.values()) for sums in self._rows.values())

    def add(self, segments: IntArray) -> None:
        """Add segments as the walk gives them."""
        groups, short_names = self._records.topology.group_of, self._records.topology.short_names
        for kind, member, cause, cycles, stretches in _told_sums(self._records, self._events, self._kinds, segments):
            group = groups.get(member, short_names.get(member, member))
            self._rows.setdefault((group, kind, cause), _Sums()).add(member, cycles, stretches)
        for (name, limit), cycles, crossings in self._crossed(segments):
            self._limits.setdefault((name, limit), _Sums()).add(name, cycles, crossings)

    def rows(self) -> tuple[PathRow, ...]:
        """Return the sums, most cycles first."""
        rows = [
            PathRow(component, kind, cause, sum(sums.cycles.values()), sums.stretches, sums.cycles)
            for (component, kind, cause), sums in self._rows.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.cycles, row.component, row.kind, row.cause)))

    def limits(self) -> tuple[Limit, ...]:
        """Return the limits that were crossed, those that were waited for longest first."""
        limits = [Limit(name, kind, sums.stretches, sums.cycles[name]) for (name, kind), sums in self._limits.items()]
        return tuple(sorted(limits, key=lambda limit: (-limit.stalled_cycles, limit.name, limit.kind)))

    def _crossed(self, segments: IntArray) -> Iterator[tuple[tuple[str, LimitKind], int, int]]:
        for kind, cycles, crossings in _sums(segments[segments[:, 0] == CROSSING]):
            limit = self._kinds.limits[kind]
            if limit is not None:
                yield limit, cycles, crossings
        ordered = segments[segments[:, 0] == ORDER]
        if len(ordered):
            names, channels = self._records.owners, self._records.topology.channels
            grants, count = self._events.grants, self._events.components
            mine, before = grants[ordered[:, 1]], grants[ordered[:, 1] - 1]
            ordered = ordered.copy()
            ordered[:, 1] = (mine[:, G_CHANNEL] * count + mine[:, G_PORT]) * count + before[:, G_PORT]
            for number, cycles, crossings in _sums(ordered):
                rest, other = divmod(number, count)
                channel, port = divmod(rest, count)
                name = f"{names[port]}{BEHIND}{names[other]} on {channels[channel]}"
                yield (name, "order"), cycles, crossings


def segment_rows(
    records: Records, events: Events, kinds: RowKinds, segments: IntArray, schema: pa.Schema
) -> pa.RecordBatch:
    """Return the stretches among the segments, in order of time, each by itself."""
    segments = segments[(segments[:, 0] != CROSSING) & (segments[:, 0] != ORDER)][::-1]
    names = np.zeros((len(segments), 3), object)
    for place, (what, number) in enumerate(segments[:, :2].tolist()):
        if what != SERVICE:
            terminal = kinds.terminals[number]
            names[place] = terminal.name, _KINDS[what], terminal.cause
    for name, places, causes in _services(records, events, segments):
        names[places, 0], names[places, 1] = name, "service"
        names[places, 2] = np.array(causes.names, object)[causes.number]
    return pa.record_batch([segments[:, 2], segments[:, 3], *(pa.array(names[:, i]) for i in range(3))], schema=schema)


def _told_sums(
    records: Records, events: Events, kinds: RowKinds, segments: IntArray
) -> Iterator[tuple[SegmentKind, str, str, int, int]]:
    """Return kind, name, cause, cycles and number of the segments that take time, added up by these three."""
    for what in (TRANSFER, REASON, LATENCY_OF):
        for number, cycles, stretches in _sums(segments[segments[:, 0] == what]):
            terminal = kinds.terminals[number]
            yield _KINDS[what], terminal.name, terminal.cause, cycles, stretches
    for name, places, causes in _services(records, events, segments):
        cycles = segments[places, 3] - segments[places, 2]
        counts = np.bincount(causes.number)
        sums = np.bincount(causes.number, cycles).astype(np.int64)
        for number in np.flatnonzero(counts).tolist():
            yield "service", name, causes.names[number], int(sums[number]), int(counts[number])


def _services(records: Records, events: Events, segments: IntArray) -> Iterator[tuple[str, IntArray, Binding]]:
    """Return each component that serves in the segments, where, and which operator each service waited for."""
    for owner, places, references in served_rows(records, events, segments):
        name = records.owners[owner]
        yield name, places, records.causes(name, references)


def served_rows(records: Records, events: Events, segments: IntArray) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Return each component that serves in the segments, by number, where, and what leads to its actions there."""
    places = np.flatnonzero(segments[:, 0] == SERVICE)
    services = segments[places, 1]
    owners = np.searchsorted(events.served_at, services, side="right") - 1
    for owner in np.flatnonzero(np.bincount(owners)).tolist():
        mine = owners == owner
        of_owner, (first, behind) = records.rows[records.owners[owner]].services, events.served_at[owner : owner + 2]
        yield owner, places[mine], of_owner.references(services[mine] - first, behind - first)


def _sums(segments: IntArray) -> Iterator[tuple[int, int, int]]:
    """Return the numbers of segments with their cycles and how often each is there."""
    numbers, which = np.unique(segments[:, 1], return_inverse=True)
    cycles = np.bincount(which, segments[:, 3] - segments[:, 2], len(numbers)).astype(np.int64)
    counts = np.bincount(which, minlength=len(numbers))
    yield from zip(numbers.tolist(), cycles.tolist(), counts.tolist(), strict=True)
