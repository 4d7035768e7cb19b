"""Devices behind a channel: when the next decision falls, and what a grant costs.

A device holds timing only. Which request is granted is the arbiter's decision (arbiter.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from panacea_sim.units import ceil_div

__all__ = ["Device", "DeviceState", "IdealDevice", "Service"]


@dataclass(frozen=True)
class Service:
    """What one grant does: its data is on the bus from `start_cycle` to `end_cycle` and there at `ready_cycle`."""

    start_cycle: int
    end_cycle: int
    ready_cycle: int
    size_bytes: int
    bank: int
    row_hit: bool


class DeviceState(Protocol):
    """A device in one run, with its banks and its bus as they stand."""

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        """Return the first cycle in which the channel can grant a request that arrived in the given cycle."""
        ...

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:
        """Grant the request in `cycle`, change the state and return what happens.

        `Service.size_bytes` says how many of the bytes this grant covers: the rest waits for another decision.
        """
        ...


class Device(Protocol):
    """A kind of device, as configured: it makes the state that a run changes."""

    @property
    def bytes_per_cycle(self) -> int:
        """Bytes that the data bus moves in a cycle."""
        ...

    def new_state(self) -> DeviceState:
        """Return the state of an untouched device at cycle 0."""
        ...


@dataclass(frozen=True)
class IdealDevice:
    """A channel without banks or refresh: it moves `bytes_per_cycle` and answers reads after `latency_cycles`.

    A request keeps the bus for ceil(bytes / bytes_per_cycle) cycles. A read is ready `latency_cycles` after that, a
    write at once.
    """

    bytes_per_cycle: int
    latency_cycles: int

    def new_state(self) -> DeviceState:
        """Return the state of an untouched device at cycle 0."""
        return _IdealState(self)


class _IdealState:
    """The bus of an ideal device: all that it remembers is when the bus is free."""

    def __init__(self, device: IdealDevice) -> None:
        self._device = device
        self._free_cycle = 0

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        return max(self._free_cycle, earliest_request_cycle)

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:  # noqa: ARG002  # no banks
        end_cycle = cycle + ceil_div(size_bytes, self._device.bytes_per_cycle)
        self._free_cycle = end_cycle
        ready_cycle = end_cycle if write else end_cycle + self._device.latency_cycles
        return Service(cycle, end_cycle, ready_cycle, size_bytes, bank=0, row_hit=False)
