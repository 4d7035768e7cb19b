"""A DRAM channel alone: a list of requests driven through its queue, in cycles of the device clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from panacea_sim.memory.arbiter import ADDRESS, REQUEST_CYCLE, SIZE_BYTES, WIDTH
from panacea_sim.memory.banked_timing import choose, next_decision, serve
from panacea_sim.memory.device import Service
from panacea_sim.memory.params import ACTIVATES, OUT, REFRESH_END, REFRESHES, RFC, new_state
from panacea_sim.units import IntArray, ceil_div

__all__ = ["QUEUE_REQUESTS", "ChannelRequest", "Replay", "replay"]

QUEUE_REQUESTS = 32
"""Requests that the queue of a channel alone holds, as many as in public DRAM simulators."""


class ChannelRequest(NamedTuple):
    """A request that comes in `cycle` at the earliest, and never before those ahead of it."""

    cycle: int
    address: int
    size_bytes: int
    write: bool


@dataclass(frozen=True, eq=False)
class Replay:
    """What became of each request: when the queue took it, its first data, and when all its data was there.

    `refresh_cycles` are those in which the channel refreshed between the first arrival and the last data, and
    `refreshes` the refreshes that they belong to.
    """

    arrival_cycle: IntArray
    start_cycle: IntArray
    ready_cycle: IntArray
    row_hits: int
    row_misses: int
    activates: int
    refreshes: int
    refresh_cycles: int


def replay(params: Sequence[int], requests: Sequence[ChannelRequest]) -> Replay:
    """Drive requests, ordered by cycle, through a channel.

    A place in its queue is free again in the cycle after the last grant of the request.
    """
    channel = _Channel(params, requests)
    while channel.upcoming < len(requests) or channel.numbers:
        channel.step()
    arrival, start, ready = channel.times
    return Replay(
        arrival,
        start,
        ready,
        channel.row_hits,
        channel.row_misses,
        channel.state[ACTIVATES],
        channel.refreshes,
        channel.refresh_cycles,
    )


class _Channel:
    """The channel in the middle of a replay: `numbers` are the requests in the queue, `upcoming` is the next one."""

    def __init__(self, params: Sequence[int], requests: Sequence[ChannelRequest]) -> None:
        self.params = params
        self.requests = requests
        self.state = new_state(params)
        self.queue: list[int] = []
        self.numbers: list[int] = []
        self.upcoming = 0
        self.times = np.full((3, len(requests)), -1, np.int64)
        self.row_hits = 0
        self.row_misses = 0
        self.refreshes = 0
        self.refresh_cycles = 0
        self._out = [0] * OUT
        self._room_cycles = deque([0] * QUEUE_REQUESTS)  # from when on each free place is free

    def step(self) -> None:
        """Take the requests that come before the next decision, and make it."""
        if not self.numbers:
            self._take()
        cycle = next_decision(self.params, self.state, self.queue[REQUEST_CYCLE])
        while self.upcoming < len(self.requests) and self._room_cycles and self._arrival_cycle() <= cycle:
            self._take()
        refreshes = self.state[REFRESHES]
        self._grant(cycle, choose(self.params, self.state, cycle, self.queue, len(self.numbers)))
        self._count_refreshes(self.state[REFRESHES] - refreshes)

    def _count_refreshes(self, made: int) -> None:
        """Count the last refreshes and their cycles, without what happened before the first request came."""
        since_arrival = self.state[REFRESH_END] - int(self.times[0, 0])
        cycles = max(0, min(made * self.params[RFC], since_arrival))
        self.refresh_cycles += cycles
        self.refreshes += ceil_div(cycles, self.params[RFC])

    def _arrival_cycle(self) -> int:
        return max(self.requests[self.upcoming].cycle, self._room_cycles[0])

    def _take(self) -> None:
        request, arrival_cycle = self.requests[self.upcoming], self._arrival_cycle()
        self._room_cycles.popleft()
        self.queue += (0, arrival_cycle, 0, request.address, request.size_bytes, int(request.write))
        self.numbers.append(self.upcoming)
        self.times[0, self.upcoming] = arrival_cycle
        self.upcoming += 1

    def _grant(self, cycle: int, position: int) -> None:
        base, number = position * WIDTH, self.numbers[position]
        address, size_bytes, write = self.queue[base + ADDRESS : base + WIDTH]
        serve(self.params, self.state, cycle, address, size_bytes, write, self._out)
        service = Service._make(self._out)
        self.row_hits += service.row_hits
        self.row_misses += service.row_misses
        if self.times[1, number] < 0:
            self.times[1, number] = service.start_cycle
        self.queue[base + ADDRESS] += service.size_bytes
        self.queue[base + SIZE_BYTES] -= service.size_bytes
        if service.size_bytes == size_bytes:
            self.times[2, number] = service.ready_cycle
            del self.queue[base : base + WIDTH]
            del self.numbers[position]
            self._room_cycles.append(cycle + 1)
