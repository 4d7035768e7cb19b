"""The commands that explore: sweeps from files, the quick form of run, what is shown, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from swept_points import MACHINE

from panacea_sim.commands.main import main
from panacea_sim.exploring import cluster

_SCENARIO = """
from panacea_sim import MaskedLayer, Scenario
scenario = Scenario("drawn", MaskedLayer("drawn", 16, 16, 8, 0.3, 0.5, 1), settings={machine!r})
"""
_SWEEP = """
scenario: drawn.py
axes:
  hardware.n_dwo: [4, 8]
  hardware.n_swo: [0, 4, 8]
objectives: [cycles, area_mm2]
"""
_IN_PYTHON = """
from panacea_sim import Range, Sweep
sweep = Sweep(
    name="space", scenario="drawn.py", axes={"hardware.n_dwo": [4, 8], "hardware.n_swo": Range(low=0, high=8, step=4)},
    objectives=["cycles", "area_mm2"],
)
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drawn.py").write_text(_SCENARIO.format(machine=MACHINE), encoding="utf-8")
    (tmp_path / "space.yaml").write_text(_SWEEP, encoding="utf-8")
    (tmp_path / "space.py").write_text(_IN_PYTHON, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)


def _rows(folder: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(f"{folder}/results.parquet").to_pylist()
    return rows


def test_a_sweep_tells_the_best_and_the_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """The file, its folder, and the same in Python tell the same; --best has all points that are equal."""
    assert main(["sweep", "space.yaml", "--out", "out", "--workers", "1"]) == 0
    told = capsys.readouterr()
    rows = _rows("out")
    best = min(rows, key=lambda row: row["area_mm2"] or 9)
    lines = told.out.splitlines()
    assert lines[0] == "space: 6 points, 2 of them failed"
    (line,) = [line.split() for line in lines if line.startswith(" area_mm2")]
    assert line == ["area_mm2", f"{best['area_mm2']:.6g}", "1", "4", "4"]
    assert lines[-5] == "out/results.parquet"
    assert "failed: point 0 (n_dwo = 4, n_swo = 0): hardware.n_swo: found 0;" in told.out
    assert told.err == "space: 6 points; 0 are kept in out\n"
    assert main(["sweep", "out"]) == 0
    assert capsys.readouterr().out == told.out
    assert main(["sweep", "out", "--best", "cycles", "--json"]) == 0
    least = min(row["cycles"] for row in rows if row["cycles"] is not None)  # type: ignore[type-var]
    found = json.loads(capsys.readouterr().out)
    assert [row["point"] for row in found["rows"]] == [row["point"] for row in rows if row["cycles"] == least]
    assert main(["sweep", "space.py", "--out", "out", "--workers", "1"]) == 0
    assert capsys.readouterr().err == "space: 6 points; 4 are kept in out\n"
    assert _rows("out") == rows


def test_the_quick_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Axes in the order of the command, the last one fastest; settings without a comma hold for all; it is resumed."""
    command = ["run", "drawn.py", "--set", "hardware.n_swo=8,4", "--set", "hardware.n_pea=1"]
    command += ["--set", "hardware.n_dwo=3,5,6", "--workers", "1"]
    assert main(command) == 0
    rows = _rows("runs/drawn-sweep")
    assert [(row["hardware.n_swo"], row["hardware.n_dwo"]) for row in rows] == [
        (swo, dwo) for swo in (8, 4) for dwo in (3, 5, 6)
    ]
    assert {row["compute_components"] for row in rows} == {1}
    assert main([*command, "--set", "hardware.n_dwo=3,5", "--schedule", "overlap", "--json"]) == 0
    told = capsys.readouterr()
    assert "drawn-sweep: 4 points; 6 are kept in runs/drawn-sweep" in told.err
    assert _rows("runs/drawn-sweep") == [
        row | {"point": number} for number, row in enumerate(row for row in rows if row["hardware.n_dwo"] != 6)
    ]


def test_what_is_no_axis() -> None:
    """Values in quotes and brackets, names and paths are one value; then `run` makes a single run, or refuses."""
    assert main(["run", "drawn.py", "--set", 'hardware.loop_order="mnk,nmk"']) == 2
    assert main(["run", "drawn.py", "--set", "hardware.n_dwo=[4, 8]"]) == 2
    assert main(["run", "drawn.py", "--set", "hardware.dram=ideal,hbm2"]) == 2
    assert main(["run", "drawn.py", "--set", "hardware.name=a,b"]) == 0
    assert [path.name for path in Path("runs").iterdir()] == ["drawn"]


def test_a_model_is_explored(capsys: pytest.CaptureFixture[str]) -> None:
    """Each point has the cycles of a run of the model with its setting; the shape holds for all, or is an axis."""
    pytest.importorskip("onnx")
    from small_models import node, small_model, write_model  # noqa: PLC0415  # it imports onnx

    weight = np.ones((16, 32), np.float32)
    write_model(Path("dense.onnx"), small_model([node("MatMul", "x w", "y")], {"x": ["n", 16]}, "y", {"w": weight}))
    command = ["run", "dense.onnx", "--shape", "x=24,16"]
    assert main([*command, "--workers", "1", "--set", "hardware.n_dwo=2,4"]) == 0
    rows = _rows("runs/dense-sweep")
    for row in rows:
        capsys.readouterr()
        setting = f"hardware.n_dwo={row['hardware.n_dwo']}"
        assert main([*command, "--set", setting, "--out", setting, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["makespan_cycles"] == row["cycles"]
    sweep = {"workload": "dense.onnx", "axes": {"workload.shape": ["x=24,16", "x=48,16"]}}
    Path("model.yaml").write_text(json.dumps(sweep), encoding="utf-8")
    assert main(["sweep", "model.yaml", "--out", "shapes", "--workers", "1"]) == 0
    shapes = _rows("shapes")
    assert shapes[0]["cycles"] < shapes[1]["cycles"]
    assert main([*command, "--set", "hardware.n_dwo=2,4", "--data", "samples.npz"]) == 2
    assert "--data: found samples.npz; accepted: --shape, --weight-bits, --profile" in capsys.readouterr().err


def test_a_network_is_explored(capsys: pytest.CaptureFixture[str]) -> None:
    """Options of the network hold for all points."""
    Path("net.csv").write_text("name,M,K,N\na,16,16,8\nb,32,16,8\n", encoding="utf-8")
    command = ["run", "net.csv", "--weight-bits", "4", "--workers", "1", "--set", "hardware.loop_order=mnk"]
    assert main([*command, "--set", "workload.profile=dense", "--set", "hardware.n_swo=1,4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"] == {
        "hardware.loop_order": "mnk",
        "workload.profile": "dense",
        "workload.weight_bits": 4,
    }
    assert [row["layers"] for row in found["rows"]] == [2, 2]
    assert main([*command, "--tokens", "8", "--set", "hardware.n_swo=1,4"]) == 0  # a size that the file says: a row
    assert [str(row["error"]).partition(":")[0] for row in _rows("runs/net-sweep")] == ["--tokens"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "none.yaml"], r"sweep: found no file 'none.yaml'; accepted: a sweep: .yaml or .py"),
        (["sweep", "drawn.py"], r"drawn.py: sweep: found a scenario; accepted: a Sweep. panacea-sim run takes it"),
        (["run", "space.py"], r"space.py: scenario: found a sweep; accepted: .* panacea-sim sweep takes it"),
        (["run", "both.py"], r"both.py: found scenario and sweep in one script; accepted: one of them"),
        (["sweep", "space.yaml", "--best", "edp"], r"--best: found 'edp'; .* Did you mean 'edp_js'\?"),
        (["sweep", "space.yaml", "--workers", "2", "--cluster", "tcp://a:1"], r"--workers: found 2; accepted: nothing"),
        (["sweep", "space.yaml", "--out", "."], r"--out: found '.*', which holds no sweep"),
        (["sweep", "."], r"sweep: found '\.'; accepted: the folder of a sweep"),
        (
            ["run", "drawn.py", "--set", "hardware.n_dwo=4,,8"],
            r"--set: found 'hardware.n_dwo=4,,8'; .* Remove the comma",
        ),
        (["run", "drawn.py", "--set", "hardware.n_dow=4,8"], r"the unknown field 'hardware.n_dow'.*'hardware.n_dwo'\?"),
        (
            ["run", "drawn.py", "--set", "hardware.n_dwo=4,8", "--trace", "full"],
            r"--trace: found full; accepted: nothing",
        ),
        (["run", "drawn.py", "--set", "hardware.n_dwo=4,8", "--force"], r"--force: found True; accepted: nothing"),
        (["run", "drawn.py", "--out", "swept"], r"--out: found 'swept', which is no run folder"),
        (
            ["sweep", "space.yaml", "--out", "new", "--cluster", "tcp://127.0.0.1:1"],
            r"--cluster: found tcp://127.0.0.1:1 \(.*; accepted: the address of a scheduler.* dask scheduler",
        ),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One message and exit code 2, and nothing is left."""
    Path("both.py").write_text("sweep = 1\nscenario = 2\n", encoding="utf-8")
    Path("swept").mkdir()
    Path("swept/.panacea-sweep").touch()
    assert main(arguments) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: ")
    assert re.search(message, told), told
    assert not Path("runs").exists()
    assert not Path("new").exists()


def test_without_dask() -> None:
    """Several workers need the extra, which one message names; one worker needs nothing."""
    code = "import sys; sys.modules['distributed'] = None; from panacea_sim.commands.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "sweep", "space.yaml", "--out", "out", "--workers"]
    refused = subprocess.run([*command, "2"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: --workers: found 2, but dask is not installed; accepted: the extra cluster, or one worker. Install it "
        "with: pip install 'panacea-sim[cluster]'. Or take --workers 1, which needs nothing\n"
    )
    assert not Path("out").exists()
    assert subprocess.run([*command, "1"], capture_output=True, check=False).returncode == 0
