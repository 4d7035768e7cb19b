"""What a lowered description looks like, apart from its arrays: actors, steps and counters, found once for a wiring.

A counter is a growing list of times with one writer: tokens put into or taken from a queue, tokens of a store, releases
of a memory, firings ended, requests posted. A step waits for an event of a counter, adds one, or serves. A private
component is one actor; a DMA stream is two, one that posts requests and one that takes their data. The lanes of a
group (lanes.py) are one actor together, and share counters whose events hold one time for each lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

from panacea_sim.description.parts import Queue
from panacea_sim.description.wiring import PartWiring, Wiring
from panacea_sim.engines.compiled.lanes import LaneGroup
from panacea_sim.trace.schema import DATAFLOW, State

__all__ = ["ActorShape", "Counter", "LoweredStep", "Op", "Source", "Structure", "structure_of"]


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


class Source(NamedTuple):
    """Where numbers of a description stand: step `place` of those that do `op`, of a component (by number)."""

    op: Op
    component: int
    place: int = 0


@dataclass(frozen=True)
class LoweredStep:
    """A step: the counter that it waits for, the one that it adds to, latency or capacity, its stalls and its numbers.

    `causes` has a cause with the component at its other end for each lane; no causes, no stall. A step without `source`
    does the same in every firing.
    """

    op: Op
    waits_for: int = -1
    adds_to: int = -1
    amount: int = 0
    state: State = State.BUSY
    causes: tuple[tuple[str, str], ...] = ()
    fan: int = 1
    source: Source | None = None


class ActorShape(NamedTuple):
    """One of the actors: its component (by number, the first one of its lanes) and its steps."""

    component: int
    steps: tuple[LoweredStep, ...]
    lanes: int = 1


@dataclass
class Counter:
    """A counter: its lanes, the actors that wait for it, and whether its times are wanted.

    Its events are as many as the numbers at `sized_by` say. The counters of a queue have its `capacity` and name the
    one at the `other_end`.
    """

    lanes: int = 1
    wakes: set[int] = field(default_factory=set)
    kept: bool = True
    capacity: int = 0
    other_end: int = -1
    sized_by: tuple[Source, ...] = ()


@dataclass(eq=False)
class Structure:
    """The structure of all descriptions with one wiring whose lanes are those of `lane_groups`.

    `places` maps names such as "put:QUEUE" to the number of a counter and the lane in it.
    """

    wiring: Wiring
    keep_times: frozenset[str]
    lane_groups: tuple[LaneGroup, ...]
    actors: list[ActorShape] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    lanes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def steps(self) -> list[LoweredStep]:
        """The steps of all actors, one behind the other."""
        return [step for actor in self.actors for step in actor.steps]

    @cached_property
    def posts(self) -> list[bool]:
        """Which actors post requests."""
        return [any(step.op is Op.POST for step in actor.steps) for actor in self.actors]

    @cached_property
    def slots(self) -> list[tuple[int, State, str, str]]:
        """The stalls of all steps: number of the component that stands, state, cause and the other end."""
        return [
            (actor.component + (lane if actor.lanes > 1 else 0), step.state, cause, other)
            for actor in self.actors
            for step in actor.steps
            for lane, (cause, other) in enumerate(step.causes)
        ]

    @cached_property
    def actor_of(self) -> dict[int, tuple[int, int]]:
        """The actor of each component and its lane in it; a stream's is the one that posts, which comes first."""
        return {
            actor.component + lane: (number, lane)
            for number, actor in reversed(list(enumerate(self.actors)))
            for lane in range(actor.lanes)
        }

    def counter(self, name: str, *sized_by: Source) -> int:
        """Return the number of a counter, new or known; the actor that writes it says what gives its size."""
        if name not in self.places:
            what, _, whose = name.partition(":")
            lanes = self.lanes.get(whose, (whose,))
            for lane, each in enumerate(lanes):
                self.places[f"{what}:{each}"] = len(self.counters), lane
            self.counters.append(Counter(lanes=len(lanes)))
        number, _ = self.places[name]
        if sized_by:
            self.counters[number].sized_by = sized_by
        return number

    def fan(self, name: str) -> int:
        """Return the number of lanes beside a queue or component, itself included."""
        return len(self.lanes.get(name, (name,)))

    def is_lane_behind_first(self, name: str) -> bool:
        """Return whether the step of another lane stands for that of this queue or component as well."""
        return self.lanes.get(name, (name,))[0] != name


@lru_cache(maxsize=64)
def structure_of(wiring: Wiring, keep_times: frozenset[str], lane_groups: tuple[LaneGroup, ...]) -> Structure:
    """Return the structure; the components in `keep_times` get a counter "started:NAME"."""
    made = Structure(wiring, keep_times, lane_groups)
    for group in lane_groups:
        for names in (group.inputs, group.outputs, wiring.names[group.first : group.first + group.lanes]):
            made.lanes |= dict.fromkeys(names, names)
    for number, part in enumerate(wiring.parts):
        if not made.is_lane_behind_first(part.name):
            made.actors += _actors(made, number, part)
    for number, actor in enumerate(made.actors):
        for step in actor.steps:
            if step.waits_for >= 0:
                made.counters[step.waits_for].wakes.add(number)
    for name, (number, _) in made.places.items():
        what, _, component_name = name.partition(":")
        counter = made.counters[number]
        counter.kept = what != "posted" and (what != "ended" or bool(counter.wakes) or component_name in keep_times)
    for queue in wiring.queues:
        _join_ends(made, queue)
    return made


def _join_ends(made: Structure, queue: Queue) -> None:
    """Tell the counters of a queue of each other."""
    ends = [made.places[f"{what}:{queue.name}"][0] for what in ("put", "taken")]
    for mine, other in (ends, reversed(ends)):
        made.counters[mine].capacity, made.counters[mine].other_end = queue.capacity, other


def _actors(made: Structure, number: int, part: PartWiring) -> Iterator[ActorShape]:
    """Return the actors of a component, or of all lanes of which it is the first."""
    firings, lanes = Source(Op.END, number), made.fan(part.name)
    before = (*_inputs(made, number, part), *_waits(made, number, part), *_acquires(made, number, part))
    after = (*_releases(made, number, part), *_puts(made, part, firings), *_gives(made, number, part))
    end = LoweredStep(Op.END, adds_to=made.counter(f"ended:{part.name}", firings), fan=lanes)
    started = made.counter(f"started:{part.name}", firings) if part.name in made.keep_times else -1
    if not part.posted:
        serve = LoweredStep(Op.SERVE, adds_to=started, fan=lanes, source=Source(Op.SERVE, number))
        yield ActorShape(number, (*before, serve, *after, end), lanes)
        return
    posted = made.counter(f"posted:{part.name}", firings)
    outstanding = made.wiring.ports[made.wiring.port_of[part.name]].outstanding
    post = LoweredStep(Op.POST, end.adds_to, posted, amount=outstanding)
    yield ActorShape(number, (*before, post))
    yield ActorShape(number, (LoweredStep(Op.READY, posted, started), *after, end))


def _inputs(made: Structure, number: int, part: PartWiring) -> list[LoweredStep]:
    steps = []
    latency = {queue.name: queue.latency_cycles for queue in made.wiring.queues}
    latency |= {store.name: store.latency_cycles for store in made.wiring.stores}
    for place, queue in enumerate(part.takes):
        if made.is_lane_behind_first(queue):
            continue
        source = Source(Op.TAKE, number, place)
        put, taken = made.counter(f"put:{queue}"), made.counter(f"taken:{queue}", source)
        causes = _causes(made, queue, made.wiring.producer)
        fan = made.fan(queue)
        steps.append(LoweredStep(Op.TAKE, put, taken, latency[queue], State.STARVED, causes, fan, source))
    for place, store in enumerate(part.needs):
        put, causes = made.counter(f"put:{store}"), _causes(made, store, made.wiring.producer)
        source = Source(Op.NEED, number, place)
        steps.append(LoweredStep(Op.NEED, put, -1, latency[store], State.STARVED, causes, source=source))
    return steps


def _waits(made: Structure, number: int, part: PartWiring) -> list[LoweredStep]:
    return [
        LoweredStep(
            Op.WAIT,
            made.counter(f"ended:{awaited}"),
            state=State.WAITING,
            causes=((DATAFLOW, awaited),),
            source=Source(Op.WAIT, number, place),
        )
        for place, awaited in enumerate(part.waits)
    ]


def _acquires(made: Structure, number: int, part: PartWiring) -> list[LoweredStep]:
    return [
        LoweredStep(
            Op.ACQUIRE,
            made.counter(f"released:{memory}"),
            made.counter(f"acquired:{memory}", Source(Op.END, number)),
            state=State.BLOCKED,
            causes=((memory, made.wiring.producer[memory]),),
            source=Source(Op.ACQUIRE, number, place),
        )
        for place, memory in enumerate(part.acquires)
    ]


def _releases(made: Structure, number: int, part: PartWiring) -> list[LoweredStep]:
    sources = [Source(Op.RELEASE, number, place) for place in range(len(part.releases))]
    return [
        LoweredStep(Op.RELEASE, adds_to=made.counter(f"released:{memory}", source), source=source)
        for memory, source in zip(part.releases, sources, strict=True)
    ]


def _puts(made: Structure, part: PartWiring, firings: Source) -> list[LoweredStep]:
    return [LoweredStep(Op.PUT, adds_to=made.counter(f"put:{store}", firings)) for store in part.puts]


def _gives(made: Structure, number: int, part: PartWiring) -> list[LoweredStep]:
    capacity = {queue.name: queue.capacity for queue in made.wiring.queues}
    sources: dict[str, list[Source]] = {}
    for place, queue in enumerate(part.gives):
        sources.setdefault(queue, []).append(Source(Op.GIVE, number, place))
    return [
        LoweredStep(
            Op.GIVE,
            made.counter(f"taken:{queue}"),
            made.counter(f"put:{queue}", *sources[queue]),
            capacity[queue],
            State.BLOCKED,
            _causes(made, queue, made.wiring.consumer),
            made.fan(queue),
            Source(Op.GIVE, number, place),
        )
        for place, queue in enumerate(part.gives)
        if not made.is_lane_behind_first(queue)
    ]


def _causes(made: Structure, name: str, other_end: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((each, other_end[each]) for each in made.lanes.get(name, (name,)))
