"""The command optimize: the same trials with one and two workers and after a kill; what it writes and refuses."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_processes import command_line

from panacea_sim.commands.main import main

SCENARIO = """
from panacea_sim import Scenario, synthetic_layer
layer = synthetic_layer(name="l", M=64, K=32, N=16, rho_w=0.5, rho_x=0.5, seed=1)
scenario = Scenario("tiny", layer, settings={"n_pea": 4})
"""
SWEEP = """
scenario: tiny.py
axes:
  hardware.n_dwo: {low: 1, high: 11}
  hardware.n_swo: {low: 1, high: 11}
  hardware.queue_depth: [1, 2, 4, 8]
constraints: [n_dwo + n_swo == 12]
objectives: [cycles, energy_pj]
"""
TRIALS = ("--trials", "20", "--seed", "3")
FILES = ("results.parquet", "results.csv", "sweep.json", "pareto.csv", "pareto.png")

AT_RECORD = """
kept = []
def trap(found, arguments):
    if found == "os.rename" and "/points/" in str(arguments[1]):
        kept.append(1)
        if len(kept) == int(where):
            happen()
sys.addaudithook(trap)
"""
"""It happens before a record takes its name: `where` is which one, from 1."""


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the file of a sweep of 44 machines in a folder of its own, which is the current one."""
    pytest.importorskip("optuna")
    (tmp_path / "tiny.py").write_text(SCENARIO)
    (tmp_path / "space.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    return "space.yaml"


def _files(folder: str) -> dict[str, bytes]:
    return {name: (Path(folder) / f"optimize_{name}").read_bytes() for name in FILES}


def _records(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (Path(folder) / "points").glob("[!.]*.json")}


@pytest.mark.slow
def test_the_same_trials_with_two_workers_and_after_a_kill(sweep: str) -> None:
    """Killed in the second generation, and started once more with two workers, it ends as one worker alone does."""
    pytest.importorskip("distributed")
    arguments = ("optimize", sweep, *TRIALS)
    assert main([*arguments, "--out", "one", "--workers", "1"]) == 0
    two = (*arguments, "--out", "two", "--workers")
    killing = command_line("os.kill(os.getpid(), signal.SIGKILL)", "13", *two, "1", trap=AT_RECORD)
    killed = subprocess.run(killing, capture_output=True, check=False, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    assert len(_records("two")) == 12
    assert not list(Path("two").glob("optimize_*"))
    assert main([*two, "2"]) == 0
    assert _files("two") == _files("one")
    assert _records("two") == _records("one")


def test_what_a_search_writes(sweep: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its trials as tables, picture and page, with what was searched; the files are told."""
    assert main(["optimize", sweep, "--trials", "9", "--algorithm", "nsga2", "--out", "found", "--workers", "1"]) == 0
    told = capsys.readouterr().out
    names = ("results.parquet", "results.csv", "pareto.csv", "pareto.png", "points.html")
    assert told.splitlines()[-5:] == [f"found/optimize_{name}" for name in names]
    rows = pq.read_table("found/optimize_results.parquet").to_pylist()
    assert len(rows) == 9
    assert len(_records("found")) == 9
    entry = json.loads(Path("found/optimize_sweep.json").read_text())
    assert (entry["algorithm"], entry["seed"], entry["trials"], entry["points"]) == ("nsga2", 0, 9, 9)
    page = Path("found/optimize_points.html").read_text()
    assert all(f"tiny: {row['cycles']:,} cycles, bound by" in page for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "no file 'none.yaml'"),
        (["space.yaml", "--trials", "0"], "--trials"),
        (["space.yaml", "--algorithm", "luck"], "'tpe', 'nsga2'"),
        (["space.yaml", "--workers", "2", "--cluster", "tcp://127.0.0.1:1"], "--workers"),
        (["listed.yaml"], "a list of points"),
    ],
)
def test_what_is_refused(sweep: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One message, exit code 2, and nothing is written."""
    Path("listed.yaml").write_text("scenario: tiny.py\npoints: [{hardware.n_dwo: 4}]\n")
    assert main(["optimize", *arguments, "--out", "found"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("found").exists()
    assert Path(sweep).exists()


def test_without_optuna_it_says_what_to_install(
    sweep: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the extra, and the command that needs none."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert main(["optimize", sweep]) == 2
    assert "pip install 'panacea-sim[optimize]'" in " ".join(capsys.readouterr().err.split())
