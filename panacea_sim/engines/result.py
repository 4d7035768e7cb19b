"""What an engine returns: figures only, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.trace.schema import State
from panacea_sim.units import IntArray

__all__ = ["ChannelTotals", "EngineResult", "FiringTimes", "QueueTotals", "StallTotal"]


@dataclass
class ChannelTotals:
    """What a channel did in a run."""

    read_bytes: int = 0
    write_bytes: int = 0
    row_hits: int = 0
    row_misses: int = 0
    busy_cycles: int = 0


@dataclass(frozen=True)
class StallTotal:
    """The cycles that a component spent in one state for one cause."""

    state: State
    cause: str
    cause_component: str
    cycles: int


@dataclass(frozen=True)
class QueueTotals:
    """Tokens (bytes for a memory) that went in and out, and the highest occupancy at the end of a cycle."""

    capacity: int
    put: int
    taken: int
    high_water: int


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
