"""Design spaces in Python: the points of a sweep as a DataFrame, the best of them, and those that none beats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
import pyarrow as pa
from rich.console import Console

from panacea_sim.api.answers import printed
from panacea_sim.api.html import bold_line, table
from panacea_sim.api.words import in_python_words
from panacea_sim.checks import require_choice, require_integer
from panacea_sim.choices import Algorithm
from panacea_sim.errors import ConfigError, with_article
from panacea_sim.exploring.best import best_rows, objective_named
from panacea_sim.exploring.cluster import check_cluster
from panacea_sim.exploring.explore import explore, opened_workers, sweep_entry
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.results import read_results
from panacea_sim.exploring.search.availability import check_optuna
from panacea_sim.exploring.shown import shown_points, write_shown
from panacea_sim.exploring.store import SEARCH_STEM, SWEEP_FILE, opened_store, read_store
from panacea_sim.exploring.sweep import Sweep, read_sweep
from panacea_sim.exploring.workers import Workers
from panacea_sim.report.pareto import print_front
from panacea_sim.report.progress import shown_progress
from panacea_sim.report.sweep import figure_text, print_sweep
from panacea_sim.running.temporary import temporary_folder
from panacea_sim.trace.run_place import named

if TYPE_CHECKING:
    from panacea_sim.api.pages import Picture
    from panacea_sim.report.points import ShownPoints

__all__ = ["SweepResult", "load_sweep", "optimize", "sweep"]

_UNNAMED = "sweep"
_ROWS = 8


@in_python_words()
def sweep(
    spec: Sweep | Mapping[str, Any] | str | os.PathLike[str],
    *,
    out: str | Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
) -> SweepResult:
    """Run all points of a design space, each once, and return their results; points that fail are rows too.

    `spec` is a Sweep, its fields, or the path of a sweep (.yaml or .py). With `out` the folder keeps points, tables,
    picture and page, and one that is there goes on where it was; without it nothing is left on disk. Points run in this
    process, in so many `workers`, or on the `cluster` of dask at an address; a script that asks for more than one
    worker keeps its own work below `if __name__ == "__main__"`. Raises ConfigError for what is no sweep, for a folder
    of somebody else's, and where dask is needed and not installed.
    """
    asked = _asked(spec)
    maker = _checked_maker(asked, workers, cluster)
    points = points_of(asked, maker)
    with _opened(asked, maker, out, workers, cluster) as (hands, show):
        found = explore(asked, points, hands, show)
        entry = sweep_entry(asked, found.num_rows)
        if out is not None:
            write_shown(hands.store, entry, found)
    return SweepResult(entry, found)


@in_python_words()
def optimize(  # what can be asked, each by its name
    spec: Sweep | Mapping[str, Any] | str | os.PathLike[str],
    *,
    trials: int = 100,
    seed: int = 0,
    algorithm: Algorithm = "tpe",
    out: str | Path | None = None,
    workers: int = 1,
    cluster: str | None = None,
) -> SweepResult:
    """Search a design space for its best points with Optuna, and return the results of the points that were tried.

    At most so many `trials` run, each another point, as the `algorithm` (tpe or nsga2) proposes them from a `seed`; the
    same call makes the same trials. The other arguments are those of `sweep`, beside whose points and files those of a
    search are kept. Raises ConfigError as `sweep` does, for a space without axes, and where Optuna is not installed.
    """
    check_optuna()
    from panacea_sim.exploring.search.optimize import SearchPlan, check_searchable  # noqa: PLC0415
    from panacea_sim.exploring.search.optimize import optimize as searched  # noqa: PLC0415  # Optuna may be missing

    require_integer("trials", trials, 1)
    require_integer("seed", seed, 0)
    require_choice("algorithm", algorithm, get_args(Algorithm))
    asked = _asked(spec)
    check_searchable(asked)
    maker = _checked_maker(asked, workers, cluster)
    with _opened(asked, maker, out, workers, cluster) as (hands, show):
        entry, found = searched(asked, SearchPlan(trials, algorithm, seed), hands, show)
        if out is not None:
            write_shown(hands.store, entry, found, SEARCH_STEM)
    return SweepResult(entry, found)


@in_python_words()
def load_sweep(folder: str | Path, *, search: bool = False) -> SweepResult:
    """Return the results of the sweep in a folder, or of the `search` that `optimize` made there.

    Raises ConfigError if the folder is none of a sweep, or if the sweep or search has not come to its end.
    """
    path, stem = Path(folder), SEARCH_STEM if search else ""
    return SweepResult(read_store(path).read_json(stem + SWEEP_FILE), read_results(path, stem))


def _checked_maker(asked: Sweep, workers: int, cluster: str | None) -> Maker:
    """Return what makes the points; raises ConfigError for workers that cannot be had, and for what is no base."""
    require_integer("workers", workers, 1)
    check_cluster(workers, cluster)
    return Maker(base_of(asked))


@contextmanager
def _opened(
    asked: Sweep, maker: Maker, out: str | Path | None, workers: int, cluster: str | None
) -> Iterator[tuple[Workers, Callable[[int, int], None]]]:
    """Give workers with a store in a folder, which goes at the end where none was asked for, and the progress."""
    with ExitStack() as stack:
        folder = Path(out) if out is not None else Path(stack.enter_context(temporary_folder())) / asked.name
        store = stack.enter_context(opened_store(named(folder)))
        show = stack.enter_context(shown_progress(f"{asked.name}: points"))
        yield stack.enter_context(opened_workers(maker, store, workers, cluster)), show


def _asked(spec: object) -> Sweep:
    if isinstance(spec, Sweep):
        return spec
    if isinstance(spec, Mapping):
        return Sweep(**{"name": _UNNAMED, **spec})
    if isinstance(spec, str | os.PathLike):
        return read_sweep(Path(spec))
    accepted = "a Sweep, its fields, or the path of a sweep (.yaml or .py)"
    raise ConfigError("spec", with_article(type(spec).__name__), accepted)


@dataclass(frozen=True, repr=False, eq=False)
class SweepResult:
    """The points of a sweep with their results; `entry` is what sweep.json says, `table` the results as Arrow has them.

    Columns of the frames are those of results.parquet: point, key, status, error, the axes, the objectives, and the
    figures of each run.
    """

    entry: Mapping[str, Any]
    table: pa.Table

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each point, in their order; whole numbers stay whole where others are not known."""
        return self.table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)

    @in_python_words()
    def best(self, objective: str = "cycles") -> pd.DataFrame:
        """Return the points that no other one beats in an objective; raises ConfigError for one that there is not."""
        frame, rows = self.frame, best_rows(self.table, objective_named(objective))
        return frame[frame.point.isin([row["point"] for row in rows])]

    @property
    def front(self) -> pd.DataFrame:
        """The points that no other one beats in all objectives of the sweep together."""
        frame = self.frame
        return frame[frame.point.isin([row["point"] for row in self._front_rows()])]

    def picture(self) -> Picture:
        """Return the points by their objectives, those that no other one beats in colour."""
        from panacea_sim.api.pages import Picture  # noqa: PLC0415  # matplotlib takes a while to import
        from panacea_sim.report.pareto import pareto_figure  # noqa: PLC0415

        return Picture(pareto_figure(self._shown()))

    def __len__(self) -> int:
        """Return how many points there are."""
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        """Return what `panacea-sim sweep` prints."""
        return printed(self._print)

    def _repr_html_(self) -> str:
        failed = sum(status == "failed" for status in self.table["status"].to_pylist())
        axes, objectives = list(self.entry["axes"]), list(self.entry["objectives"])
        found = [(name, best_rows(self.table, objective_named(name))[:1]) for name in objectives]
        best = [[f"best by {name}", *_cells(row, axes, objectives)] for name, rows in found for row in rows]
        front = [["not beaten", *_cells(row, axes, objectives)] for row in self._front_rows()[:_ROWS]]
        head = bold_line(str(self.entry["name"]), f": {len(self):,} points, {failed:,} failed")
        return head + table(["", "point", *axes, *objectives], [*best, *front])

    def _front_rows(self) -> list[Mapping[str, Any]]:
        rows = {row["point"]: row for row in self.table.to_pylist()}
        return [rows[each.index] for each in self._shown().front]

    def _print(self, console: Console) -> None:
        objectives = list(self.entry["objectives"])
        failed = [row for row in self.table.to_pylist() if row["status"] == "failed"]
        best = {name: best_rows(self.table, objective_named(name)) for name in objectives}
        print_sweep(console, self.entry["name"], len(self), list(self.entry["axes"]), best, failed)
        if len(objectives) > 1:
            print_front(console, self._shown())

    def _shown(self) -> ShownPoints:
        return shown_points(self.entry, self.table)


def _cells(row: Mapping[str, Any], axes: Sequence[str], objectives: Sequence[str]) -> list[str]:
    return [str(row["point"]), *(figure_text(row[name]) for name in (*axes, *objectives))]
