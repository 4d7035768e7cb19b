"""Points of a design space as pictures, tables and pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from panacea_sim.analysis.pareto import unbeaten
from panacea_sim.report.why import KnownWhy

__all__ = ["Goal", "ShownPoint", "ShownPoints"]


@dataclass(frozen=True)
class Goal:
    """A figure by which points are judged; `sign` is 1 where less is better and -1 where more is."""

    name: str
    text: str
    sign: int


@dataclass(frozen=True, eq=False)
class ShownPoint:
    """A point: the values of the axes, the figures of the goals, and why its run took so long, where that is known.

    A figure is None where nobody knows it, and infinite where nothing is lost. Of a point that failed there is none,
    and `error` says what went wrong.
    """

    index: int
    settings: Mapping[str, object]
    figures: Mapping[str, float | None]
    error: str | None = None
    why: KnownWhy | None = None

    def known(self, goals: Sequence[Goal]) -> list[float] | None:
        """Return its figures of goals, None if one of them is not known."""
        found = [self.figures.get(goal.name) for goal in goals]
        return None if None in found else [figure for figure in found if figure is not None]


@dataclass(frozen=True, eq=False)
class ShownPoints:
    """The points of a sweep or search in order, with the goals that decide which of them are beaten."""

    name: str
    axes: Sequence[str]
    goals: Sequence[Goal]
    points: Sequence[ShownPoint]

    @cached_property
    def front(self) -> list[ShownPoint]:
        """The points with all figures that no other one beats, the best in the first goal first."""
        judged = [(point, figures) for point in self.points if (figures := point.known(self.goals)) is not None]
        rows = unbeaten([figures for _, figures in judged], [goal.sign for goal in self.goals])
        first = self.goals[0]
        return sorted((judged[row][0] for row in rows), key=lambda point: first.sign * (point.figures[first.name] or 0))

    @property
    def failed(self) -> list[ShownPoint]:
        """The points that failed."""
        return [point for point in self.points if point.error is not None]

    @property
    def unjudged(self) -> int:
        """How many points have not failed and lack a figure."""
        return sum(point.error is None and point.known(self.goals) is None for point in self.points)
