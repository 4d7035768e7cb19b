"""What the commands that explore have in common: a sweep in its folder, with progress, and what it has found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.exploring.sweep import Sweep

__all__ = ["check_options", "run_sweep", "show_folder"]

_RUNS = Path("runs")


def check_options(beside: object, options: Mapping[str, object]) -> None:
    """Raise ConfigError for an option that is given and means nothing beside something else."""
    for option, value in options.items():
        if value not in (None, False):
            raise ConfigError(option, value, f"nothing beside {beside}", "Leave it out")


def run_sweep(sweep: Sweep, out: Path | None, workers: int | None, cluster: str | None = None) -> Path:
    """Evaluate all points of a sweep that are not kept yet; return its folder, whose tables are written."""
    from panacea_sim.commands.interrupts import telling
    from panacea_sim.commands.output import tell
    from panacea_sim.commands.simulation import cores
    from panacea_sim.exploring.cluster import check_cluster
    from panacea_sim.exploring.explore import explore, opened_workers
    from panacea_sim.exploring.maker import Maker, base_of
    from panacea_sim.exploring.points import points_of
    from panacea_sim.exploring.store import opened_store
    from panacea_sim.report.progress import shown_progress
    from panacea_sim.trace.run_place import named

    count = workers or cores()
    check_cluster(count, cluster)
    maker = Maker(base_of(sweep))
    points = points_of(sweep, maker)
    folder = named(_RUNS / sweep.name if out is None else out)
    with opened_store(folder) as store:

        def what_is_kept() -> str:
            return f"{len(store.keys())} points are kept in {folder}: the same command goes on"

        tell(f"{sweep.name}: {len(points)} points; {len(store.keys())} are kept in {folder}")
        with (
            telling(what_is_kept),
            shown_progress(f"{sweep.name}: points") as show,
            opened_workers(maker, store, count, cluster) as hands,
        ):
            explore(sweep, points, hands, show)
    return folder


def show_folder(folder: Path, best: str | None, *, as_json: bool) -> None:
    """Print what a sweep has found: the best by each of its objectives, or all that are best by one of them."""
    from panacea_sim.exploring.best import best_rows, objective_named
    from panacea_sim.exploring.results import RESULTS_CSV, RESULTS_PARQUET, read_results
    from panacea_sim.exploring.store import SWEEP_FILE, read_store
    from panacea_sim.report.sweep import print_best, print_sweep
    from panacea_sim.report.tables import output_console

    entry, table = read_store(folder).read_json(SWEEP_FILE), read_results(folder)
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
    for name in (RESULTS_PARQUET, RESULTS_CSV):
        print(folder / name)  # noqa: T201  # rich might wrap it


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row without numbers that JSON does not have: an endless one is text."""
    return {name: "inf" if value == math.inf else value for name, value in row.items()}
