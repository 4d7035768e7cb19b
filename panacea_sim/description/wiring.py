"""How the parts of a machine are joined: everything that a description says apart from its work, and the checks of it.

Layers of one machine have equal wirings. An equal wiring is the same object, so that what follows from it (who is at
the other end of a queue, what readers are told, how an engine evaluates it) is found once and kept with it. Devices
behind the channels are no part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, TypeAlias

from panacea_sim.description.parts import Memory, Port, Queue, Store
from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["PartWiring", "Role", "Wiring", "wiring_of"]

Role = Literal["fetch", "codec", "issue", "compute", "accumulate", "post_process", "spill", "write_back", "pass"]
"""What a component is for. Layers begin with the first `fetch` and end with the last `write_back`; tile groups begin
with the firings of `issue`. The other roles are for readers.
"""


class PartWiring(NamedTuple):
    """What a component is and which names its steps touch, step by step; `actions` are (name, most in a cycle).

    `posted` says that it posts requests to the channels, `costs` which columns of the trace operations follow.
    """

    name: str
    section: str
    group: str
    role: Role
    posted: bool
    takes: tuple[str, ...]
    needs: tuple[str, ...]
    waits: tuple[str, ...]
    acquires: tuple[str, ...]
    releases: tuple[str, ...]
    puts: tuple[str, ...]
    gives: tuple[str, ...]
    actions: tuple[tuple[str, int], ...]
    costs: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def queues_given(self) -> Iterable[str]:
        """The queues that the component gives to, each once."""
        return dict.fromkeys(self.gives)

    def touched(self) -> Iterator[tuple[str, str]]:
        """Return the kind and the name of each queue, store and memory that the steps name."""
        yield from (("queue", name) for name in (*self.takes, *self.queues_given))
        yield from (("store", name) for name in (*self.needs, *self.puts))
        yield from (("memory", name) for name in (*self.acquires, *self.releases))


_Named: TypeAlias = PartWiring | Queue | Store | Memory

_ENDS = {
    "queue": ("gives to", "takes from"),
    "store": ("puts into", "needs anything of"),
    "memory": ("releases space of", "acquires space of"),
}
"""What the producer and the consumer of each kind do."""


@dataclass(frozen=True, eq=False)
class Wiring:
    """The parts of a machine and what joins them; make one with `wiring_of`.

    `producer` and `consumer` map the name of a queue, store or memory to a component. The producer of a memory is the
    component that releases space; its consumer acquires it. Raises ConfigError where the parts do not fit together: a
    name that is used twice or not defined, or a queue without exactly one producer and one consumer.
    """

    parts: tuple[PartWiring, ...]
    queues: tuple[Queue, ...]
    stores: tuple[Store, ...]
    memories: tuple[Memory, ...]
    channels: tuple[str, ...]
    ports: tuple[Port, ...]
    producer: dict[str, str] = field(init=False, default_factory=dict)
    consumer: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Check the parts, and fill `producer` and `consumer`."""
        self._check_names()
        self._check_steps()
        for part in self.parts:
            for name in (*part.queues_given, *part.puts):
                self._connect(self.producer, name, part.name, "producer")
            for name in part.releases:
                self._connect(self.producer, name, part.name, "releaser")
            for name in (*part.takes, *part.needs):
                self._connect(self.consumer, name, part.name, "consumer")
            for name in part.acquires:
                self._connect(self.consumer, name, part.name, "acquirer")
        for kind, names in self._joins.items():
            for name in names:
                self._check_ends(kind, name)
        self._check_waits()
        self._check_ports()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the components."""
        return tuple(part.name for part in self.parts)

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each component, by its name."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def port_of(self) -> dict[str, int]:
        """The number of the port of each component that has one."""
        return {port.component: number for number, port in enumerate(self.ports)}

    @cached_property
    def _joins(self) -> dict[str, dict[str, None]]:
        """The names of the queues, stores and memories, in order."""
        parts: dict[str, Sequence[_Named]] = {"queue": self.queues, "store": self.stores, "memory": self.memories}
        return {kind: dict.fromkeys(part.name for part in those) for kind, those in parts.items()}

    def _check_names(self) -> None:
        parts: tuple[_Named, ...] = (*self.parts, *self.queues, *self.stores, *self.memories)
        names = Counter((*(part.name for part in parts), *self.channels))
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ConfigError("machine", f"the name {twice[0]!r} twice", "one name for each part")

    def _check_steps(self) -> None:
        """Check that what the steps of the components name is there, and of the right kind."""
        for part in self.parts:
            for kind, name in part.touched():
                if name not in self._joins[kind]:
                    known = ", ".join(self._joins[kind])
                    accepted = f"one of {known}" if known else f"no {kind}: the machine has none"
                    hint = nearest_name(name, self._joins[kind]) or f"Add the {kind} to the description"
                    found = f"the {kind} {name!r}, of which there is none"
                    raise ConfigError(f"machine.{part.name}", found, accepted, hint)

    def _connect(self, ends: dict[str, str], name: str, component: str, role: str) -> None:
        if name in ends:
            raise ConfigError(f"machine.{name}", f"{ends[name]} and {component} as {role}", f"one {role}")
        ends[name] = component

    def _check_ends(self, kind: str, name: str) -> None:
        fills, empties = _ENDS[kind]
        for ends, others, missing in ((self.producer, self.consumer, fills), (self.consumer, self.producer, empties)):
            if name not in ends:
                other = f", only {others[name]} at its other end" if name in others else ", and none at its other end"
                hint = f"Let a component do so, or leave the {kind} out"
                raise ConfigError(
                    f"machine.{name}", f"a {kind} that no component {missing}{other}", "one at each end", hint
                )

    def _check_waits(self) -> None:
        for part in self.parts:
            for awaited in part.waits:
                if awaited not in self.number:
                    raise ConfigError(f"machine.{part.name}", f"a wait for {awaited!r}", "a component")

    def _check_ports(self) -> None:
        posting = [part.name for part in self.parts if part.posted]
        if Counter(port.component for port in self.ports) != Counter(posting):
            found = ", ".join(sorted(port.component for port in self.ports)) or "none"
            accepted = f"one for each component with requests: {', '.join(sorted(posting)) or 'none'}"
            raise ConfigError("machine.ports", found, accepted)
        for port in self.ports:
            if port.outstanding < 1:
                raise ConfigError(f"machine.{port.component}.outstanding", port.outstanding, "a whole number >= 1")


@lru_cache(maxsize=64)
def wiring_of(
    parts: tuple[PartWiring, ...],
    queues: tuple[Queue, ...],
    stores: tuple[Store, ...],
    memories: tuple[Memory, ...],
    channels: tuple[str, ...],
    ports: tuple[Port, ...],
) -> Wiring:
    """Return the wiring of these parts, the same object for equal ones; raises ConfigError as Wiring does."""
    return Wiring(parts, queues, stores, memories, channels, ports)
