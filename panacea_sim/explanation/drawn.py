"""What there is to draw of an explanation: the path, the stalls that it meets, the stretches of all stalls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from panacea_sim.explanation.events import Events, events_of
from panacea_sim.explanation.explain import SEGMENTS, whole_walk
from panacea_sim.explanation.path import segment_rows
from panacea_sim.explanation.records import Records
from panacea_sim.explanation.row_kinds import NONE, STALL, RowKinds
from panacea_sim.explanation.stretches import StallStretches, stall_stretches
from panacea_sim.explanation.walk import CROSSING, TRANSFER
from panacea_sim.trace.activity_log import Kind
from panacea_sim.units import IntArray

__all__ = ["DrawnPart", "PathStalls", "drawn_part"]


@dataclass(frozen=True)
class PathStalls:
    """Recorded stalls that lie on a critical path, in the order of components and of time.

    At the end of each the path goes on in the component that stalled; before, it is where that one waited for.
    `component` counts those of the topology, `kind` the `kinds`.
    """

    component: IntArray
    start_cycle: IntArray
    end_cycle: IntArray
    kind: IntArray
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class DrawnPart:
    """What there is to draw of a run, or of a layer that ran alone, whose cycles count from its own first one.

    `path` has the stretches of the critical path (explain.SEGMENTS). What was not asked for is None; a window has no
    path, and no stalls on it.
    """

    stretches: StallStretches | None
    path: pa.Table | None
    stalls: PathStalls | None


def drawn_part(records: Records, *, with_path: bool, with_stretches: bool) -> DrawnPart:
    """Return what there is to draw of what was recorded; raises InvariantError as `explain` does."""
    kinds = RowKinds(records.topology, frozenset(records.postings))
    events = events_of(records, kinds)
    stretches = stall_stretches(records, events, kinds) if with_stretches else None
    if not with_path:
        return DrawnPart(stretches, None, None)
    walked = whole_walk(records, events)
    path = pa.Table.from_batches([segment_rows(records, events, kinds, walked, SEGMENTS)])
    return DrawnPart(stretches, path, _path_stalls(events, kinds, walked))


def _path_stalls(events: Events, kinds: RowKinds, segments: IntArray) -> PathStalls:
    """Return the stalls at whose end the walk came from elsewhere, or whose transfer was the path's next one."""
    found = [np.zeros((4, 0), np.int64)]
    for component, last_cycle in _waits(events, segments):
        first, behind = events.rows_at[component], events.rows_behind[component]
        rows = np.unique(first + np.searchsorted(events.row_end[first:behind], last_cycle, side="right"))
        rows = rows[rows < behind]
        rows = rows[events.kinds[events.row_kind[rows], STALL] != NONE]
        start = np.where(rows > first, events.row_end[rows - 1], events.starts[component])
        if len(rows):
            found.append(np.stack([np.full(len(rows), component), start, events.row_end[rows], events.row_kind[rows]]))
    component_of, start_cycle, end_cycle, kind_of = np.concatenate(found, axis=1)
    numbers: dict[Kind, int] = {}
    same = np.array([numbers.setdefault(kind, len(numbers)) for kind in kinds.kinds], np.int64)
    return PathStalls(component_of, start_cycle, end_cycle, same[kind_of], tuple(numbers))


def _waits(events: Events, segments: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Return for each component in which last cycles it may have waited for the path: before what it was given."""
    crossings, transfers = (segments[segments[:, 0] == what] for what in (CROSSING, TRANSFER))
    waiting, moving = _owner_of_kinds(events)[crossings[:, 1]], _port_of_terminals(events)[transfers[:, 1]]
    for component in range(events.components):
        given, granted = crossings[waiting == component, 3], transfers[moving == component, 2]
        yield component, np.concatenate([given, granted]) - 1


def _owner_of_kinds(events: Events) -> IntArray:
    """Return the component that has each kind of row or of delayed posting."""
    owner = np.full(len(events.kinds), NONE, np.int64)
    for component in range(events.components):
        owner[events.row_kind[events.rows_at[component] : events.rows_behind[component]]] = component
        owner[events.posting_kind[events.posting_at[component] : events.posting_at[component + 1]]] = component
    return owner


def _port_of_terminals(events: Events) -> IntArray:
    """Return the component whose transfer each terminal is, NONE for others."""
    port = np.full(int(events.transfer.max(initial=0)) + 1, NONE, np.int64)
    for of_channel in events.transfer:
        known = np.flatnonzero(of_channel != NONE)
        port[of_channel[known]] = known
    return port
