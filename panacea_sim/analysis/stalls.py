"""The stalls of a stored run: the longest ones, and what they were for."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from panacea_sim.trace.columns import column_batches
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within

__all__ = ["Stall", "longest_stalls", "stall_causes"]

_STALLED = (
    ds.field("state")
    .cast(pa.string())
    .isin([State.STARVED.value, State.BLOCKED.value, State.CONTENDED.value, State.WAITING.value])
)


@dataclass(frozen=True)
class Stall:
    """A stall, or all of a kind: then without start and layer."""

    component: str
    state: str
    cause: str
    cause_component: str
    cycles: int
    start_cycle: int = -1
    layer: str = ""


_KIND = ("component", "state", "cause", "cause_component")


def longest_stalls(run: StoredRun, count: int, window: tuple[int, int] | None = None) -> list[Stall]:
    """Return the longest stalls that overlap `window`, at full length; those of one length by start and component."""
    names = [*_KIND, "layer", "start_cycle", "end_cycle"]
    found: list[Stall] = []
    for batch in column_batches(run, "activities", names, _stalled(window)):
        start = batch["start_cycle"].to_numpy()
        cycles = batch["end_cycle"].to_numpy() - start
        # Ties at the limit stay in until the end, so that batches make no difference.
        least = np.partition(cycles, -count)[-count] if len(cycles) > count else 0
        kept = np.flatnonzero(cycles >= least)
        rows = pa.table(batch).take(kept).drop_columns("end_cycle").to_pylist()
        stalls = [Stall(**row, cycles=int(length)) for row, length in zip(rows, cycles[kept], strict=True)]
        found = heapq.nsmallest(count, [*found, *stalls], key=_longest_first)
    return found


def stall_causes(run: StoredRun, window: tuple[int, int] | None = None) -> list[Stall]:
    """Return for each component, state and cause the cycles inside of `window`, most first."""
    names = [*_KIND, "start_cycle", "end_cycle"]
    totals: Counter[tuple[str, str, str, str]] = Counter()
    for batch in column_batches(run, "activities", names, _stalled(window)):
        start, end = batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy()
        if window is not None:
            start, end = np.maximum(start, window[0]), np.minimum(end, window[1])
        table = pa.table({**{name: pc.cast(batch[name], pa.string()) for name in _KIND}, "cycles": end - start})
        for row in table.group_by(list(_KIND)).aggregate([("cycles", "sum")]).to_pylist():
            component, state, cause, other = (row[name] for name in _KIND)
            totals[component, state, cause, other] += row["cycles_sum"]
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [Stall(*kind, cycles) for kind, cycles in ordered]


def _stalled(window: tuple[int, int] | None) -> ds.Expression:
    overlapping = within(window)
    return _STALLED if overlapping is None else _STALLED & overlapping


def _longest_first(stall: Stall) -> tuple[int, int, str]:
    return -stall.cycles, stall.start_cycle, stall.component
