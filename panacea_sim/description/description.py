"""The one description of a machine and its work, from which every engine is built.

A description holds components joined by queues, stores, memories and channels, and for each component integer
arrays with one entry for each of its firings. It says nothing about how to run: docs/model.md gives the meaning
of every field, and each engine evaluates the same arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.memory.device import Device
from panacea_sim.units import IntArray

__all__ = [
    "NOTHING",
    "Acquire",
    "Channel",
    "Component",
    "Description",
    "Give",
    "Memory",
    "Need",
    "Port",
    "Put",
    "Queue",
    "Release",
    "Requests",
    "Store",
    "Take",
    "Wait",
    "joined_labels",
    "requested_bytes",
]

NOTHING = -1
"""The index in `Need.index` that stands for no need."""


@dataclass(frozen=True)
class Queue:
    """A bounded first-in first-out queue with one producer and one consumer.

    A token that is given in cycle t can be taken from cycle t + `latency_cycles` on. A slot is free when the
    consumer takes the token.
    """

    name: str
    capacity: int
    latency_cycles: int = 0


@dataclass(frozen=True)
class Store:
    """Tokens that stay and are looked up by index, in the order in which their one producer put them."""

    name: str
    latency_cycles: int = 0


@dataclass(frozen=True)
class Memory:
    """A region limited in bytes, allocated as a ring by one component and released by one component."""

    name: str
    capacity_bytes: int


@dataclass(frozen=True)
class Port:
    """A component's door to the channels: lower `priority` goes first, `outstanding` requests may be in flight."""

    component: str
    priority: int = 0
    outstanding: int = 1


@dataclass(frozen=True)
class Channel:
    """A shared resource: a device that serves the requests of all ports, one decision at a time."""

    name: str
    device: Device


@dataclass(frozen=True, eq=False)
class Take:
    """Firing i takes `tokens[i]` tokens of `queue` together (0: it takes none)."""

    queue: str
    tokens: IntArray


@dataclass(frozen=True, eq=False)
class Need:
    """Firing i needs token `index[i]` of `store` to exist; nothing is consumed (NOTHING: no need)."""

    store: str
    index: IntArray


@dataclass(frozen=True, eq=False)
class Wait:
    """Firing i waits until `component` has ended `firings[i]` firings (0: no dependence)."""

    component: str
    firings: IntArray


@dataclass(frozen=True, eq=False)
class Acquire:
    """Firing i acquires `size_bytes[i]` of `memory`."""

    memory: str
    size_bytes: IntArray


@dataclass(frozen=True, eq=False)
class Release:
    """Firing i releases `size_bytes[i]` of `memory` when its service ends."""

    memory: str
    size_bytes: IntArray


@dataclass(frozen=True)
class Put:
    """Every firing puts one token into `store`; the token of firing i has index i."""

    store: str


@dataclass(frozen=True, eq=False)
class Give:
    """Firing i gives a token to `queue` where `tokens[i]` is 1, and none where it is 0.

    A component that gives several tokens in one firing has a Give for each, which may name the same queue.
    """

    queue: str
    tokens: IntArray


@dataclass(frozen=True, eq=False)
class Requests:
    """What each firing of a DMA stream asks of the channels, in parts.

    Firing i posts the parts `offsets[i]` to `offsets[i + 1]`; a part reads or writes `size_bytes` from `address` of
    channel number `channel`. All parts of a firing are posted in one cycle, and its data is ready when the last
    part is.
    """

    offsets: IntArray
    channel: IntArray
    address: IntArray
    size_bytes: IntArray
    write: IntArray


@dataclass(frozen=True, eq=False)
class Component:
    """A hardware component: it repeats one firing, step by step, `firings` times.

    The steps of a firing are, in this order: `takes` and `needs`, `waits`, `acquires`, then either `service_cycles`
    of private service or `requests` posted to the channels, then `releases`, `puts` and `gives`.

    `operator_steps` is there for a PEA only: it returns the DWO, SWO and CS steps [3, n], in operator-cycles, of n
    firings with these numbers. It is a function because arrays over all firings would outgrow the trace's own memory.
    """

    name: str
    section: str
    firings: int
    service_cycles: IntArray | None = None
    requests: Requests | None = None
    takes: tuple[Take, ...] = ()
    needs: tuple[Need, ...] = ()
    waits: tuple[Wait, ...] = ()
    acquires: tuple[Acquire, ...] = ()
    releases: tuple[Release, ...] = ()
    puts: tuple[Put, ...] = ()
    gives: tuple[Give, ...] = ()
    labels: TileLabels | None = None
    size_bytes: IntArray | None = None
    operator_steps: Callable[[IntArray], IntArray] | None = None

    @property
    def posted(self) -> bool:
        """Whether the component posts requests to channels instead of serving by itself."""
        return self.requests is not None


@dataclass(frozen=True, eq=False)
class Description:
    """A whole machine with its work.

    Raises ConfigError where the parts do not fit together: a name that is used twice or not defined, an array of
    the wrong length, a queue without exactly one producer and one consumer, or a capacity that can never do.
    """

    components: tuple[Component, ...]
    queues: tuple[Queue, ...] = ()
    stores: tuple[Store, ...] = ()
    memories: tuple[Memory, ...] = ()
    channels: tuple[Channel, ...] = ()
    ports: tuple[Port, ...] = ()
    producer: dict[str, str] = field(init=False, default_factory=dict)
    consumer: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the description and fill `producer` and `consumer`.

        Both map the name of a queue, store or memory to a component. The producer of a memory is the component that
        releases space; its consumer acquires it.
        """
        self._check_names()
        for component in self.components:
            _check_lengths(component)
            for queue in dict.fromkeys(give.queue for give in component.gives):
                self._connect(self.producer, queue, component.name, "producer")
            for put in component.puts:
                self._connect(self.producer, put.store, component.name, "producer")
            for release in component.releases:
                self._connect(self.producer, release.memory, component.name, "releaser")
            for take in component.takes:
                self._connect(self.consumer, take.queue, component.name, "consumer")
            for need in component.needs:
                self._connect(self.consumer, need.store, component.name, "consumer")
            for acquire in component.acquires:
                self._connect(self.consumer, acquire.memory, component.name, "acquirer")
        self._check_joins()
        self._check_ports()

    def port_of(self, component: str) -> int:
        """Return the number of the port that belongs to `component`."""
        return next(number for number, port in enumerate(self.ports) if port.component == component)

    def _check_names(self) -> None:
        parts: tuple[_Named, ...] = (*self.components, *self.queues, *self.stores, *self.memories, *self.channels)
        twice = [name for name, count in Counter(part.name for part in parts).items() if count > 1]
        if twice:
            raise ConfigError("machine", f"the name {twice[0]!r} twice", "one name for each part")

    def _connect(self, ends: dict[str, str], name: str, component: str, role: str) -> None:
        if name in ends:
            raise ConfigError(f"machine.{name}", f"{ends[name]} and {component} as {role}", f"one {role}")
        ends[name] = component

    def _check_joins(self) -> None:
        joins: tuple[_Named, ...] = (*self.queues, *self.stores, *self.memories)
        known = {join.name for join in joins}
        for name in (*self.producer, *self.consumer):
            if name not in known:
                raise ConfigError(f"machine.{name}", "no such queue, store or memory", f"one of {sorted(known)}")
        for join in joins:
            if join.name not in self.producer or join.name not in self.consumer:
                raise ConfigError(f"machine.{join.name}", "an end without a component", "one component at each end")
        names = {component.name for component in self.components}
        capacity = {queue.name: queue.capacity for queue in self.queues}
        for component in self.components:
            for take in component.takes:
                _check_capacity(take, capacity[take.queue])
            for wait in component.waits:
                if wait.component not in names:
                    raise ConfigError(f"machine.{component.name}", f"a wait for {wait.component!r}", "a component")

    def _check_ports(self) -> None:
        posting = {component.name for component in self.components if component.posted}
        if Counter(port.component for port in self.ports) != Counter(posting):
            raise ConfigError(
                "machine.ports", sorted(port.component for port in self.ports), f"one port each: {posting}"
            )
        for port in self.ports:
            if port.outstanding < 1:
                raise ConfigError(f"machine.{port.component}.outstanding", port.outstanding, "a whole number >= 1")


def requested_bytes(description: Description, *, write: bool, channel: int | None = None) -> int:
    """Return the bytes that all components ask to read or write, of one channel (by number) or of all."""
    total = 0
    for component in description.components:
        if component.requests is not None:
            wanted = component.requests.write == write
            if channel is not None:
                wanted = wanted & (component.requests.channel == channel)
            total += int(component.requests.size_bytes[wanted].sum())
    return total


def joined_labels(ported: list[Component]) -> tuple[TileLabels, np.ndarray, list[int]]:
    """Return the labels and bytes of all ports' firings one after the other, and where each port's begin."""
    first_firing = [0]
    for component in ported:
        first_firing.append(first_firing[-1] + component.firings)
    labels = [component.labels or TileLabels.none(component.firings) for component in ported]
    joined = TileLabels(
        *(
            np.concatenate([getattr(each, axis) for each in labels] or [np.zeros(0, np.int64)])
            for axis in ("layer", "m", "n", "k")
        )
    )
    sizes = [np.zeros(part.firings, np.int64) if part.size_bytes is None else part.size_bytes for part in ported]
    return joined, np.concatenate([*sizes, np.zeros(0, np.int64)]), first_firing


_Named: TypeAlias = Component | Queue | Store | Memory | Channel


def _check_capacity(take: Take, capacity: int) -> None:
    needed = int(take.tokens.max(initial=1))
    if capacity < needed:
        raise ConfigError(
            f"machine.{take.queue}.capacity",
            capacity,
            f"a whole number >= {needed}",
            f"Its consumer takes {needed} tokens at once.",
        )


def _arrays(component: Component) -> Iterable[tuple[str, IntArray]]:
    yield from ((take.queue, take.tokens) for take in component.takes)
    yield from ((need.store, need.index) for need in component.needs)
    yield from ((wait.component, wait.firings) for wait in component.waits)
    yield from ((acquire.memory, acquire.size_bytes) for acquire in component.acquires)
    yield from ((release.memory, release.size_bytes) for release in component.releases)
    yield from ((give.queue, give.tokens) for give in component.gives)
    if component.service_cycles is not None:
        yield "service_cycles", component.service_cycles
    if component.requests is not None:
        yield "requests", component.requests.offsets[1:]


def _check_lengths(component: Component) -> None:
    if (component.service_cycles is None) == (component.requests is None):
        raise ConfigError(f"machine.{component.name}", "service_cycles and requests", "exactly one of the two")
    for name, array in _arrays(component):
        if len(array) != component.firings:
            raise ConfigError(
                f"machine.{component.name}.{name}", f"{len(array)} entries", f"{component.firings}, one for each firing"
            )
