"""What an engine returns: figures only, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal
from panacea_sim.units import IntArray

__all__ = ["EngineResult", "FiringTimes"]


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
