"""The one description of a machine and its work, from which every engine is built.

A description holds components joined by queues, stores, memories and channels, and for each component integer
arrays with one entry for each of its firings. It says nothing about how to run: docs/model.md gives the meaning
of every field, and each engine evaluates the same arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.parts import Channel, Memory, Port, Queue, Store
from panacea_sim.description.steps import Take
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.units import IntArray

__all__ = ["Description", "joined_labels", "requested_bytes"]


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
        self._check_steps()
        for component in self.components:
            _check_lengths(component)
            for queue in _given(component):
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

    def _joins(self) -> dict[str, dict[str, None]]:
        """Return the names of the queues, stores and memories, in order."""
        parts: dict[str, Sequence[_Named]] = {"queue": self.queues, "store": self.stores, "memory": self.memories}
        return {kind: dict.fromkeys(part.name for part in those) for kind, those in parts.items()}

    def _check_steps(self) -> None:
        """Check that what the steps of the components name is there, and of the right kind."""
        joins = self._joins()
        for component in self.components:
            for kind, name in _touched(component):
                if name not in joins[kind]:
                    known = ", ".join(joins[kind])
                    accepted = f"one of {known}" if known else f"no {kind}: the machine has none"
                    hint = nearest_name(name, joins[kind]) or f"Add the {kind} to the description"
                    found = f"the {kind} {name!r}, of which there is none"
                    raise ConfigError(f"machine.{component.name}", found, accepted, hint)

    def _connect(self, ends: dict[str, str], name: str, component: str, role: str) -> None:
        if name in ends:
            raise ConfigError(f"machine.{name}", f"{ends[name]} and {component} as {role}", f"one {role}")
        ends[name] = component

    def _check_joins(self) -> None:
        for kind, names_of_kind in self._joins().items():
            for name in names_of_kind:
                self._check_ends(kind, name)
        names = {component.name for component in self.components}
        capacity = {queue.name: queue.capacity for queue in self.queues}
        for component in self.components:
            for take in component.takes:
                _check_capacity(take, capacity[take.queue])
            for wait in component.waits:
                if wait.component not in names:
                    raise ConfigError(f"machine.{component.name}", f"a wait for {wait.component!r}", "a component")

    def _check_ends(self, kind: str, name: str) -> None:
        fills, empties = _ENDS[kind]
        for ends, others, missing in ((self.producer, self.consumer, fills), (self.consumer, self.producer, empties)):
            if name not in ends:
                other = f", only {others[name]} at its other end" if name in others else ", and none at its other end"
                hint = f"Let a component do so, or leave the {kind} out"
                raise ConfigError(
                    f"machine.{name}", f"a {kind} that no component {missing}{other}", "one at each end", hint
                )

    def _check_ports(self) -> None:
        posting = {component.name for component in self.components if component.posted}
        if Counter(port.component for port in self.ports) != Counter(posting):
            found = ", ".join(sorted(port.component for port in self.ports)) or "none"
            accepted = f"one for each component with requests: {', '.join(sorted(posting)) or 'none'}"
            raise ConfigError("machine.ports", found, accepted)
        for port in self.ports:
            if port.outstanding < 1:
                raise ConfigError(f"machine.{port.component}.outstanding", port.outstanding, "a whole number >= 1")


def requested_bytes(description: Description, *, write: bool, channel: int | None = None) -> int:
    """Return the bytes that all components ask to read or write, of one channel (by number) or of all."""
    total = 0
    for component in description.components:
        if component.requests is not None:
            of_channel = component.requests.moved_bytes(len(description.channels))[:, int(write)]
            total += int(of_channel.sum() if channel is None else of_channel[channel])
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


_ENDS = {
    "queue": ("gives to", "takes from"),
    "store": ("puts into", "needs anything of"),
    "memory": ("releases space of", "acquires space of"),
}
"""What the producer and the consumer of each kind do."""


def _touched(component: Component) -> Iterator[tuple[str, str]]:
    """Return the kind and the name of each queue, store and memory that the steps of a component name."""
    yield from (("queue", name) for name in (*(take.queue for take in component.takes), *_given(component)))
    yield from (("store", need.store) for need in component.needs)
    yield from (("store", put.store) for put in component.puts)
    yield from (("memory", acquire.memory) for acquire in component.acquires)
    yield from (("memory", release.memory) for release in component.releases)


def _given(component: Component) -> Iterable[str]:
    """Return the queues that a component gives to, each once."""
    return dict.fromkeys(give.queue for give in component.gives)


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


def _check_lengths(component: Component) -> None:
    if (component.service_cycles is None) == (component.requests is None):
        raise ConfigError(f"machine.{component.name}", "service_cycles and requests", "exactly one of the two")
    lengths = [(name, len(array)) for name, array in _arrays(component)]
    if component.requests is not None:
        lengths.append(("requests", component.requests.firings))
    for name, length in lengths:
        if length != component.firings:
            raise ConfigError(
                f"machine.{component.name}.{name}", f"{length} entries", f"{component.firings}, one for each firing"
            )
