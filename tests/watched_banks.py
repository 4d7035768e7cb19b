"""A DRAM device under the eyes of a counter, which shares nothing with the counters of the engines.

Bursts are counted by the addresses of what was granted, row openings by looking at every bank after each call, and
refreshes by the calendar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from panacea_sim.memory import params as at
from panacea_sim.memory.banked_timing import choose, next_decision, serve
from panacea_sim.memory.device import Device, DeviceState, FlatDevice, Service

__all__ = ["Events", "WatchedBanks", "events_of", "watched"]


class Events(NamedTuple):
    """What a channel's device did in a run."""

    activates: int
    bursts: int
    burst_bytes: int
    refreshes: int


class WatchedBanks:
    """A device with banks in one run, and what was seen of it."""

    def __init__(self, flat: FlatDevice) -> None:
        self._params, self._state = flat.params, flat.state
        self._opened: list[tuple[int, int]] = []  # bank and cycle of every ACT
        self._bursts: list[int] = []  # the address of every burst

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        """Return when the device decides."""
        return next_decision(self._params, self._state, earliest_request_cycle)

    def choose(self, cycle: int, queue: Sequence[int], count: int) -> int:
        """Let the device choose and see which rows it opens."""
        before = self._activated()
        position = choose(self._params, self._state, cycle, queue, count)
        self._look(before)
        return position

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:
        """Let the device serve; see which rows it opens and which bursts it moves."""
        out, before = [0] * at.OUT, self._activated()
        serve(self._params, self._state, cycle, address, size_bytes, int(write), out)
        self._look(before)
        service, burst_bytes = Service._make(out), self._params[at.BURST_BYTES]
        first = address - address % burst_bytes
        self._bursts += range(first, address + service.size_bytes, burst_bytes)
        return service

    def seen(self, makespan_cycles: int) -> Events:
        """Return what was seen in a run of so many cycles."""
        params, due = self._params, self._params[at.REFI]
        refreshes = 0
        while (refreshes + 1) * due * params[at.CLOCK_DENOMINATOR] < makespan_cycles * params[at.CLOCK_NUMERATOR]:
            refreshes += 1
        burst_bytes = params[at.BURST_BYTES]
        return Events(len(self._opened), len(self._bursts), len(self._bursts) * burst_bytes, refreshes)

    def _activated(self) -> list[int]:
        """Return when the row of each bank was opened last."""
        return self._state[self._params[at.BANKS_AT] + at.ACTIVATED :: at.BANK_WIDTH]

    def _look(self, before: list[int]) -> None:
        pairs = enumerate(zip(before, self._activated(), strict=True))
        self._opened += [(bank, now) for bank, (then, now) in pairs if now != then]


def watched(device: Device) -> DeviceState:
    """Return a device as it stands before a run, watched if it has banks."""
    flat = device.flat()
    return WatchedBanks(flat) if flat.banked else device.new_state()


def events_of(state: DeviceState, makespan_cycles: int) -> Events:
    """Return what was seen of a device: nothing where there are no banks."""
    return state.seen(makespan_cycles) if isinstance(state, WatchedBanks) else Events(0, 0, 0, 0)
