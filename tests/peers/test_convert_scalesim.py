"""Architectures and topologies of SCALE-Sim: what they become, and that the cycles are those of SCALE-Sim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.machines.machine import machine_of
from panacea_sim.peers.convert import converted
from panacea_sim.running.network import network_scenario
from panacea_sim.running.run import run
from panacea_sim.workload.layer import loaded
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.load import load_network

_CONFIG = """[general]
run_name = small

[architecture_presets]
ArrayHeight:    8
ArrayWidth:     4
IfmapSramSzkB:  64
FilterSramSzkB: 48
OfmapSramSzkB:  32
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Bandwidth : 10
Dataflow : os
MemoryBanks:   1

[layout]
IfmapCustomLayout: False
IfmapSRAMBankNum: 10

[sparsity]
SparsitySupport : false
BlockSize : 8

[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
_CONV = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
_CONVOLUTIONS = _CONV + "even, 10, 10, 3, 3, 4, 8, 1,\nragged, 11, 9, 3, 2, 3, 10, 2,\n"
_PRODUCTS = "Layer, M, N, K,\neven, 40, 12, 32,\nragged, 19, 7, 21,\n"

# "Total Cycles" of COMPUTE_REPORT.csv, run with SCALE-Sim 3.0.0 (the package scalesim) on the files above. It is the
# number of the last cycle of a layer, which begins with cycle 0: there are so many cycles and one more.
_SCALESIM = {
    ("os", "conv"): {"even": 735 + 1, "ragged": 335 + 1},
    ("ws", "conv"): {"even": 819 + 1, "ragged": 386 + 1},
    ("os", "gemm"): {"even": 629 + 1, "ragged": 185 + 1},
    ("ws", "gemm"): {"even": 695 + 1, "ragged": 221 + 1},
}
_ROWS, _COLUMNS = 8, 4


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _yaml(folder: Path, name: str, text: str) -> Path:
    """Return the file that the command makes of a text."""
    out = folder / f"{name}.yaml"
    assert main(["convert", str(_written(folder, name, text)), "--out", str(out), "--force"]) == 0
    return out


def _unused(dataflow: str, layer: Gemm) -> int:
    """Return the cycles that SCALE-Sim counts for rows and columns of the array that no fold on its border uses."""
    on_rows = layer.N if dataflow == "os" else layer.K
    # Row by row of the array in "ws" once more, to load the weights.
    weight = 1 if dataflow == "os" else 2
    folds_down, folds_across = -(-on_rows // _ROWS), -(-layer.M // _COLUMNS)
    rows_left, columns_left = folds_down * _ROWS - on_rows, folds_across * _COLUMNS - layer.M
    return weight * rows_left * folds_across + columns_left * folds_down


@pytest.mark.parametrize(("dataflow", "form"), _SCALESIM)
def test_cycles_are_those_of_scalesim(dataflow: str, form: str, tmp_path: Path) -> None:
    """The array is busy for the cycles that SCALE-Sim reports, less what it counts for unused rows and columns."""
    hardware = load_hardware(_yaml(tmp_path, "small.cfg", _CONFIG.replace("Dataflow : os", f"Dataflow : {dataflow}")))
    assert (hardware.tile_m, hardware.machine) == (_COLUMNS, f"sa_{dataflow}")
    network = load_network(str(_yaml(tmp_path, "net.csv", _CONVOLUTIONS if form == "conv" else _PRODUCTS)))
    scenario = network_scenario(network, hardware)
    summary = run(scenario).summary
    layers: dict[str, Gemm] = dict(network.nodes(data="layer"))
    expected = {name: cycles - _unused(dataflow, layers[name]) for name, cycles in _SCALESIM[dataflow, form].items()}
    assert _unused(dataflow, layers["even"]) == (0 if (dataflow, form) != ("ws", "conv") else 2 * 4 * 2)
    assert summary.components["array"]["busy"] == sum(expected.values())
    for masked in scenario.layers:
        work = machine_of(hardware).work(loaded(masked), hardware, None)
        assert machine_of(hardware).least_cycles(work, hardware, 1) == expected[masked.name]


def test_memories_and_bandwidth(tmp_path: Path) -> None:
    """SRAMs carry over byte by byte, and the three interfaces of a given bandwidth are one channel."""
    calculated = load_hardware(_yaml(tmp_path, "small.cfg", _CONFIG))
    assert (calculated.wmem_bytes, calculated.amem_bytes, calculated.omem_bytes) == (48 << 10, 64 << 10, 32 << 10)
    assert calculated.dram_bytes_per_cycle == 2**20
    given = load_hardware(_yaml(tmp_path, "small.cfg", _CONFIG.replace("CALC", "USER")))
    assert (given.dram, given.dram_channels, given.dram_bytes_per_cycle) == ("ideal", 1, 30)
    assert isinstance(given, Hardware)


def test_what_does_not_carry_over_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every key that decides something there and nothing here is named with the reason, also in the file."""
    text = _CONFIG.replace("SparsitySupport : false", "SparsitySupport : true").replace(
        "IfmapCustomLayout: False", "IfmapCustomLayout: True"
    )
    out = _yaml(tmp_path, "small.cfg", text.replace("MemoryBanks:   1", "MemoryBanks:   1\nWings: 4"))
    told = capsys.readouterr().err
    for key, reason in {
        "[architecture_presets] ifmapoffset": "addresses are laid out anew",
        "[architecture_presets] wings": "not known here",
        "[layout] ifmapcustomlayout": "layouts of the SRAMs, and conflicts of their banks, are not simulated",
        "[sparsity] sparsitysupport": "sparsity is not simulated: layers run dense",
    }.items():
        (line,) = (line for line in told.splitlines() if key in line)
        assert line.startswith("not the same: ")
        assert line.endswith(reason)
        assert f"# - {line.removeprefix('not the same: ')}" in out.read_text(encoding="utf-8").splitlines()
    assert "ramulator" not in told  # it is off


def test_topologies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sparsity, two strides, depthwise names and repeated names are read by their places, whatever the title says."""
    header = "Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides, Sparsity,\n"
    rows = "c, 9, 12, 3, 3, 2, 5, 2, 1:4,\nDP1, 6, 6, 3, 3, 4, 1, 1, 1:1,\nc, 7, 9, 3, 3, 2, 5, 2, 3, 1:1,\n"
    content: dict[str, Any] = read_mapping(_yaml(tmp_path, "net.csv", header + rows))
    told = capsys.readouterr().err
    assert "c: sparsity 1:4 is not simulated" in told
    assert "DP1: depthwise by its name" in told
    names = [(layer["name"], layer["out_channels"], layer.get("groups", 1)) for layer in content["layers"]]
    assert names == [("c", 5, 1), ("DP1", 4, 4), ("c#2", 5, 1)]
    assert content["layers"][2]["stride"] == [2, 3]
    first, depthwise, _ = (layer for _, layer in load_network(str(tmp_path / "net.csv.yaml")).nodes(data="layer"))
    # (12 - 3 + 2) / 2 rounded up is 6.
    assert (first.M, first.K, first.N) == (5, 18, 4 * 6)
    assert (depthwise.M, depthwise.K, depthwise.N, depthwise.repeat) == (1, 9, 16, 4)


def test_a_topology_is_what_the_table_is(tmp_path: Path) -> None:
    """Both ways to read a topology give layers of the same sizes."""
    for text in (_CONVOLUTIONS, _PRODUCTS):
        made = load_network(str(_yaml(tmp_path, "net.csv", text)))
        read = load_network(str(tmp_path / "net.csv"))
        sizes = [[(each.M, each.K, each.N) for _, each in graph.nodes(data="layer")] for graph in (made, read)]
        assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.cfg",
            _CONFIG.replace(": os", ": is"),
            "Dataflow: found 'is'; accepted: os, ws: is is not simulated. Input-",
        ),
        (
            "a.cfg",
            _CONFIG.replace("ArrayWidth:     4", "ArrayWidth: x"),
            "ArrayWidth: found 'x'; accepted: a whole num",
        ),
        ("a.cfg", _CONFIG.replace("ArrayWidth:     4\n", ""), "[architecture_presets] ArrayWidth: found nothing"),
        ("a.cfg", _CONFIG.replace("CALC", "AUTO"), "InterfaceBandwidth: found 'AUTO'; accepted: USER or CALC"),
        ("a.cfg", _CONFIG.replace("Width:     4", "Width: 4000"), "hardware.array_rows: found 4000; accepted: a whole"),
        ("a.cfg", _CONFIG + "x\n", "accepted: sections with lines KEY: VALUE"),
        (
            "a.csv",
            _CONV + "c, 9, 9, 3, 3, 2, 5,\n",
            "line 2: found 7 cells; accepted: at least 8: Layer name, IFMAP Hei",
        ),
        (
            "a.csv",
            _CONV + "c, 2, 9, 3, 3, 2, 5, 1,\n",
            "line 2, Filter Height: found 3; accepted: at most 2, the IFMAP H",
        ),
        ("a.csv", _PRODUCTS + "x, 1, 0, 3,\n", "line 4, N: found '0'; accepted: a whole number >= 1"),
        ("a.csv", _CONV, "found no layers; accepted: a line for each layer below the title"),
        (
            "a.txt",
            "what: ever\n",
            "found another content; accepted: an architecture (.cfg) or topology (.csv) of SCALE",
        ),
        ("a.yaml", "name: x\nmemories: {}\nmultipliers: {}\n", "Hardware of ZigZag leaves open what a machine of ours"),
        ("a.cfg", "", "found nothing; accepted: an architecture"),
        ("a.md", "# text\nand more\na: b\n", "found text that is no YAML"),
    ],
)
def test_wrong_files(name: str, text: str, message: str, tmp_path: Path) -> None:
    """What cannot be converted is refused in one message with the file and the place, and nothing is written."""
    path = _written(tmp_path, name, text)
    with pytest.raises(ConfigError) as caught:
        converted(path)
    assert message in str(caught.value)
    assert main(["convert", str(path), "--out", str(tmp_path / "out.yaml")]) == 2
    assert not (tmp_path / "out.yaml").exists()
