"""What explanations of runs add to a comparison: critical paths, limits that they cross, root causes of stalls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from panacea_sim.analysis.comparison.naming import Naming
from panacea_sim.analysis.comparison.rows import Figures, Key

__all__ = ["Explained", "classes", "critical_path", "limits", "root_causes"]


class _PathRow(Protocol):
    """Cycles of the critical path that belong together."""

    @property
    def component(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def cycles(self) -> int: ...


class _Limit(Protocol):
    """What the critical path crosses without taking time."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def stalled_cycles(self) -> int: ...


class _RootCause(Protocol):
    """The stalled cycles of a component that end at a terminal, which says in words what it is."""

    @property
    def component(self) -> str: ...
    @property
    def terminal(self) -> object: ...
    @property
    def cycles(self) -> int: ...


class Explained(Protocol):
    """What a comparison takes of the explanation of a run."""

    @property
    def path(self) -> Sequence[_PathRow] | None:
        """The cycles of the critical path in groups, which add up to the makespan; None for a window."""

    @property
    def classes(self) -> Mapping[str, int]:
        """The cycles of the critical path by class; asked for only where there is a path."""

    @property
    def limits(self) -> Sequence[_Limit]:
        """What the path crosses."""

    @property
    def root_causes(self) -> Sequence[_RootCause]:
        """The stalls of each component by terminal."""


def critical_path(explained: Explained | None, naming: Naming) -> Figures | None:
    """Return the cycles of (component, kind, cause) on the critical path; None without a path."""
    if explained is None or explained.path is None:
        return None
    sums: Counter[Key] = Counter()
    for row in explained.path:
        sums[_named(row.component, naming), row.kind, _named(row.cause, naming)] += row.cycles
    return sums


def classes(explained: Explained | None) -> Figures | None:
    """Return the cycles of the critical path by class; None without a path."""
    if explained is None or explained.path is None:
        return None
    return {(name,): cycles for name, cycles in explained.classes.items()}


def limits(explained: Explained | None, naming: Naming) -> Figures | None:
    """Return the cycles stalled at (name, kind) of what the critical path crosses; None without a path."""
    if explained is None or explained.path is None:
        return None
    sums: Counter[Key] = Counter()
    for limit in explained.limits:
        sums[_named(limit.name, naming), limit.kind] += limit.stalled_cycles
    return sums


def root_causes(explained: Explained | None, naming: Naming) -> Figures | None:
    """Return the stalled cycles of (group, terminal), sums over the group's members; None without an explanation."""
    if explained is None:
        return None
    sums: Counter[Key] = Counter()
    for cause in explained.root_causes:
        sums[naming.group_of[cause.component], _named(str(cause.terminal), naming)] += cause.cycles
    return sums


def _named(text: str, naming: Naming) -> str:
    """Return a text in which every component, queue and channel has the name that it has in all runs."""
    return " ".join(naming.cause(word) for word in text.split(" "))
