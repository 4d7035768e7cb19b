"""Networks with `--schedule overlap`: what runs, what is shown and kept, and what is refused."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from panacea_sim.commands.main import main
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running import host_memory
from panacea_sim.running.host_memory import RunKind, run_bytes
from panacea_sim.running.network import network_scenario
from panacea_sim.workload.networks.load import load_network

_TABLE = "Layer,M,N,K\na,64,256,64\nb,64,128,256\nc,64,64,128\nd,64,64,64\n"
_NETWORK = """kind: network
layers:
  - {name: cells, op: lstm, input_size: 8, hidden_size: 8, steps: 3}
  - {name: out, op: gemm, M: 8, K: 8, N: 3, from: {layer: cells, needs: same}}
"""
_CIRCLE = """kind: network
layers:
  - {name: a, op: gemm, M: 8, K: 8, N: 8, from: b}
  - {name: b, op: gemm, M: 8, K: 8, N: 8, from: a}
"""


@pytest.fixture(autouse=True)
def _networks_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    Path("net.csv").write_text(_TABLE)
    Path("net.yaml").write_text(_NETWORK)
    Path("circle.yaml").write_text(_CIRCLE)


def _summary(folder: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(folder, "summary.json").read_text())
    return content


def test_a_table_runs_with_its_layers_overlapping(capsys: pytest.CaptureFixture[str]) -> None:
    """Layers begin before those in front end; the report counts each from write to write, by kind too."""
    assert main(["run", "net.csv", "--schedule", "overlap", "--out", "out"]) == 0
    summary = _summary("out")
    layers = summary["layers"]
    assert (summary["schedule"], summary["trace"]["level"], summary["values"]) == ("overlap", "off", "off")
    assert any(after["start_cycle"] < before["end_cycle"] for before, after in pairwise(layers))
    assert {(layer["kind"], layer["mapping_from"], layer["border_cycles"]) for layer in layers} == {
        ("gemm", "class", None)
    }
    printed = capsys.readouterr().out
    assert "Layers overlap: the cycles of one" in printed
    (row,) = [line.split() for line in printed.splitlines() if line.split()[:2] == ["all", "4"]]
    assert row[5:7] == [f"{summary['makespan_cycles']:,}", "100.0%"]


@pytest.mark.parametrize("network", ["net.csv", "net.yaml"])
def test_either_schedule_is_made_again_from_the_folder_of_the_other(network: str) -> None:
    """scenario.yaml keeps what layers need of each other, and steps, whichever schedule it was written with."""
    for schedule in ("overlap", "barrier"):
        assert main(["run", network, "--schedule", schedule, "--out", schedule]) == 0
    for schedule, other in (("overlap", "barrier"), ("barrier", "overlap")):
        again = ["run", f"{other}/scenario.yaml", "--schedule", schedule, "--trace", "off", "--out", f"{schedule}-2"]
        assert main(again) == 0
        assert _summary(f"{schedule}-2")["layers"] == _summary(schedule)["layers"]


def test_a_damaged_edge_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    """An edge that leads nowhere is named by file and number, with exit code 2 and nothing written."""
    assert main(["run", "net.csv", "--schedule", "overlap", "--out", "out"]) == 0
    capsys.readouterr()
    path = Path("out/scenario.yaml")
    content = yaml.safe_load(path.read_text())
    content["edges"][1]["to"] = "e"
    path.write_text(yaml.safe_dump(content))
    assert main(["run", str(path), "--out", "again"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: out/scenario.yaml: edges[1].to: found 'e'; accepted: a layer")
    assert (printed.err.count("\n"), printed.out) == (1, "")
    assert not Path("again").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["circle.yaml"], "error: circle.yaml: network.edges: found 'a' -> 'b' -> 'a'; accepted: layers of which none"),
        (
            ["net.csv", "--values", "travel"],
            "error: scenario.values: found travel; accepted: off, as 'a' has masks only",
        ),
        (["net.csv", "--set", "hardware.wmem_bytes=64"], "error: layer 'a': WMEM holds 64 bytes, but a tile needs"),
        (["net.csv", "--schedule", "overlapping"], "error: Invalid value for '--schedule'"),
    ],
)
def test_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input is one message and exit code 2, with nothing written."""
    before = sorted(Path().iterdir())
    assert main(["run", "--schedule", "overlap", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(message)
    assert "Traceback" not in printed.err
    assert sorted(Path().iterdir()) == before


def test_too_little_memory_for_one_simulation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where all layers together are too much, the message says so beforehand, and its advice works as it stands."""
    pytest.importorskip("numba")
    hardware = load_hardware("panacea")
    layers = network_scenario(load_network("net.csv", None, None, None, None, tile_m=hardware.tile_m)).known_layers()
    together, alone = (run_bytes(layers, hardware, RunKind("compiled", at_once=at_once)) for at_once in (None, 1))
    assert alone < together
    monkeypatch.setattr(host_memory, "lately_available_bytes", lambda: together - 1)
    command = ["run", "net.csv", "--out", "out"]
    before = sorted(Path().iterdir())
    assert main([*command, "--schedule", "overlap"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "error: memory: found 4 layers in one simulation, which needs 0.2 GB; accepted: what fits the"
    )
    assert sorted(Path().iterdir()) == before
    advice = told.split("available. ")[1].split(" needs")[0]
    assert advice == "--schedule barrier --workers 1"
    assert main([*command, *shlex.split(advice)]) == 0
    monkeypatch.setattr(host_memory, "lately_available_bytes", lambda: together)
    assert main([*command, "--schedule", "overlap", "--force"]) == 0
