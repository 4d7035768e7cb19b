"""A description lowered to flat integer arrays: counters of events, and for each actor the steps of a firing.

A counter is a growing list of times with one writer: tokens put into or taken from a queue, tokens of a store, releases
of a memory, firings ended, requests posted. A step waits for an event of a counter, adds one, or serves. A private
component is one actor; a DMA stream is two, one that posts requests and one that takes their data.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from panacea_sim.machine.description import Component, Description
from panacea_sim.trace.schema import State
from panacea_sim.units import IntArray

__all__ = ["Actor", "Lowered", "Op", "Step", "lower"]

UNIFORM = -1
"""The offset of an array that is 1 for every firing."""


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
class Step:
    """A step: the counter that it waits for, the one that it adds to, its array, latency or capacity, and its stall."""

    op: Op
    waits_for: int = -1
    adds_to: int = -1
    offset: int = UNIFORM
    amount: int = 0
    state: State = State.BUSY
    cause: str = ""
    cause_component: str = ""


@dataclass(frozen=True)
class Actor:
    """One of the actors: its component (by number), its firings and its steps."""

    component: int
    firings: int
    steps: tuple[Step, ...]


@dataclass
class Lowered:
    """The lowered description.

    `data` holds all arrays of the steps one behind the other. `sizes` has the number of events of each counter and
    `wakes` the actors that wait for it. `post_counter` and `end_counter` map component numbers to counters.
    """

    description: Description
    actors: list[Actor] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    wakes: list[set[int]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    arrays: list[IntArray] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    length: int = 0

    @property
    def data(self) -> IntArray:
        """All arrays of the steps as one."""
        return np.concatenate([*self.arrays, np.zeros(0, np.int64)]).astype(np.int64, copy=False)

    def counter(self, name: str, size: int | None = None) -> int:
        """Return the number of a counter, new or known; the actor that writes it gives its `size`."""
        number = self.counters.get(name)
        if number is None:
            number = self.counters[name] = len(self.sizes)
            self.sizes.append(0)
            self.wakes.append(set())
        if size is not None:
            self.sizes[number] = size
        return number

    def array(self, values: IntArray) -> int:
        """Return the offset of an array in `data`, UNIFORM if it is 1 throughout; arrays are stored once."""
        known = self.offsets.get(id(values))
        if known is None:
            known = UNIFORM
            if not (values == 1).all():
                known = self.length
                self.arrays.append(values)
                self.length += len(values)
            self.offsets[id(values)] = known
        return known

    def stored(self, values: IntArray) -> int:
        """Return the offset of an array that is stored whatever it holds."""
        offset = self.length
        self.arrays.append(values)
        self.length += len(values)
        return offset


def lower(description: Description, keep_times: Collection[str] = ()) -> Lowered:
    """Return the lowered form of a description; the components in `keep_times` get a counter "started:NAME"."""
    lowered = Lowered(description)
    for number, component in enumerate(description.components):
        before = [*_inputs(lowered, component), *_waits(lowered, component), *_acquires(lowered, component)]
        after = [*_releases(lowered, component), *_puts(lowered, component), *_gives(lowered, component)]
        end = Step(Op.END, adds_to=lowered.counter(f"ended:{component.name}", component.firings))
        if component.service_cycles is not None:
            keep = component.name in keep_times
            started = lowered.counter(f"started:{component.name}", component.firings) if keep else -1
            serve = Step(Op.SERVE, adds_to=started, offset=lowered.stored(component.service_cycles))
            lowered.actors.append(Actor(number, component.firings, (*before, serve, *after, end)))
            continue
        posted = lowered.counter(f"posted:{component.name}", component.firings)
        outstanding = description.ports[description.port_of(component.name)].outstanding
        post = Step(Op.POST, end.adds_to, posted, amount=outstanding)
        lowered.actors.append(Actor(number, component.firings, (*before, post)))
        lowered.actors.append(Actor(number, component.firings, (Step(Op.READY, posted), *after, end)))
    for number, actor in enumerate(lowered.actors):
        for step in actor.steps:
            if step.waits_for >= 0:
                lowered.wakes[step.waits_for].add(number)
    return lowered


def _inputs(lowered: Lowered, component: Component) -> list[Step]:
    description, steps = lowered.description, []
    latency = {queue.name: queue.latency_cycles for queue in description.queues}
    latency |= {store.name: store.latency_cycles for store in description.stores}
    for take in component.takes:
        put = lowered.counter(f"put:{take.queue}")
        taken = lowered.counter(f"taken:{take.queue}", int(take.tokens.sum()))
        other = description.producer[take.queue]
        array = lowered.array(take.tokens)
        steps.append(Step(Op.TAKE, put, taken, array, latency[take.queue], State.STARVED, take.queue, other))
    for need in component.needs:
        put, other = lowered.counter(f"put:{need.store}"), description.producer[need.store]
        offset = lowered.stored(need.index)
        steps.append(Step(Op.NEED, put, -1, offset, latency[need.store], State.STARVED, need.store, other))
    return steps


def _waits(lowered: Lowered, component: Component) -> list[Step]:
    return [
        Step(
            Op.WAIT,
            lowered.counter(f"ended:{wait.component}"),
            offset=lowered.stored(wait.firings - 1),
            state=State.WAITING,
            cause="dataflow",
            cause_component=wait.component,
        )
        for wait in component.waits
    ]


def _acquires(lowered: Lowered, component: Component) -> list[Step]:
    """Turn each acquisition into the index of the release that makes room for it: -1 for none, too far for never."""
    description, steps = lowered.description, []
    capacity = {memory.name: memory.capacity_bytes for memory in description.memories}
    components = {each.name: each for each in description.components}
    for acquire in component.acquires:
        releaser = components[description.producer[acquire.memory]]
        released = next(each.size_bytes for each in releaser.releases if each.memory == acquire.memory)
        short_bytes = np.cumsum(acquire.size_bytes) - capacity[acquire.memory]
        index = np.searchsorted(np.cumsum(released[released > 0]), short_bytes)
        # An acquisition of nothing waits for nothing, whatever is held.
        index = np.where((short_bytes <= 0) | (acquire.size_bytes == 0), -1, index)
        counter = lowered.counter(f"released:{acquire.memory}")
        steps.append(
            Step(
                Op.ACQUIRE,
                counter,
                lowered.counter(f"acquired:{acquire.memory}", component.firings),
                offset=lowered.stored(index),
                state=State.BLOCKED,
                cause=acquire.memory,
                cause_component=releaser.name,
            )
        )
    return steps


def _releases(lowered: Lowered, component: Component) -> list[Step]:
    return [
        Step(
            Op.RELEASE,
            adds_to=lowered.counter(f"released:{release.memory}", int((release.size_bytes > 0).sum())),
            offset=lowered.stored(release.size_bytes),
        )
        for release in component.releases
    ]


def _puts(lowered: Lowered, component: Component) -> list[Step]:
    return [Step(Op.PUT, adds_to=lowered.counter(f"put:{put.store}", component.firings)) for put in component.puts]


def _gives(lowered: Lowered, component: Component) -> list[Step]:
    description = lowered.description
    capacity = {queue.name: queue.capacity for queue in description.queues}
    totals: dict[str, int] = {}
    for give in component.gives:
        totals[give.queue] = totals.get(give.queue, 0) + int(give.tokens.sum())
    return [
        Step(
            Op.GIVE,
            lowered.counter(f"taken:{give.queue}"),
            lowered.counter(f"put:{give.queue}", totals[give.queue]),
            lowered.array(give.tokens),
            capacity[give.queue],
            State.BLOCKED,
            give.queue,
            description.consumer[give.queue],
        )
        for give in component.gives
    ]
