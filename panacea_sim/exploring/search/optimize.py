"""A search from end to end: proposals on workers, records in the store of the sweep, its own tables beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa

from panacea_sim.choices import Algorithm
from panacea_sim.errors import ConfigError
from panacea_sim.exploring.axes import Axes, Settings
from panacea_sim.exploring.explore import sweep_entry
from panacea_sim.exploring.objectives import OBJECTIVES, Objective
from panacea_sim.exploring.point import Point
from panacea_sim.exploring.points import Constraints
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.results import results_table, write_results
from panacea_sim.exploring.search.search import GENERATION, Search
from panacea_sim.exploring.search.space import Space
from panacea_sim.exploring.store import SEARCH_STEM, SWEEP_FILE
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.exploring.workers import Workers

__all__ = ["SearchPlan", "check_searchable", "optimize"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SearchPlan:
    """How a design space is searched: at most so many different points, by an algorithm and a seed."""

    trials: int
    algorithm: Algorithm = "tpe"
    seed: int = 0


def check_searchable(sweep: Sweep) -> None:
    """Raise ConfigError for a sweep that lists its points: a search needs axes."""
    if not sweep.axes:
        hint = "Give the values of each axis, or run the listed points with sweep"
        raise ConfigError("sweep.points", "a list of points", "axes", hint)


def optimize(
    sweep: Sweep, plan: SearchPlan, workers: Workers, progress: Progress | None = None
) -> tuple[dict[str, Any], pa.Table]:
    """Search for the best points of a sweep; write and return what was searched and the table of its trials.

    Rows are in the order of the trials. Points that are kept are told from the store, all others run once. A point that
    fails, or lacks an objective, is a trial without figures. Raises ConfigError as `explore` does.
    """
    check_searchable(sweep)
    course = _Course(workers, [OBJECTIVES[name] for name in sweep.objectives], plan.trials, progress)
    space = Space(cast("Axes", sweep.axes), Constraints(sweep, workers.maker).hold)
    signs = [objective.sign for objective in course.objectives]
    Search(space, signs, plan.algorithm, plan.seed).points(plan.trials, course.run)
    if not course.rows:
        raise ConfigError("sweep.constraints", "no point that satisfies them", "constraints that some point satisfies")
    table = results_table(course.rows)
    entry = sweep_entry(sweep, table.num_rows) | {
        "algorithm": plan.algorithm,
        "seed": plan.seed,
        "trials": plan.trials,
        "generation": GENERATION,
    }
    workers.store.write_json(SEARCH_STEM + SWEEP_FILE, entry)
    write_results(workers.store, table, SEARCH_STEM)
    return entry, table


class _Course:
    """Runs generations, and keeps the rows of all of them in the order of their trials."""

    def __init__(
        self, workers: Workers, objectives: Sequence[Objective], trials: int, progress: Progress | None
    ) -> None:
        self.objectives = objectives
        self.rows: list[tuple[Point, Record]] = []
        self._workers = workers
        self._trials = trials
        self._progress = progress

    def run(self, generation: Sequence[Settings]) -> list[list[float] | None]:
        """Return the figures of each point, in order; None of one without."""
        points = [Point(len(self.rows) + number, settings) for number, settings in enumerate(generation)]
        records: dict[int, Record] = {}
        for point, record in self._workers.evaluate(points):
            records[point.index] = record
            if self._progress is not None:
                self._progress(len(self.rows) + len(records), self._trials)
        self.rows += [(point, records[point.index]) for point in points]
        return [self._figures(records[point.index].objectives) for point in points]

    def _figures(self, known: Mapping[str, float | None]) -> list[float] | None:
        figures = [known.get(objective.name) for objective in self.objectives]
        return None if None in figures else [figure for figure in figures if figure is not None]
