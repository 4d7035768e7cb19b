"""Searches with a store: nothing runs twice, and a search that was stopped ends as one that was not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tiny_space import SWEEP, kept

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.evaluate import Task
from panacea_sim.exploring.explore import explore
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.results import read_results
from panacea_sim.exploring.store import SEARCH_STEM, opened_store
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.exploring.workers import SerialHands, Workers
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

pytest.importorskip("optuna")
from panacea_sim.exploring.search.optimize import SearchPlan, optimize

FILES = ("results.parquet", "results.csv", "sweep.json")
AXES: dict[str, Any] = {
    "hardware.n_dwo": list(range(1, 12)),
    "hardware.n_swo": list(range(1, 12)),
    "hardware.queue_depth": [1, 2, 3, 4, 6, 8],
}


class _StoppedError(Exception):
    """The driver is stopped."""


class _PlainHands:
    """Computes a plain function of the settings, the last task first, and stops after so many of them."""

    def __init__(self, most: int | None = None) -> None:
        self.done: list[str] = []
        self._most = most

    def records(self, tasks: Iterable[Task]) -> Iterator[Record]:
        for task in reversed(list(tasks)):
            if len(self.done) == self._most:
                raise _StoppedError
            self.done.append(task.key)
            yield _plain(task)


def _plain(task: Task) -> Record:
    dwo, depth = (int(str(task.settings[f"hardware.{name}"])) for name in ("n_dwo", "queue_depth"))
    if depth == 6:
        return Record.failed(task.key, "it does not fit")
    return Record(task.key, "ok", {"cycles": 100 * (dwo - 5) ** 2 + 1000 // depth, "energy_pj": float(depth * dwo)})


def _sweep(**fields: Any) -> Sweep:  # noqa: ANN401  # pydantic checks them
    layer = synthetic_layer(name="l", M=32, K=32, N=8, rho_w=0.5, rho_x=0.5, seed=1)
    given = {"axes": AXES, "constraints": ["n_dwo + n_swo == 12"]} | fields
    return Sweep(name="split", scenario=Scenario("tiny", layer), **given)


def _searched(folder: Path, hands: _PlainHands, sweep: Sweep, plan: SearchPlan) -> pa.Table:
    with opened_store(folder) as store:
        return optimize(sweep, plan, Workers(Maker(base_of(sweep)), store, hands))[1]


def _files(folder: Path) -> list[bytes]:
    return [(folder / f"{SEARCH_STEM}{name}").read_bytes() for name in FILES]


@pytest.mark.parametrize("objectives", [["cycles"], ["cycles", "energy_pj"]])
def test_a_search_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, objectives: list[str]) -> None:
    """The same files, byte for byte, wherever it was stopped, and no point runs twice."""
    sweep, plan = _sweep(objectives=objectives), SearchPlan(28)
    whole = _PlainHands()
    _searched(tmp_path / "whole", whole, sweep, plan)
    assert len(set(whole.done)) == len(whole.done) == 28
    stopped = _PlainHands(11)
    with pytest.raises(_StoppedError):
        _searched(tmp_path / "stopped", stopped, sweep, plan)
    rest = _PlainHands()
    _searched(tmp_path / "stopped", rest, sweep, plan)
    assert _files(tmp_path / "stopped") == _files(tmp_path / "whole")
    assert sorted(stopped.done + rest.done) == sorted(whole.done)


def test_points_of_a_sweep_are_told_and_not_run(tmp_path: Path) -> None:
    """In the folder of a sweep a search makes the same trials as in an empty one, and leaves its tables alone."""
    sweep, plan = _sweep(), SearchPlan(20, "nsga2")
    alone = _searched(tmp_path / "alone", _PlainHands(), sweep, plan)
    maker = Maker(base_of(sweep))
    with opened_store(tmp_path / "both") as store:
        explore(sweep, points_of(sweep, maker), Workers(maker, store, _PlainHands()))
    before = read_results(tmp_path / "both")
    idle = _PlainHands()
    assert _searched(tmp_path / "both", idle, sweep, plan) == alone
    assert idle.done == []
    assert read_results(tmp_path / "both") == before


def test_rows_are_trials_in_order(tmp_path: Path) -> None:
    """Each row holds to the constraints; points that failed are rows with their error and without figures."""
    table = _searched(tmp_path, _PlainHands(), _sweep(), SearchPlan(30))
    rows = table.to_pylist()
    assert [row["point"] for row in rows] == list(range(30))
    assert all(row["hardware.n_dwo"] + row["hardware.n_swo"] == 12 for row in rows)
    failed = [row for row in rows if row["hardware.queue_depth"] == 6]
    assert failed
    assert all((row["error"], row["cycles"]) == ("it does not fit", None) for row in failed)


def test_a_search_needs_axes_and_a_point(tmp_path: Path) -> None:
    """Points that are listed, and constraints that nothing satisfies, are refused."""
    listed = _sweep(axes={}, points=[{"hardware.n_dwo": 4}])
    with pytest.raises(ConfigError, match=r"sweep\.points.*a list of points.*axes"):
        _searched(tmp_path / "a", _PlainHands(), listed, SearchPlan(4))
    with pytest.raises(ConfigError, match="no point that satisfies them"):
        _searched(tmp_path / "b", _PlainHands(), _sweep(constraints=["n_dwo > 11"]), SearchPlan(4))


@pytest.mark.slow
def test_the_best_of_539_machines_is_found_within_a_fifth_of_them(tmp_path: Path) -> None:
    """All of them were run once, for tests/exploring/tiny_space.csv: the least energy x delay is among 48 trials."""
    known, maker = kept(), Maker(base_of(SWEEP))
    assert len(known) == 539
    with opened_store(tmp_path) as store:
        table = optimize(SWEEP, SearchPlan(48), Workers(maker, store, SerialHands(maker.base)))[1]
    found = {tuple(row[name] for name in SWEEP.axis_names): row["edp_js"] for row in table.to_pylist()}
    assert len(found) == 48 < len(known) // 5
    assert found == {point: pytest.approx(known[point], rel=1e-12) for point in found}
    assert min(found.values()) == pytest.approx(min(known.values()), rel=1e-12)
