"""What `run` takes, and where it sends what it does not take."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from stored_runs import one_layer_run

from panacea_sim.commands.main import main
from panacea_sim.running.scenario import Scenario, load_scenario


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _refused(path: str, capsys: pytest.CaptureFixture[str]) -> str:
    before = sorted(Path().rglob("*"))
    assert main(["run", path]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert sorted(Path().rglob("*")) == before
    return printed.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a.txt",
            "found 'a.txt', a file with the ending '.txt'; accepted: a scenario script (.py), a scenario",
        ),
        ("a.PY", "a file with the ending '.py'"),
        ("plain", "found 'plain', a file without an ending; accepted: a scenario script"),
        ("net.csv", "net.csv: line 1: found the unknown column \"raise SystemExit('it ran')\"; accepted: columns"),
        ("summary.json", "found 'summary.json', a JSON file"),
        ("activities.parquet", "found 'activities.parquet', a table of a run"),
    ],
)
def test_other_files_are_not_run(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file is never run as Python unless it is called a script; the message says what it is."""
    Path(name).write_text("raise SystemExit('it ran')")
    assert message in _refused(name, capsys)


def test_a_layer_file_belongs_to_gemm(capsys: pytest.CaptureFixture[str]) -> None:
    """A layer file is sent to gemm, by a command that works as it stands."""
    arrays = {"weight": np.ones((4, 6), np.int8), "activation": np.ones((6, 5), np.uint8), "zero_point": np.int64(3)}
    np.savez("my layer.npz", **arrays)  # type: ignore[arg-type]  # numpy takes names of files and arrays alike
    message = _refused("my layer.npz", capsys)
    assert message.startswith("error: scenario: found the layer file 'my layer.npz'; accepted: a scenario script")
    command = shlex.split(message.split("is simulated with: ")[1])
    assert command == ["panacea-sim", "gemm", "my layer.npz"]
    assert main(command[1:]) == 0


def test_a_run_folder_belongs_to_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """A run folder is sent to inspect, to report and to its scenario, by commands that work as they stand."""
    one_layer_run(Path("small run"), "layer")
    message = _refused("small run", capsys)
    assert "found the run folder 'small run'; accepted: a scenario script (.py), a scenario.yaml, or a net" in message
    commands = [shlex.split(found) for found in re.findall(r"with: ([^;\n]+)", message)]
    assert [command[1] for command in commands] == ["inspect", "report", "run"]
    for command in commands:
        assert main(command[1:]) == 0


@pytest.mark.parametrize(("mark", "what"), [(False, "the folder 'x';"), (True, "the folder 'x' of a study;")])
def test_other_folders_are_named(mark: bool, what: str, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001
    """A folder that is no run folder is refused too."""
    Path("x").mkdir()
    if mark:
        Path("x/.panacea-run").touch()
    assert f"scenario: found {what} accepted: a scenario script" in _refused("x", capsys)


def test_a_script_imports_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module beside the script is found from any folder, and a library of the same name comes first."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "panacea_test_sizes.py").write_text("M = 12\n")
    (tmp_path / "colorsys.py").write_text("raise ImportError\n")
    (tmp_path / "beside.py").write_text(
        "import colorsys\n"
        "from panacea_test_sizes import M\n"
        "from panacea_sim import Scenario, synthetic_layer\n"
        "scenario = Scenario('beside', synthetic_layer(M, 8, 8, 0.5, 0.5, 1))\n"
    )
    found = load_scenario(tmp_path / "beside.py")
    assert isinstance(found, Scenario)
    assert [layer.M for layer in found.known_layers()] == [12]
