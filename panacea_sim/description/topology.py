"""The topology of a machine: which components there are, what they are for, and what joins them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import takewhile
from typing import Literal

from panacea_sim.description.component import Role
from panacea_sim.description.description import Description
from panacea_sim.description.wiring import Wiring

__all__ = ["Joint", "Place", "Topology", "topology_of"]

CHANNEL_SECTION = "memory"
"""Where people look for a channel."""


@dataclass(frozen=True)
class Place:
    """A component as readers of a run know it; `actions` are what it counts, and how often it can do that in a cycle.

    0 stands for no limit. `costs` says of each elementary operation of its firings which columns of activities.parquet,
    added up, it is in proportion to; runs of earlier versions do not tell.
    """

    name: str
    group: str
    role: Role
    section: str
    actions: Mapping[str, int]
    costs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Joint:
    """A queue, store or memory between two components; the producer of a memory releases its space.

    A token of a queue or store can be taken `latency_cycles` after it is there.
    """

    name: str
    kind: Literal["queue", "store", "memory"]
    producer: str
    consumer: str
    latency_cycles: int = 0


@dataclass(frozen=True)
class Topology:
    """The components in the machine's order, what joins them, and the channels."""

    components: tuple[Place, ...]
    joints: tuple[Joint, ...]
    channels: tuple[str, ...]

    @property
    def sections(self) -> dict[str, str]:
        """The section of each component and channel."""
        sections = {part.name: part.section for part in self.components}
        return sections | dict.fromkeys(self.channels, CHANNEL_SECTION)

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The members of each group, both in the machine's order."""
        members: dict[str, list[str]] = {}
        for part in self.components:
            members.setdefault(part.group, []).append(part.name)
        return {group: tuple(names) for group, names in members.items()}

    @cached_property
    def group_of(self) -> dict[str, str]:
        """The group of each component."""
        return {part.name: part.group for part in self.components}

    @cached_property
    def computing(self) -> tuple[str, ...]:
        """The components that compute."""
        return tuple(part.name for part in self.components if part.role == "compute")

    @property
    def per_cycle(self) -> dict[str, int]:
        """How often all components together can do each action in a cycle, where that is limited."""
        counts: dict[str, int] = {}
        for part in self.components:
            for action, count in part.actions.items():
                if count:
                    counts[action] = counts.get(action, 0) + count
        return counts

    @cached_property
    def short_names(self) -> dict[str, str]:
        """One name for all members of a group of several, and for all queues that join two groups: "pea*", "q_sum*"."""
        return {name: short for names in self._alike() for short in [_short(names)] for name in names}

    def _alike(self) -> Iterator[Sequence[str]]:
        several = {group: names for group, names in self.groups.items() if len(names) > 1}
        yield from several.values()
        group_of = self.group_of
        between: dict[tuple[str, str, str], list[str]] = {}
        for joint in self.joints:
            ends = group_of[joint.producer], group_of[joint.consumer]
            if not several.keys().isdisjoint(ends):
                between.setdefault((joint.kind, *ends), []).append(joint.name)
        yield from between.values()


def topology_of(description: Description) -> Topology:
    """Return the topology of a described machine; layers of one machine share it."""
    return _topology(description.wiring)


@lru_cache(maxsize=64)
def _topology(wiring: Wiring) -> Topology:
    kinds: dict[str, Literal["queue", "store", "memory"]] = {
        **{queue.name: "queue" for queue in wiring.queues},
        **{store.name: "store" for store in wiring.stores},
        **{memory.name: "memory" for memory in wiring.memories},
    }
    latency = {queue.name: queue.latency_cycles for queue in wiring.queues}
    latency |= {store.name: store.latency_cycles for store in wiring.stores}
    return Topology(
        tuple(
            Place(part.name, part.group, part.role, part.section, dict(part.actions), dict(part.costs))
            for part in wiring.parts
        ),
        tuple(
            Joint(name, kind, wiring.producer[name], wiring.consumer[name], latency.get(name, 0))
            for name, kind in kinds.items()
        ),
        wiring.channels,
    )


def _short(names: Sequence[str]) -> str:
    """Return what names have in common, with a star; without that the first and the number of others."""
    prefix = "".join(letters[0] for letters in takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False)))
    return f"{prefix}*" if prefix else f"{names[0]} +{len(names) - 1}"
