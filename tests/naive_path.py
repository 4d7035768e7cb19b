"""The critical path and the root causes in plain Python, over the event graph of the naive machine: judge of the walk.

A node is (component, side, firing, step): the cycle in which that step is over. Side 1 is the taking side of a stream,
side 0 all the rest. Its time is the larger of the step before (plus its service) and the event that it waits for (plus
the latency of a token). Nothing here goes by rows of time, as the walk does: events are told by their numbers.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import NamedTuple

from naive import NaiveResult, Row, reason_of
from naive_machine import Machine, Part

from panacea_sim.description.component import Component
from panacea_sim.units import IntArray

__all__ = ["EventGraph", "Segment", "critical_path", "path_stalls", "root_causes", "stalled_cycles"]

_STALLS = frozenset({"starved", "blocked", "contended", "waiting"})

sys.setrecursionlimit(1_000_000)


class Node(NamedTuple):
    """A step of a firing."""

    component: str
    side: int
    firing: int
    step: int


class Segment(NamedTuple):
    """A stretch of the critical path."""

    component: str
    kind: str
    cause: str
    start_cycle: int
    end_cycle: int


class Granted(NamedTuple):
    """A grant: which channel, which of its grants, whose part, and the cycles from posting to data."""

    channel: int
    number: int


class EventGraph:
    """The event graph of a run of the naive machine, evaluated again with its order of grants held.

    `changed` gives other service cycles to some components.
    """

    def __init__(self, machine: Machine, changed: Mapping[str, IntArray] | None = None) -> None:
        self.machine = machine
        self.description = machine.description
        self.components = {part.name: part for part in self.description.components}
        self.services = {
            part.name: part.service_cycles if changed is None or part.name not in changed else changed[part.name]
            for part in self.description.components
        }
        self.times: dict[Node, int] = {}
        self.ends: dict[Granted, int] = {}
        self.put, self.taken, self.released = _writers(self)
        self.grants_of: dict[tuple[str, int], list[Granted]] = {}
        for channel, grants in enumerate(machine.grants):
            for number, grant in enumerate(grants):
                key = grant.part.component, grant.part.firing
                self.grants_of.setdefault(key, []).append(Granted(channel, number))

    def makespan(self) -> int:
        """Return the last end of all components."""
        ends = [self.time(self.last(name, part.firings - 1)) for name, part in self.components.items() if part.firings]
        return max(ends, default=0)

    def steps(self, name: str, side: int) -> list[tuple[str, int]]:
        """Return the steps of a firing, each with its number among those of its kind."""
        part = self.components[name]
        gives = [("give", number) for number in range(len(part.gives))]
        if side:
            return [("ready", 0), *gives]
        inputs = [("take", number) for number in range(len(part.takes))]
        inputs += [("need", number) for number in range(len(part.needs))]
        inputs += [("wait", number) for number in range(len(part.waits))]
        inputs += [("acquire", number) for number in range(len(part.acquires))]
        return [*inputs, ("post", 0)] if part.posted else [*inputs, ("serve", 0), *gives]

    def last(self, name: str, firing: int) -> Node:
        """Return the node at which a firing ends."""
        side = int(self.components[name].posted)
        return Node(name, side, firing, len(self.steps(name, side)) - 1)

    def served(self, name: str, firing: int) -> Node:
        """Return the node at which the service of a firing ends, or its data is taken."""
        part = self.components[name]
        return Node(name, 1, firing, 0) if part.posted else self.node(name, 0, firing, "serve", 0)

    def node(self, name: str, side: int, firing: int, kind: str, number: int) -> Node:
        """Return the node of a step."""
        return Node(name, side, firing, self.steps(name, side).index((kind, number)))

    def posting(self, name: str, firing: int) -> Node:
        """Return the node at which a stream posts."""
        return self.node(name, 0, firing, "post", 0)

    def before(self, node: Node) -> Node | None:
        """Return the own step before, None at the very first."""
        if node.step:
            return node._replace(step=node.step - 1)
        if not node.firing:
            return None
        return Node(node.component, node.side, node.firing - 1, len(self.steps(node.component, node.side)) - 1)

    def kind(self, node: Node) -> tuple[str, int]:
        """Return what the step of a node is."""
        return self.steps(node.component, node.side)[node.step]

    def own(self, node: Node) -> int:
        """Return when the node would be over if it waited for nothing but its own step before."""
        before = self.before(node)
        cycle = 0 if before is None else self.time(before)
        services = self.services[node.component]
        return cycle + (int(services[node.firing]) if self.kind(node)[0] == "serve" and services is not None else 0)

    def time(self, node: Node) -> int:
        """Return the cycle of a node."""
        if node not in self.times:
            cycle = self.own(node)
            if self.kind(node)[0] == "ready":
                cycle = max(cycle, self.ready(node.component, node.firing))
            event = self.event(node)
            if event is not None:
                cycle = max(cycle, self.time(event[0]) + event[1])
            self.times[node] = cycle
        return self.times[node]

    def event(self, node: Node) -> tuple[Node, int, str] | None:  # noqa: PLR0911  # a way for each kind of step
        """Return the node that a step waits for, the latency of its token, and what is waited for; None for none."""
        part, firing, (kind, number) = self.components[node.component], node.firing, self.kind(node)
        if kind == "take" and part.takes[number].tokens[firing]:
            queue, last = part.takes[number].queue, int(part.takes[number].tokens[: firing + 1].sum()) - 1
            return self.put[queue][last], self.machine.latency[queue], queue
        if kind == "need" and part.needs[number].index[firing] >= 0:
            store = part.needs[number].store
            return self.put[store][part.needs[number].index[firing]], self.machine.latency[store], store
        if kind == "wait" and part.waits[number].firings[firing]:
            wait = part.waits[number]
            return self.last(wait.component, int(wait.firings[firing]) - 1), 0, "dataflow"
        if kind == "acquire" and part.acquires[number].size_bytes[firing]:
            return self._release(part, number, firing)
        if kind == "post":
            port = self.description.ports[self.description.port_of(part.name)]
            if firing >= port.outstanding:
                return self.last(part.name, firing - port.outstanding), 0, "slot"
        if kind == "give" and part.gives[number].tokens[firing]:
            queue = part.gives[number].queue
            place = self.put[queue].index(node) - self.machine.queue_capacity[queue]
            return (self.taken[queue][place], 0, queue) if place >= 0 else None
        return None

    def _release(self, part: Component, number: int, firing: int) -> tuple[Node, int, str] | None:
        acquire = part.acquires[number]
        short = int(acquire.size_bytes[: firing + 1].sum()) - self.machine.memory_bytes[acquire.memory]
        if short <= 0:
            return None
        for node, size_bytes in self.released[acquire.memory]:
            short -= size_bytes
            if short <= 0:
                return node, 0, acquire.memory
        raise AssertionError(f"{acquire.memory} is never released so far")

    # Grants, in the order in which the machine has made them.

    def part(self, grant: Granted) -> Part:
        """Return whose part a grant serves."""
        return self.machine.grants[grant.channel][grant.number].part

    def posted(self, grant: Granted) -> int:
        """Return when the request of a grant was posted."""
        part = self.part(grant)
        return self.time(self.posting(part.component, part.firing))

    def free(self, grant: Granted) -> int:
        """Return when the grant before it on its channel ends."""
        return self.end(grant._replace(number=grant.number - 1)) if grant.number else 0

    def end(self, grant: Granted) -> int:
        """Return when a grant ends: as long after its posting, or the end of the one before, as it did."""
        if grant not in self.ends:
            service = self.machine.grants[grant.channel][grant.number].service
            since = max(self.part(grant).request_cycle, self._was_free(grant))
            self.ends[grant] = max(self.posted(grant), self.free(grant)) + service.end_cycle - since
        return self.ends[grant]

    def _was_free(self, grant: Granted) -> int:
        return self.machine.grants[grant.channel][grant.number - 1].service.end_cycle if grant.number else 0

    def arrival(self, grant: Granted) -> int:
        """Return when the data of a grant is ready."""
        service = self.machine.grants[grant.channel][grant.number].service
        return self.end(grant) + service.ready_cycle - service.end_cycle

    def last_grant(self, name: str, firing: int) -> Granted | None:
        """Return the grant of a request that is ready last, of equal ones that of the first channel."""
        grants = self.grants_of.get((name, firing), [])
        return max(grants, key=lambda grant: (self.arrival(grant), -grant.channel, grant.number), default=None)

    def ready(self, name: str, firing: int) -> int:
        """Return when the data of a request is ready."""
        grants = self.grants_of.get((name, firing), [])
        return max([self.time(self.posting(name, firing)), *(self.arrival(grant) for grant in grants)])


def _writers(
    graph: EventGraph,
) -> tuple[dict[str, list[Node]], dict[str, list[Node]], dict[str, list[tuple[Node, int]]]]:
    """Return who puts tokens into queues and stores, who takes those of queues, who releases how much of memories."""
    put: dict[str, list[Node]] = {name: [] for name in graph.machine.latency}
    taken: dict[str, list[Node]] = {name: [] for name in graph.machine.queue_capacity}
    released: dict[str, list[tuple[Node, int]]] = {name: [] for name in graph.machine.memory_bytes}
    for name, part in graph.components.items():
        side = int(part.posted)
        for firing in range(part.firings):
            for number, take in enumerate(part.takes):
                taken[take.queue] += [graph.node(name, 0, firing, "take", number)] * int(take.tokens[firing])
            for each in part.puts:
                put[each.store].append(graph.served(name, firing))
            for release in part.releases:
                released[release.memory].append((graph.served(name, firing), int(release.size_bytes[firing])))
            for number, give in enumerate(part.gives):
                put[give.queue] += [graph.node(name, side, firing, "give", number)] * int(give.tokens[firing])
    return put, taken, released


def critical_path(
    graph: EventGraph, met: list[tuple[str, int]] | None = None
) -> tuple[list[Segment], Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Return the stretches of the critical path in order of time, and how often and how long each limit was met.

    `met` gets component and cycle of the ends of all waits from which the path goes on elsewhere.
    """
    makespan = graph.makespan()
    found: list[Segment] = []
    crossings: Counter[tuple[str, str]] = Counter()
    cycles: Counter[tuple[str, str]] = Counter()
    ends = [graph.last(name, part.firings - 1) for name, part in graph.components.items() if part.firings]
    node = next((end for end in ends if graph.time(end) == makespan), None)
    while node is not None:
        now, own = graph.time(node), graph.own(node)
        if now == own:
            before = graph.before(node)
            start = 0 if before is None else graph.time(before)
            if now > start:
                found.append(Segment(node.component, "service", "", start, now))
            node = before
            continue
        event = graph.event(node)
        if event is not None:
            other, late, what = event
            if met is not None:
                met.append((node.component, now))
            kind = _LIMITS.get(graph.kind(node)[0], "")
            if kind:
                name = {"dataflow": f"{node.component} after {other.component}", "slot": node.component}.get(kind, what)
                crossings[name, kind] += 1
                cycles[name, kind] += now - own
            if late:
                found.append(Segment(what, "latency", "", now - late, now))
            node = other
            continue
        grant = graph.last_grant(node.component, node.firing)
        if grant is None:
            node = graph.posting(node.component, node.firing)
            continue
        node, segments, order = _through_grants(graph, grant, now)
        found += segments
        for name, waited in order:
            crossings[name, "order"] += 1
            cycles[name, "order"] += waited
    # The bus of a fast device may move the bytes of a grant within a cycle.
    return [each for each in found[::-1] if each.end_cycle > each.start_cycle], crossings, cycles


_LIMITS = {"give": "queue", "acquire": "memory", "post": "slot", "wait": "dataflow"}


def _through_grants(graph: EventGraph, grant: Granted, now: int) -> tuple[Node, list[Segment], list[tuple[str, int]]]:
    found: list[Segment] = []
    order = []
    channel = graph.description.channels[grant.channel].name
    if now > graph.end(grant):
        found.append(Segment(channel, "latency", "", graph.end(grant), now))
    while True:
        part, service = graph.part(grant), graph.machine.grants[grant.channel][grant.number].service
        found.append(Segment(part.component, "transfer", channel, service.start_cycle, service.end_cycle))
        since = max(graph.posted(grant), graph.free(grant))
        gap = range(since, service.start_cycle)
        reasons = [(reason, list(cycles)) for reason, cycles in groupby(gap, partial(reason_of, service))]
        found += [Segment(channel, "device", reason, each[0], each[-1] + 1) for reason, each in reversed(reasons)]
        if graph.free(grant) <= graph.posted(grant):
            return graph.posting(part.component, part.firing), found, order
        before = grant._replace(number=grant.number - 1)
        other = graph.part(before).component
        if other != part.component:
            start = graph.machine.grants[before.channel][before.number].service.start_cycle
            waited = graph.free(grant) - max(graph.posted(grant), start)
            if waited:
                order.append((f"{part.component} behind {other} on {channel}", waited))
        grant = before


def root_causes(graph: EventGraph, result: NaiveResult) -> Counter[tuple[str, str, str, str]]:
    """Return the stalled cycles by component and terminal (name, kind, cause), cycle by cycle."""
    return Counter((component, *terminal) for component, _, _, terminal in stalled_cycles(graph, result))


def stalled_cycles(
    graph: EventGraph, result: NaiveResult
) -> Iterator[tuple[str, int, tuple[str, ...], tuple[str, str, str]]]:
    """Return each stalled cycle of each component: who waits for whom from that one on, and the terminal."""
    rows = _rows_by_component(result)
    for name in graph.components:
        for row in rows.get(name, []):
            if row.state in _STALLS:
                for cycle in range(row.start_cycle, row.end_cycle):
                    chain, terminal = _chain(graph, rows, name, cycle)
                    yield name, cycle, chain, terminal


def path_stalls(result: NaiveResult, path: list[Segment], met: list[tuple[str, int]]) -> set[tuple[str, int, int]]:
    """Return the stalls that end where the path has met their component, or where its next transfer begins."""
    rows = _rows_by_component(result)
    moved = [(each.component, each.start_cycle) for each in path if each.kind == "transfer"]
    found = [
        _row_in(rows, name, cycle - 1) for name, cycle in (*met, *moved) if cycle > 0 and _has_row(rows, name, cycle)
    ]
    return {(row.component, row.start_cycle, row.end_cycle) for row in found if row.state in _STALLS}


def _rows_by_component(result: NaiveResult) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {}
    for row in result.rows:
        rows.setdefault(row.component, []).append(row)
    return rows


def _has_row(rows: dict[str, list[Row]], name: str, cycle: int) -> bool:
    return any(row.start_cycle <= cycle - 1 < row.end_cycle for row in rows[name])


def _chain(
    graph: EventGraph, rows: dict[str, list[Row]], name: str, cycle: int
) -> tuple[tuple[str, ...], tuple[str, str, str]]:
    row = _row_in(rows, name, cycle)
    if row.state == "busy":
        grant = graph.last_grant(name, row.firing) if graph.components[name].posted else None
        if grant is None:
            return (name,), (name, "busy", "")
        channel = graph.description.channels[grant.channel].name
        if cycle >= graph.end(grant):
            return (name,), (channel, "latency", "")
        seen = _row_in(rows, channel, cycle)
        return (name,), (seen.cause_component, "transfer", channel) if seen.state == "busy" else _reason(seen.cause)
    if row.state == "contended":
        return (name,), ((row.cause_component, "transfer", row.cause) if row.cause_component else _reason(row.cause))
    late = graph.machine.latency.get(row.cause, 0) if row.state in {"starved", "idle"} else 0
    if cycle >= row.end_cycle - late:
        return (name,), (row.cause, "latency", "")
    chain, terminal = _chain(graph, rows, row.cause_component, cycle)
    return (name, *chain), terminal


def _reason(cause: str) -> tuple[str, str, str]:
    channel, _, reason = cause.rpartition(":")
    return channel, "device", reason


def _row_in(rows: dict[str, list[Row]], name: str, cycle: int) -> Row:
    (row,) = (row for row in rows[name] if row.start_cycle <= cycle < row.end_cycle)
    return row
