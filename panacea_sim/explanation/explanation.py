"""What an explanation says: the critical path in groups, limits that were met, root causes of stalls, and chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

__all__ = [
    "AFTER",
    "BEHIND",
    "CLASSES",
    "Chain",
    "Explanation",
    "Limit",
    "LimitKind",
    "PathRow",
    "RootCause",
    "SegmentKind",
    "Terminal",
    "TerminalKind",
    "class_of_group",
    "joined",
]

SegmentKind: TypeAlias = Literal["service", "transfer", "device", "latency"]
"""What a stretch of the critical path is: the service of a component, a transfer on a channel, a reason of a DRAM
device for having no data on its bus, or the latency of a queue, a store or a read.
"""

LimitKind: TypeAlias = Literal["queue", "memory", "slot", "dataflow", "order"]
"""What was full, or had to be waited for, where the critical path goes on at another component without taking time.

A full queue or memory, as many requests in flight as a stream may have, a layer before, or the grant of another stream.
"""

TerminalKind: TypeAlias = Literal["busy", "transfer", "device", "latency"]
"""What is at the end of a chain of stalls: a component that serves, a transfer, a device reason, or a latency."""

CLASSES = ("bandwidth", "latency", "refresh", "row and turnaround")
"""The classes of the critical path beside those of components that serve, which are called "compute of GROUP"."""


AFTER, BEHIND = " after ", " behind "
"""What stands between the two that a dataflow edge, or the order of grants, joins."""


@dataclass(frozen=True)
class PathRow:
    """The cycles of the critical path that belong together, in how many stretches.

    `component` is the group that serves or whose stream transfers, the channel of a device reason, or what has the
    latency: a queue, a store or a channel. `cause` is the operator that a service waited for ("dwo"; empty where the
    machine declares no more than one), the channel of a transfer, the reason of a device, and empty for a latency.
    `members` has the cycles of each member of the group.
    """

    component: str
    kind: SegmentKind
    cause: str
    cycles: int
    stretches: int
    members: Mapping[str, int]

    @property
    def path_class(self) -> str:
        """The class that the cycles count for: one of CLASSES, or "compute of GROUP"."""
        if self.kind == "service":
            return class_of_group(self.component)
        if self.kind == "transfer":
            return "bandwidth"
        if self.cause == "refresh":
            return "refresh"
        return "row and turnaround" if self.cause in {"row", "turnaround"} else "latency"


def class_of_group(group: str) -> str:
    """Return the class of the cycles in which components of a group serve."""
    return f"compute of {group}"


@dataclass(frozen=True)
class Limit:
    """Something that the critical path crosses without taking time: it promises nothing, but a change may gain.

    `name` is the queue or memory, the stream with too few slots, or says who waits for whom ("w_dma after o_dma",
    "w_dma behind o_dma on dram0"). `stalled_cycles` are those for which it was waited for at the `crossings`; the path
    spends the same cycles elsewhere.
    """

    name: str
    kind: LimitKind
    crossings: int
    stalled_cycles: int

    @property
    def who(self) -> str:
        """The group or stream that waits for another one, or the name itself."""
        return self.name.partition(AFTER)[0].partition(BEHIND)[0]


@dataclass(frozen=True)
class Terminal:
    """Where a chain of stalls ends.

    `name` is the component that is busy, the stream whose transfer it is, the channel of a device reason, or what has
    the latency. `cause` is the channel of a transfer and the reason of a device; empty otherwise.
    """

    name: str
    kind: TerminalKind
    cause: str = ""

    def __str__(self) -> str:
        """Return it in words: "decoder busy", "transfer of o_dma on dram0", "refresh of dram0", "latency of q_x"."""
        if self.kind == "busy":
            return f"{self.name} busy"
        if self.kind == "transfer":
            return f"transfer of {self.name} on {self.cause}"
        return f"latency of {self.name}" if self.kind == "latency" else f"{self.cause} of {self.name}"


@dataclass(frozen=True)
class RootCause:
    """The stalled cycles of a component that end at one terminal; those of a component add up to all its stalls."""

    component: str
    terminal: Terminal
    cycles: int


@dataclass(frozen=True)
class Chain:
    """Who waits for whom: groups from the one that stalls, in `state`, to the last before the terminal.

    `members` counts the components of the first group that have waited so, `stalls` their waits, `cycles` all of them
    together. The terminal names a group where it is a busy component.
    """

    groups: tuple[str, ...]
    state: str
    terminal: Terminal
    members: int
    stalls: int
    cycles: int

    def __str__(self) -> str:
        """Return it in words, as "16 pea starved <- dispatcher <- w_decoder <- w_dma behind o_dma on dram0"."""
        first, *others = self.groups
        start = f"{self.members} {first}" if self.members > 1 else first
        text = " <- ".join([f"{start} {self.state}", *others])
        if self.terminal.kind == "busy":
            return f"{text} busy"
        if self.terminal.kind != "transfer":
            return f"{text} <- {self.terminal}"
        if self.terminal.name == self.groups[-1]:
            return f"{text}, transfer on {self.terminal.cause}"
        return f"{text}{BEHIND}{self.terminal.name} on {self.terminal.cause}"


@dataclass(frozen=True)
class Explanation:
    """Why a run took its makespan.

    `path` adds up to the makespan, most cycles first; it is None where only a window was recorded, and then `limits` is
    empty. `root_causes` has the stalls of each component by terminal, in the machine's order, most cycles first;
    `chains` the longest chains over all components, most cycles first. `layers` are the explanations of layers that ran
    alone, by name in order; empty for a run in one simulation. `cycles` are the first and the one after the last that
    are explained.
    """

    cycles: tuple[int, int]
    path: tuple[PathRow, ...] | None
    limits: tuple[Limit, ...]
    root_causes: tuple[RootCause, ...]
    chains: tuple[Chain, ...]
    layers: tuple[tuple[str, Explanation], ...] = ()

    @property
    def makespan_cycles(self) -> int:
        """How many cycles are explained."""
        return self.cycles[1] - self.cycles[0]

    @property
    def classes(self) -> dict[str, int]:
        """The cycles of the critical path by class, most first; raises ValueError without a path."""
        if self.path is None:
            raise ValueError("a window has no critical path")
        sums: dict[str, int] = {}
        for row in self.path:
            sums[row.path_class] = sums.get(row.path_class, 0) + row.cycles
        return dict(sorted(sums.items(), key=lambda each: (-each[1], each[0])))

    @property
    def bound(self) -> str | None:
        """The class with most cycles on the critical path; None without a path, or without a cycle."""
        return next(iter(self.classes), None) if self.path is not None else None


MOST_CHAINS = 32
"""How many chains are kept."""


def joined(layers: Sequence[tuple[str, Explanation]]) -> Explanation:
    """Return the explanation of layers that ran alone, one behind the other: everything added up.

    A component that some layers do without stands where the largest machine has it.
    """
    parts = [part for _, part in layers]
    paths = [part.path for part in parts]
    end = sum(part.makespan_cycles for part in parts)
    return Explanation(
        (0, end),
        None if None in paths else _joined_path([row for path in paths for row in path or ()]),
        _joined_limits([limit for part in parts for limit in part.limits]),
        _joined_causes([part.root_causes for part in parts]),
        joined_chains([chain for part in parts for chain in part.chains]),
        tuple(layers),
    )


def _joined_path(rows: Sequence[PathRow]) -> tuple[PathRow, ...]:
    known: dict[tuple[str, str, str], PathRow] = {}
    for row in rows:
        key = row.component, row.kind, row.cause
        if key in known:
            members = dict(known[key].members)
            for member, cycles in row.members.items():
                members[member] = members.get(member, 0) + cycles
            row = replace(  # noqa: PLW2901  # the row so far
                row,
                cycles=row.cycles + known[key].cycles,
                stretches=row.stretches + known[key].stretches,
                members=members,
            )
        known[key] = row
    return tuple(sorted(known.values(), key=lambda row: (-row.cycles, row.component, row.kind, row.cause)))


def _joined_limits(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    known: dict[tuple[str, str], Limit] = {}
    for limit in limits:
        before = known.get((limit.name, limit.kind), Limit(limit.name, limit.kind, 0, 0))
        known[limit.name, limit.kind] = replace(
            limit,
            crossings=before.crossings + limit.crossings,
            stalled_cycles=before.stalled_cycles + limit.stalled_cycles,
        )
    return tuple(sorted(known.values(), key=lambda limit: (-limit.stalled_cycles, limit.name, limit.kind)))


def _joined_causes(of_layers: Sequence[Sequence[RootCause]]) -> tuple[RootCause, ...]:
    sums: dict[str, dict[Terminal, int]] = {}
    for causes in sorted(of_layers, key=lambda causes: -len({cause.component for cause in causes})):
        for cause in causes:
            mine = sums.setdefault(cause.component, {})
            mine[cause.terminal] = mine.get(cause.terminal, 0) + cause.cycles
    return tuple(
        RootCause(component, terminal, cycles)
        for component, mine in sums.items()
        for terminal, cycles in sorted(mine.items(), key=lambda each: (-each[1], str(each[0])))
    )


def joined_chains(chains: Sequence[Chain]) -> tuple[Chain, ...]:
    """Return the longest of these chains, equal ones added up."""
    known: dict[tuple[object, ...], Chain] = {}
    for chain in chains:
        key = chain.groups, chain.state, chain.terminal
        before = known.get(key, replace(chain, members=0, stalls=0, cycles=0))
        known[key] = replace(
            chain,
            members=max(before.members, chain.members),
            stalls=before.stalls + chain.stalls,
            cycles=before.cycles + chain.cycles,
        )
    longest = sorted(known.values(), key=lambda chain: (-chain.cycles, chain.groups, chain.state, str(chain.terminal)))
    return tuple(longest[:MOST_CHAINS])
