"""Networks on rivals: which densities count, which layers are equal, and vector work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from strategies import RIVALS

pytest.importorskip("numba")

from panacea_sim.commands.main import main
from panacea_sim.hardware.config import field_sources, load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.digest import run_digest
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.whatif.data_knobs import DATA_KNOBS
from panacea_sim.running.whatif.variants import variants_of
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.networks.profile import density_profile
from panacea_sim.workload.synthetic import synthetic_layer
from panacea_sim.workload.vector_stage import VectorStage
from panacea_sim.workload.written_format import WrittenFormat

QUIET = RunOptions(engine="compiled", trace=TraceOptions("off"))
_DENSE = ("sa_os", "sa_ws", "simd", "bitfusion")
_READ = WrittenFormat("x", "columns", 8, ((0, 100),), (0.5,))
_LAYER = MaskedLayer("first", 100, 60, 70, 0.2, 0.8, 0, formats=(_READ,))


def _digest(layer: MaskedLayer, machine: str) -> str:
    return run_digest([layer], load_hardware(machine), "barrier", values=False)


@pytest.mark.parametrize("machine", [*RIVALS, "panacea"])
def test_masks_count_where_something_is_skipped(machine: str) -> None:
    """On a dense machine layers that differ in nothing but densities and seeds are one; elsewhere they are not.

    Here the weight of sibia is the operand that skips nothing, whatever its density.
    """
    others = [
        replace(_LAYER, rho_w=0.3),
        replace(_LAYER, rho_x=0.1),
        replace(_LAYER, seed=1),
        replace(_LAYER, formats=(replace(_READ, skipped=(0.9,)),)),
    ]
    digests = {_digest(layer, machine) for layer in (_LAYER, *others)}
    assert len(digests) == (1 if machine in _DENSE else 4 if machine == "sibia" else 5)
    assert _digest(replace(_LAYER, N=71), machine) not in digests
    summary = run(Scenario("equal", (_LAYER, replace(others[1], name="second")), machine, schedule="barrier"), QUIET)
    assert (summary.summary.layers[1].memoized_from == "first") == (machine in _DENSE)


@pytest.mark.parametrize("machine", RIVALS)
def test_a_table_runs(machine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command takes a network and a preset by their names; sibia's masks have the shares of its quantization."""
    out = tmp_path / "run"
    assert main(["run", str(_table(tmp_path)), "--workers", "1", "--hardware", machine, "--out", str(out)]) == 0
    assert f"two on {machine}, compiled engine" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary["exact"] is None
    found = [each["rho_x"] for each in summary["layers"]]
    measured = density_profile("measured").density("qkv", "sbr7").rho_x
    assert measured < density_profile("measured").density("qkv", "aqs").rho_x - 0.05
    assert found == ([pytest.approx(measured, abs=0.03)] * 2 if machine == "sibia" else [None] * 2)


def _table(folder: Path) -> Path:
    """Write a network of two layers."""
    path = folder / "two.csv"
    path.write_text("layer,M,N,K,kind\nfirst,100,40,96,qkv\nsecond,64,40,100,qkv\n", "utf-8")
    return path


def test_a_model_runs_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All layers of a model of the zoo run on an array, those of equal sizes once."""
    out = tmp_path / "run"
    command = ["run", "--workload", "bert-base", "--tokens", "8", "--hardware", "sa_os", "--out", str(out)]
    assert main(command) == 0
    assert "96 layers, 90 of them with the work of an equal one" in capsys.readouterr().out


def test_a_profile_without_its_densities_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the machine and what the profile lacks; machines that have their densities run."""
    profile = tmp_path / "own.yaml"
    entry = "{rho_w: 0.1, rho_x: 0.5, standing: A, source: test}"
    profile.write_text(f"about: a test\nkinds: {{}}\nother:\n  aqs: {entry}\n", "utf-8")
    command = ["run", str(_table(tmp_path)), "--workers", "1", "--profile", str(profile)]
    assert main([*command, "--hardware", "sibia", "--out", str(tmp_path / "no")]) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert (
        "without densities for 'sbr7' of other; accepted: a profile with them, which machine 'sibia' needs" in message
    )
    assert not (tmp_path / "no").exists()
    assert main([*command, "--hardware", "sa_os", "--out", str(tmp_path / "yes")]) == 0


@pytest.mark.parametrize("machine", RIVALS)
def test_vector_stages(machine: str) -> None:
    """A layer with a stage behind it writes raw outputs of two bytes, which the stage reads, and writes the results."""
    layer = replace(_LAYER, feeds_stage=True, stage=VectorStage(3, reduces=True))
    scenario = Scenario("stage", (layer, replace(layer, name="second")), machine, {"vector": "unfused"})
    raw_bytes, result_bytes = 2 * 100 * 70, 100 * 70
    written = run(scenario, QUIET).summary.dram.write_bytes
    if machine in _DENSE:
        assert written == 2 * (raw_bytes + result_bytes)
    else:
        assert 2 * (raw_bytes + result_bytes // 2) < written < 2 * (raw_bytes + result_bytes)


@pytest.mark.parametrize("machine", RIVALS)
def test_presets_have_the_memory_and_bandwidth_of_panacea(machine: str) -> None:
    """What all machines have is that of the preset panacea but for the tiles, and so is the number of multipliers."""
    own, base = load_hardware(machine), load_hardware("panacea")
    tiles = {"tile_k", "tile_n"}
    shared = set(type(base).model_fields) & set(type(own).model_fields) - {"name", "machine"} - tiles
    assert {name: getattr(own, name) for name in shared} == {name: getattr(base, name) for name in shared}
    assert (own.multipliers, own.sram_bytes) == (3072, 196_608)
    sources = field_sources(machine)
    assert sources.keys() | {"name"} == set(type(own).model_fields)
    assert all(source.text and source.standing in {"S", "2", "D", "A"} for source in sources.values())
    assert machine_of(own).name == machine


@pytest.mark.parametrize("machine", [*RIVALS, "panacea"])
def test_the_data_are_knobs_of_panacea_alone(machine: str) -> None:
    """Whatif says why the LO field and the zero point are not turned on a machine with operands of its own."""
    layer = synthetic_layer(20, 30, 10, 0.3, 0.5, seed=1)
    found = variants_of(load_hardware(machine), layers=[layer])
    reasons = {each.reason for each in found.not_tried if each.knob in DATA_KNOBS}
    if machine == "panacea":
        assert not reasons
        assert {each.knob for each in found.tried} >= {"lo_bits"}
    else:
        assert reasons == {f"machine {machine} takes all bits of the codes and quantizes them anew"}
