"""The SimPy processes of the reference engine: one generic loop for private components, one pair for DMA streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from itertools import pairwise
from typing import Any

from panacea_sim.description.component import Component
from panacea_sim.description.steps import Requests
from panacea_sim.description.worker import Worker
from panacea_sim.engines.reference.channel import ChannelProcess
from panacea_sim.engines.reference.kernel import CycleEnvironment, CycleProcess, Signal, Waits
from panacea_sim.engines.reference.posted_request import PostedRequest
from panacea_sim.engines.reference.steps import BoundStep, FiringCounter, Inputs, Outputs
from panacea_sim.trace.activity_log import NO_FIRING, ActivityLog, Kind
from panacea_sim.trace.occupancy_log import OccupancyLog
from panacea_sim.trace.posting_log import Delay, PostingLog
from panacea_sim.trace.schema import SLOT, State

__all__ = ["ComponentProcess", "PrivateProcess", "StreamProcess"]

_FLUSH_MASK = (1 << 13) - 1
"""Logs are emptied every 2,048 firings: rows stay small as Python objects, and the conversion is still vectorised."""


class ComponentProcess:
    """What private components and DMA streams have in common: the steps before and after the service.

    `stalled_at` is the code of the last step that could not be done at once: there it stands if it never ends.
    `watched` says whether somebody wants to know of each firing's end. `occupancies` are the logs of the queues and
    memories that it fills.
    """

    def __init__(
        self,
        env: CycleEnvironment,
        component: Component,
        log: ActivityLog,
        worker: Worker | None,
        *,
        keep_times: bool,
    ) -> None:
        self.component = component
        self.log = log
        self.inputs = Inputs(values=worker is not None)
        self.before: list[BoundStep] = []
        self.outputs = Outputs(values=worker is not None, gives_at=[False] * component.firings)
        self.occupancies: list[OccupancyLog] = []
        self.ended = FiringCounter(env)
        self.last_end_cycle = 0
        self.stalled_at = -1
        self.times: list[tuple[int, int]] | None = [] if keep_times else None
        self.watched = keep_times
        self._watchers: list[Callable[[int], None]] = []
        self._env = env
        self._worker = worker
        self._idle = log.code(State.IDLE)
        self._busy = log.code(State.BUSY)

    def finish(self, makespan_cycles: int) -> None:
        """Account the time after the last firing."""
        self.log.rows.extend((self._idle, self.last_end_cycle, makespan_cycles, NO_FIRING))

    def watch(self, function: Callable[[int], None]) -> None:
        """Call `function` with the count of ended firings after each of them."""
        self.watched = True
        self._watchers.append(function)

    def _first_inputs(self) -> Generator[Signal, Any, list[Delay]]:
        """Wait for the inputs of the first firing, which is idle time and no stall; return those that were late."""
        delays: list[Delay] = []
        for try_now, wait, code in self.inputs.steps:
            if not try_now(0):
                since_cycle, kind = self._env.cycle, self.log.kinds[code]
                self.stalled_at = code
                yield wait(0)
                self._add_delay(delays, kind, since_cycle)
                idle = self.log.code(State.IDLE, kind.cause, kind.cause_component)
                self.log.rows.extend((idle, since_cycle, self._env.cycle, NO_FIRING))
        return delays

    def _add_delay(self, delays: list[Delay], kind: Kind, since_cycle: int) -> None:
        """Add the wait that is over now, unless it has taken no time."""
        if self._env.cycle > since_cycle:
            delays.append(Delay(kind, since_cycle))

    def _after_firing(self, start_cycle: int) -> None:
        """Wake those who wait for the firing that has just ended, and empty the logs."""
        if self.ended.waiting:
            self.ended.wake()
        if self.times is not None:
            self.times.append((start_cycle, self._env.cycle))
        for function in self._watchers:
            function(self.ended.ended)
        if not self.ended.ended & _FLUSH_MASK:
            self.log.flush()
            for occupancy in self.occupancies:
                occupancy.flush()


class PrivateProcess(ComponentProcess):
    """A component that serves by itself, one firing after the other."""

    def start(self) -> None:
        """Let the component run from cycle 0 on."""
        CycleProcess(self._env, self._run())

    def _run(self) -> Waits:  # noqa: C901  # the hottest loop: every call in it would cost several percent
        env, ended, worker = self._env, self.ended, self._worker
        note, note_service = self.log.rows.extend, self.log.services.extend
        endings, gives, gives_at = self.outputs.endings, self.outputs.gives, self.outputs.gives_at
        service = Signal(env)
        assert self.component.service_cycles is not None
        yield from self._first_inputs()
        before = self.before
        for firing, service_cycles in enumerate(self.component.service_cycles.tolist()):
            for try_now, wait, code in before:
                if not try_now(firing):
                    start_cycle = env.cycle
                    self.stalled_at = code
                    yield wait(firing)
                    note((code, start_cycle, env.cycle, firing))
            start_cycle = env.cycle
            if service_cycles:
                yield service.after(service_cycles)
                note_service((firing, start_cycle))
            if worker is not None:
                self.outputs.tokens[:] = worker.fire(firing, self.inputs.tokens)
            for ending in endings:
                ending(firing)
            for try_now, wait, code in gives if gives_at[firing] else ():
                if not try_now(firing):
                    blocked_cycle = env.cycle
                    self.stalled_at = code
                    yield wait(firing)
                    note((code, blocked_cycle, env.cycle, firing))
            ended.ended = done = firing + 1
            if self.watched or not done & _FLUSH_MASK:
                self._after_firing(start_cycle)
            if not firing:
                before = [*self.inputs.steps, *before]
        self.last_end_cycle = env.cycle


class StreamProcess(ComponentProcess):
    """A DMA stream: it posts requests ahead, up to `outstanding` in flight, and takes their data in order.

    Posting and taking run side by side. The stream's time is accounted by its oldest posted request, and by what the
    posting side waits for while none is posted.
    """

    def __init__(  # noqa: PLR0913  # a stream is a component with its port and channels
        self,
        env: CycleEnvironment,
        component: Component,
        log: ActivityLog,
        worker: Worker | None,
        *,
        keep_times: bool,
        port: int,
        outstanding: int,
        channels: list[ChannelProcess],
        postings: PostingLog,
    ) -> None:
        super().__init__(env, component, log, worker, keep_times=keep_times)
        self._postings = postings
        self._no_slot = Kind(State.BLOCKED, SLOT, component.name)
        self._port = port
        self._outstanding = outstanding
        self._channels = channels
        self._in_flight: deque[tuple[PostedRequest, list[tuple[Any, ...]]]] = deque()
        self._posted = 0
        self._slot = Signal(env)
        self._waits_for_slot = False
        self._arrival = Signal(env)
        self._waits_for_arrival = False

    def start(self) -> None:
        """Let the stream run from cycle 0 on."""
        CycleProcess(self._env, self._post())
        CycleProcess(self._env, self._take())

    def _post(self) -> Waits:
        assert self.component.requests is not None
        parts = _parts(self.component.requests)
        delays = yield from self._first_inputs()
        before = self.before
        for firing in range(self.component.firings):
            for try_now, wait, code in before:
                if not try_now(firing):
                    start_cycle = self._env.cycle
                    self.stalled_at = code
                    yield wait(firing)
                    self._note_post_stall(code, start_cycle, firing)
                    self._add_delay(delays, self.log.kinds[code], start_cycle)
            if self._posted - self.ended.ended >= self._outstanding:
                start_cycle = self._env.cycle
                self._waits_for_slot = True
                yield self._slot.arm()
                self._add_delay(delays, self._no_slot, start_cycle)
            self._post_request(firing, parts[firing])
            self._postings.add(firing, self._env.cycle, delays)
            delays.clear()
            if not firing:
                before = [*self.inputs.steps, *before]

    def _note_post_stall(self, code: int, start_cycle: int, firing: int) -> None:
        if self.ended.ended == firing:
            # Nothing is in flight: the wait shows from the moment when the last data was taken.
            visible_cycle = max(start_cycle, self.last_end_cycle)
            self.log.rows.extend((code, visible_cycle, self._env.cycle, firing))

    def _post_request(self, firing: int, parts: list[tuple[int, int, int, bool]]) -> None:
        request = PostedRequest(self._env, firing, len(parts))
        for number, (channel, address, size_bytes, write) in enumerate(parts):
            self._channels[channel].post(request, number, self._port, address, size_bytes, write=write)
        self._in_flight.append((request, list(self.inputs.tokens)))
        self._posted += 1
        if self._waits_for_arrival:
            self._waits_for_arrival = False
            self._arrival.fire()

    def _take(self) -> Waits:
        for firing in range(self.component.firings):
            if not self._in_flight:
                self._waits_for_arrival = True
                yield self._arrival.arm()
            request, inputs = self._in_flight.popleft()
            yield request.ready
            self._account(request)
            if self._worker is not None:
                self.outputs.tokens[:] = self._worker.fire(firing, inputs)
            for ending in self.outputs.endings:
                ending(firing)
            for try_now, wait, code in self.outputs.gives:
                if not try_now(firing):
                    start_cycle = self._env.cycle
                    self.stalled_at = code
                    yield wait(firing)
                    self.log.rows.extend((code, start_cycle, self._env.cycle, firing))
            self.last_end_cycle = self._env.cycle
            self.ended.ended += 1
            self._after_firing(request.data_cycle)
            if self._waits_for_slot:
                self._waits_for_slot = False
                self._slot.fire()

    def _account(self, request: PostedRequest) -> None:
        start_cycle = max(request.post_cycle, self.last_end_cycle)
        for stretch in request.waits_from(start_cycle):
            code = self.log.code(State.CONTENDED, stretch.cause, stretch.component)
            self.log.rows.extend((code, stretch.start_cycle, stretch.end_cycle, request.firing))
        self.log.rows.extend((self._busy, max(start_cycle, request.data_cycle), self._env.cycle, request.firing))


def _parts(requests: Requests) -> list[list[tuple[int, int, int, bool]]]:
    """Return the parts of each firing as (channel, address, bytes, write), without those of zero bytes."""
    rows = list(
        zip(
            requests.channel.tolist(),
            requests.address.tolist(),
            requests.size_bytes.tolist(),
            requests.write.astype(bool).tolist(),
            strict=True,
        )
    )
    offsets: list[int] = requests.offsets.tolist()
    of_request = [[part for part in rows[a:b] if part[2]] for a, b in pairwise(offsets)]
    return of_request if requests.request is None else [of_request[number] for number in requests.request.tolist()]
