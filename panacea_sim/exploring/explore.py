"""A sweep from end to end: its points on workers, its folder, its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from panacea_sim.exploring.axes import Range
from panacea_sim.exploring.cluster import check_cluster
from panacea_sim.exploring.dask_hands import DaskHands
from panacea_sim.exploring.maker import Maker
from panacea_sim.exploring.point import Point
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.results import results_table, write_results
from panacea_sim.exploring.store import SWEEP_FILE, Store
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.exploring.workers import SerialHands, Workers

__all__ = ["explore", "opened_workers", "sweep_entry"]

_FORM = 1


@contextmanager
def opened_workers(maker: Maker, store: Store, workers: int, cluster: str | None = None) -> Iterator[Workers]:
    """Give workers that keep what they find in a store: this process for one, else others, or those of a cluster.

    Raises ConfigError where dask is needed and not installed.
    """
    check_cluster(workers, cluster)
    if workers == 1 and cluster is None:
        yield Workers(maker, store, SerialHands(maker.base))
        return
    with DaskHands(maker.base, workers, cluster) as hands:
        yield Workers(maker, store, hands)


def explore(
    sweep: Sweep, points: list[Point], workers: Workers, progress: Callable[[int, int], None] | None = None
) -> pa.Table:
    """Evaluate all points of a sweep, write its tables and return them; points that fail are rows too.

    Raises ConfigError for a folder that cannot be written, and WorkerError; the points that are done by then are kept.
    """
    rows: list[tuple[Point, Record]] = []
    for row in workers.evaluate(points):
        rows.append(row)
        if progress is not None:
            progress(len(rows), len(points))
    table = results_table(rows)
    workers.store.write_json(SWEEP_FILE, sweep_entry(sweep, len(points)))
    write_results(workers.store, table)
    return table


def sweep_entry(sweep: Sweep, points: int) -> dict[str, Any]:
    """Return what sweep.json says: what was explored, without files and hosts."""
    return {
        "form": _FORM,
        "name": sweep.name,
        "description": sweep.description,
        "points": points,
        "axes": {name: _axis_entry(sweep, name) for name in sweep.axis_names},
        "settings": sweep.settings,
        "latin_hypercube": None if sweep.latin_hypercube is None else sweep.latin_hypercube.model_dump(),
        "constraints": list(sweep.constraints),
        "objectives": list(sweep.objectives),
    }


def _axis_entry(sweep: Sweep, name: str) -> object:
    """Return the values of an axis, or its range; of listed points those that occur, in order."""
    if not sweep.axes:
        return list({repr(each[name]): each[name] for each in sweep.points}.values())
    axis = sweep.axes[name]
    return axis.model_dump() if isinstance(axis, Range) else list(axis)
