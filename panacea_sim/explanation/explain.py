"""From what was recorded of a run to its explanation: the walk and the sweep, and their figures in groups."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from panacea_sim.errors import InvariantError
from panacea_sim.explanation.chains import chains_of, new_chains
from panacea_sim.explanation.events import Events, events_of
from panacea_sim.explanation.explanation import Explanation, RootCause
from panacea_sim.explanation.path import PathSums, segment_rows
from panacea_sim.explanation.records import Records
from panacea_sim.explanation.row_kinds import NONE, NOTHING, WHAT, RowKinds
from panacea_sim.explanation.sweep import LOST as LOST_CHAIN
from panacea_sim.explanation.sweep import Chains, add_stalls, new_cursors, new_known, sweep
from panacea_sim.explanation.walk import LOST, PLACE_WIDTH, SEGMENT_WIDTH, walk
from panacea_sim.units import IntArray

__all__ = ["SEGMENTS", "explain", "path_segments", "whole_walk"]

SEGMENTS = pa.schema(
    [
        pa.field("start_cycle", pa.int64(), nullable=False),
        pa.field("end_cycle", pa.int64(), nullable=False),
        pa.field("component", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("cause", pa.string(), nullable=False),
    ]
)
"""The stretches of a critical path in order of time; component is a member of its group, not the group."""

_SEGMENTS_AT_ONCE = 1 << 16


def explain(records: Records, *, with_path: bool = True) -> Explanation:
    """Return the explanation of a run; of a part of its cycles it has no path, only root causes.

    Raises InvariantError if the path or the root causes do not add up: then the records contradict themselves.
    """
    kinds = RowKinds(records.topology, frozenset(records.postings))
    events = events_of(records, kinds)
    sums = PathSums(records, events, kinds)
    if with_path:
        for segments in walked_segments(records, events):
            sums.add(segments)
        if sums.cycles != records.cycles[1] - records.cycles[0]:
            raise InvariantError(f"the critical path has {sums.cycles} cycles of {records.cycles[1]}")
    matrix, chains = _root_causes(records, events, kinds)
    causes = tuple(
        RootCause(part.name, kinds.terminals[terminal], int(matrix[component, terminal]))
        for component, part in enumerate(records.topology.components)
        for terminal in sorted(
            np.flatnonzero(matrix[component]).tolist(),
            key=lambda each, mine=matrix[component]: (-mine[each], str(kinds.terminals[each])),  # type: ignore[misc]
        )
    )
    return Explanation(
        records.cycles,
        sums.rows() if with_path else None,
        sums.limits() if with_path else (),
        causes,
        chains_of(chains, records.topology, kinds),
    )


def path_segments(records: Records) -> pa.Table:
    """Return the stretches of the critical path as SEGMENTS; raises InvariantError as `explain` does."""
    kinds = RowKinds(records.topology, frozenset(records.postings))
    events = events_of(records, kinds)
    return pa.Table.from_batches([segment_rows(records, events, kinds, whole_walk(records, events), SEGMENTS)])


def whole_walk(records: Records, events: Events) -> IntArray:
    """Return all segments of the walk back through a run, the last ones first."""
    return np.concatenate([np.zeros((0, SEGMENT_WIDTH), np.int64), *walked_segments(records, events)])


def walked_segments(records: Records, events: Events) -> Iterator[IntArray]:
    """Walk back through a run; return the segments of walk.py, the last ones first."""
    place = _last_place(records, events)
    cursors = events.rows_behind - 1
    if place is None:
        return
    while place[2] > 0:
        out = np.empty((_SEGMENTS_AT_ONCE, SEGMENT_WIDTH), np.int64)
        before = place.copy()
        count = walk(events, place, cursors, out)
        if count == LOST or (place == before).all():
            raise InvariantError(f"the critical path ends in cycle {place[2]}, at {records.owners[place[0]]}")
        yield out[:count]


def _last_place(records: Records, events: Events) -> IntArray | None:
    """Return where the walk begins: at the last end of all, of equal ones that of the first component."""
    for component in range(events.components):
        row = events.rows_behind[component] - 1
        if row >= events.rows_at[component] and events.kinds[events.row_kind[row], WHAT] == NOTHING:
            row -= 1
        if row >= events.rows_at[component] and events.row_end[row] == records.cycles[1]:
            place = np.zeros(PLACE_WIDTH, np.int64)
            place[:] = component, 0, records.cycles[1], NONE
            return place
    return None


def _root_causes(records: Records, events: Events, kinds: RowKinds) -> tuple[IntArray, Chains]:
    """Return the stalls by component and terminal, and the chains; raises InvariantError if they do not add up."""
    matrix = np.zeros((events.components, len(kinds.terminals)), np.int64)
    chains = new_chains(records.topology, kinds)
    cursors = new_cursors(events)
    cycles = np.array(records.cycles, np.int64)
    own = np.zeros((len(events.kinds), 2), np.int64)
    if sweep(events, cycles, cursors, own, matrix, chains, new_known(events, kinds)) == LOST_CHAIN:
        raise InvariantError("a stall leads to nothing, or in a circle: the records contradict each other")
    stalled = np.zeros(events.components, np.int64)
    add_stalls(events, cycles, stalled)
    wrong = np.flatnonzero(matrix.sum(1) != stalled)
    if len(wrong):
        name = records.topology.components[wrong[0]].name
        raise InvariantError(f"the root causes of {name} do not add up to its stalls")
    return matrix, chains
