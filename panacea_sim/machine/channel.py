"""A DRAM channel as a SimPy process, and the requests that DMA streams post to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from panacea_sim.errors import InvariantError
from panacea_sim.machine.arbiter import first_come_first_served
from panacea_sim.machine.description import Channel, Port
from panacea_sim.machine.device import Service
from panacea_sim.machine.kernel import CycleEnvironment, CycleProcess, Signal, Waits
from panacea_sim.machine.result import ChannelTotals
from panacea_sim.trace.recorder import CHUNK_ROWS, NO_FIRING, AccessLog, ActivityLog
from panacea_sim.trace.schema import State

__all__ = ["ChannelProcess", "Holding", "Part", "PostedRequest"]


class Holding(NamedTuple):
    """Which component has a channel's data bus, from `start_cycle` until before `end_cycle`."""

    start_cycle: int
    end_cycle: int
    component: str


class PostedRequest:
    """One firing of a DMA stream in flight: its parts on the channels, and when they are granted and ready."""

    def __init__(self, env: CycleEnvironment, firing: int, parts: int) -> None:
        self.firing = firing
        self.post_cycle = env.cycle
        self.ready_cycle = self.post_cycle
        self.grant_cycle = self.post_cycle
        self.granted_by = ""
        self.holdings: list[Holding] = []
        self.ready = Signal(env).arm()
        self._env = env
        self._open_parts = parts
        self._grant_key: tuple[int, int] | None = None
        if not parts:
            self.ready.fire()

    def note_first_grant(self, part: int, cycle: int, channel: str, holdings: list[Holding]) -> None:
        """Note that the first bytes of a part are granted and who had the channel until then.

        The part that is granted first speaks for the request, and of equal ones the lowest.
        """
        if self._grant_key is None or (cycle, part) < self._grant_key:
            self._grant_key = (cycle, part)
            self.grant_cycle = cycle
            self.granted_by = channel
            self.holdings = holdings

    def waits_from(self, start_cycle: int) -> Iterator[Holding]:
        """Return who held the channel from `start_cycle` to the grant, one entry for each change of holder.

        Raises InvariantError if nobody did in one of the cycles: then nothing would explain the wait.
        """
        at = start_cycle
        current: Holding | None = None
        for holding in self.holdings:
            if holding.end_cycle <= at or at >= self.grant_cycle:
                continue
            if holding.start_cycle > at:
                break
            if current is not None and current.component != holding.component:
                yield current
                current = None
            end_cycle = min(holding.end_cycle, self.grant_cycle)
            current = Holding(current.start_cycle if current else at, end_cycle, holding.component)
            at = end_cycle
        if at < self.grant_cycle:
            raise InvariantError(f"{self.granted_by} is free at cycle {at} while a request waits for it")
        if current is not None:
            yield current

    def note_last_grant(self, ready_cycle: int) -> None:
        """Note that the last bytes of a part are granted and when the part is ready."""
        self.ready_cycle = max(self.ready_cycle, ready_cycle)
        self._open_parts -= 1
        if not self._open_parts:
            self.ready.fire(None, self.ready_cycle - self._env.cycle)


@dataclass
class Part:
    """The bytes of a request that one channel serves; address and bytes shrink as grants cover them."""

    request: PostedRequest
    number: int
    port: int
    priority: int
    sequence: int
    request_cycle: int
    address: int
    size_bytes: int
    write: bool
    granted: bool = False
    ready_cycle: int = 0


@dataclass
class ChannelProcess:
    """A channel: it grants one waiting part at a time, whenever its device can decide.

    The labels of `activity` are those of all ports one after the other; `first_firing` says where each port's begin.
    """

    env: CycleEnvironment
    channel: Channel
    ports: tuple[Port, ...]
    first_firing: list[int]
    activity: ActivityLog
    accesses: AccessLog
    totals: ChannelTotals = field(default_factory=ChannelTotals)

    def __post_init__(self) -> None:
        """Start the process."""
        self._state = self.channel.device.new_state()
        self._pending: list[Part] = []
        self._wake = Signal(self.env)
        self._asleep = False
        self._decision = Signal(self.env)
        self._holdings: deque[Holding] = deque()
        self._sequence = 0
        self._last_end_cycle = 0
        self._idle = self.activity.code(State.IDLE)
        self._starved = self.activity.code(State.STARVED, "requests")
        self._busy = [self.activity.code(State.BUSY, "", port.component) for port in self.ports]
        CycleProcess(self.env, self._run())

    def post(
        self, request: PostedRequest, number: int, port: int, address: int, size_bytes: int, *, write: bool
    ) -> None:
        """Let a part arrive in this cycle."""
        self._sequence += 1
        priority = self.ports[port].priority
        now = self.env.cycle
        part = Part(request, number, port, priority, self._sequence, now, address, size_bytes, write)
        self._pending.append(part)
        if self._asleep:
            self._asleep = False
            self._wake.fire()

    def finish(self, makespan_cycles: int) -> None:
        """Account the time after the last grant."""
        self.activity.rows.extend((self._idle, self._last_end_cycle, makespan_cycles, NO_FIRING))

    def _run(self) -> Waits:
        while True:
            if not self._pending:
                self._asleep = True
                yield self._wake.arm()
            # Parts stand in the order in which they came, so the first is the earliest.
            decision_cycle = self._state.next_decision_cycle(self._pending[0].request_cycle)
            yield self._decision.late(decision_cycle - self.env.cycle)
            self._grant(first_come_first_served(self._pending) if len(self._pending) > 1 else 0)

    def _grant(self, position: int) -> None:
        part = self._pending[position]
        now = self.env.cycle
        self._forget_holdings(now)
        service = self._state.serve(now, part.address, part.size_bytes, write=part.write)
        if not part.granted:
            part.granted = True
            held = [holding for holding in self._holdings if holding.end_cycle > part.request_cycle]
            part.request.note_first_grant(part.number, service.start_cycle, self.channel.name, held)
        self._account(part, service)
        part.ready_cycle = max(part.ready_cycle, service.ready_cycle)
        if service.size_bytes < part.size_bytes:
            part.address += service.size_bytes
            part.size_bytes -= service.size_bytes
        else:
            del self._pending[position]
            part.request.note_last_grant(part.ready_cycle)

    def _forget_holdings(self, now: int) -> None:
        """Drop what no waiting or later request can have waited for."""
        horizon = min(now, self._pending[0].request_cycle)
        holdings = self._holdings
        while holdings and holdings[0].end_cycle <= horizon:
            holdings.popleft()

    def _account(self, part: Part, service: Service) -> None:
        totals = self.totals
        before = self._starved if totals.busy_cycles else self._idle
        self.activity.rows.extend((before, self._last_end_cycle, service.start_cycle, NO_FIRING))
        firing = self.first_firing[part.port] + part.request.firing
        self.activity.rows.extend((self._busy[part.port], service.start_cycle, service.end_cycle, firing))
        self._last_end_cycle = service.end_cycle
        self._holdings.append(Holding(service.start_cycle, service.end_cycle, self.ports[part.port].component))
        totals.busy_cycles += service.end_cycle - service.start_cycle
        totals.row_hits += service.row_hit
        totals.row_misses += not service.row_hit
        if len(self.activity.rows) >= CHUNK_ROWS:
            self.activity.flush()
        if part.write:
            totals.write_bytes += service.size_bytes
        else:
            totals.read_bytes += service.size_bytes
        self.accesses.add(
            (
                service.bank,
                service.row_hit,
                part.port,
                part.request_cycle,
                service.start_cycle,
                service.end_cycle,
                service.size_bytes,
                part.write,
            )
        )
