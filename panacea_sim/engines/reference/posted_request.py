"""What DMA streams post to the channels, and what a posted request waits for until its first data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from panacea_sim.engines.reference.kernel import CycleEnvironment, Signal
from panacea_sim.errors import InvariantError
from panacea_sim.memory.device import Service
from panacea_sim.trace.schema import GAP_REASONS

__all__ = ["Part", "PostedRequest", "Stretch", "gap_reasons"]


class Stretch(NamedTuple):
    """A stretch of a channel's time: its bus is held by `component`, or a device reason keeps it (no component).

    `cause` is the channel, or the channel with the reason behind a colon.
    """

    start_cycle: int
    end_cycle: int
    cause: str
    component: str


def gap_reasons(service: Service, from_cycle: int) -> Iterator[tuple[int, int, str]]:
    """Return (start, end, reason) of what fills the time from `from_cycle` to the data, in order of time."""
    start_cycle = from_cycle
    row_until = min(service.row_until, service.start_cycle)
    untils = (
        min(service.refresh_until, row_until),
        min(service.turnaround_until, row_until),
        row_until,
        service.start_cycle,
    )
    for reason, until in zip(GAP_REASONS, untils, strict=True):
        if until > start_cycle:
            yield start_cycle, until, reason
            start_cycle = until


class PostedRequest:
    """One firing of a DMA stream in flight: its parts on the channels, and when they are granted and ready."""

    def __init__(self, env: CycleEnvironment, firing: int, parts: int) -> None:
        self.firing = firing
        self.post_cycle = env.cycle
        self.ready_cycle = self.post_cycle
        self.data_cycle = self.post_cycle
        self.ready = Signal(env).arm()
        self._env = env
        self._open_parts = parts
        self._first_data: tuple[int, int] | None = None
        self._stretches: list[Stretch] = []
        if not parts:
            self.ready.fire()

    def note_first_data(self, part: int, cycle: int, stretches: Iterable[Stretch]) -> None:
        """Note when the first data of a part comes, and what its channel did since the part was posted.

        The part whose data comes first speaks for the request, and of equal ones the lowest.
        """
        if self._first_data is None or (cycle, part) < self._first_data:
            self._first_data = (cycle, part)
            self.data_cycle = cycle
            self._stretches = list(stretches)

    def waits_from(self, start_cycle: int) -> Iterator[Stretch]:
        """Return what the request waits for from `start_cycle` to its first data, one entry for each change.

        Raises InvariantError if nothing explains one of the cycles.
        """
        at = start_cycle
        current: Stretch | None = None
        for stretch in self._stretches:
            end_cycle = min(stretch.end_cycle, self.data_cycle)
            if end_cycle <= at:
                continue
            if stretch.start_cycle > at:
                break
            if current is not None and current[2:] == stretch[2:]:
                current = current._replace(end_cycle=end_cycle)
            else:
                if current is not None:
                    yield current
                current = Stretch(at, end_cycle, stretch.cause, stretch.component)
            at = end_cycle
        if at < self.data_cycle:
            raise InvariantError(f"nothing explains why the request of cycle {self.post_cycle} waits in cycle {at}")
        if current is not None:
            yield current

    def note_last_grant(self, ready_cycle: int) -> None:
        """Note that the last bytes of a part are granted and when the part is ready."""
        self.ready_cycle = max(self.ready_cycle, ready_cycle)
        self._open_parts -= 1
        if not self._open_parts:
            self.ready.fire(None, self.ready_cycle - self._env.cycle)


@dataclass(slots=True)
class Part:
    """The bytes of a request that one channel serves, while they wait in its queue."""

    request: PostedRequest
    number: int
    port: int
    request_cycle: int
    write: bool
    granted: bool = False
    ready_cycle: int = 0
