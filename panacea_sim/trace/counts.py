"""What components did how often: counts added up over runs, and over the members of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from panacea_sim.description.topology import Topology

__all__ = ["Counts", "counts_by_group", "summed_counts"]

Counts: TypeAlias = dict[str, dict[str, int]]
"""Component, or group of components, to what it did to how often."""


def counts_by_group(counts: Mapping[str, Mapping[str, int]], topology: Topology) -> Counts:
    """Return what the members of each group did, added up."""
    group_of = topology.group_of
    return summed_counts([{group_of[name]: of_component} for name, of_component in counts.items()])


def summed_counts(parts: Sequence[Mapping[str, Mapping[str, int]]]) -> Counts:
    """Return everything of the same name in the same component added up, in the order of the largest part."""
    sums: Counts = {}
    for part in sorted(parts, key=len, reverse=True):
        for name, of_component in part.items():
            mine = sums.setdefault(name, {})
            for what, count in of_component.items():
                mine[what] = mine.get(what, 0) + count
    return sums
