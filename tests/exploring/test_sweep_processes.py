"""Sweeps on real worker processes: whoever is killed, no point runs twice and the table is that of a serial run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from dask_processes import command, processes_below, scheduler, wait_for, worker
from swept_points import killing, small_sweep

from panacea_sim.commands.main import main
from panacea_sim.exploring.dask_hands import DaskHands
from panacea_sim.exploring.explore import explore
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.results import RESULTS_CSV, RESULTS_PARQUET
from panacea_sim.exploring.store import opened_store
from panacea_sim.exploring.workers import SerialHands, Workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_POINTS = 160
_SCRIPT = """
import sys
sys.path.append({tests!r})
from swept_points import tiny
scenario = tiny()
"""
_SWEEP = f"""
scenario: tiny.py
axes:
  hardware.n_dwo: {{low: 1, high: {_POINTS // 2}}}
  hardware.n_swo: [0, 4]
"""


@pytest.fixture
def _space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny.py").write_text(_SCRIPT.format(tests=str(Path(__file__).parents[1])), encoding="utf-8")
    (tmp_path / "space.yaml").write_text(_SWEEP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def _records(folder: str = "out") -> dict[str, int]:
    """Return the records in a folder, each with the time at which it was written."""
    found: Iterator[Path] = Path(folder).glob("points/[!.]*.json")
    return {path.name: path.stat().st_mtime_ns for path in found}


def _tables(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (RESULTS_PARQUET, RESULTS_CSV)]


@pytest.mark.usefixtures("_space")
def test_killed_workers_driver_and_scheduler(tmp_path: Path) -> None:
    """Each is killed in the middle; what is done is kept and not run again, and in the end nothing tells of it."""
    rng = random.Random(1)  # noqa: S311  # no secret
    assert main(["sweep", "space.yaml", "--out", "serial", "--workers", "1"]) == 0
    with command("sweep", "space.yaml", "--out", "out", "--workers", "2") as driver:
        wait_for(_records, driver)
        workers = processes_below(driver)
        assert len(workers) == 2
        rng.choice(workers).kill()
        done = len(_records())
        wait_for(lambda: len(_records()) > done, driver)
        workers += processes_below(driver)
        driver.kill()
        assert psutil.wait_procs(workers, timeout=60)[1] == []  # workers end with their driver
    kept = _records()
    assert 0 < len(kept) < _POINTS // 2
    with ExitStack() as stack:
        process, address = stack.enter_context(scheduler(tmp_path))
        workers_there = [stack.enter_context(worker(address, tmp_path / name)) for name in "ab"]
        driver = stack.enter_context(command("sweep", "space.yaml", "--out", "out", "--cluster", address))
        wait_for(lambda: len(_records()) > len(kept), driver)
        rng.choice(workers_there).kill()
        done = len(_records())
        wait_for(lambda: len(_records()) > done, driver)
        process.kill()
        told = driver.communicate(timeout=120)[1]
        assert driver.returncode == 1, told
        assert "error: the scheduler is gone: the points that are done are kept, and the same command goes on" in told
    again = _records()
    assert len(kept) < len(again) < _POINTS // 2
    assert main(["sweep", "space.yaml", "--out", "out", "--workers", "1"]) == 0
    assert _records().items() >= again.items() >= kept.items()
    assert _tables(Path("out")) == _tables(Path("serial"))
    assert {path.name: path.read_bytes() for path in Path("out/points").iterdir()} == {
        path.name: path.read_bytes() for path in Path("serial/points").iterdir()
    }


def test_a_point_that_kills_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failed row after three deaths with nothing else on the worker; the others are those of a serial run."""
    monkeypatch.setenv("TRIED", str(tmp_path / "tried"))
    sweep = small_sweep(axes={"hardware.n_dwo": list(range(1, 13))})
    maker = Maker(base_of(sweep))
    points = points_of(sweep, maker)
    with opened_store(tmp_path / "out") as store, DaskHands(maker.base, 2, evaluate=killing) as hands:
        rows = explore(sweep, points, Workers(maker, store, hands)).to_pylist()
        assert store.record(rows[6]["key"]) is None  # another computer may have more memory
    with opened_store(tmp_path / "serial") as store:
        serial = explore(sweep, points, Workers(maker, store, SerialHands(maker.base))).to_pylist()
    assert rows[6]["status"] == "failed"
    assert rows[6]["error"] == "its worker died 3 times, with nothing else on it. Perhaps memory ran out"
    assert [row for row in rows if row["point"] != 6] == [row for row in serial if row["point"] != 6]
    assert (tmp_path / "tried").read_text("utf-8").count("1\n") >= 3
