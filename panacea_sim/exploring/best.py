"""The best points of a sweep by one objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.exploring.objectives import OBJECTIVES, Objective

__all__ = ["best_rows", "objective_named"]


def objective_named(name: str) -> Objective:
    """Return an objective by its name; raises ConfigError for another one."""
    if name not in OBJECTIVES:
        raise ConfigError("--best", repr(name), ", ".join(OBJECTIVES), nearest_name(name, OBJECTIVES))
    return OBJECTIVES[name]


def best_rows(table: pa.Table, objective: Objective) -> list[Mapping[str, Any]]:
    """Return the rows of results that no other one beats, in the order of the points; none where no figure is known."""
    known = [row for row in table.to_pylist() if row[objective.name] is not None]
    if not known:
        return []
    best = min(objective.sign * row[objective.name] for row in known)
    return [row for row in known if objective.sign * row[objective.name] == best]
