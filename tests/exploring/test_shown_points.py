"""What people see of explored points: why each run took so long, and the files beside the tables."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from panacea_sim.exploring import shown
from panacea_sim.exploring.explore import explore, opened_workers, sweep_entry
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.shown import shown_points, write_shown
from panacea_sim.exploring.store import Store, opened_store
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.report.why import known_why
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.workload.synthetic import synthetic_layer

SCENARIO = Scenario("tiny", synthetic_layer(name="l", M=64, K=32, N=16, rho_w=0.5, rho_x=0.5, seed=1), values=False)
SWEEP = Sweep(
    name="three",
    scenario=SCENARIO,
    settings={"hardware.n_pea": 4, "hardware.dtp": "off"},
    axes={"hardware.wmem_bytes": [64, 16384, 32768]},
    objectives=["cycles", "energy_pj"],
)


def _explored(store: Store) -> pa.Table:
    maker = Maker(base_of(SWEEP))
    with opened_workers(maker, store, 1) as workers:
        return explore(SWEEP, points_of(SWEEP, maker), workers)


def test_a_point_says_why_as_its_run_does(tmp_path: Path) -> None:
    """The record of a point says the same as the run of its scenario; a point that does not fit says that instead."""
    with opened_store(tmp_path / "three") as store:
        table = _explored(store)
        found = shown_points(sweep_entry(SWEEP, 3), table, store)
    assert [point.index for point in found.failed] == [0]
    assert "WMEM" in str(found.points[0].error)
    assert found.points[0].why is None
    for point in found.points[1:]:
        settings = {"n_pea": 4, "dtp": "off", "wmem_bytes": point.settings["hardware.wmem_bytes"]}
        options = RunOptions(tmp_path / str(point.index), trace=NO_TRACE, explain=True)
        outcome = run(Scenario("tiny", SCENARIO.layer, settings=settings, values=False), options)
        assert outcome.explanation is not None
        assert point.why == known_why(outcome.summary, outcome.explanation)
        assert point.why.first.startswith(f"tiny: {point.figures['cycles']:,} cycles, bound by")


def test_files_beside_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frontier has its rows of the table; of many points those that are not beaten say why before all others."""
    monkeypatch.setattr(shown, "_MOST_EXPLAINED", 1)
    with opened_store(tmp_path) as store:
        table = _explored(store)
        entry = sweep_entry(SWEEP, 3)
        write_shown(store, entry, table, "a_")
        found = shown_points(entry, table, store)
    best = [point.index for point in found.front]
    assert best == [1]
    assert [point.index for point in found.points if point.why is not None] == best
    with (tmp_path / "a_pareto.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (int(row["point"]), int(row["cycles"])) == (1, found.points[1].figures["cycles"])
    assert (tmp_path / "a_pareto.png").read_bytes().startswith(b"\x89PNG")
    assert "of many points only those" in (tmp_path / "a_points.html").read_text(encoding="utf-8")
