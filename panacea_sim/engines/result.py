"""What an engine returns: figures only, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal
from panacea_sim.units import IntArray

__all__ = ["BatchResult", "EngineResult", "FiringTimes"]


@dataclass(frozen=True, eq=False)
class FiringTimes:
    """When each firing of a component started its service and when it ended, in cycles."""

    start_cycle: IntArray
    end_cycle: IntArray


@dataclass(frozen=True, eq=False)
class EngineResult:
    """The outcome of a run that came to its end.

    `times` holds the components whose firing times were asked for.
    """

    makespan_cycles: int
    totals: dict[str, list[StallTotal]]
    firings: dict[str, int]
    queues: dict[str, QueueTotals]
    memories: dict[str, QueueTotals]
    channels: dict[str, ChannelTotals]
    times: dict[str, FiringTimes]


@dataclass(frozen=True, eq=False)
class BatchResult:
    """The outcomes of several runs of one machine, each from cycle 0 to its end, as arrays with a row for each run.

    `cycles` are those of each of the `kinds`: whose, in which state, for which cause, and who is at the other end.
    `queues` and `memories` have what went in, what came out, and the most that was there; `channels` has the fields of
    ChannelTotals. `first_start_cycle` and `last_end_cycle` are those of each component whose times were asked for.
    """

    makespan_cycles: IntArray
    owners: tuple[str, ...]
    kinds: list[tuple[str, tuple[State, str, str]]]
    cycles: IntArray
    components: tuple[str, ...]
    firings: IntArray
    capacities: dict[str, int]
    queues: dict[str, IntArray]
    memories: dict[str, IntArray]
    channels: dict[str, IntArray]
    first_start_cycle: dict[str, IntArray]
    last_end_cycle: dict[str, IntArray]

    def state_cycles(self, state: State) -> list[dict[str, int]]:
        """Return for each run how long each component and channel was in a state."""
        number = {owner: at for at, owner in enumerate(self.owners)}
        sums = np.zeros((len(self.owners), len(self.makespan_cycles)), np.int64)
        for (owner, kind), cycles in zip(self.kinds, self.cycles.T, strict=True):
            if kind[0] == state:
                sums[number[owner]] += cycles
        return [dict(zip(self.owners, each, strict=True)) for each in sums.T.tolist()]

    def result(self, times: IntArray) -> EngineResult:
        """Return the figures of all runs put one behind the other, each so many times, at least one of them once.

        They are those that `joined_results` makes of the figures of each.
        """
        ran = times > 0
        totals: dict[str, list[StallTotal]] = {owner: [] for owner in self.owners}
        for (owner, kind), total in zip(self.kinds, (times @ self.cycles).tolist(), strict=True):
            if total:
                totals[owner].append(StallTotal(*kind, total))

        def went_through(each: IntArray, name: str) -> QueueTotals:
            put, taken = (times @ each[:, :2]).tolist()
            return QueueTotals(self.capacities[name], put, taken, int(each[ran, 2].max()))

        return EngineResult(
            int(times @ self.makespan_cycles),
            totals,
            dict(zip(self.components, (times @ self.firings).tolist(), strict=True)),
            {name: went_through(each, name) for name, each in self.queues.items()},
            {name: went_through(each, name) for name, each in self.memories.items()},
            {name: ChannelTotals(*(times @ each).tolist()) for name, each in self.channels.items()},
            {},
        )
