"""What a sweep costs beside its points: 1,000 points that do nothing, and 1,000 small ones, on two workers.

Usage: python benchmarks/sweep_bench.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from swept_points import empty, small_sweep

from panacea_sim.exploring.dask_hands import DaskHands
from panacea_sim.exploring.evaluate import Task, evaluate_all
from panacea_sim.exploring.explore import explore
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.results import RESULTS_CSV, RESULTS_PARQUET
from panacea_sim.exploring.store import opened_store
from panacea_sim.exploring.workers import Hands, SerialHands, Workers

POINTS = 1000
SWEEP = small_sweep(
    axes={"hardware.n_dwo": {"low": 1, "high": 20}, "hardware.n_swo": {"low": 1, "high": 50}}, name="bench"
)


@dataclass
class Watched:
    """Hands that note when the first and the last record have come."""

    hands: Hands
    times: list[float] = field(default_factory=list)

    def records(self, tasks: Iterable[Task]) -> Iterator[Record]:
        """Return the records of the hands."""
        for record in self.hands.records(tasks):
            self.times.append(time.perf_counter())
            yield record


def measure(folder: Path, hands: Hands) -> tuple[float, float, list[bytes]]:
    """Return the seconds of the whole sweep, those between the first and the last record, and the tables."""
    maker, watched = Maker(base_of(SWEEP)), Watched(hands)
    started = time.perf_counter()
    with opened_store(folder) as store:
        table = explore(SWEEP, points_of(SWEEP, maker), Workers(maker, store, watched))
    assert table.num_rows == POINTS
    tables = [(folder / name).read_bytes() for name in (RESULTS_PARQUET, RESULTS_CSV)]
    return time.perf_counter() - started, watched.times[-1] - watched.times[0], tables


def main() -> None:
    """Measure and print; two workers do two points at a time."""
    base = Maker(base_of(SWEEP)).base
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with DaskHands(base, 2, evaluate=empty) as hands:
            next(iter(hands.records([Task("started", {})])))  # workers start once
            before = time.process_time()
            whole, _, _ = measure(folder / "empty", hands)
            mine_ms = (time.process_time() - before) / POINTS * 1000
        each_ms = whole / POINTS * 1000
        print(
            f"{POINTS} empty points, 2 workers: {whole:.2f} s, {each_ms:.2f} ms a point, {mine_ms:.2f} ms of CPU here"
        )
        serial, between, tables = measure(folder / "serial", SerialHands(base))
        print(f"{POINTS} small points, serial:    {serial:.2f} s, {between / POINTS * 1000:.2f} ms between two records")
        with DaskHands(base, 2, evaluate=evaluate_all) as hands:
            parallel, between, same = measure(folder / "two", hands)
        print(
            f"{POINTS} small points, 2 workers: {parallel:.2f} s, {between / POINTS * 1000:.2f} ms between two records"
        )
        print(f"the tables are {'the same, byte for byte' if same == tables else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
