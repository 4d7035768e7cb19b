"""A description lowered to flat integer arrays: counters of events, and for each actor the steps of a firing.

A counter is a growing list of times with one writer: tokens put into or taken from a queue, tokens of a store, releases
of a memory, firings ended, requests posted. A step waits for an event of a counter, adds one, or serves. A private
component is one actor; a DMA stream is two, one that posts requests and one that takes their data. The lanes of a
group (lanes.py) are one actor together, and share counters whose events hold one time for each lane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Queue
from panacea_sim.engines.compiled.lanes import LaneGroup, find_lane_groups
from panacea_sim.engines.compiled.step_arrays import UNIFORM, StepArrays
from panacea_sim.trace.schema import DATAFLOW, State
from panacea_sim.units import IntArray, narrow

__all__ = ["Actor", "Counter", "Lowered", "LoweredStep", "Op", "lower", "ring_room"]


class Op(IntEnum):
    """What a step does."""

    TAKE = 0
    NEED = 1
    WAIT = 2
    ACQUIRE = 3
    SERVE = 4
    POST = 5
    READY = 6
    RELEASE = 7
    PUT = 8
    GIVE = 9
    END = 10


@dataclass(frozen=True)
class LoweredStep:
    """A step: the counter that it waits for, the one that it adds to, its array, latency or capacity, and its stalls.

    `causes` has a cause with the component at its other end for each lane; no causes, no stall. `packed` says that two
    lanes share a word of the array.
    """

    op: Op
    waits_for: int = -1
    adds_to: int = -1
    offset: int = UNIFORM
    amount: int = 0
    state: State = State.BUSY
    causes: tuple[tuple[str, str], ...] = ()
    fan: int = 1
    packed: bool = False


@dataclass(frozen=True)
class Actor:
    """One of the actors: its component (by number, the first one of its lanes), its firings and its steps."""

    component: int
    firings: int
    steps: tuple[LoweredStep, ...]
    lanes: int = 1


@dataclass
class Counter:
    """A counter: its number of events, their lanes, the actors that wait for it, and whether its times are wanted.

    `room` is how many events are kept; of fewer than all of them the last ones, and then it is a power of two. The
    counters of a queue have its `capacity` and name the one at the `other_end`.
    """

    size: int = 0
    lanes: int = 1
    wakes: set[int] = field(default_factory=set)
    kept: bool = True
    room: int = 0
    capacity: int = 0
    other_end: int = -1


@dataclass
class Lowered:
    """The lowered description.

    `arrays` are those of the steps. `places` maps names such as "put:QUEUE" to the number of a counter and the lane in
    it. Unless `whole`, of queues and requests in flight only those times are kept for which somebody may still wait.
    """

    description: Description
    lane_groups: list[LaneGroup]
    whole: bool = True
    actors: list[Actor] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    lanes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    arrays: StepArrays = field(default_factory=StepArrays)

    def counter(self, name: str, size: int | None = None) -> int:
        """Return the number of a counter, new or known; the actor that writes it gives its `size`."""
        if name not in self.places:
            what, _, whose = name.partition(":")
            lanes = self.lanes.get(whose, (whose,))
            for lane, each in enumerate(lanes):
                self.places[f"{what}:{each}"] = len(self.counters), lane
            self.counters.append(Counter(lanes=len(lanes)))
        number, _ = self.places[name]
        if size is not None:
            self.counters[number].size = size
        return number

    def fan(self, name: str) -> int:
        """Return the number of lanes beside a queue or component, itself included."""
        return len(self.lanes.get(name, (name,)))

    def is_lane_behind_first(self, name: str) -> bool:
        """Return whether the step of another lane stands for that of this queue or component as well."""
        return self.lanes.get(name, (name,))[0] != name


def lower(description: Description, keep_times: Collection[str] = (), *, whole: bool = True) -> Lowered:
    """Return the lowered form of a description; the components in `keep_times` get a counter "started:NAME"."""
    lowered = Lowered(description, find_lane_groups(description, keep_times), whole)
    members = {}
    for group in lowered.lane_groups:
        parts = description.components[group.first : group.first + group.lanes]
        members[group.first] = parts
        for names in (group.inputs, group.outputs, tuple(part.name for part in parts)):
            lowered.lanes |= dict.fromkeys(names, names)
    for number, component in enumerate(description.components):
        if not lowered.is_lane_behind_first(component.name):
            lowered.actors += _actors(lowered, number, members.get(number, (component,)), keep_times)
    for number, actor in enumerate(lowered.actors):
        for step in actor.steps:
            if step.waits_for >= 0:
                lowered.counters[step.waits_for].wakes.add(number)
    for name, (number, _) in lowered.places.items():
        what, _, component_name = name.partition(":")
        counter = lowered.counters[number]
        counter.kept = what != "posted" and (what != "ended" or bool(counter.wakes) or component_name in keep_times)
        counter.room = counter.size * counter.kept
    for queue in description.queues:
        _join_ends(lowered, queue)
    return lowered


def ring_room(most: int) -> int:
    """Return how many places a ring has in which `most` events are remembered."""
    return 1 << (most - 1).bit_length()


def _join_ends(lowered: Lowered, queue: Queue) -> None:
    """Tell the counters of a queue of each other; nobody waits for more than its last `capacity` tokens."""
    ends = [lowered.places[f"{what}:{queue.name}"][0] for what in ("put", "taken")]
    for mine, other in (ends, reversed(ends)):
        counter = lowered.counters[mine]
        counter.capacity, counter.other_end = queue.capacity, other
        if not lowered.whole:
            counter.room = min(counter.size, ring_room(queue.capacity))


def _actors(lowered: Lowered, number: int, lanes: Sequence[Component], keep_times: Collection[str]) -> Iterator[Actor]:
    """Return the actors of a component, or of all lanes of a group together."""
    component, description = lanes[0], lowered.description
    before = (*_inputs(lowered, component), *_waits(lowered, component), *_acquires(lowered, component))
    after = (*_releases(lowered, component), *_puts(lowered, component), *_gives(lowered, component))
    end = LoweredStep(Op.END, adds_to=lowered.counter(f"ended:{component.name}", component.firings), fan=len(lanes))
    started = lowered.counter(f"started:{component.name}", component.firings) if component.name in keep_times else -1
    if component.service_cycles is not None:
        services = [lane.service_cycles for lane in lanes if lane.service_cycles is not None]
        offset, packed = lowered.arrays.side_by_side(services)
        serve = LoweredStep(Op.SERVE, adds_to=started, offset=offset, fan=len(lanes), packed=packed)
        yield Actor(number, component.firings, (*before, serve, *after, end), len(lanes))
        return
    posted = lowered.counter(f"posted:{component.name}", component.firings)
    outstanding = description.ports[description.port_of(component.name)].outstanding
    post = LoweredStep(Op.POST, end.adds_to, posted, amount=outstanding)
    yield Actor(number, component.firings, (*before, post))
    yield Actor(number, component.firings, (LoweredStep(Op.READY, posted, started), *after, end))


def _inputs(lowered: Lowered, component: Component) -> list[LoweredStep]:
    description, steps = lowered.description, []
    latency = {queue.name: queue.latency_cycles for queue in description.queues}
    latency |= {store.name: store.latency_cycles for store in description.stores}
    for take in component.takes:
        if lowered.is_lane_behind_first(take.queue):
            continue
        put = lowered.counter(f"put:{take.queue}")
        taken = lowered.counter(f"taken:{take.queue}", int(take.tokens.sum()))
        causes = _causes(lowered, take.queue, description.producer)
        array, fan = lowered.arrays.offset(take.tokens), lowered.fan(take.queue)
        steps.append(LoweredStep(Op.TAKE, put, taken, array, latency[take.queue], State.STARVED, causes, fan))
    for need in component.needs:
        put, offset = lowered.counter(f"put:{need.store}"), lowered.arrays.stored(need.index)
        causes = _causes(lowered, need.store, description.producer)
        steps.append(LoweredStep(Op.NEED, put, -1, offset, latency[need.store], State.STARVED, causes))
    return steps


def _waits(lowered: Lowered, component: Component) -> list[LoweredStep]:
    return [
        LoweredStep(
            Op.WAIT,
            lowered.counter(f"ended:{wait.component}"),
            offset=lowered.arrays.stored(narrow(wait.firings - 1)),
            state=State.WAITING,
            causes=((DATAFLOW, wait.component),),
        )
        for wait in component.waits
    ]


def _acquires(lowered: Lowered, component: Component) -> list[LoweredStep]:
    """Turn each acquisition into the index of the release that makes room for it: -1 for none, too far for never."""
    description, steps = lowered.description, []
    capacity = {memory.name: memory.capacity_bytes for memory in description.memories}
    components = {each.name: each for each in description.components}
    for acquire in component.acquires:
        releaser = components[description.producer[acquire.memory]]
        released = next(each.size_bytes for each in releaser.releases if each.memory == acquire.memory)
        index = _awaited_releases(acquire.size_bytes, released, capacity[acquire.memory])
        counter = lowered.counter(f"released:{acquire.memory}")
        steps.append(
            LoweredStep(
                Op.ACQUIRE,
                counter,
                lowered.counter(f"acquired:{acquire.memory}", component.firings),
                offset=lowered.arrays.stored(index),
                state=State.BLOCKED,
                causes=((acquire.memory, releaser.name),),
            )
        )
    return steps


def _awaited_releases(acquired_bytes: IntArray, released_bytes: IntArray, capacity_bytes: int) -> IntArray:
    """Return the release that each acquisition waits for, -1 for none, and one too many where none is enough."""
    short_bytes = np.cumsum(acquired_bytes) - capacity_bytes
    index = narrow(np.searchsorted(np.cumsum(released_bytes[released_bytes > 0]), short_bytes))
    # An acquisition of nothing waits for nothing, whatever is held.
    index[(short_bytes <= 0) | (acquired_bytes == 0)] = -1
    return index


def _releases(lowered: Lowered, component: Component) -> list[LoweredStep]:
    return [
        LoweredStep(
            Op.RELEASE,
            adds_to=lowered.counter(f"released:{release.memory}", int((release.size_bytes > 0).sum())),
            offset=lowered.arrays.stored(release.size_bytes),
        )
        for release in component.releases
    ]


def _puts(lowered: Lowered, component: Component) -> list[LoweredStep]:
    return [
        LoweredStep(Op.PUT, adds_to=lowered.counter(f"put:{put.store}", component.firings)) for put in component.puts
    ]


def _gives(lowered: Lowered, component: Component) -> list[LoweredStep]:
    description = lowered.description
    capacity = {queue.name: queue.capacity for queue in description.queues}
    totals: dict[str, int] = {}
    for give in component.gives:
        totals[give.queue] = totals.get(give.queue, 0) + int(give.tokens.sum())
    return [
        LoweredStep(
            Op.GIVE,
            lowered.counter(f"taken:{give.queue}"),
            lowered.counter(f"put:{give.queue}", totals[give.queue]),
            lowered.arrays.offset(give.tokens),
            capacity[give.queue],
            State.BLOCKED,
            _causes(lowered, give.queue, description.consumer),
            lowered.fan(give.queue),
        )
        for give in component.gives
        if not lowered.is_lane_behind_first(give.queue)
    ]


def _causes(lowered: Lowered, name: str, other_end: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((each, other_end[each]) for each in lowered.lanes.get(name, (name,)))
