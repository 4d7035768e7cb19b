"""Totals of a run: what a component, queue or channel did from its first cycle to its last."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.trace.schema import State

__all__ = ["ChannelTotals", "QueueTotals", "StallTotal"]


@dataclass
class ChannelTotals:
    """What a channel did in a run.

    The last four are those of memory.device.DeviceEvents; None in a summary that was written before they were counted.
    """

    read_bytes: int = 0
    write_bytes: int = 0
    row_hits: int = 0
    row_misses: int = 0
    busy_cycles: int = 0
    activates: int | None = None
    bursts: int | None = None
    burst_bytes: int | None = None
    refreshes: int | None = None


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
