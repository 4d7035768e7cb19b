"""What bounds a run, in figures: the class of the critical path with most cycles, and the part that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from panacea_sim.explanation.explanation import Explanation, PathRow, class_of_group
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import Summary

__all__ = ["Bound", "bound_of", "member_alone", "operator_shares"]

_TWICE = 2
_HALF = 0.5


@dataclass(frozen=True)
class Bound:
    """The class that has most of the critical path, and how far the run is from it.

    `busiest` is the busiest channel of the class bandwidth, or member of a group that computes, and `busy_cycles` are
    what it needs at least; None for latency, refresh, rows and turnarounds, which are no work.
    """

    path_class: str
    path_cycles: int
    makespan_cycles: int
    busiest: str | None
    busy_cycles: int | None

    @property
    def share(self) -> float:
        """The share of the critical path."""
        return self.path_cycles / self.makespan_cycles

    @property
    def distance(self) -> float | None:
        """By what share the run is longer than what the busiest part needs."""
        return None if not self.busy_cycles else self.makespan_cycles / self.busy_cycles - 1


def bound_of(classes: Mapping[str, int] | None, summary: Summary) -> Bound | None:
    """Return what bounds a run with these cycles of the critical path by class, most first; None without a path."""
    if not classes:
        return None
    name, cycles = next(iter(classes.items()))
    parts = {class_of_group(group): members for group, members in summary.machine.groups.items()}
    parts["bandwidth"] = summary.machine.channels
    busy = {part: summary.components[part][State.BUSY] for part in parts.get(name, ())}
    busiest = max(busy, key=lambda part: busy[part], default=None)
    return Bound(name, cycles, sum(classes.values()), busiest, None if busiest is None else busy[busiest])


def member_alone(row: PathRow, summary: Summary) -> str | None:
    """Return the member with over half of a group's cycles on the path that is busy for twice the mean, or None.

    A group of one has none: its name says it.
    """
    members = summary.machine.groups.get(row.component, ())
    if len(members) <= 1 or row.kind != "service":
        return None
    mean = sum(summary.components[each][State.BUSY] for each in members) / len(members)
    name = max(row.members, key=lambda each: row.members[each])
    is_alone = row.members[name] > _HALF * row.cycles and summary.components[name][State.BUSY] >= _TWICE * mean
    return name if is_alone else None


def operator_shares(explanation: Explanation) -> dict[str, dict[str, float]]:
    """Return for each group on the path which operators its services waited for, as shares of them, most first."""
    sums: dict[str, dict[str, int]] = {}
    for row in explanation.path or ():
        if row.kind == "service" and row.cause:
            mine = sums.setdefault(row.component, {})
            mine[row.cause] = mine.get(row.cause, 0) + row.cycles
    return {
        group: {cause: cycles / sum(mine.values()) for cause, cycles in sorted(mine.items(), key=lambda each: -each[1])}
        for group, mine in sums.items()
    }
