"""The command why: what bounds a run and what to change, on one screen and as JSON; what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from engine_runs import NEEDS_NUMBA

from panacea_sim.commands.main import main

ROOT = Path(__file__).parents[2]
_CONTENTION = str(ROOT / "scenarios" / "contention.py")
_TABLE = "Layer, M, N, K,\n" + "".join(f"l{number}, 20, {60 + 10 * number}, 40,\n" for number in range(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs: one with bandwidth alone as its bound, and a network that was explained."""
    found = tmp_path_factory.mktemp("runs")
    (found / "table.csv").write_text(_TABLE)
    assert main(["run", _CONTENTION, "--out", str(found / "contention")]) == 0
    assert main(["run", str(found / "table.csv"), "--explain", "--out", str(found / "table")]) == 0
    return found


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["why", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@NEEDS_NUMBA
def test_contention_is_bound_by_bandwidth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice the bandwidth comes first, x_dma's priority gains nothing, and path and root causes add up."""
    found = _json(capsys, str(folder / "contention"), "--seconds", "60")
    assert found["bound"] == "bandwidth"
    assert found["makespan_cycles"] == sum(row["cycles"] for row in found["critical_path"]) == 112_044
    assert sum(found["classes"].values()) == 112_044
    assert found["critical_path"][0]["kind"] == "transfer"
    assert found["critical_path"][0]["gain_cycles"] == 112_044 - 78_261
    first, gains = found["remedies"][0], {(row["knob"], str(row["to"])): row for row in found["remedies"]}
    assert (first["knob"], first["to"], first["gain_planned"]["cycles"]) == ("dram_bytes_per_cycle", 16, 33_783)
    assert gains["x_dma_priority", "first"]["gain_planned"]["cycles"] == 0
    behind = {limit["name"]: limit for limit in found["limits"] if limit["kind"] == "order"}
    assert behind["x_dma behind w_dma on dram0"]["gain_cycles"] == 0
    summary = json.loads((folder / "contention" / "summary.json").read_text())
    stalled = {name: sum(total["cycles"] for total in totals) for name, totals in summary["stalls"].items()}
    causes: dict[str, int] = {}
    for cause in found["root_causes"]:
        causes[cause["component"]] = causes.get(cause["component"], 0) + cause["cycles"]
    idle = {name: states["idle"] for name, states in summary["components"].items()}
    busy = {name: states["busy"] for name, states in summary["components"].items()}
    assert causes == {name: 112_044 - idle[name] - busy[name] for name in causes}
    assert set(causes) == {name for name, cycles in stalled.items() if cycles and name != "dram0"}


@NEEDS_NUMBA
def test_the_screen_says_what_bounds_the_run_and_what_to_change(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line is the diagnosis, the second the best remedies, and chains end at their cause."""
    capsys.readouterr()
    assert main(["why", str(folder / "contention"), "--seconds", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("contention: 112,044 cycles, bound by bandwidth, 98.2% of the critical path; dram0 is")
    assert lines[1].startswith("First remedies: dram_bytes_per_cycle 8 -> 16 saves 33,783 cycles (30.2%)")
    text = "\n".join(lines)
    assert "16 pea starved <- dispatcher <- w_decoder <- w_dma behind o_dma on dram0" in text
    assert "Every knob, in pairs, and ideal machines: panacea-sim whatif" in text


def test_without_time_nothing_is_run_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The explanation is there all the same, its rows without gains."""
    found = _json(capsys, str(folder / "contention"), "--seconds", "0")
    assert found["remedies"] == []
    assert {row["gain_cycles"] for row in found["critical_path"]} == {None}
    assert found["bound"] == "bandwidth"


def test_layers_that_ran_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each layer has its bound and classes; they add up to the run."""
    found = _json(capsys, str(folder / "table"), "--seconds", "0")
    assert [layer["name"] for layer in found["layers"]] == ["l0", "l1", "l2"]
    assert sum(layer["cycles"] for layer in found["layers"]) == found["makespan_cycles"]
    sums: dict[str, int] = {}
    for layer in found["layers"]:
        assert sum(layer["classes"].values()) == layer["cycles"]
        for name, cycles in layer["classes"].items():
            sums[name] = sums.get(name, 0) + cycles
    assert sums == found["classes"]
    assert not (folder / "table" / "activities.parquet").exists()


def test_layers_are_counted_by_their_bound(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every layer is counted where its bound is named, with the share of the cycles and the longest of them."""
    layers = _json(capsys, str(folder / "table"), "--seconds", "0")["layers"]
    assert main(["why", str(folder / "table"), "--seconds", "0"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    total = sum(layer["cycles"] for layer in layers)
    for bound in {layer["bound"] for layer in layers}:
        mine = [layer for layer in layers if layer["bound"] == bound]
        longest = max(mine, key=lambda layer: layer["cycles"])["name"]
        share = sum(layer["cycles"] for layer in mine) / total
        assert f"{bound} {len(mine)} ({share:.1%} of the cycles, the longest is {longest})" in printed


@NEEDS_NUMBA
def test_stored_whatif_results_are_shown(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What whatif has found is not run again."""
    run = tmp_path / "run"
    shutil.copytree(folder / "contention", run)
    assert main(["whatif", str(run), "--knob", "outstanding", "--workers", "1"]) == 0
    found = _json(capsys, str(run), "--seconds", "0")
    assert {row["knob"] for row in found["remedies"]} == {"outstanding"}
    assert found["all_remedies_tried"]


def test_an_explained_run_leads_with_its_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report of a run begins with what bounds it, or ends with how it can be explained."""
    (tmp_path / "table.csv").write_text(_TABLE)
    for number, (options, wanted) in enumerate(
        [
            (["--explain"], ("table: ", "What to change: panacea-sim why ")),
            (["--trace", "full"], ("table on ", "Not explained yet: panacea-sim why ")),
            ([], ("table on ", "Not explained: run it with --explain to see why it takes so long")),
        ]
    ):
        capsys.readouterr()
        assert main(["run", str(tmp_path / "table.csv"), "--out", str(tmp_path / f"{number}"), *options]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert (lines[0].startswith(wanted[0]), lines[-1].startswith(wanted[1])) == (True, True), lines
        assert ("bound by" in lines[0]) == (options == ["--explain"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trace", "off"], r"no trace; accepted: a run that was explained, or recorded whole"),
        (["--trace", "stalls"], r"a trace of the stalls alone; accepted: a run that was explained, or recorded whole"),
    ],
)
def test_what_was_not_recorded_cannot_be_explained(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message that says what to do, and nothing is written."""
    (tmp_path / "table.csv").write_text(_TABLE)
    assert main(["run", str(tmp_path / "table.csv"), "--out", str(tmp_path / "run"), *options]) == 0
    before = sorted((tmp_path / "run").iterdir())
    capsys.readouterr()
    assert main(["why", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Run again with --explain, or with --trace full" in error
    assert sorted((tmp_path / "run").iterdir()) == before


def test_a_window_has_root_causes_but_no_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line says what cannot be known."""
    assert main(["run", _CONTENTION, "--window", "1000:4000", "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["why", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "of which a window was recorded: what bounds them cannot be known" in out.splitlines()[0]
    assert "root cause" in out
