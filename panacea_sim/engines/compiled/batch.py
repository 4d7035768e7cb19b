"""Several runs of one machine, lowered once and evaluated one after the other, each from cycle 0."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from panacea_sim.description.description import Description
from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.columns import PAUSED, STUCK
from panacea_sim.engines.compiled.evaluation import evaluate
from panacea_sim.engines.compiled.lowering import lower
from panacea_sim.engines.compiled.occupancy import high_waters, moved_bytes
from panacea_sim.engines.compiled.tables import core_tables, stream_tables, trace_buffers
from panacea_sim.engines.compiled.totals import (
    accounts_of,
    channel_totals,
    ends_of,
    figures_of,
    queue_figures,
    served_cycles,
)
from panacea_sim.engines.result import BatchResult
from panacea_sim.errors import DeadlockError
from panacea_sim.units import IntArray

__all__ = ["run_batch"]


def run_batch(description: Description, runs: int, keep_times: Collection[str] = ()) -> BatchResult:
    """Run a machine so many times, each time with its part of the firings, and return what happened.

    The firings of the runs follow each other, as many in each; what one needs is none of another. Raises DeadlockError
    if one of them cannot go on, without saying where.
    """
    batch = _Batch(description, runs, keep_times)
    for run in range(runs):
        batch.run(run)
    return batch.result()


class _Batch:
    """A lowered description with the arrays of one run, filled anew for each, and what the runs gave so far."""

    def __init__(self, description: Description, runs: int, keep_times: Collection[str]) -> None:
        self._description, self._keep_times = description, [*keep_times]
        self._lowered = lower(description, keep_times, runs=runs)
        self._core, self._streams = core_tables(self._lowered), stream_tables(self._lowered)
        self._trace = trace_buffers(self._lowered, records=False, whole=False)
        self._blank = [(table, table.copy()) for table in _written(self._core, self._streams)]
        self._offsets, self._strides = self._core.steps[:, col.OFFSET].copy(), np.array(self._lowered.strides, np.int64)
        self._first_request = self._streams.ports[:, col.FIRST_REQUEST].copy()
        fires = {part.name: part.firings // runs for part in description.components}
        self._requests = np.array([fires[port.component] for port in description.ports], np.int64)
        self._accounts, self._ends = accounts_of(self._lowered.structure), ends_of(self._lowered.structure)
        self._served = served_cycles(description, runs)
        self._figures: list[IntArray] = []
        self._makespans: list[int] = []
        self._firings: list[IntArray] = []
        self._queues: list[IntArray] = []
        self._channels: list[list[tuple[int, ...]]] = []
        counters = [f"{what}:{memory.name}" for what in ("acquired", "released") for memory in description.memories]
        self._times: dict[str, list[IntArray]] = {name: [] for name in counters}
        timed = [name for name in self._keep_times if fires[name]]
        self._first_starts: dict[str, list[int]] = {name: [] for name in timed}
        self._last_ends: dict[str, list[int]] = {name: [] for name in timed}

    def run(self, run: int) -> None:
        """Make one run, and note its figures."""
        core, streams = self._core, self._streams
        for table, blank in self._blank:
            np.copyto(table, blank)
        np.add(self._offsets, run * self._strides, out=core.steps[:, col.OFFSET])
        np.add(self._first_request, run * self._requests, out=streams.ports[:, col.FIRST_REQUEST])
        status = PAUSED
        while status == PAUSED:
            status = evaluate(core, streams, self._trace)
        if status == STUCK:
            raise DeadlockError("a run of a batch cannot go on")
        makespan_cycles = int(core.components[:, col.LAST_END].max(initial=0))
        self._makespans.append(makespan_cycles)
        self._figures.append(figures_of(self._accounts, self._served[run], core, streams, makespan_cycles))
        self._firings.append(core.events[self._ends.ended])
        self._queues.append(queue_figures(self._ends, core))
        self._channels.append(
            [
                tuple(vars(channel_totals(streams, number, channel, makespan_cycles)).values())
                for number, channel in enumerate(self._description.channels)
            ]
        )
        for name, times in self._times.items():
            times.append(self._events(name).copy())
        for name in self._first_starts:
            # Firings of a component start and end in their order.
            self._first_starts[name].append(int(self._events(f"started:{name}")[0]))
            self._last_ends[name].append(int(self._events(f"ended:{name}")[-1]))

    def result(self) -> BatchResult:
        """Return what all runs gave."""
        description, wiring = self._description, self._description.wiring
        cycles = self._accounts.cycles(np.array(self._figures))
        some = np.flatnonzero(cycles.any(0))
        queues, channels = np.array(self._queues), np.array(self._channels)
        capacities = {queue.name: queue.capacity for queue in description.queues}
        capacities |= {memory.name: memory.capacity_bytes for memory in description.memories}
        return BatchResult(
            np.array(self._makespans),
            self._accounts.owners,
            [self._accounts.kinds[number] for number in some.tolist()],
            cycles[:, some],
            wiring.names,
            np.array(self._firings),
            capacities,
            {queue.name: queues[:, number] for number, queue in enumerate(description.queues)},
            {memory.name: self._memory_figures(memory.name) for memory in description.memories},
            {channel.name: channels[:, number] for number, channel in enumerate(description.channels)},
            {name: np.array(each) for name, each in self._first_starts.items()},
            {name: np.array(each) for name, each in self._last_ends.items()},
        )

    def _memory_figures(self, name: str) -> IntArray:
        acquired, released = moved_bytes(self._description, name)
        acquired_cycle, released_cycle = np.array(self._times[f"acquired:{name}"]), self._times[f"released:{name}"]
        high = high_waters(acquired_cycle, acquired, released_cycle, released[released > 0])
        runs = self._lowered.runs
        return np.stack([acquired.reshape(runs, -1).sum(1), released.reshape(runs, -1).sum(1), high], 1)

    def _events(self, counter: str) -> IntArray:
        """Return the times of a counter of which all are kept, and which has one lane."""
        number, _ = self._lowered.places[counter]
        first = self._core.counters[number, col.TIMES_AT]
        return self._core.times[first : first + self._core.events[number]]


def _written(core: col.Core, streams: col.Streams) -> list[IntArray]:
    """Return the tables that a run writes and that must be as at the start for the next one."""
    of_core = [core.actors, core.counters, core.events, core.components, core.highs, core.lane_cycle, core.stalled]
    of_streams = [streams.requests, streams.stalls, streams.channels, streams.device, streams.out]
    return [*of_core, core.stack, *of_streams, streams.busy, streams.gaps, streams.waits]
