"""The command energy: what it prints, what it answers in JSON, and what it refuses with one message."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from stored_runs import RUNS, small_run

from panacea_sim.commands.main import main
from panacea_sim.energy.energy import CATEGORIES
from panacea_sim.energy.table import list_tables
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import StoredRun


@pytest.fixture(autouse=True)
def _on_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture(scope="module")
def on_ideal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on the memory without banks, which has no energy of its own."""
    return small_run(tmp_path_factory.mktemp("ideal") / "run", TraceOptions("off"), dram="ideal").path


def _refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["energy", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err


def test_the_total_comes_first(full_run: StoredRun, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line has the total with its range and pJ a MAC; each category has a row; what is left out is listed."""
    assert main(["energy", str(full_run.path)]) == 0
    printed = capsys.readouterr().out
    first, *others = printed.splitlines()
    assert re.fullmatch(r"Energy of .*: [\d.]+ [µn]J \(.* \.\. .*\), [\d.]+ pJ/MAC \(.*\)", first)
    for category in CATEGORIES:
        assert any(line.split()[:1] == [category] for line in others)
    assert re.search(r"^Left out, without a source: .*leakage of logic", printed, re.MULTILINE)
    assert re.search(r"^Area, sourced parts only: 0.546 mm2 .* 20 % more", printed, re.MULTILINE)
    assert "Layers overlap" in printed


@pytest.mark.parametrize("dram", ["lump", "events"])
def test_json_holds_what_adds_up(full_run: StoredRun, dram: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Charges are counts times prices, and add up to categories, components and the total, in each case."""
    assert main(["energy", str(full_run.path), "--json", "--dram", dram]) == 0
    found = json.loads(capsys.readouterr().out)
    for case in ("low", "nominal", "high"):
        total = found["total_pj"][case]
        charges = [each["count"] * each["pj_each"][case] for each in found["charges"]]
        assert sum(charges) == pytest.approx(total, rel=1e-12)
        assert sum(each[case] for each in found["categories"].values()) == pytest.approx(total, rel=1e-12)
        of_components = [each["total_pj"][case] for each in found["components"].values()]
        assert sum(of_components) == pytest.approx(total, rel=1e-12)
        assert found["pj_per_mac"][case] == pytest.approx(total / found["macs"], rel=1e-12)
    assert found["table"]["operations"]["multiply_4b"]["standing"] == "D"
    assert found["unknown"] == []
    assert (found["device"], found["dram"]) == ("hbm2", dram)
    has_events = any(each["what"] == "activates" for each in found["charges"])
    assert has_events == (dram == "events")


def test_padding_is_charged_with_events_alone(full_run: StoredRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes of bursts that nobody asked for are reported either way."""
    assert full_run.summary is not None
    dram = full_run.summary.dram
    assert dram.burst_bytes is not None
    padding = f"Padding: {dram.burst_bytes - dram.read_bytes - dram.write_bytes:,} bytes"
    for way, words in (("lump", "not charged by the bit"), ("events", "charged")):
        assert main(["energy", str(full_run.path), "--dram", way]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Padding")]
        assert line.startswith(padding)
        assert line.endswith(f", {words}")


def test_what_has_no_figure_is_told(on_ideal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ideal memory leaves the total open: the first line says without what it is, one line says why."""
    assert main(["energy", str(on_ideal)]) == 0
    printed = capsys.readouterr().out
    assert re.match(r"Energy of .*: .*J, without what has no figure: DRAM\n", printed)
    (line,) = [line for line in printed.splitlines() if line.startswith("No figure")]
    assert line == ("No figure: the table 'default' has no DRAM figure for 'ideal' (asked by w_dma, x_dma, o_dma)")
    assert main(["energy", str(on_ideal), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total_pj"] is found["pj_per_mac"] is found["categories"]["DRAM"] is None
    assert found["known_pj"]["nominal"] > 0


def test_a_device_is_taken_for_the_ideal_memory(on_ideal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its figure for a bit is taken, and the total is known."""
    assert main(["energy", str(on_ideal), "--device", "hbm2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    moved = sum(each["count"] for each in found["charges"] if each["category"] == "DRAM")
    assert found["categories"]["DRAM"]["nominal"] == pytest.approx(moved * 8 * 3.9)
    assert found["total_pj"] is not None


def test_a_table_of_ones_own_is_read(full_run: StoredRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it says holds, and its name stands in the answer."""
    own = tmp_path / "free.yaml"
    own.write_text("base: default\noperations: {multiply_4b: 0, add_32b: 0, register_bits: 0, compensate_32b: 0}\n")
    assert main(["energy", str(full_run.path), "--table", str(own), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["table"]["name"] == "free"
    assert found["categories"]["core"] == {"low": 0, "nominal": 0, "high": 0}


def test_tables_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`list energy` shows every table, and every figure of the default one with its standing and source."""
    assert main(["list", "energy"]) == 0
    printed = capsys.readouterr().out
    for name in list_tables():
        assert re.search(rf"^{name}, 28 nm: ", printed, re.MULTILINE), name
    assert re.search(r"multiply_4b +0\.025 +0\.03 +0\.12 +pJ +D +Horowitz", printed)
    assert re.search(r"dram lpddr5_6400 +5 +12\.4 +31 +pJ/bit +A ", printed)


_REFUSED = {
    ("--table", "defualt"): r"error: --table: found 'defualt'; accepted: one of default, .*Did you mean 'default'\?",
    ("--table", "missing.yaml"): r"error: missing\.yaml: found No such file",
    ("--device", "hbm3"): r"error: --device: found 'hbm3' for a run on 'hbm2'; accepted: no other device",
    (
        "--device",
        "hbm2",
        "--dram",
        "events",
    ): r"error: --device: found 'hbm2' beside --dram events; accepted: --dram lump",
    ("--dram", "all"): r"error: .*'all' is not one of 'lump', 'events'",
}


@pytest.mark.parametrize("arguments", _REFUSED)
def test_wrong_options_are_refused(
    arguments: tuple[str, ...], full_run: StoredRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2, nothing on standard output."""
    assert re.search(_REFUSED[arguments], _refused([str(full_run.path), *arguments], capsys))


def test_an_unknown_device_is_refused(on_ideal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names those with figures."""
    printed = _refused([str(on_ideal), "--device", "hbm"], capsys)
    assert re.search(r"--device: found 'hbm'; accepted: one of hbm2, .*Did you mean 'hbm2'\?", printed)


def test_runs_without_counts_are_refused(
    full_run: StoredRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of an earlier version has counted no operations: run it again."""
    old = shutil.copytree(full_run.path, tmp_path / "old")
    summary = json.loads((full_run.path / "summary.json").read_text())
    del summary["operations"], summary["inventory"]
    (old / "summary.json").write_text(json.dumps(summary))
    printed = _refused([str(old)], capsys)
    assert re.search(
        r"found a run of an earlier version, which counted no .*; accepted: .*Run the scenario again", printed
    )


def test_partial_runs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that did not come to its end has no counts."""
    printed = _refused([str(RUNS["partial"](tmp_path).path)], capsys)
    assert "a partial run, whose counts are not known" in printed
