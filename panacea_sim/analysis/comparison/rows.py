"""Rows of a comparison: one figure of every run, in the order of what they differ by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Figures", "Key", "Order", "Row", "Section", "Span", "Value", "section"]

Value: TypeAlias = int | float | str | bool
Key: TypeAlias = tuple[str, ...]
Span: TypeAlias = tuple[float, float]
"""The least and the greatest that a figure may be."""

Order: TypeAlias = Literal["absolute", "relative"]
Figures: TypeAlias = Mapping[Key, Value | None]
"""What a run says of each key; None where it does not know."""


@dataclass(frozen=True)
class Row:
    """A figure of every run, in the order of the runs; None where a run does not have it or does not know it.

    Figures of groups are sums over their `members`, of which there is a number for each run; other rows have none.
    `difference` is what rows are ordered by. `spans` are the low and high cases of figures that have any.
    """

    key: Key
    values: tuple[Value | None, ...]
    members: tuple[int, ...]
    difference: float
    spans: tuple[Span | None, ...] = ()

    @property
    def shown(self) -> tuple[Value | None, ...]:
        """The values; of a group their mean over its members."""
        return _means(self.values, self.members)


@dataclass(frozen=True)
class Section:
    """Rows of one kind, largest difference first, under the name that they have in JSON.

    `keys` says what the parts of a row's key are.
    """

    name: str
    keys: tuple[str, ...]
    unit: str
    order: Order
    rows: tuple[Row, ...]


def section(
    name: str,
    keys: tuple[str, ...],
    unit: str,
    order: Order,
    of_runs: Sequence[Figures | None],
    members: Sequence[Mapping[str, int]] = (),
    spans: Sequence[Mapping[Key, Span]] = (),
) -> Section:
    """Return the figures of the runs, the first of which is the base, as rows with the largest difference first.

    A row differs by the largest difference between the base and another run. Absolute: the difference of the two
    figures, of means over the members of a group; what a run does not have counts as 0. Relative: that difference over
    the larger of the two; words that differ, and what one of the two does not have, differ by 1. What a run does not
    know (None, also for all of its figures) differs by 0. Rows with equal differences keep the order in which the runs
    have them, the base first. `members` says of each run how many components the first part of a key stands for;
    a run without a stall of a component that it has spent 0 cycles on it. `spans` has the low and high cases of a run's
    figures.
    """
    measure = _absolute if order == "absolute" else _relative
    rows = []
    for key in dict.fromkeys(key for figures in of_runs for key in figures or ()):
        values = tuple(
            None if figures is None else figures.get(key, 0 if members and key[0] in members[number] else None)
            for number, figures in enumerate(of_runs)
        )
        is_known = [figures is not None and (key not in figures or figures[key] is not None) for figures in of_runs]
        counts = tuple(counted.get(key[0], 0) for counted in members)
        means = _means(values, counts)
        differences = [
            measure(means[0], mean)
            for mean, known in zip(means[1:], is_known[1:], strict=True)
            if known and is_known[0]
        ]
        of_key = tuple(of_run.get(key) for of_run in spans)
        rows.append(Row(key, values, counts, max(differences, default=0.0), of_key))
    return Section(name, keys, unit, order, tuple(sorted(rows, key=lambda row: -row.difference)))


def _means(values: Sequence[Value | None], members: Sequence[int]) -> tuple[Value | None, ...]:
    if not any(count > 1 for count in members):
        return tuple(values)
    return tuple(
        value / count if isinstance(value, int | float) and count else value
        for value, count in zip(values, members, strict=True)
    )


def _is_number(value: Value | None) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _absolute(base: Value | None, other: Value | None) -> float:
    return abs(float(other or 0) - float(base or 0))


def _relative(base: Value | None, other: Value | None) -> float:
    if base == other and type(base) is type(other):
        return 0.0
    if not (_is_number(base) and _is_number(other)):
        return 1.0
    larger = max(abs(float(base or 0)), abs(float(other or 0)))
    return _absolute(base, other) / larger if larger else 0.0
