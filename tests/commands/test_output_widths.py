"""What people print at 60, 80 and 120 columns and into a pipe: no figure is cut, and no line is wider."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from panacea_sim.commands.main import main
from panacea_sim.energy.table import energy_table
from panacea_sim.hardware.config import field_sources, load_hardware
from panacea_sim.hardware.dram.devices import dram_device, list_devices
from panacea_sim.units import energy_text
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

_WIDTHS = [None, 120, 80, 60]
"""None: a pipe, of which nobody says how wide it is."""

_LEFT_TO_THE_TERMINAL = ("Run folder", "Figures: ", *(f"{name}: " for name in list_devices()))
"""Lines that are not folded, so that paths and sources can be copied."""

_STUDY = """
from panacea_sim import MaskedLayer, Scenario, Study

LAYERS = tuple(
    MaskedLayer(f"/backbone/blocks.{n}/attention/query/MatMul", 64 + 64 * (n % 3), 64, 32, rho_w=0.5, rho_x=0.5, seed=n)
    for n in range(5)
)
SETTINGS = {"with_the_default": {}, "a_long_name_of_a_case_that_has_one_dwo": {"n_dwo": 1, "dtp": "on"}, "w": {"v": 2}}
scenario = Study("cases", tuple(
    Scenario(name, LAYERS, settings=settings, values=False) for name, settings in SETTINGS.items()
))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a layer, a script of a study, requests of a DRAM channel and a run of the layer."""
    folder = tmp_path_factory.mktemp("widths")
    save_layer(synthetic_layer(name="ffn", M=140, K=70, N=40, rho_w=0.3, rho_x=0.6, seed=1), folder / "layer.npz")
    (folder / "study.py").write_text(_STUDY)
    (folder / "one.py").write_text(_STUDY + "scenario = scenario.scenarios[0]\n")
    (folder / "requests.csv").write_text("cycle,address,bytes,op\n0,0,64,read\n123456789,4096,1048576,write\n")
    assert main(["gemm", str(folder / "layer.npz"), "--out", str(folder / "run"), "--json"]) == 0
    return folder


@pytest.fixture(params=_WIDTHS, ids=str)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int | None:
    """Let the output have a width, or none."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)
    if request.param is not None:
        monkeypatch.setenv("COLUMNS", str(request.param))
    found: int | None = request.param
    return found


def _printed(capsys: pytest.CaptureFixture[str], width: int | None, *arguments: str) -> list[str]:
    """Return the words that a command prints, after a look at its lines; file names may be as long as they are."""
    capsys.readouterr()
    assert main(list(arguments)) == 0
    printed = capsys.readouterr().out
    lines = [line.rstrip() for line in printed.splitlines()]
    if width is not None:
        assert [line for line in lines if len(line) > width and not line.startswith(_LEFT_TO_THE_TERMINAL)] == []
    assert "…" not in printed
    return re.sub(r"[(),;:]+(?=\s)|(?<=\s)\(", " ", printed).split()


def _shown(figures: dict[str, str], words: list[str]) -> None:
    assert {name: figure for name, figure in figures.items() if figure not in words} == {}


def _run_figures(summary: dict[str, Any]) -> dict[str, str]:
    """Return the figures that every report of a run shows."""
    makespan_cycles = summary["makespan_cycles"]
    figures = {
        "makespan": f"{makespan_cycles:,}",
        "tiles": f"{summary['tiles']:,}",
        "a tile": f"{makespan_cycles / summary['tiles']:,.1f}",
        "read": f"{summary['dram']['read_bytes']:,}",
        "written": f"{summary['dram']['write_bytes']:,}",
    }
    for name, states in summary["components"].items():
        if not re.fullmatch(r"pea\d+", name):
            figures[f"busy {name}"] = f"{states['busy'] / makespan_cycles:.0%}"
            figures[f"idle {name}"] = f"{states['idle'] / makespan_cycles:.0%}"
    before = 0
    for layer in summary["layers"]:
        if len(summary["layers"]) > 1:
            # Layers that overlap count from the last write of the one before.
            figures[f"cycles of {layer['name']}"] = f"{layer['end_cycle'] - before:,}"
            before = layer["end_cycle"]
        else:
            keys = ("start_cycle", "end_cycle", "stored_w", "stored_x", "weight_bytes", "activation_bytes")
            figures |= {key: f"{layer[key]:,}" for key in keys}
            figures |= {key: f"{layer[key]:.4f}" for key in ("rho_w", "rho_x")}
    return figures


@pytest.mark.parametrize(("command", "file"), [("gemm", "layer.npz"), ("run", "one.py")])
def test_a_run(command: str, file: str, width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """The report of a layer and of several has the figures of its summary."""
    words = _printed(capsys, width, command, file, "--out", "new", "--force")
    _shown(_run_figures(json.loads(Path("new/summary.json").read_text())), words)


def test_a_study(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of a study has cycles, busy shares and the chosen mapping of each run."""
    words = _printed(capsys, width, "run", "study.py", "--out", "study", "--force")
    runs = json.loads(Path("study/summary.json").read_text())["runs"]
    for summary in runs.values():
        busy = sum(summary["components"][f"pea{n}"]["busy"] for n in range(16)) / 16 / summary["makespan_cycles"]
        _shown({"cycles": f"{summary['makespan_cycles']:,}", "busy": f"{busy:.0%}"}, words)
        orders = {layer["loop_order"] for layer in summary["layers"]}
        _shown({"order": orders.pop() if len(orders) == 1 else "mixed"}, words)
    assert "with_the_default" in words


def test_map(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """The candidates have their bytes read and bound, and the simulated ones their cycles."""
    capsys.readouterr()
    assert main(["map", "layer.npz", "--simulate", "2", "--json"]) == 0
    candidates = json.loads(capsys.readouterr().out)["candidates"]
    words = _printed(capsys, width, "map", "layer.npz", "--simulate", "2")
    assert [row["simulated_cycles"] is None for row in candidates[:3]] == [False, False, True]
    for row in candidates:
        keys = ("read_bytes", "bound_cycles", "simulated_cycles")
        _shown({key: f"{row[key]:,}" for key in keys if row[key] is not None}, words)


def test_dram(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures of a channel are whole, with units."""
    words = _printed(capsys, width, "dram", "hbm2", "--requests", "requests.csv")
    _shown({"bytes": "1,048,640", "peak": "16.000"}, words)
    assert words.count("ms") + words.count("µs") + words.count("ns") == 4


@pytest.mark.parametrize(
    "options", [["--limit", "50"], ["--longest", "30"], ["--queues", "--limit", "40"], ["--dram", "--limit", "40"]]
)
def test_rows_of_a_trace(options: list[str], width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows have their cycles and amounts; where the end is left out, start and cycles say it."""
    capsys.readouterr()
    assert main(["inspect", "run", *options, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    words = _printed(capsys, width, "inspect", "run", *options)
    for row in rows:
        keys = {"start_cycle", "cycles", "cycle", "occupancy", "request_cycle", "ready_cycle"} & row.keys()
        _shown({key: f"{row[key]:,}" for key in keys}, words)


@pytest.mark.parametrize("keys", [["component"], ["component", "state", "cause"], ["layer", "state"]])
def test_groups_of_a_trace(keys: list[str], width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Totals have their cycles and shares."""
    options = [part for key in keys for part in ("--group-by", key)]
    capsys.readouterr()
    assert main(["inspect", "run", *options, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    words = _printed(capsys, width, "inspect", "run", *options)
    for row in rows:
        _shown({"cycles": f"{row['cycles']:,}", "share": f"{row['share']:.1%}"}, words)


def test_lists(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Presets and devices have all their values."""
    words = _printed(capsys, width, "list", "hardware")
    values = load_hardware("panacea").model_dump()
    _shown({field: str(values[field]) for field in field_sources()}, words)
    _shown({field: f"hardware.{field}" for field in field_sources()}, words)
    words = _printed(capsys, width, "list", "dram")
    for name in list_devices():
        device = dram_device(name, "DEVICE")
        _shown({"name": name, "peak": f"{device.peak_gbps:.1f}", "REFI": f"{device.refi_cycles}"}, words)


def test_a_pipe_has_one_line_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """Into a pipe nothing is folded, however long the names are."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)
    capsys.readouterr()
    assert main(["run", "study.py", "--out", "piped", "--force"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) == 9  # title, title row of two lines, rule, three cases, two lines of paths
    assert main(["list", "hardware"]) == 0
    text = capsys.readouterr().out
    for source in field_sources().values():
        assert source.text in text


def test_energy(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """The total, its categories and the efficiency are whole, with units."""
    capsys.readouterr()
    assert main(["energy", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    words = _printed(capsys, width, "energy", "run")
    sums = {"total": found["total_pj"], **found["categories"]}
    figures = {name: energy_text(cases["nominal"]).split()[0] for name, cases in sums.items()}
    figures["pJ a MAC"] = f"{found['pj_per_mac']['nominal']:.4g}"
    figures["area"] = f"{found['area']['total_mm2']['nominal']:.4g}"
    _shown(figures, words)


def test_list_energy(width: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures of the default table and of the alternatives are whole."""
    words = _printed(capsys, width, "list", "energy")
    operations = [energy_table(name).operations["multiply_4b"] for name in ("default", "bitfusion", "fusion_unit")]
    _shown({f"{each.source}": f"{each.nominal:g}" for each in operations}, words)
