"""The command versus: figures of all machines are those of each alone, who wins is told first, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_runs import NEEDS_NUMBA
from naive_rivals import sa_os_cycles

from panacea_sim import ConfigError, versus
from panacea_sim.commands.main import main
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.npz import load_layer

_MACHINES = ("panacea", "bitfusion", "sa_os", "sa_ws", "sibia", "simd")
_M, _K, _N = 70, 40, 68


def _write_layer(path: Path, *, zeros: bool = False, moved: int = 0, **fields: int) -> Path:
    """Write a layer with codes that no machine skips, or with many that all do, its zero point moved so far."""
    random = np.random.default_rng(7)
    weight = random.integers(-60, 61, (_M, _K)).astype(np.int8)
    activation = random.integers(0, 256, (_K, _N)).astype(np.uint8)
    if zeros:
        weight[:, ::2] = 0
        activation[::3] = 128
    else:
        # The upper slices of no vector are all frequent.
        weight[:, :] = np.where(np.abs(weight) < 16, 40, weight)
        activation = np.where(np.abs(activation.astype(int) - 128) < 24, 10, activation).astype(np.uint8)
    codes = np.minimum(activation.astype(int) + moved, 255).astype(np.uint8)
    np.savez(path, weight=weight, activation=codes, zero_point=128 + moved, **fields)
    return path


def _versus(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["versus", *arguments, "--json", "--workers", "1"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def layer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a layer of which half of the weight is zero."""
    return _write_layer(tmp_path_factory.mktemp("layer") / "half.npz", zeros=True)


def test_figures_are_those_of_each_machine_alone(layer_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cycles, bytes, busy cycles and energy are those of a run of the machine, exact in its own quantization."""
    found = _versus(capsys, str(layer_path))["machines"]
    assert set(found) == {*_MACHINES, "panacea_best", "panacea_pooled"}
    for machine in _MACHINES:
        summary = run(Scenario("alone", layer_path, machine), RunOptions(trace=TraceOptions("off"))).summary
        each = found[machine]
        assert each["cycles"] == summary.makespan_cycles
        assert each["exact"] is True
        assert each["weight_bytes"] == summary.layers[0].weight_bytes
        assert each["activation_bytes"] == summary.layers[0].activation_bytes
        names = [name for name in summary.components if name.startswith("pea") or name == "array"]
        assert each["compute_cycles"] == max(summary.components[name]["busy"] for name in names)
        main(["gemm", str(layer_path), "--hardware", machine, "--out", str(layer_path.parent / machine)])
        capsys.readouterr()
        main(["energy", str(layer_path.parent / machine), "--json"])
        energy = json.loads(capsys.readouterr().out)
        assert each["energy_pj"] == energy["total_pj"]
        assert each["area_mm2"] == energy["area"]["total_mm2"]["nominal"]
        assert sum(part["nominal"] for part in each["energy_categories_pj"].values()) == pytest.approx(
            each["energy_pj"]["nominal"]
        )
    assert found["sa_os"]["compute_cycles"] == sa_os_cycles((_M, _K, _N), 24, 32)


def test_work_without_sparsity_is_the_same_for_all_that_slice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing is skipped each MAC of padded operands is four products of slices, or one of 8 bits."""
    path = _write_layer(tmp_path / "dense.npz")
    found = _versus(capsys, str(path))["machines"]
    padded = 72 * _K * 68
    for machine in ("panacea", "panacea_best", "bitfusion", "sibia"):
        assert found[machine]["work"] == 4 * padded, machine
        assert found[machine]["work_unit"] == "4b x 4b products"
    assert found["simd"]["work"] == padded
    assert found["sa_os"]["work"] == found["sa_ws"]["work"] == _M * _K * _N
    assert found["panacea_pooled"]["work"] is None


def test_the_best_split_is_never_slower_and_never_below_the_bound(
    layer_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among all splits, each run alone, none is faster than the one found; none is below the pooled bound."""
    found = _versus(capsys, str(layer_path), "--machines", "panacea")["machines"]
    quiet = RunOptions(trace=TraceOptions("off"))
    splits = [
        run(Scenario("split", layer_path, "panacea", {"n_dwo": n, "n_swo": 12 - n}, values=False), quiet).summary
        for n in range(1, 12)
    ]
    fastest = min(summary.makespan_cycles for summary in splits)
    assert found["panacea_best"]["cycles"] <= found["panacea"]["cycles"]
    # Bounds rank the splits, so that the fastest may be missed by a little.
    assert fastest <= found["panacea_best"]["cycles"] <= 1.05 * fastest
    assert found["panacea_pooled"]["bound"] is True
    assert found["panacea_pooled"]["cycles"] <= fastest
    hardware = load_hardware("panacea")
    work = machine_of(hardware).work(load_layer(layer_path), hardware, None)
    steps = np.asarray(work.dwo) + np.asarray(work.swo)  # type: ignore[attr-defined]  # that of panacea
    busiest = max(int(steps[:, pea].sum()) for pea in range(16))
    assert found["panacea_pooled"]["compute_cycles"] == -(-busiest // 12)


def test_accuracy_is_that_of_outputs_in_each_quantization(
    layer_path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Machines that take the codes as they are lose nothing; symmetric ones and dropped bits cost decibels."""
    cut = _write_layer(tmp_path / "cut.npz", zeros=True, moved=9, lo_bits=5)
    found = _versus(capsys, str(cut), "--plain", str(layer_path))
    machines = found["machines"]
    assert "half" in found["accuracy_against"]
    for machine in ("bitfusion", "simd", "sa_os", "sa_ws"):
        assert (machines[machine]["accuracy"], machines[machine]["accuracy_said"]) == (None, "none lost")
    layer = load_layer(layer_path)
    weight = layer.weight.astype(float)
    steps = layer.activation.astype(float) - 128
    exact = weight @ steps
    symmetric = weight @ (np.rint(steps * 63 / 128) * 128 / 63)
    # Codes above 255 saturate. Of 5 bits the lowest one is dropped, and the middle of what it may have been is taken.
    moved = np.minimum(layer.activation.astype(int) + 9, 255)
    dropped = weight @ (moved // 2 * 2 + 0.5 - 137)
    for machine, outputs in (("sibia", symmetric), ("panacea", dropped)):
        wanted = 10 * np.log10((exact**2).sum() / ((outputs - exact) ** 2).sum())
        assert machines[machine]["accuracy"] == pytest.approx(wanted, abs=1e-6), machine


@NEEDS_NUMBA
def test_a_network_has_a_part_for_each_kind_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Densities follow the profile and the quantization of the machine; a dense machine is the same in both parts."""
    table = tmp_path / "two.csv"
    table.write_text("layer,M,N,K,kind\nfirst,100,40,96,qkv\nsecond,64,40,100,ffn\n", "utf-8")
    machines = ("--machines", "panacea,sibia,simd")
    rows, out = tmp_path / "rows.csv", tmp_path / "runs"
    found = _versus(capsys, str(table), *machines, "--csv", str(rows), "--out", str(out))
    assert [part["profile"] for part in found["parts"]] == ["measured", "measured-per-tensor"]
    channel, tensor = (part["machines"] for part in found["parts"])
    assert found["machines"] == channel
    assert channel["simd"] == tensor["simd"]
    assert channel["panacea"]["work"] > tensor["panacea"]["work"]
    for name, profile in (("panacea", "measured"), ("panacea-per_tensor", "measured-per-tensor")):
        alone = tmp_path / "alone"
        command = ["run", str(table), "--profile", profile, "--out", str(alone), "--force", "--workers", "1", "--json"]
        assert main(command) == 0
        cycles = json.loads(capsys.readouterr().out)["makespan_cycles"]
        assert json.loads((out / name / "summary.json").read_text("utf-8"))["makespan_cycles"] == cycles
        assert (channel if profile == "measured" else tensor)["panacea"]["cycles"] == cycles
    assert all(each["accuracy"] is None and each["accuracy_said"] is None for each in channel.values())
    assert json.loads((out / "versus.json").read_text("utf-8")) == found
    read = list(csv.DictReader(rows.read_text("utf-8").splitlines()))
    assert [row["machine"] for row in read] == 2 * ["panacea", "panacea_best", "panacea_pooled", "sibia", "simd"]
    assert int(read[0]["cycles"]) == channel["panacea"]["cycles"]
    assert float(read[0]["energy_pj.nominal"]) == channel["panacea"]["energy_pj"]["nominal"]


def test_processes_change_nothing(layer_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two processes give the same comparison as one."""
    capsys.readouterr()
    arguments = ["versus", str(layer_path), "--machines", "sa_os,panacea,simd", "--json"]
    assert main([*arguments, "--workers", "2"]) == 0
    several = json.loads(capsys.readouterr().out)
    assert several == _versus(capsys, *arguments[1:-1])
    assert list(several["machines"]) == ["sa_os", "panacea", "panacea_best", "panacea_pooled", "simd"]


def test_energy_needs_a_device(layer_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On an ideal memory energy is not known, and why is said, unless a device is named."""
    command = ["versus", str(layer_path), "--machines", "simd", "--set", "hardware.dram=ideal", "--workers", "1"]
    capsys.readouterr()
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "least energy: unknown, as figures are missing" in shown
    assert "No figure: " in shown
    arguments = [*command[1:-2], "--device"]
    narrow, wide = (_versus(capsys, *arguments, device)["machines"]["simd"] for device in ("hbm2", "lpddr5_6400"))
    assert narrow["cycles"] == wide["cycles"]
    assert narrow["energy_pj"]["nominal"] < wide["energy_pj"]["nominal"]
    assert narrow["energy_categories_pj"]["core"] == wide["energy_categories_pj"]["core"]


def test_a_machine_that_cannot_run_it_is_named(
    layer_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed codes are for rivals alone; a layer may fit one machine and not the other."""
    signed = tmp_path / "signed.npz"
    codes = np.ones((8, 8), np.int8)
    np.savez(signed, weight=codes, activation=codes, zero_point=0)
    command = ["versus", "--workers", "1", "--machines"]
    assert main([*command, "simd,panacea", str(signed)]) == 2
    assert capsys.readouterr().err.startswith("error: panacea: layer.activation: found symmetric codes in 'signed'")
    assert main([*command, "simd,sibia", str(signed)]) == 0
    capsys.readouterr()
    small = ["--set", "hardware.psum_bytes=4096"]
    assert main([*command, "sa_os,sa_ws", str(layer_path), *small]) == 2
    assert capsys.readouterr().err.startswith("error: sa_ws: ")


def test_equal_area(layer_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each machine has the most arithmetic that fits the area of panacea's: 74.2 um2 of 4 bits, 197.7 of 8."""
    found = _versus(capsys, str(layer_path), "--normalise", "area")["machines"]
    narrow, wide = 742, 1977  # tenths of um2
    target = (3072 + 16 * 4 * 4) * narrow
    side = isqrt(target // (12 * wide))
    wanted = {
        "panacea": target,
        "bitfusion": target // (256 * narrow) * 256 * narrow,
        "sibia": target // (256 * narrow) * 256 * narrow,
        "simd": target // (256 * wide) * 256 * wide,
        "sa_os": 12 * side**2 * wide,
        "sa_ws": 12 * side**2 * wide,
    }
    for machine, tenths in wanted.items():
        assert found[machine]["compute_area_mm2"] == pytest.approx(tenths / 1e7, rel=1e-3), machine
    assert found["sa_os"]["compute_cycles"] == sa_os_cycles((_M, _K, _N), 3 * side, 4 * side)


def test_the_first_lines_say_who_wins(layer_path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The fastest machine is named first, whoever it is; pictures of it can be drawn."""
    capsys.readouterr()
    picture = tmp_path / "versus.svg"
    command = ["versus", str(layer_path), "--workers", "1", "--picture", str(picture)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    machines = _versus(capsys, str(layer_path))["machines"]
    cycles = {name: each["cycles"] for name, each in machines.items() if not each["bound"]}
    winner = min(cycles, key=lambda name: cycles[name])
    assert shown.startswith(winner)
    assert f"{cycles[winner]:,} cycles" in shown.splitlines()[0]
    assert "Terms: 3,072 multipliers of 4 x 4 bits each" in shown
    text = picture.read_text("utf-8")
    assert all(f">{name}<" in text for name in machines)
    assert "speed-up over simd" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--machines", "panacea,sibya"],
            "--machines: found the unknown machine 'sibya'; accepted: presets (panacea, ",
        ),
        (["--machines", "simd,simd"], "--machines: found 'simd' twice; accepted: each machine once"),
        (["--machines", ""], "--machines: found the unknown machine ''"),
        (["--set", "hardware.n_dwo=2"], "--set: found hardware.n_dwo; accepted: a field that all machines have"),
        (
            ["--baseline", "sibia", "--machines", "simd"],
            "--baseline: found 'sibia'; accepted: one of the machines (simd)",
        ),
        (["--tokens", "3"], "--tokens: found 3; accepted: nothing beside"),
        (["--picture", "x.jpg"], "--picture: found 'x.jpg'; accepted: a file name that ends with"),
        (["--device", "hbm2e"], "--device: found 'hbm2e' for a run on 'hbm2'; accepted: no other device"),
        (["--device", "foo", "--set", "hardware.dram=ideal"], "--device: found 'foo'; accepted: one of "),
        (["--plain", "other.npz"], "--plain: found other.npz, 8 x 4 x 4; accepted: the same layer, 70 x 40 x 68"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    message: str,
    layer_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One message and exit code 2, before anything is simulated or written."""
    shutil.copy(layer_path, tmp_path / "half.npz")
    np.savez(
        tmp_path / "other.npz", weight=np.ones((8, 4), np.int8), activation=np.ones((4, 4), np.uint8), zero_point=1
    )
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(["versus", "half.npz", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {message}")
    assert len(told.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.npz", "other.npz"]


def _variants(folder: Path) -> list[str]:
    """Write a layer with ZPM and DBS, without both, and with ZPM alone; return the arguments that name them."""
    paths = [
        _write_layer(folder / f"{name}.npz", zeros=True, **fields)
        for name, fields in (("dbs", {"moved": 9, "lo_bits": 5}), ("plain", {}), ("zpm", {"moved": 9}))
    ]
    return [str(paths[0]), "--plain", str(paths[1]), "--zpm", str(paths[2])]


def test_an_ablation_adds_a_step_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Work shrinks from four products a MAC, each step has its best split, and the last ones cost accuracy."""
    found = _versus(capsys, *_variants(tmp_path), "--ablation")
    assert found["steps"] == ["dense", "zero_skip", "r_skip", "zpm", "dbs", "dtp"]
    machines = found["machines"]
    assert list(machines) == [step + more for step in found["steps"] for more in ("", "_best", "_pooled")]
    assert machines["dense"]["work"] == 4 * 72 * _K * 68
    work = [machines[step]["work"] for step in found["steps"]]
    assert work == sorted(work, reverse=True)
    assert work[0] > work[1] > work[2] == work[3]
    assert work[4] == work[5]
    assert found["baseline"] == "dense"
    assert "r_skip " in found["headlines"][0]
    ratio = machines["dense"]["cycles"] / machines["dtp"]["cycles"]
    assert found["headlines"][0].endswith(f"together {ratio:.2f} times")
    accuracy = [machines[step]["accuracy"] for step in found["steps"]]
    assert accuracy[:3] == [None] * 3
    assert accuracy[3] > accuracy[4] == accuracy[5]
    layer, plain, zpm = (tmp_path / name for name in ("dbs.npz", "plain.npz", "zpm.npz"))
    assert versus(layer, plain=plain, zpm=zpm, ablation=True).to_json() == found
    with pytest.raises(ConfigError, match=r"^ablation: found machines or normalise='area'; accepted: neither"):
        versus(layer, ["simd"], plain=plain, zpm=zpm, ablation=True)
    with pytest.raises(ConfigError, match=r"^zpm: found .*; accepted: ablation beside it"):
        versus(layer, zpm=zpm)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--ablation"],
            "--ablation: found no --plain; accepted: the same layer without ZPM and DBS, and with ZPM alone",
        ),
        (["--ablation", "--plain", "half.npz"], "--ablation: found no --zpm"),
        (["--ablation", "--machines", "simd"], "--ablation: found --machines or --normalise area; accepted: neither"),
        (["--zpm", "half.npz"], "--zpm: found half.npz; accepted: --ablation beside it"),
    ],
)
def test_an_ablation_needs_all_variants(
    arguments: list[str],
    message: str,
    layer_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is missing is named."""
    monkeypatch.chdir(layer_path.parent)
    capsys.readouterr()
    assert main(["versus", "half.npz", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
