"""Devices behind a channel: when the next decision falls, which request goes, and what a grant costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol, TypeAlias

from panacea_sim.memory import ideal_timing
from panacea_sim.memory.arbiter import first_come_first_served
from panacea_sim.memory.params import OUT
from panacea_sim.units import ceil_div

__all__ = ["DelayKind", "Device", "DeviceEvents", "DeviceState", "FlatDevice", "IdealDevice", "Service"]


DelayKind: TypeAlias = Literal["transfer", "latency", "refresh", "row", "turnaround"]
"""What a request may spend its time on at a device."""


class Service(NamedTuple):
    """What one grant does: its data is on the bus from `start_cycle` to `end_cycle` and there at `ready_cycle`.

    `row_hit` speaks for the first burst, `row_hits` and `row_misses` count them all. Where requests wait before the
    data comes, refresh is the reason until `refresh_until`, then turnaround, then a row, each until the cycle of that
    name at most, then the latency of the device.
    """

    start_cycle: int
    end_cycle: int
    ready_cycle: int
    size_bytes: int
    bank: int
    row_hit: int
    row_hits: int
    row_misses: int
    refresh_until: int
    turnaround_until: int
    row_until: int


class DeviceEvents(NamedTuple):
    """What a device did to its cells and its bus in a run, by number; docs/dram.md says what counts as one.

    `burst_bytes` are those of whole bursts, whether or not anybody had asked for all of them.
    """

    activates: int
    bursts: int
    burst_bytes: int
    refreshes: int


class FlatDevice(NamedTuple):
    """A device as the numbers that the functions of banked_timing.py (`banked`) or ideal_timing.py work on."""

    banked: bool
    params: tuple[int, ...]
    state: list[int]


class DeviceState(Protocol):
    """A device in one run, with its banks and its bus as they stand."""

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        """Return the first cycle in which the channel can grant a request that arrived in the given cycle."""
        ...

    def choose(self, cycle: int, queue: Sequence[int], count: int) -> int:
        """Return the position in `queue` (see arbiter.py) of the request to grant in `cycle`.

        The device may open rows for requests that go on waiting. Call it once before each `serve`.
        """
        ...

    def events(self, bursts: int, makespan_cycles: int) -> DeviceEvents:
        """Return what the device did; see Device."""
        ...

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:
        """Grant the request in `cycle`, change the state and return what happens.

        `Service.size_bytes` says how many of the bytes this grant covers: the rest waits for another decision.
        """
        ...


class Device(Protocol):
    """A kind of device, as configured: it makes the state that a run changes."""

    def most_bytes(self, cycles: int) -> int:
        """Return the bytes that the data bus can move in `cycles`."""
        ...

    def least_cycles(self, size_bytes: int) -> int:
        """Return the cycles that the data bus needs at least for so many bytes."""
        ...

    def new_state(self) -> DeviceState:
        """Return the state of an untouched device at cycle 0."""
        ...

    def flat(self) -> FlatDevice:
        """Return the device as numbers."""
        ...

    def events(self, state: Sequence[int], bursts: int, makespan_cycles: int) -> DeviceEvents:
        """Return what a device did in a run of so many cycles that ended with the numbers `state`.

        `bursts` are the row hits and misses of all its grants.
        """
        ...

    def halved(self, what: DelayKind) -> Device:
        """Return the device on which this takes half as long; with what a device cannot do apart, more is faster."""
        ...


@dataclass(frozen=True)
class IdealDevice:
    """A channel without banks or refresh: it moves `bytes_per_cycle` and answers reads after `latency_cycles`.

    A request keeps the bus for ceil(bytes / bytes_per_cycle) cycles. A read is ready `latency_cycles` after that, a
    write at once.
    """

    bytes_per_cycle: int
    latency_cycles: int

    def most_bytes(self, cycles: int) -> int:
        """Return the bytes that the data bus can move in `cycles`."""
        return cycles * self.bytes_per_cycle

    def least_cycles(self, size_bytes: int) -> int:
        """Return the cycles that the data bus needs at least for so many bytes."""
        return ceil_div(size_bytes, self.bytes_per_cycle)

    def new_state(self) -> DeviceState:
        """Return the state of an untouched device at cycle 0."""
        return _IdealState(self)

    def flat(self) -> FlatDevice:
        """Return the device as numbers, for ideal_timing.py."""
        return FlatDevice(banked=False, params=(self.bytes_per_cycle, self.latency_cycles), state=[0])

    def events(self, state: Sequence[int], bursts: int, makespan_cycles: int) -> DeviceEvents:  # noqa: ARG002  # one signature for all devices
        """Return nothing: there are no rows, bursts and refreshes."""
        return DeviceEvents(0, 0, 0, 0)

    def halved(self, what: DelayKind) -> IdealDevice:
        """Return the device with twice the bytes a cycle, or half the latency; it has nothing else."""
        if what == "transfer":
            return replace(self, bytes_per_cycle=2 * self.bytes_per_cycle)
        return replace(self, latency_cycles=self.latency_cycles // 2) if what == "latency" else self


class _IdealState:
    """The bus of an ideal device."""

    def __init__(self, device: IdealDevice) -> None:
        self._device = device
        self._params = (device.bytes_per_cycle, device.latency_cycles)
        self._state = [0]
        self._out = [0] * OUT

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        return ideal_timing.next_decision(self._params, self._state, earliest_request_cycle)

    def choose(self, cycle: int, queue: Sequence[int], count: int) -> int:  # noqa: ARG002  # no rows, no ages
        return first_come_first_served(queue, count)

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:
        ideal_timing.serve(self._params, self._state, cycle, address, size_bytes, int(write), self._out)
        return Service._make(self._out)

    def events(self, bursts: int, makespan_cycles: int) -> DeviceEvents:
        return self._device.events(self._state, bursts, makespan_cycles)
