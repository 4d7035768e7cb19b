"""The command line: what it prints and writes, and how it refuses bad input, with exit code 2 and nothing written."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from stored_runs import let_memory_be_small

from panacea_sim.commands.main import main
from panacea_sim.trace.stored_run import open_run

SCRIPT = """
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

scenario = Scenario("tiny", synthetic_layer(8, 16, 8, 0.5, 0.5, 1), settings={"n_pea": 2, "tile_k": 8, "tile_n": 4})
"""
STUDY = """
from panacea_sim.running.scenario import Scenario, Study
from panacea_sim.workload.synthetic import synthetic_layer

layer = synthetic_layer(8, 16, 8, 0.5, 0.5, 1)
scenario = Study("tinies", tuple(Scenario(f"{n}_pea", layer, settings={"n_pea": n}) for n in (1, 2)), "How many PEAs?")
"""
# A process that a shell has started in the background ignores SIGINT; the test must not depend on that.
INTERRUPTIBLE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from panacea_sim.commands.main import main; sys.exit(main())"
)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test start where nothing is, so that whatever appears was written by it."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return the path of a scenario script."""
    path = tmp_path / "tiny.py"
    path.write_text(SCRIPT)
    return path


def _layer_file(**changes: Any) -> Path:  # noqa: ANN401  # whatever numpy can save
    """Write a small LAYER.npz with some of its arrays changed (None: left out)."""
    arrays = {
        "weight": np.ones((4, 6), np.int8),
        "activation": np.ones((6, 5), np.uint8),
        "zero_point": np.int64(3),
        **changes,
    }
    path = Path("layer.npz")
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def _refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must be refused; return its message after checking that it is all that happened."""
    before = sorted(Path().rglob("*"))
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    assert sorted(Path().rglob("*")) == before
    return " ".join(printed.err.split())


# What it does


def test_run_writes_a_folder_and_reports(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run ends with 0, shows cycles, verdict and folder, and writes runs/NAME."""
    assert main(["run", str(script)]) == 0
    printed = capsys.readouterr()
    assert "Exact: every accumulator equals the integer product" in printed.out
    assert "runs/tiny" in printed.out
    assert printed.err == ""
    assert json.loads(Path("runs/tiny/summary.json").read_text())["exact"] is True


def test_gemm_runs_a_layer_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A layer file is simulated under its own name."""
    assert main(["gemm", str(_layer_file()), "--set", "hardware.n_pea=1"]) == 0
    assert "layer: 4 x 6 x 5" in capsys.readouterr().out
    summary = json.loads(Path("runs/layer/summary.json").read_text())
    assert (summary["scenario"], summary["exact"]) == ("layer", True)


@pytest.mark.parametrize("command", ["run", "gemm"])
def test_json_is_the_summary_and_nothing_else(command: str, script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the whole standard output is the document in summary.json."""
    path = script if command == "run" else _layer_file()
    assert main([command, str(path), "--json", "--out", "out"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("out/summary.json").read_text())


def test_a_kept_scenario_gives_the_same_run(script: Path) -> None:
    """RUN/scenario.yaml runs again with the same summary, but for the time of the host."""
    assert main(["run", str(script), "--out", "first", "--set", "hardware.queue_depth=3"]) == 0
    assert main(["run", "first/scenario.yaml", "--out", "second"]) == 0
    first, second = (json.loads(Path(name, "summary.json").read_text()) for name in ("first", "second"))
    assert {**first, "host_seconds": 0} == {**second, "host_seconds": 0}
    assert pq.read_table("first/activities.parquet").equals(pq.read_table("second/activities.parquet"))


def test_a_kept_layer_file_gives_the_same_run() -> None:
    """The same holds for a layer from a file, whose operands are kept beside the scenario."""
    layer = _layer_file(bias=np.arange(4.0), weight_scale=np.full(4, 0.5), r=np.array([2]), name=np.array("mine"))
    assert main(["gemm", str(layer), "--out", "first"]) == 0
    layer.unlink()
    assert main(["run", "first/scenario.yaml", "--out", "second"]) == 0
    first, second = (json.loads(Path(name, "summary.json").read_text()) for name in ("first", "second"))
    assert first["layers"][0]["name"] == "mine"
    assert {**first, "host_seconds": 0} == {**second, "host_seconds": 0}


def test_settings_and_hardware_files_are_applied(script: Path) -> None:
    """--hardware replaces the scenario's machine, --set goes on top; the kept scenario shows both."""
    Path("mine.yaml").write_text("n_dwo: 7\nn_cs: 2\n")
    assert main(["run", str(script), "--hardware", "mine.yaml", "--set", "hardware.n_cs=3", "--out", "out"]) == 0
    kept = Path("out/scenario.yaml").read_text()
    assert "n_dwo: 7" in kept
    assert "n_cs: 3" in kept
    assert "n_pea: 16" in kept
    assert json.loads(Path("out/summary.json").read_text())["hardware"] == "mine"


def test_a_study_writes_one_folder_for_each_case(capsys: pytest.CaptureFixture[str]) -> None:
    """A study has a folder with one run folder for each case, and one table."""
    Path("study.py").write_text(STUDY)
    assert main(["run", "study.py", "--out", "out"]) == 0
    names = [".panacea-run", "1_pea", "2_pea", "results.csv", "summary.json"]
    assert sorted(path.name for path in Path("out").iterdir()) == names
    assert Path("out/1_pea/activities.parquet").exists()
    printed = capsys.readouterr().out
    assert "How many PEAs?" in printed
    assert "1_pea" in printed
    assert "2_pea" in printed


def test_json_of_a_study_has_all_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a study prints one document with the summary of each case."""
    Path("study.py").write_text(STUDY)
    assert main(["run", "study.py", "--out", "out", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(Path("out/summary.json").read_text())
    assert document["study"] == "tinies"
    assert document["runs"]["2_pea"] == json.loads(Path("out/2_pea/summary.json").read_text())


def test_a_study_can_be_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of a study is refused like that of a run, and replaced with --force."""
    Path("study.py").write_text(STUDY)
    assert main(["run", "study.py", "--out", "out"]) == 0
    capsys.readouterr()
    assert "use --force" in _refused(capsys, "run", "study.py", "--out", "out").lower()
    assert main(["run", "study.py", "--out", "out", "--force"]) == 0


def test_list_hardware_shows_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of presets has each field with value, standing and source."""
    assert main(["list", "hardware"]) == 0
    printed = capsys.readouterr().out
    assert "panacea" in printed
    assert "hardware.n_pea" in printed
    assert "our assumption" in printed
    assert "second-hand" in printed


def test_force_replaces_an_earlier_run(script: Path) -> None:
    """With --force a run takes the place of an earlier one."""
    assert main(["run", str(script), "--out", "out"]) == 0
    assert main(["run", str(script), "--out", "out", "--force", "--trace", "off"]) == 0
    assert not Path("out/activities.parquet").exists()
    assert [path.name for path in Path().glob("out*")] == ["out"]


def test_debug_log_has_component_events(script: Path) -> None:
    """--log-level debug adds the intervals of components; info has none; every line is JSON."""
    for level in ("info", "debug"):
        assert main(["run", str(script), "--out", level, "--log-level", level]) == 0
    info, debug = (
        [json.loads(line) for line in Path(level, "log.jsonl").read_text().splitlines()] for level in ("info", "debug")
    )
    assert [event["event"] for event in info] == ["start", "end"]
    assert info[1]["cycle"] == json.loads(Path("info/summary.json").read_text())["makespan_cycles"]
    events = [event for event in debug if event["event"] == "activity"]
    assert len(events) == pq.read_table("debug/activities.parquet").num_rows
    assert {"component", "state", "start_cycle", "end_cycle", "cause"} <= set(events[0])


def test_the_installed_command_runs(script: Path) -> None:
    """The command panacea-sim runs a scenario in a process of its own."""
    command = Path(sys.executable).with_name("panacea-sim")
    ended = subprocess.run([command, "run", script, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["exact"] is True
    assert ended.stderr == ""


def test_the_installed_command_refuses_without_a_traceback() -> None:
    """Bad input ends the process with 2 and a message of one line."""
    command = Path(sys.executable).with_name("panacea-sim")
    ended = subprocess.run([command, "run", "nowhere.py"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: scenario: found no file 'nowhere.py'")
    assert ended.stderr.count("\n") == 1


# What fails in a run


def test_a_deadlock_ends_with_1(
    script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that cannot go on ends with 1, a message with components and memory, and a partial folder."""
    let_memory_be_small(monkeypatch, "WMEM", 1)
    assert main(["run", str(script), "--out", "out"]) == 1
    message = capsys.readouterr().err
    assert re.search(r"deadlock at cycle \d+: w_dma -> w_decoder -> w_dma", message)
    assert "w_dma, firing 0 of 2, is blocked by WMEM, which waits for w_decoder" in message
    assert "Traceback" not in message
    assert [path.name for path in Path().glob("out*")] == ["out.partial"]


def test_wrong_values_end_with_1(
    script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is not exact ends with 1, says so, and keeps its folder."""
    monkeypatch.setattr(
        "panacea_sim.machines.panacea.values.offline_compensation", lambda layer: np.ones(layer.M, np.int64)
    )
    assert main(["run", str(script), "--out", "out"]) == 1
    assert "NOT EXACT" in capsys.readouterr().out
    assert json.loads(Path("out/summary.json").read_text())["exact"] is False


def test_control_c_leaves_what_was_recorded(tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and names NAME.partial, which can be read and gives way to the next run."""
    large = SCRIPT.replace("synthetic_layer(8, 16, 8,", "synthetic_layer(256, 512, 128,")
    Path("large.py").write_text(large.replace('"tile_n": 4}', '"tile_n": 4}, values=False'))
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "run", "large.py", "--out", "out", "--engine", "reference"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    partial = tmp_path / "out.partial"
    deadline = time.monotonic() + 60
    while not any(partial.glob("spill/*pea1.arrow")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert out == ""
    assert "out.partial" in message
    assert "Traceback" not in message
    assert not Path("out").exists()
    assert pq.read_table(partial / "activities.parquet").num_rows > 0
    assert pq.read_table(partial / "queues.parquet").num_rows > 0
    Path("tiny.py").write_text(SCRIPT)
    assert main(["run", "tiny.py", "--out", "out"]) == 0
    assert not partial.exists()


# Layer files that are refused


def test_missing_layer_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is named."""
    assert "nowhere.npz: found No such file" in _refused(capsys, "gemm", "nowhere.npz")


def test_layer_file_that_is_no_archive(capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another kind is named."""
    Path("text.npz").write_text("not an archive")
    assert "text.npz: found a file that is not an .npz file" in _refused(capsys, "gemm", "text.npz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": None}, "found no 'activation' among the keys weight, zero_point"),
        ({"weight": np.ones((4, 6), np.float32)}, "layer.weight: found dtype float32"),
        ({"activation": np.ones(6, np.uint8)}, "layer.activation: found 1 dimensions"),
        ({"weight": np.full((4, 6), 64, np.int8)}, "layer.weight: found 64 at [0, 0]; accepted: -64 .. 63"),
        ({"zero_point": np.int64(256)}, "layer.zero_point: found 256; accepted: a whole number in 0 .. 255"),
        ({"lo_bits": np.int64(3)}, "layer.lo_bits: found 3; accepted: 4, 5, 6"),
        ({"weight_scale": np.float64("nan")}, "layer.weight_scale: found nan; accepted: finite numbers > 0"),
        ({"wieght": np.ones(1)}, "the unknown key 'wieght'"),
    ],
    ids=["key", "dtype", "rank", "range", "zero_point", "lo_bits", "nan", "unknown"],
)
def test_bad_layer_file(changes: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer file with one thing wrong is refused, with the field, what was found and the file."""
    printed = _refused(capsys, "gemm", _layer_file(**changes))
    assert message in printed
    assert "layer.npz" in printed


def test_k_mismatch_names_both_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    """Operands whose inner dimensions differ are refused with both."""
    printed = _refused(capsys, "gemm", _layer_file(activation=np.ones((7, 5), np.uint8)))
    assert "layer.activation" in printed
    assert "6" in printed
    assert "7" in printed


# Machines and options that are refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--hardware", "panacae"],
            "found the unknown preset 'panacae'; accepted: a preset (bitfusion, panacea, sa_os, ",
        ),
        (["--hardware", "panacae"], "Did you mean 'panacea'?"),
        (["--hardware", "nowhere.yaml"], "nowhere.yaml: found No such file"),
        (["--set", "hardware.n_dwos=3"], "the unknown path 'hardware.n_dwos'"),
        (["--set", "hardware.n_dwos=3"], "Did you mean 'hardware.n_dwo'?"),
        (["--set", "n_dwo"], "accepted: PATH=VALUE"),
        (
            ["--set", "hardware.queue_depth=-1"],
            "hardware.queue_depth: found -1; accepted: a whole number in 1 .. 65536",
        ),
        (["--set", "hardware.dram_bytes_per_cycle=0"], "hardware.dram_bytes_per_cycle: found 0; accepted"),
        (["--set", "hardware.dram=hbm3"], "hardware.dram: found 'hbm3'; accepted: one of ideal, ddr4_2400"),
        (["--set", "hardware.dram=hbm3"], "Did you mean 'hbm2'?"),
        (["--set", "hardware.dtp=always"], "hardware.dtp: found 'always'; accepted: one of 'off', 'on', 'auto'"),
        (["--set", "hardware.loop_order=mnm"], "hardware.loop_order: found 'mnm'; accepted: one of 'mnk', 'mkn'"),
        (
            ["--set", "hardware.dram_channels=0"],
            "hardware.dram_channels: found 0; accepted: a whole number in 1 .. 1024",
        ),
        (["--set", "hardware.wmem_bytes=3"], "WMEM holds 3 bytes, but a tile needs"),
        (["--set", "hardware.wmem_bytes=3"], "bytes are missing. Raise hardware.wmem_bytes or lower hardware.tile_k"),
        (["--set", "hardware.omem_bytes=3"], "OMEM holds 3 bytes for finished tiles, but an output tile needs"),
        (["--engine", "compiled", "--values", "travel"], "--engine: found compiled, with values that travel; accepted"),
        (["--values", "fly"], "--values"),
        (["--window", "5"], "--window: found '5'; accepted: A:B, whole cycles with A < B"),
        (["--window", "7:7"], "--window: found '7:7', which is empty; accepted: A:B"),
        (["--window", "-1:7"], "--window: found '-1:7'; accepted: A:B"),
        (["--trace", "some"], "--trace"),
        (["--engine", "fast"], "--engine"),
        (["--log-level", "loud"], "--log-level"),
        (["--nonsense"], "--nonsense"),
    ],
)
@pytest.mark.parametrize("kind", ["scenario", "study"])
def test_bad_option(kind: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An option with a bad value is refused, for a scenario and for a study, and the message names it."""
    Path("case.py").write_text(SCRIPT if kind == "scenario" else STUDY)
    assert message in _refused(capsys, "run", "case.py", *options)


@pytest.mark.parametrize("kind", ["scenario", "study"])
def test_a_window_behind_the_end_is_told(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The run succeeds, and a line on standard error says that its window has recorded nothing, and why."""
    Path("case.py").write_text(SCRIPT if kind == "scenario" else STUDY)
    assert main(["run", "case.py", "--window", "9999998:9999999", "--json", "--out", "out"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    summaries = document["runs"].values() if kind == "study" else [document]
    assert printed.err.splitlines() == [
        f"warning: nothing was recorded: {summary['scenario']} ended at cycle {summary['makespan_cycles']}, "
        "before --window 9999998:9999999"
        for summary in summaries
    ]
    assert main(["run", "case.py", "--window", "0:1", "--json", "--out", "other"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["run"], ["simulate", "x.py"], ["list", "networks"]])
def test_bad_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command without its argument, or one that does not exist, is refused."""
    assert "error" in _refused(capsys, *arguments).lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["picture", "x"], "error: Missing option '--out'.\nTry: panacea-sim picture --help\n"),
        (["export", "x"], "error: Missing option '--format'. Choose from: perfetto, vcd, csv\nTry: panacea-sim export"),
        (
            ["inspect", "x", "--format", "xml"],
            "error: Invalid value for '--format': 'xml' is not one of 'table', 'csv', 'json'.\nTry: panacea-sim",
        ),
        (["simulate"], "error: No such command 'simulate'.\nTry: panacea-sim --help\n"),
    ],
)
def test_usage_errors_lead_to_the_help_of_the_command(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is one line in plain words, and the next one names the help of the command that was asked."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(message)


def test_a_window_of_a_run_may_be_open(script: Path) -> None:
    """Without its end a window records from its first cycle to the end of the run."""
    assert main(["run", str(script), "--out", "whole"]) == 0
    assert main(["run", str(script), "--out", "late", "--window", "60:"]) == 0
    whole, late = (pq.read_table(f"{name}/activities.parquet").to_pylist() for name in ("whole", "late"))
    assert late == [row for row in whole if row["end_cycle"] > 60]
    assert 0 < len(late) < len(whole)
    assert json.loads(Path("late/summary.json").read_text())["trace"] == {"level": "full", "window": [60, None]}
    assert open_run("late").recorded_cycles == (60, open_run("whole").end_cycle)


# Folders that are refused


def test_output_folder_that_cannot_be_written(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder below a regular file cannot be made."""
    Path("file").write_text("")
    message = _refused(capsys, "run", script, "--out", "file/out")
    assert "--out: found 'file/out' (Not a directory); accepted: a folder that can be written" in message


def test_existing_run_folder(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An earlier run is not replaced without --force."""
    assert main(["run", str(script), "--out", "out"]) == 0
    capsys.readouterr()
    message = _refused(capsys, "run", script, "--out", "out")
    assert "--out: found the existing folder 'out'" in message
    assert "Use --force to replace it" in message


def test_force_replaces_no_other_folder(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that holds something else is not replaced, even with --force."""
    Path("photos").mkdir()
    Path("photos/cat.jpg").write_text("")
    message = _refused(capsys, "run", script, "--out", "photos", "--force")
    assert "--out: found 'photos', which is no run folder" in message


@pytest.mark.parametrize("out", [".", ".."])
def test_a_folder_without_a_name(
    out: str, script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that cannot be renamed into is refused; two folders of its own keep the test from harming others."""
    Path("outer/inner").mkdir(parents=True)
    monkeypatch.chdir("outer/inner")
    Path("../thesis.tex").write_text("draft")
    assert "--out" in _refused(capsys, "run", script, "--out", out)
    assert Path("../thesis.tex").read_text() == "draft"


def test_force_does_not_empty_a_folder_above_a_run(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of other things with a run somewhere below is not replaced, even with --force."""
    assert main(["run", str(script), "--out", "work/deep/run"]) == 0
    Path("work/thesis.tex").write_text("draft")
    capsys.readouterr()
    assert "which is no run folder" in _refused(capsys, "run", script, "--out", "work", "--force")


# Scenarios that are refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answer = 42\n", "script.py: scenario: found nothing of that name; accepted: a Scenario or a Study"),
        ("scenario = 42\n", "script.py: scenario: found an int;"),
        ("a = 1\nb = a / 0\n", "script.py: found ZeroDivisionError: division by zero"),
        ("a = 1\nb = a / 0\n", "See line 2"),
        ("def f():\n    raise ValueError('bad')\n\nf()\n", "See line 2"),
        ("a = 1\nb = (\n", "See line 2"),
        ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'"),
        ("import sys\nsys.exit('stop')\n", "SystemExit: stop; accepted"),
        ("import sys\nsys.exit()\n", "SystemExit; accepted: a script that runs to its end. See line 2"),
        ("raise ValueError\n", "script.py: found ValueError; accepted: a script that runs to its end. See line 1"),
        ("a = '\0'\n", "null bytes; accepted: a script that runs to its end"),
        ("from panacea_sim.running.scenario import Study\nscenario = Study('s', ())\n", "study.s.scenarios"),
    ],
)
def test_bad_scenario_script(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A script without a scenario, or that fails, is refused, and its line is named."""
    Path("script.py").write_text(text)
    assert message in _refused(capsys, "run", "script.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "scenario.yaml: schema: found nothing"),
        ("schema: 99\nname: x\nlayers: []\nhardware: {}\n", "scenario.yaml: schema: found 99"),
        ("schema: 1\nname: x\nlayers: []\nhardware: {}\n", "layers"),
        ("schema: 1\nname: x\nlayers: [{name: y}]\nhardware: {}\n", "layers"),
        ("- 1\n", "a YAML mapping"),
    ],
)
def test_bad_scenario_yaml(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A scenario.yaml that no run has written is refused."""
    Path("scenario.yaml").write_text(text)
    assert message in _refused(capsys, "run", "scenario.yaml")
