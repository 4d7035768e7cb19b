"""The machine of the naive interpreter: what every component and channel does, cycle by cycle.

In every cycle each process is asked, again and again, whether it can go on, until none can. Then the channels decide,
and the next cycle begins. There are no events and no ordering tricks, so that the code can be checked by reading it
beside docs/model.md. It shares nothing with the engines but the description and its devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from watched_banks import watched

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.steps import Requests
from panacea_sim.memory.device import Service
from panacea_sim.trace.activity_log import NO_FIRING

__all__ = ["Grant", "Machine", "Part", "Posting", "Row", "StuckError"]

_DONE = object()


class StuckError(Exception):
    """Nothing can ever move again, but firings are left."""


class Row(NamedTuple):
    """A component (or channel) is in one state from `start_cycle` until before `end_cycle`."""

    component: str
    state: str
    start_cycle: int
    end_cycle: int
    firing: int
    cause: str
    cause_component: str


class Delay(NamedTuple):
    """A step that has waited since a cycle, for what."""

    state: str
    cause: str
    cause_component: str
    since_cycle: int


class Posting(NamedTuple):
    """A row of postings.parquet: a posting with one of the steps that delayed it, or with its cycle if none did."""

    component: str
    firing: int
    cycle: int
    state: str
    cause: str
    cause_component: str
    since_cycle: int


@dataclass(eq=False)
class Part:
    """One part of a posted firing: `address` and `size_bytes` say what is still to be granted."""

    component: str
    firing: int
    priority: int
    request_cycle: int
    port: int
    channel: int
    address: int
    size_bytes: int
    write: bool
    services: list[Service] = field(default_factory=list)

    def as_numbers(self) -> tuple[int, ...]:
        """Return the part as a device sees it in its queue."""
        return self.priority, self.request_cycle, self.port, self.address, self.size_bytes, int(self.write)

    def is_ready(self, cycle: int) -> bool:
        """Return whether everything was granted and is there."""
        return self.size_bytes == 0 and all(service.ready_cycle <= cycle for service in self.services)


class Grant(NamedTuple):
    """What a channel granted, and since when some request had waited at the time."""

    service: Service
    part: Part
    earliest_cycle: int


def _must_stay_before(earlier: Part, later: Part) -> bool:
    """Return whether some byte is still to be granted to both parts and is written by one of them."""
    first_common = max(earlier.address, later.address)
    end_common = min(part.address + part.size_bytes for part in (earlier, later))
    return first_common < end_common and (earlier.write or later.write)


class Machine:
    """The machine in one cycle: what was put, taken, acquired, posted and ended so far."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.now = 0
        self.horizon = 0  # no change is on its way for any later cycle
        self.moves = 0
        self.latency = {queue.name: queue.latency_cycles for queue in description.queues}
        self.latency |= {store.name: store.latency_cycles for store in description.stores}
        self.queue_capacity = {queue.name: queue.capacity for queue in description.queues}
        self.memory_bytes = {memory.name: memory.capacity_bytes for memory in description.memories}
        self.put_cycles: dict[str, list[int]] = {name: [] for name in self.latency}
        self.taken = dict.fromkeys(self.queue_capacity, 0)
        self.used_bytes = dict.fromkeys(self.memory_bytes, 0)
        self.high_water = dict.fromkeys((*self.queue_capacity, *self.memory_bytes), 0)
        names = [component.name for component in description.components]
        self.post_cycles: dict[str, list[int]] = {name: [] for name in names}
        self.end_cycles: dict[str, list[int]] = {name: [] for name in names}
        self.parts: dict[str, list[list[Part]]] = {name: [] for name in names}
        self.rows: dict[str, list[Row]] = {name: [] for name in names}
        self.delays: dict[str, list[Delay]] = {}  # those of the firing that is about to be served or posted
        self.postings: dict[str, list[Posting]] = {name: [] for name in names}
        self.devices = [watched(channel.device) for channel in description.channels]
        self.pending: list[list[Part]] = [[] for _ in description.channels]
        self.grants: list[list[Grant]] = [[] for _ in description.channels]

    def run(self) -> None:
        """Go through the cycles until every firing has ended."""
        components = self.description.components
        processes = [self._issue(component) for component in components]
        processes += [self._complete(component) for component in components if component.posted]
        while True:
            moves_before = -1
            while moves_before != self.moves:
                moves_before = self.moves
                processes = [process for process in processes if next(process, _DONE) is not _DONE]
            self._decide()
            occupancies = self.used_bytes | {queue: self._occupancy(queue) for queue in self.taken}
            self.high_water = {name: max(high, occupancies[name]) for name, high in self.high_water.items()}
            if not processes:
                return
            if self.now >= self.horizon:
                left = [part.name for part in components if len(self.end_cycles[part.name]) < part.firings]
                raise StuckError(f"cycle {self.now}: {left} can never end")
            self.now += 1

    # Processes: each yields while it cannot go on.

    def _issue(self, component: Component) -> Iterator[None]:
        for firing in range(component.firings):
            self.delays[component.name] = []
            yield from self._take_inputs(component, firing)
            if firing == 0:
                delays = self.delays[component.name]
                ends = [*(delay.since_cycle for delay in delays[1:]), self.now]
                self.rows[component.name] = [
                    Row(component.name, "idle", since, end, NO_FIRING, cause, other)
                    for (_, cause, other, since), end in zip(delays, ends, strict=False)
                ]
            yield from self._get_permission(component, firing)
            if component.requests is not None:
                yield from self._post(component.name, component.requests, firing)
            elif component.service_cycles is not None:
                yield from self._serve(component.name, int(component.service_cycles[firing]), firing)
                yield from self._finish(component, firing)

    def _complete(self, component: Component) -> Iterator[None]:
        parts = self.parts[component.name]
        for firing in range(component.firings):
            while not (firing < len(parts) and all(part.is_ready(self.now) for part in parts[firing])):
                yield
            yield from self._finish(component, firing)

    # Steps of a firing.

    def _take_inputs(self, component: Component, firing: int) -> Iterator[None]:
        name, producer = component.name, self.description.producer
        for take in component.takes:
            since, last = self.now, self.taken[take.queue] + int(take.tokens[firing])
            while not self._exist(take.queue, last):
                yield
            self.taken[take.queue] = last
            self._delayed(name, firing, since, "starved", take.queue, producer[take.queue])
        for need in component.needs:
            since = self.now
            while not self._exist(need.store, int(need.index[firing]) + 1):  # NO_NEED + 1 is 0: always true
                yield
            self._delayed(name, firing, since, "starved", need.store, producer[need.store])

    def _get_permission(self, component: Component, firing: int) -> Iterator[None]:
        name, releaser = component.name, self.description.producer
        for wait in component.waits:
            since = self.now
            while len(self.end_cycles[wait.component]) < wait.firings[firing]:
                yield
            self._delayed(name, firing, since, "waiting", "dataflow", wait.component)
        for acquire in component.acquires:
            since, size_bytes = self.now, int(acquire.size_bytes[firing])
            while self.used_bytes[acquire.memory] + size_bytes > self.memory_bytes[acquire.memory]:
                yield
            self.used_bytes[acquire.memory] += size_bytes
            self._delayed(name, firing, since, "blocked", acquire.memory, releaser[acquire.memory])

    def _serve(self, name: str, service_cycles: int, firing: int) -> Iterator[None]:
        since, end_cycle = self.now, self.now + service_cycles
        self.horizon = max(self.horizon, end_cycle)
        while self.now < end_cycle:
            yield
        self._passed(name, firing, since, "busy")

    def _post(self, name: str, requests: Requests, firing: int) -> Iterator[None]:
        port_number = self.description.port_of(name)
        port = self.description.ports[port_number]
        posted, since = self.post_cycles[name], self.now
        while len(posted) - len(self.end_cycles[name]) >= port.outstanding:
            yield
        if self.now > since:
            self.delays[name].append(Delay("blocked", "slot", name, since))
        self.moves += 1
        for delay in self.delays[name] or [Delay("", "", "", self.now)]:
            self.postings[name].append(Posting(name, firing, self.now, *delay))
        posted.append(self.now)
        self.parts[name].append([])
        number = firing if requests.request is None else requests.request[firing]
        span = slice(requests.offsets[number], requests.offsets[number + 1])
        columns = (requests.channel, requests.address, requests.size_bytes, requests.write)
        for channel, address, size_bytes, write in zip(*(column[span].tolist() for column in columns), strict=True):
            part = Part(name, firing, port.priority, self.now, port_number, channel, address, size_bytes, bool(write))
            self.parts[name][firing].append(part)
            self.pending[channel].append(part)

    def _finish(self, component: Component, firing: int) -> Iterator[None]:
        name, consumer = component.name, self.description.consumer
        for release in component.releases:
            self.used_bytes[release.memory] -= int(release.size_bytes[firing])
            assert self.used_bytes[release.memory] >= 0, f"{release.memory}: released before it was acquired"
        for put in component.puts:
            self._put(put.store)
        self.moves += 1  # releases and puts are seen even where the first give is blocked
        for give in component.gives:
            since = self.now
            while give.tokens[firing] and self._occupancy(give.queue) >= self.queue_capacity[give.queue]:
                yield
            if give.tokens[firing]:
                self._put(give.queue)
            self._passed(name, firing, since, "blocked", give.queue, consumer[give.queue])
        self.end_cycles[name].append(self.now)
        self.moves += 1

    # What the steps are made of.

    def _passed(self, name: str, firing: int, since: int, state: str, cause: str = "", other: str = "") -> None:
        """Note that a step is over which began in cycle `since`."""
        self.moves += 1
        self.rows[name].append(Row(name, state, since, self.now, firing, cause, other))

    def _delayed(self, name: str, firing: int, since: int, state: str, cause: str, other: str) -> None:
        """Note that a step before a service or a posting is over, which may have had to wait since cycle `since`."""
        self._passed(name, firing, since, state, cause, other)
        if self.now > since:
            self.delays[name].append(Delay(state, cause, other, since))

    def _exist(self, name: str, count: int) -> bool:
        cycles = self.put_cycles[name]
        return len(cycles) >= count and all(cycle + self.latency[name] <= self.now for cycle in cycles[:count])

    def _occupancy(self, queue: str) -> int:
        return len(self.put_cycles[queue]) - self.taken[queue]

    def _put(self, name: str) -> None:
        self.put_cycles[name].append(self.now)
        self.horizon = max(self.horizon, self.now + self.latency[name])

    def _decide(self) -> None:
        """Let every channel grant what it grants in this cycle; nobody sees it before the next one."""
        for device, pending, grants in zip(self.devices, self.pending, self.grants, strict=True):
            while pending:
                earliest_cycle = min(part.request_cycle for part in pending)
                decision_cycle = device.next_decision_cycle(earliest_cycle)
                assert decision_cycle >= self.now, "a decision in the past"
                if decision_cycle > self.now:
                    break
                pending.sort(key=lambda part: (part.request_cycle, part.port))  # the rest: posting order
                queue = [number for part in pending for number in part.as_numbers()]
                position = device.choose(self.now, queue, len(pending))
                part = pending[position]
                assert not any(_must_stay_before(other, part) for other in pending[:position]), "order is not kept"
                service = device.serve(self.now, part.address, part.size_bytes, write=part.write)
                assert self.now < service.end_cycle <= service.ready_cycle, "a grant is visible in its own cycle"
                part.services.append(service)
                part.address += service.size_bytes
                part.size_bytes -= service.size_bytes
                grants.append(Grant(service, part, earliest_cycle))
                self.horizon = max(self.horizon, service.ready_cycle)
                if part.size_bytes == 0:
                    pending.remove(part)
