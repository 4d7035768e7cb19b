"""A DRAM channel with banks, as a device behind a channel: the functions of banked_timing.py on lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from panacea_sim.memory.banked_timing import choose, next_decision, refreshes_before, serve
from panacea_sim.memory.device import DelayKind, DeviceEvents, DeviceState, FlatDevice, Service
from panacea_sim.memory.params import (
    ACTIVATES,
    BURST,
    BURST_BYTES,
    CLOCK_DENOMINATOR,
    CLOCK_NUMERATOR,
    OUT,
    RFC,
    new_state,
)
from panacea_sim.units import ceil_div

__all__ = ["BankedDevice"]


@dataclass(frozen=True)
class BankedDevice:
    """A channel with banks, open rows and refresh, from `dram_params`."""

    params: tuple[int, ...]

    def most_bytes(self, cycles: int) -> int:
        """Return the bytes of the bursts that the data bus can end in `cycles`."""
        device_cycles = cycles * self.params[CLOCK_NUMERATOR] // self.params[CLOCK_DENOMINATOR]
        return device_cycles // self.params[BURST] * self.params[BURST_BYTES]

    def least_cycles(self, size_bytes: int) -> int:
        """Return the cycles that the data bus needs at least for so many bytes, in whole bursts."""
        device_cycles = ceil_div(size_bytes, self.params[BURST_BYTES]) * self.params[BURST]
        return ceil_div(device_cycles * self.params[CLOCK_DENOMINATOR], self.params[CLOCK_NUMERATOR])

    def new_state(self) -> DeviceState:
        """Return the state of an untouched device at cycle 0."""
        return _BankedState(self)

    def flat(self) -> FlatDevice:
        """Return the device as numbers, for banked_timing.py."""
        return FlatDevice(banked=True, params=self.params, state=new_state(self.params))

    def events(self, state: Sequence[int], bursts: int, makespan_cycles: int) -> DeviceEvents:
        """Return row openings, bursts and refreshes of a run; refreshes are those that fell due before its end."""
        refreshes = refreshes_before(self.params, state, makespan_cycles)
        return DeviceEvents(state[ACTIVATES], bursts, bursts * self.params[BURST_BYTES], refreshes)

    def halved(self, what: DelayKind) -> BankedDevice:
        """Return the device whose refreshes are half as long, or whose clock is twice as fast."""
        params = list(self.params)
        if what == "refresh":
            params[RFC] //= 2
        else:
            clock = Fraction(2 * params[CLOCK_NUMERATOR], params[CLOCK_DENOMINATOR])
            params[CLOCK_NUMERATOR], params[CLOCK_DENOMINATOR] = clock.numerator, clock.denominator
        return replace(self, params=tuple(params))


class _BankedState:
    """The banks, the bus and the refresh of one channel in one run."""

    def __init__(self, device: BankedDevice) -> None:
        self._device = device
        self._params = device.params
        self._state = new_state(device.params)
        self._out = [0] * OUT

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        return next_decision(self._params, self._state, earliest_request_cycle)

    def choose(self, cycle: int, queue: Sequence[int], count: int) -> int:
        return choose(self._params, self._state, cycle, queue, count)

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:
        serve(self._params, self._state, cycle, address, size_bytes, int(write), self._out)
        return Service._make(self._out)

    def events(self, bursts: int, makespan_cycles: int) -> DeviceEvents:
        return self._device.events(self._state, bursts, makespan_cycles)
