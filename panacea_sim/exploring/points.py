"""The points of a sweep: those of its axes that satisfy all constraints, in order."""

from __future__ import annotations

from collections.abc import Mapping

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.constraints import Constraint, parse_constraint
from panacea_sim.exploring.maker import Maker
from panacea_sim.exploring.point import Point
from panacea_sim.exploring.sweep import Sweep

__all__ = ["Constraints", "points_of"]


class Constraints:
    """The constraints of a sweep, all of which a point must satisfy."""

    def __init__(self, sweep: Sweep, maker: Maker) -> None:
        self._maker = maker
        self._constraints: list[Constraint] = [parse_constraint(text) for text in sweep.constraints]

    def hold(self, settings: Mapping[str, object]) -> bool:
        """Return whether a point may be; raises ConfigError for a name that no field has."""
        if not self._constraints:
            return True
        values = self._maker.values_of(settings)
        for each in self._constraints:
            each.check_names(values)
        return all(each.holds(values) for each in self._constraints)


def points_of(sweep: Sweep, maker: Maker) -> list[Point]:
    """Return the points of a sweep in the order of its rows; raises ConfigError where there is none."""
    constraints = Constraints(sweep, maker)
    found = [settings for settings in sweep.settings_of_points() if constraints.hold(settings)]
    if not found:
        hint = "An equality needs values that meet it: list them, or leave a grid to its constraints"
        raise ConfigError(
            "sweep.constraints", "no point that satisfies them", "constraints that some point satisfies", hint
        )
    return [Point(index, settings) for index, settings in enumerate(found)]
