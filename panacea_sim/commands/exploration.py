"""What the commands that explore have in common: a sweep in its folder, with progress, and what it has found."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.exploring.maker import Maker
    from panacea_sim.exploring.search.optimize import SearchPlan
    from panacea_sim.exploring.sweep import Sweep
    from panacea_sim.exploring.workers import Workers

__all__ = ["check_options", "run_search", "run_sweep", "show_folder"]

_RUNS = Path("runs")


def check_options(beside: object, options: Mapping[str, object]) -> None:
    """Raise ConfigError for an option that is given and means nothing beside something else."""
    for option, value in options.items():
        if value not in (None, False):
            raise ConfigError(option, value, f"nothing beside {beside}", "Leave it out")


def run_sweep(sweep: Sweep, out: Path | None, workers: int | None, cluster: str | None = None) -> Path:
    """Evaluate all points of a sweep that are not kept yet; return its folder, with its tables, picture and page."""
    from panacea_sim.exploring.explore import explore, sweep_entry
    from panacea_sim.exploring.maker import Maker, base_of
    from panacea_sim.exploring.points import points_of
    from panacea_sim.exploring.shown import write_shown

    _check_workers(workers, cluster)
    maker = Maker(base_of(sweep))
    points = points_of(sweep, maker)
    with _opened_exploration(sweep.name, maker, f"{len(points)} points", out, (workers, cluster)) as (hands, show):
        table = explore(sweep, points, hands, show)
        write_shown(hands.store, sweep_entry(sweep, table.num_rows), table)
    return hands.store.folder


def run_search(sweep: Sweep, plan: SearchPlan, out: Path | None, workers: int | None, cluster: str | None) -> Path:
    """Search for the best points of a sweep; return its folder, with tables, picture and page of the trials."""
    from panacea_sim.exploring.maker import Maker, base_of
    from panacea_sim.exploring.search.optimize import check_searchable, optimize
    from panacea_sim.exploring.shown import write_shown
    from panacea_sim.exploring.store import SEARCH_STEM

    _check_workers(workers, cluster)
    check_searchable(sweep)
    maker = Maker(base_of(sweep))
    told = f"{plan.trials} trials by {plan.algorithm}, seed {plan.seed}"
    with _opened_exploration(sweep.name, maker, told, out, (workers, cluster)) as (hands, show):
        entry, table = optimize(sweep, plan, hands, show)
        write_shown(hands.store, entry, table, SEARCH_STEM)
    return hands.store.folder


def _check_workers(workers: int | None, cluster: str | None) -> None:
    """Raise ConfigError for workers that cannot be had."""
    from panacea_sim.commands.simulation import cores
    from panacea_sim.exploring.cluster import check_cluster

    if workers is not None and cluster is not None:
        check_options(cluster, {"--workers": workers})
    check_cluster(workers or cores(), cluster)


@contextmanager
def _opened_exploration(
    name: str, maker: Maker, to_do: str, out: Path | None, where: tuple[int | None, str | None]
) -> Iterator[tuple[Workers, Callable[[int, int], None]]]:
    """Give workers with the store of a folder, and what shows their progress.

    `to_do` is told before, with what is kept already; `where` are the number of workers and the address of a cluster.
    """
    from panacea_sim.commands.interrupts import telling
    from panacea_sim.commands.output import tell
    from panacea_sim.commands.simulation import cores
    from panacea_sim.exploring.explore import opened_workers
    from panacea_sim.exploring.store import opened_store
    from panacea_sim.report.progress import shown_progress
    from panacea_sim.trace.run_place import named

    workers, cluster = where
    folder = named(_RUNS / name if out is None else out)
    with opened_store(folder) as store:

        def what_is_kept() -> str:
            kept = len(store.keys())
            return f"{kept} points are kept in {folder}: the same command goes on" if kept else "nothing was written"

        tell(f"{name}: {to_do}; {len(store.keys())} are kept in {folder}")
        with (
            telling(what_is_kept),
            shown_progress(f"{name}: points") as show,
            opened_workers(maker, store, workers or cores(), cluster) as hands,
        ):
            yield hands, show


def show_folder(folder: Path, best: str | None, *, as_json: bool, stem: str = "") -> None:
    """Print what a sweep has found: the best by each of its objectives and the frontier, or all that are best by one.

    The names of its files begin with `stem`.
    """
    from panacea_sim.exploring.best import best_rows, objective_named
    from panacea_sim.exploring.results import RESULTS_CSV, RESULTS_PARQUET, read_results
    from panacea_sim.exploring.shown import shown_files, shown_points
    from panacea_sim.exploring.store import SWEEP_FILE, read_store
    from panacea_sim.report.pareto import print_front
    from panacea_sim.report.sweep import print_best, print_sweep
    from panacea_sim.report.tables import output_console

    entry, table = read_store(folder).read_json(stem + SWEEP_FILE), read_results(folder, stem)
    axes, objectives = list(entry["axes"]), list(entry["objectives"])
    if as_json:
        rows = table.to_pylist() if best is None else best_rows(table, objective_named(best))
        print(json.dumps(entry | {"rows": [_plain(row) for row in rows]}, indent=2))  # noqa: T201  # rich would wrap it
        return
    console = output_console()
    if best is not None:
        found = best_rows(table, objective_named(best))
        print_best(console, list(dict.fromkeys((best, *objectives))), axes, found)
        return
    failed = [row for row in table.to_pylist() if row["status"] == "failed"]
    found_by = {name: best_rows(table, objective_named(name)) for name in objectives}
    print_sweep(console, entry["name"], table.num_rows, axes, found_by, failed)
    if len(objectives) > 1:
        print_front(console, shown_points(entry, table))
    for file in (stem + RESULTS_PARQUET, stem + RESULTS_CSV, *shown_files(stem)):
        print(folder / file)  # noqa: T201  # rich might wrap it


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row without numbers that JSON does not have: an endless one is text."""
    return {name: "inf" if value == math.inf else value for name, value in row.items()}
