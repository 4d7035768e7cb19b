"""A DRAM channel as a SimPy process: it grants what DMA streams post, and accounts for its time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from panacea_sim.description.parts import Channel, Port
from panacea_sim.engines.reference.kernel import CycleEnvironment, CycleProcess, Signal, Waits
from panacea_sim.engines.reference.posted_request import Part, PostedRequest, Stretch, gap_reasons
from panacea_sim.memory.arbiter import ADDRESS, REQUEST_CYCLE, SIZE_BYTES, WIDTH, place_in_queue
from panacea_sim.memory.device import Service
from panacea_sim.trace.access_log import AccessLog
from panacea_sim.trace.activity_log import NO_FIRING, ActivityLog
from panacea_sim.trace.recording import CHUNK_ROWS
from panacea_sim.trace.schema import GAP_REASONS, NO_REQUESTS, State
from panacea_sim.trace.totals import ChannelTotals

__all__ = ["ChannelProcess"]


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
        self._parts: list[Part] = []
        self._queue: list[int] = []
        self._asleep = False
        self._decision = Signal(self.env)
        self._past: deque[Stretch] = deque()
        self._causes = {reason: f"{self.channel.name}:{reason}" for reason in GAP_REASONS}
        self._last_end_cycle = 0
        self._without_request = self.activity.code(State.IDLE)
        self._starved = self.activity.code(State.STARVED, NO_REQUESTS)
        self._busy = [self.activity.code(State.BUSY, "", port.component) for port in self.ports]
        CycleProcess(self.env, self._run())

    def post(
        self, request: PostedRequest, number: int, port: int, address: int, size_bytes: int, *, write: bool
    ) -> None:
        """Let a part arrive in this cycle."""
        now = self.env.cycle
        position = place_in_queue(self._queue, len(self._parts), now, port)
        self._parts.insert(position, Part(request, number, port, now, write))
        base = position * WIDTH
        self._queue[base:base] = (self.ports[port].priority, now, port, address, size_bytes, int(write))
        if self._asleep:
            self._asleep = False
            self._decision.fire_late(self._state.next_decision_cycle(now) - now)

    def finish(self, makespan_cycles: int) -> None:
        """Account the time after the last grant, and take what the device has counted."""
        totals = self.totals
        events = self._state.events(totals.row_hits + totals.row_misses, makespan_cycles)
        self.totals = replace(totals, **events._asdict())
        idle = self.activity.code(State.IDLE)
        self.activity.rows.extend((idle, self._last_end_cycle, makespan_cycles, NO_FIRING))

    def _run(self) -> Waits:
        env, queue, parts, state = self.env, self._queue, self._parts, self._state
        while True:
            if parts:
                yield self._decision.late(state.next_decision_cycle(queue[REQUEST_CYCLE]) - env.cycle)
            else:
                self._asleep = True
                yield self._decision.arm()
            self._grant(state.choose(env.cycle, queue, len(parts)))

    def _grant(self, position: int) -> None:
        queue, base = self._queue, position * WIDTH
        part, earliest_cycle = self._parts[position], queue[REQUEST_CYCLE]
        self._forget(min(earliest_cycle, self.env.cycle))
        address, size_bytes = queue[base + ADDRESS], queue[base + SIZE_BYTES]
        service = self._state.serve(self.env.cycle, address, size_bytes, write=part.write)
        self._account_gap(part, service, earliest_cycle)
        if not part.granted:
            part.granted = True
            since = part.request_cycle
            seen = (stretch for stretch in self._past if stretch.end_cycle > since)
            part.request.note_first_data(part.number, service.start_cycle, seen)
        self._account_data(part, service)
        part.ready_cycle = max(part.ready_cycle, service.ready_cycle)
        if service.size_bytes < size_bytes:
            queue[base + ADDRESS] += service.size_bytes
            queue[base + SIZE_BYTES] -= service.size_bytes
        else:
            del self._parts[position]
            del queue[base : base + WIDTH]
            part.request.note_last_grant(part.ready_cycle)

    def _forget(self, horizon_cycle: int) -> None:
        """Drop what no waiting or later request can have waited for."""
        past = self._past
        while past and past[0].end_cycle <= horizon_cycle:
            past.popleft()

    def _account_gap(self, part: Part, service: Service, earliest_cycle: int) -> None:
        """Account the time before the data: until a request came, and what held back those that had come."""
        rows, at = self.activity.rows, max(self._last_end_cycle, min(earliest_cycle, service.start_cycle))
        rows.extend((self._without_request, self._last_end_cycle, at, NO_FIRING))
        if at == service.start_cycle:
            return
        firing = self.first_firing[part.port] + part.request.firing
        port = self.ports[part.port].component
        for start_cycle, end_cycle, reason in gap_reasons(service, at):
            cause = self._causes[reason]
            rows.extend((self.activity.code(State.CONTENDED, cause, port), start_cycle, end_cycle, firing))
            self._past.append(Stretch(start_cycle, end_cycle, cause, ""))

    def _account_data(self, part: Part, service: Service) -> None:
        start_cycle, end_cycle, port, totals = service.start_cycle, service.end_cycle, part.port, self.totals
        firing = self.first_firing[port] + part.request.firing
        self.activity.rows.extend((self._busy[port], start_cycle, end_cycle, firing))
        self._past.append(Stretch(start_cycle, end_cycle, self.channel.name, self.ports[port].component))
        self._last_end_cycle = end_cycle
        self._without_request = self._starved
        totals.busy_cycles += end_cycle - start_cycle
        totals.row_hits += service.row_hits
        totals.row_misses += service.row_misses
        if part.write:
            totals.write_bytes += service.size_bytes
        else:
            totals.read_bytes += service.size_bytes
        self.accesses.add(
            (
                service.bank,
                service.row_hit,
                port,
                part.request.firing,
                part.request_cycle,
                start_cycle,
                end_cycle,
                service.ready_cycle,
                service.size_bytes,
                int(part.write),
            )
        )
        if len(self.activity.rows) >= CHUNK_ROWS:
            self.activity.flush()
