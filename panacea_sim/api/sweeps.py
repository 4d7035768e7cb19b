"""Design spaces in Python: the points of a sweep as a DataFrame, the best of them, and those that none beats."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from rich.console import Console

from panacea_sim.api.answers import printed
from panacea_sim.api.html import bold_line, table
from panacea_sim.api.own_folder import OwnFolder
from panacea_sim.api.words import in_python_words
from panacea_sim.checks import require_integer
from panacea_sim.errors import ConfigError, with_article
from panacea_sim.exploring.best import best_rows, objective_named
from panacea_sim.exploring.cluster import check_cluster
from panacea_sim.exploring.explore import explore, opened_workers, sweep_entry
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.results import read_results
from panacea_sim.exploring.shown import shown_points, write_shown
from panacea_sim.exploring.store import SWEEP_FILE, opened_store, read_store
from panacea_sim.exploring.sweep import Sweep, read_sweep
from panacea_sim.report.pareto import print_front
from panacea_sim.report.progress import shown_progress
from panacea_sim.report.sweep import figure_text, print_sweep
from panacea_sim.trace.run_place import named

if TYPE_CHECKING:
    from panacea_sim.api.pages import Picture
    from panacea_sim.report.points import ShownPoints

__all__ = ["SweepResult", "load_sweep", "sweep"]

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
    require_integer("workers", workers, 1)
    asked = _asked(spec)
    check_cluster(workers, cluster)
    maker = Maker(base_of(asked))
    points = points_of(asked, maker)
    own = OwnFolder() if out is None else None
    target = Path(out) if own is None and out is not None else _inside(own, asked.name)
    try:
        with (
            opened_store(named(target)) as store,
            shown_progress(f"{asked.name}: points") as show,
            opened_workers(maker, store, workers, cluster) as hands,
        ):
            found = explore(asked, points, hands, show)
            entry = sweep_entry(asked, found.num_rows)
            if own is None:
                write_shown(store, entry, found)
    finally:
        if own is not None:
            own.close()
    return SweepResult(entry, found)


@in_python_words()
def load_sweep(folder: str | Path) -> SweepResult:
    """Return the results of the sweep in a folder.

    Raises ConfigError if it is none of a sweep, or if the sweep has not come to its end.
    """
    path = Path(folder)
    return SweepResult(read_store(path).read_json(SWEEP_FILE), read_results(path))


def _asked(spec: object) -> Sweep:
    if isinstance(spec, Sweep):
        return spec
    if isinstance(spec, Mapping):
        return Sweep(**{"name": _UNNAMED, **spec})
    if isinstance(spec, str | os.PathLike):
        return read_sweep(Path(spec))
    accepted = "a Sweep, its fields, or the path of a sweep (.yaml or .py)"
    raise ConfigError("spec", with_article(type(spec).__name__), accepted)


def _inside(own: OwnFolder | None, name: str) -> Path:
    assert own is not None  # there is one where no folder was asked for
    return own.path / name


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
