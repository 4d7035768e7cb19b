"""The SimPy processes of the reference engine: one generic loop for private components, one pair for DMA streams."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import simpy

from panacea_sim.machine.channel import ChannelProcess, PostedRequest
from panacea_sim.machine.description import Component, Requests
from panacea_sim.machine.steps import FiringCounter, GiveStep, InputStep, PutStep, ReleaseStep, Step
from panacea_sim.trace.recorder import ActivityLog
from panacea_sim.trace.schema import State

__all__ = ["ComponentProcess", "PrivateProcess", "Steps", "StreamProcess", "Worker"]


class Worker(Protocol):
    """What a component does to the values that travel."""

    def fire(self, firing: int, inputs: list[list[Any]]) -> Sequence[Any]:
        """Return one token for each put and give, in order; `inputs` has a list for each take and need, in order."""
        ...


@dataclass
class Steps:
    """The steps of a component's firing, in their order."""

    inputs: list[InputStep] = field(default_factory=list)
    waits: list[Step] = field(default_factory=list)
    acquires: list[Step] = field(default_factory=list)
    releases: list[ReleaseStep] = field(default_factory=list)
    puts: list[PutStep] = field(default_factory=list)
    gives: list[GiveStep] = field(default_factory=list)


class ComponentProcess:
    """What private components and DMA streams have in common: the steps before and after the service.

    `stalled_at` holds the steps at which the component stands.
    """

    def __init__(
        self,
        env: simpy.Environment,
        component: Component,
        log: ActivityLog,
        worker: Worker | None,
        *,
        keep_times: bool,
    ) -> None:
        self.component = component
        self.log = log
        self.steps = Steps()
        self.ended = FiringCounter(env)
        self.last_end_cycle = 0
        self.stalled_at: list[Step] = []
        self.times: list[tuple[int, int]] | None = [] if keep_times else None
        self._env = env
        self._worker = worker
        self._idle = log.code(State.IDLE)
        self._busy = log.code(State.BUSY)

    def finish(self, makespan_cycles: int) -> None:
        """Account the time after the last firing."""
        self.log.add(self._idle, self.last_end_cycle, makespan_cycles)

    def _before_service(self, firing: int) -> Iterator[simpy.Event]:
        """Wait for the first firing's inputs, which is idle time and not a stall."""
        for step in self.steps.inputs:
            if not step.try_now(firing):
                yield from self._wait(step, firing)
        self.log.add(self._idle, 0, self._env.now)

    def _wait(self, step: Step, firing: int) -> Iterator[simpy.Event]:
        self.stalled_at.append(step)
        yield step.wait(firing)
        self.stalled_at.remove(step)

    def _stall(self, step: Step, firing: int) -> Iterator[simpy.Event]:
        start_cycle = self._env.now
        yield from self._wait(step, firing)
        self.log.add(step.code, start_cycle, self._env.now, firing)

    def _after_service(self, firing: int, inputs: list[list[Any]]) -> None:
        """Let the values be worked on, release memory and put tokens into stores: all that cannot block."""
        steps = self.steps
        outputs = (*steps.puts, *steps.gives)
        if self._worker is None:
            for output in outputs:
                output.token = firing
        else:
            for output, token in zip(outputs, self._worker.fire(firing, inputs), strict=True):
                output.token = token
        for release in steps.releases:
            release.do(firing)
        for put in steps.puts:
            put.do(firing)

    def _end_firing(self, start_cycle: int) -> None:
        self.last_end_cycle = now = self._env.now
        self.ended.count()
        if self.times is not None:
            self.times.append((start_cycle, now))


class PrivateProcess(ComponentProcess):
    """A component that serves by itself, one firing after the other."""

    def start(self) -> None:
        """Let the component run from cycle 0 on."""
        self._env.process(self._run())

    def _run(self) -> Iterator[simpy.Event]:
        env, log, steps = self._env, self.log, self.steps
        assert self.component.service_cycles is not None
        first = (*steps.waits, *steps.acquires)
        later = (*steps.inputs, *first)
        for firing, service_cycles in enumerate(self.component.service_cycles.tolist()):
            if not firing:
                yield from self._before_service(firing)
            for step in later if firing else first:
                if not step.try_now(firing):
                    yield from self._stall(step, firing)
            start_cycle = env.now
            if service_cycles:
                yield env.timeout(service_cycles)
                log.add(self._busy, start_cycle, env.now, firing)
            inputs = [step.tokens(firing) for step in steps.inputs] if self._worker else []
            self._after_service(firing, inputs)
            for give in steps.gives:
                if not give.try_now(firing):
                    yield from self._stall(give, firing)
            self._end_firing(start_cycle)


class StreamProcess(ComponentProcess):
    """A DMA stream: it posts requests ahead, up to `outstanding` in flight, and takes their data in order.

    Posting and taking run side by side. The stream's time is accounted by its oldest posted request, and by what the
    posting side waits for while none is posted.
    """

    def __init__(  # noqa: PLR0913  # a stream is a component with its port and channels
        self,
        env: simpy.Environment,
        component: Component,
        log: ActivityLog,
        worker: Worker | None,
        *,
        keep_times: bool,
        port: int,
        outstanding: int,
        channels: list[ChannelProcess],
    ) -> None:
        super().__init__(env, component, log, worker, keep_times=keep_times)
        self._port = port
        self._outstanding = outstanding
        self._channels = channels
        self._in_flight: deque[tuple[PostedRequest, list[list[Any]]]] = deque()
        self._posted = 0
        self._slot: simpy.Event | None = None
        self._arrival: simpy.Event | None = None

    def start(self) -> None:
        """Let the stream run from cycle 0 on."""
        self._env.process(self._post())
        self._env.process(self._take())

    def _post(self) -> Iterator[simpy.Event]:
        assert self.component.requests is not None
        parts = _parts(self.component.requests)
        first = (*self.steps.waits, *self.steps.acquires)
        later = (*self.steps.inputs, *first)
        for firing in range(self.component.firings):
            if not firing:
                yield from self._before_service(firing)
            for step in later if firing else first:
                if not step.try_now(firing):
                    yield from self._post_stall(step, firing)
            if self._posted - self.ended.ended >= self._outstanding:
                self._slot = simpy.Event(self._env)
                yield self._slot
            self._post_request(firing, parts[firing])

    def _post_stall(self, step: Step, firing: int) -> Iterator[simpy.Event]:
        start_cycle = self._env.now
        yield from self._wait(step, firing)
        if self.ended.ended == firing:
            # Nothing is in flight: the wait shows from the moment when the last data was taken.
            self.log.add(step.code, max(start_cycle, self.last_end_cycle), self._env.now, firing)

    def _post_request(self, firing: int, parts: list[tuple[int, int, int, bool]]) -> None:
        request = PostedRequest(self._env, firing, len(parts))
        for number, (channel, address, size_bytes, write) in enumerate(parts):
            self._channels[channel].post(request, number, self._port, address, size_bytes, write=write)
        inputs = [step.tokens(firing) for step in self.steps.inputs] if self._worker else []
        self._in_flight.append((request, inputs))
        self._posted += 1
        if self._arrival is not None:
            arrival, self._arrival = self._arrival, None
            arrival.succeed()

    def _take(self) -> Iterator[simpy.Event]:
        for firing in range(self.component.firings):
            if not self._in_flight:
                self._arrival = simpy.Event(self._env)
                yield self._arrival
            request, inputs = self._in_flight.popleft()
            yield request.ready
            self._account(request)
            self._after_service(firing, inputs)
            for give in self.steps.gives:
                if not give.try_now(firing):
                    yield from self._stall(give, firing)
            self._end_firing(request.grant_cycle)
            if self._slot is not None:
                slot, self._slot = self._slot, None
                slot.succeed()

    def _account(self, request: PostedRequest) -> None:
        start_cycle = max(request.post_cycle, self.last_end_cycle)
        for holding in request.waits_from(start_cycle):
            code = self.log.code(State.CONTENDED, request.granted_by, holding.component)
            self.log.add(code, holding.start_cycle, holding.end_cycle, request.firing)
        self.log.add(self._busy, max(start_cycle, request.grant_cycle), self._env.now, request.firing)


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
    return [[part for part in rows[a:b] if part[2]] for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
