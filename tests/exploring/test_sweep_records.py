"""Records of points: what a run gives, under keys that only content decides, in a store that never runs one twice."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from swept_points import MACHINE, small_sweep, tiny

from panacea_sim.analysis.study_results import study_rows
from panacea_sim.calibration.calibrated import calibrate
from panacea_sim.calibration.float_file import read_float_layer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.energy.energy import energy_of
from panacea_sim.energy.table import energy_table
from panacea_sim.errors import ConfigError
from panacea_sim.exploring import workers as workers_module
from panacea_sim.exploring.evaluate import Task
from panacea_sim.exploring.explore import explore, opened_workers
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.results import results_table
from panacea_sim.exploring.store import Store, opened_store, read_store
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.exploring.workers import SerialHands
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.folder_lock import FolderLock
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.summary import Summary
from panacea_sim.workload.synthetic import synthetic_layer


def _explored(sweep: Sweep, folder: Path) -> list[dict[str, object]]:
    maker = Maker(base_of(sweep))
    with opened_store(folder) as store, opened_workers(maker, store, 1) as workers:
        rows: list[dict[str, object]] = explore(sweep, points_of(sweep, maker), workers).to_pylist()
    return rows


def _key(sweep: Sweep) -> str:
    maker = Maker(base_of(sweep))
    return maker.key(maker.made(points_of(sweep, maker)[0].settings))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the keys of the points that run from now on, in order."""
    found: list[str] = []

    def records(self: SerialHands, tasks: Iterable[Task]) -> Iterator[Record]:
        for record in plain(self, tasks):
            found.append(record.key)
            yield record

    plain = SerialHands.records
    monkeypatch.setattr(workers_module.SerialHands, "records", records)
    return found


def test_a_point_has_the_figures_of_its_run(tmp_path: Path) -> None:
    """Cycles, energy, path and root causes are those of `run`; nothing tells when or where it ran."""
    scenario = replace(tiny(), settings={**MACHINE, "dram": "ddr4_2400"})
    sweep = small_sweep(scenario=scenario, axes={"hardware.n_dwo": [3]})
    (row,) = _explored(sweep, tmp_path / "out")
    alone = replace(scenario, settings={**scenario.settings, "n_dwo": 3}, values="off")
    outcome = run(alone, RunOptions(trace=NO_TRACE, log_level="error", explain=True))
    figures = study_rows({"": outcome.summary})[0]
    assert {name: row[name] for name in figures if name in row} == {
        name: value for name, value in figures.items() if name not in {"case", "hardware", "engine"}
    }
    delay = energy_of(outcome.summary, energy_table()).energy_delay
    assert delay is not None
    assert row["edp_js"] == pytest.approx(float(delay.nominal))
    assert row["cycles"] == outcome.summary.makespan_cycles
    (record,) = read_store(tmp_path / "out").records()
    assert record.summary is not None
    kept = Summary.model_validate({**record.summary, "host_seconds": outcome.summary.host_seconds})
    assert kept == outcome.summary
    assert record.critical_path is not None
    assert record.root_causes is not None
    assert sum(cycles for *_, cycles, _ in record.critical_path) == row["cycles"]
    assert outcome.explanation is not None
    assert sum(row[-1] for row in record.root_causes) == sum(each.cycles for each in outcome.explanation.root_causes)


def test_the_content_decides_the_key() -> None:
    """Names do not count; machine, layers, schedule and class of mappings do; masks only where something is skipped."""
    one = small_sweep(axes={"hardware.n_dwo": [4]})
    same = [
        small_sweep(name="other", scenario=tiny("other"), axes={"hardware.n_dwo": [4]}),
        small_sweep(points=[{"hardware.n_dwo": 4}], axes={}),
        small_sweep(axes={"hardware.n_swo": [8]}),  # what the preset has
    ]
    assert {_key(each) for each in same} == {_key(one)}
    others = [
        small_sweep(axes={"hardware.n_dwo": [5]}),
        small_sweep(axes={"workload.seed": [2]}),
        small_sweep(axes={"mapping.schedule": ["barrier"]}),
        small_sweep(axes={"mapping.chosen_for": ["class"]}),
        small_sweep(axes={"mapping.tile_n": [16]}),
        small_sweep(axes={"hardware.n_dwo": [4]}, values="check"),
    ]
    assert len({_key(each) for each in [one, *others]}) == 1 + len(others)


def test_real_operands_that_give_the_same_codes_are_two_points(tmp_path: Path) -> None:
    """Their accuracy differs: what the outputs should be counts too."""
    rng = np.random.default_rng(5)
    weight, activation = rng.normal(size=(8, 8)), rng.normal(size=(4, 8, 4))
    keys, codes = set(), []
    for number, lost in enumerate((0.0, 1e-9)):
        path = tmp_path / f"float{number}.npz"
        changed = activation.copy()
        changed[3, 0, 0] += lost
        np.savez(path, weight=weight, activation=changed, name=np.array("same"))
        codes.append(calibrate(read_float_layer(path), QuantizationPolicy()).layer().activation)
        keys.add(_key(Sweep(name="x", float_layer=str(path), axes={"hardware.n_dwo": [4]})))
    assert (codes[0] == codes[1]).all()
    assert len(keys) == 2


@pytest.mark.parametrize(("machine", "differ"), [("panacea", 2), ("simd", 1)])
def test_masks_of_a_dense_machine_do_not_count(machine: str, differ: int) -> None:
    """Two networks that differ in their masks are one point there."""
    keys = set()
    for profile in ("measured", "dense"):
        sweep = Sweep(
            name="x",
            workload="opt-125m",
            hardware=machine,
            settings={"workload.tokens": 16, "workload.profile": profile},
            axes={"workload.batch": [1]},
        )
        keys.add(_key(sweep))
    assert len(keys) == differ


def test_failed_points_are_rows(tmp_path: Path) -> None:
    """With their error: what no machine can have, and what does not fit; each in its place among the others."""
    rows = _explored(small_sweep(), tmp_path / "out")
    assert [row["point"] for row in rows] == list(range(12))
    for row in rows:
        is_bad = row["hardware.n_swo"] == 0 or row["hardware.wmem_bytes"] == 1
        assert row["status"] == ("failed" if is_bad else "ok")
        assert (row["cycles"] is None) == is_bad
    assert str(rows[1]["error"]).startswith("hardware.n_swo: found 0; accepted: a whole number")
    assert rows[1]["key"] is None
    assert "hardware.wmem_bytes" in str(rows[3]["error"])
    table = pq.read_table(tmp_path / "out" / "results.parquet")
    assert table.to_pylist() == rows
    lines = (tmp_path / "out" / "results.csv").read_text("utf-8").splitlines()
    assert lines[0] == ",".join(table.column_names)
    assert len(lines) == 13


def test_no_point_runs_twice(tmp_path: Path, ran: list[str]) -> None:
    """In one sweep, when it is started again, and in another one that shares its folder."""
    twice = small_sweep(points=[{"hardware.n_dwo": 4, "hardware.name": name} for name in "ab"], axes={})
    rows = _explored(twice, tmp_path / "out")
    assert len(ran) == 1
    assert rows[0]["cycles"] == rows[1]["cycles"]
    other = small_sweep(axes={"hardware.n_dwo": [3, 4, 5]})
    first = _explored(other, tmp_path / "out")
    assert len(ran) == 3
    assert len(set(ran)) == 3
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "points").iterdir()}
    assert _explored(other, tmp_path / "out") == first
    assert len(ran) == 3
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "points").iterdir()} == before


def test_what_is_damaged_or_not_lasting_runs_again(tmp_path: Path, ran: list[str]) -> None:
    """A record that cannot be read, or is that of another key; and failures that may be the computer's fault."""
    sweep = small_sweep(axes={"hardware.n_dwo": [3, 4, 5]})
    first = _explored(sweep, tmp_path / "out")
    records = sorted((tmp_path / "out" / "points").iterdir())
    records[0].write_text('{"form": 1', encoding="utf-8")
    records[1].write_bytes(records[2].read_bytes())
    assert _explored(sweep, tmp_path / "out") == first
    assert sorted(ran[3:]) == sorted(path.stem for path in records[:2])
    with opened_store(tmp_path / "out") as store:
        store.put(Record.failed("a" * 64, ConfigError("memory", "little", "more"), lasting=False))
        assert store.record("a" * 64) is None
        kept = store.record(records[0].stem)
        assert kept is not None
        store.put(Record.failed(kept.key, "another end"))
        assert store.record(kept.key).to_bytes() == kept.to_bytes()  # type: ignore[union-attr]


def test_accuracy(tmp_path: Path) -> None:
    """Of integers against their codes as they are, endless where nothing is lost; of real operands against them."""
    narrow = small_sweep(points=[{"workload.lo_bits": bits} for bits in (4, 6)], axes={})
    with pytest.raises(ConfigError, match=r"the unknown field 'workload\.lo_bits'"):
        _explored(narrow, tmp_path / "none")
    rows = _explored(small_sweep(axes={"hardware.n_dwo": [4]}), tmp_path / "whole")
    assert rows[0]["accuracy_db"] == math.inf
    rng = np.random.default_rng(3)
    path = tmp_path / "float.npz"
    np.savez(path, weight=rng.normal(size=(16, 16)), activation=rng.normal(size=(4, 16, 8)))
    sweep = Sweep(
        name="x",
        float_layer=str(path),
        settings={f"hardware.{name}": value for name, value in MACHINE.items()},
        axes={"quantization.zpm": ["off", "on"], "quantization.weight_bits": [4, 7]},
    )
    rows = _explored(sweep, tmp_path / "real")
    observed = read_float_layer(path)
    for row in rows:
        policy = QuantizationPolicy(zpm=row["quantization.zpm"], weight_bits=row["quantization.weight_bits"])
        layer = calibrate(observed, policy).layer()
        scenario = Scenario("alone", layer, settings=MACHINE, values="off")
        assert row["cycles"] == run(scenario, RunOptions(trace=NO_TRACE, log_level="error")).summary.makespan_cycles
    assert rows[0]["accuracy_db"] < rows[1]["accuracy_db"] < 60  # type: ignore[operator]


def test_axes_of_workloads(tmp_path: Path) -> None:
    """Sizes and densities of a drawn layer are those of another layer: the cycles are its own."""
    rows = _explored(small_sweep(axes={"workload.N": [4, 40], "workload.rho_x": [0.0, 1.0]}), tmp_path / "out")
    expected = []
    for tokens, share in ((4, 0.0), (4, 1.0), (40, 0.0), (40, 1.0)):
        scenario = Scenario("alone", synthetic_layer(16, 16, tokens, 0.3, share, 1), settings=MACHINE, values="off")
        expected.append(run(scenario, RunOptions(trace=NO_TRACE, log_level="error")).summary.makespan_cycles)
    assert [row["cycles"] for row in rows] == expected
    assert len(set(expected)) == 4


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    """One that is locked, somebody else's, or a file is refused."""
    lock_in = tmp_path / "locked"
    with opened_store(lock_in):
        pass
    lock = FolderLock.take(lock_in / ".panacea-sweep")
    assert lock is not None
    with pytest.raises(ConfigError, match=r"'.*locked', which another process is writing"), opened_store(lock_in):
        pass
    lock.release()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"found the file '.*file'"), opened_store(tmp_path / "file"):
        pass
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"'.*mine', which holds no sweep"), opened_store(tmp_path / "mine"):
        pass


def _failing(folder: Path, before: Callable[[Store], object]) -> None:
    with opened_store(folder) as store:
        before(store)
        raise KeyboardInterrupt


def test_a_new_folder_in_which_nothing_is_kept_goes_again(tmp_path: Path) -> None:
    """Where a sweep fails before its first point; a folder that was there stays, and so does one with a point."""
    (tmp_path / "there").mkdir()
    cases: dict[str, Callable[[Store], object]] = {
        "new": lambda _: None,
        "there": lambda _: None,
        "kept": lambda store: store.put(Record.failed("a" * 64, "no mapping fits")),
        "noted": lambda store: (store.folder / "notes.txt").touch(),
    }
    for name, before in cases.items():
        with pytest.raises(KeyboardInterrupt):
            _failing(tmp_path / name, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "noted", "there"]


def test_columns_of_several_kinds_are_texts() -> None:
    """Numbers of both kinds are numbers; anything else becomes text."""
    sweep = small_sweep(
        points=[{"hardware.dram": dram, "hardware.n_dwo": n} for dram, n in (("ideal", 1), ({"a": 1}, 2.5))], axes={}
    )
    points = points_of(sweep, Maker(base_of(sweep)))
    rows = results_table((point, Record.failed("", "x")) for point in points).to_pylist()
    assert [row["hardware.dram"] for row in rows] == ["ideal", json.dumps({"a": 1})]
    assert [row["hardware.n_dwo"] for row in rows] == [1.0, 2.5]
