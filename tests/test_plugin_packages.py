"""What installed packages add: found by name like our own, and told in one message where it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_packages import install, install_example, installed

pytest.importorskip("numba")

from panacea_sim.commands.main import main
from panacea_sim.energy.table import energy_table
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware, parse_settings
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.hardware.registry import machine_names, registered
from panacea_sim.running.digest import hardware_figures
from panacea_sim.workload.networks.load import load_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the example of the documentation, and give the folder in which it is."""
    folder = tmp_path_factory.mktemp("site")
    install_example(folder)
    with installed(folder):
        yield folder


@pytest.mark.usefixtures("folder")
def test_the_example_is_found_by_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Machine, hardware, device, table and network have names, which the lists show."""
    hardware = load_hardware("drained_24x32")
    assert (hardware.machine, hardware.dram, hardware.name) == ("drained_array", "slow_ddr", "drained_24x32")
    assert dram_device("slow_ddr", "").peak_gbps == pytest.approx(12.8)
    assert energy_table("slow_ddr_energy").dram["slow_ddr"].read.nominal == 12
    assert list(load_network("two_layers")) == ["up", "down"]
    assert parse_settings(["hardware.drain_rows_per_cycle=4"]) == {"drain_rows_per_cycle": 4}
    for what, name in {
        "hardware": "drained_24x32",
        "dram": "slow_ddr",
        "energy": "slow_ddr_energy",
        "workloads": "two_layers",
        "plugins": "drained-array 1.0",
    }.items():
        assert main(["list", what]) == 0
        printed = capsys.readouterr().out
        assert name in printed
        assert "Cannot be used" not in printed


@pytest.mark.usefixtures("folder")
def test_the_example_runs_on_both_engines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its network runs on its hardware; its drain is busy for a cycle a row, on both engines."""
    command = ["run", "--workload", "two_layers", "--hardware", "drained_24x32", "--workers", "1", "--json"]
    figures = []
    for engine in ("reference", "compiled"):
        assert main([*command, "--engine", engine, "--out", str(tmp_path / engine)]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    slow, fast = figures
    assert slow["makespan_cycles"] == fast["makespan_cycles"]
    # 96 and 128 rows, for each of two tiles of 32 columns.
    assert fast["components"]["drain"]["busy"] == slow["components"]["drain"]["busy"] == (96 + 128) * 2
    assert main(["energy", str(tmp_path / "compiled"), "--table", "slow_ddr_energy", "--json"]) == 0
    assert "slow_ddr" in capsys.readouterr().out


def test_its_code_is_in_the_digest(folder: Path) -> None:
    """The figures of the hardware, which a digest covers, hold the name of the machine and a digest of its package."""
    figures = hardware_figures(load_hardware("drained_24x32"))
    assert figures["machine"] == "drained_array"
    assert len(str(figures["code"])) == 64
    assert "code" not in hardware_figures(load_hardware("sa_os"))
    assert figures["dram"] == dram_device("slow_ddr", "").model_dump(exclude={"source"})
    assert folder.is_dir()


_BROKEN = {
    "no module": ("machines", "b = missing_module:X", "ModuleNotFoundError: No module named 'missing_module'"),
    "no attribute": ("machines", "b = json:missing", "AttributeError: module 'json' has no attribute 'missing'"),
    "no machine": ("machines", "b = json:dumps", "an object without 'name'; accepted: an object of a subclass of"),
    "class": ("machines", "b = json:JSONDecoder", "the class JSONDecoder; accepted: an object of a subclass of"),
    "other name": (
        "machines",
        "b = panacea_sim.machines.simd.build:MACHINE",
        "called 'simd'; accepted: one whose name",
    ),
    "no path": ("workloads", "b = json:dumps", "json:dumps, which is function; accepted: the path of a file"),
    "no file": ("workloads", "b = json:__name__", "found json; accepted: the path of a file that is there"),
}


@pytest.mark.parametrize("case", _BROKEN)
def test_a_broken_entry_point_is_one_message(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever uses it hears which package has it and what is wrong; the list of plugins shows it and goes on."""
    kind, entry, message = _BROKEN[case]
    name, _, value = entry.partition(" = ")
    install(tmp_path, "broken-thing", {f"panacea_sim.{kind}": {name: value}})
    with installed(tmp_path):
        with pytest.raises(ConfigError) as caught:
            registered("b") if kind == "machines" else load_network("b")
        assert main(["list", "plugins"]) == 0
    told = str(caught.value)
    assert told.startswith(f"panacea_sim.{kind}: b of broken-thing 1.0: found ")
    assert message in told
    assert told.endswith("Repair or uninstall broken-thing 1.0")
    assert told in capsys.readouterr().out


def test_taken_names(tmp_path: Path) -> None:
    """A name of ours stays ours, and one that two packages have is nobody's; both are told with the package."""
    for package, name in (("first", "panacea"), ("second", "twice"), ("third", "twice")):
        install(tmp_path, package, {"panacea_sim.machines": {name: "json:dumps"}})
    with installed(tmp_path):
        assert registered("panacea").settings.__name__ == "PanaceaHardware"
        with pytest.raises(ConfigError, match=r"third 1\.0: found the name 'twice', which second 1\.0 has too"):
            registered("twice")
        with pytest.raises(
            ConfigError, match=r"panacea of first 1\.0: found the name 'panacea', which panacea_sim has"
        ):
            machine_names()
