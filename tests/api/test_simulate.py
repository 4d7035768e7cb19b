"""Simulating from Python: the same figures as the command, no files, and messages in the words of Python."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import let_memory_be_small

from panacea_sim import (
    ConfigError,
    GemmLayer,
    Run,
    Scenario,
    Study,
    load_hardware,
    quantize,
    simulate,
    synthetic_layer,
)
from panacea_sim.api.words import in_python_words
from panacea_sim.calibration.calibrator import Calibrator
from panacea_sim.commands.main import main
from panacea_sim.errors import DeadlockError
from panacea_sim.hardware.config import parse_settings
from panacea_sim.running.network import network_scenario
from panacea_sim.running.run import run
from panacea_sim.workload.networks.load import load_network

_ROOT = Path(__file__).parents[2]
_TABLE = "name,M,K,N\nfirst,96,64,40\nsecond,64,96,40\n"


@pytest.fixture
def layer() -> GemmLayer:
    """Return a layer of a few tiles."""
    return synthetic_layer(140, 70, 40, 0.3, 0.6, seed=3)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let all temporary folders be made in one that is empty, and the current folder be another empty one."""
    for name in ("temporary", "current"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "current")
    return tmp_path / "temporary"


def test_it_is_the_run_of_the_command() -> None:
    """The quickstart has the cycles and every other figure that the command has written into the kept summary."""
    found = dict(simulate(_ROOT / "scenarios" / "quickstart.py", engine="reference", trace="off").summary)
    kept = json.loads((_ROOT / "tests" / "golden" / "quickstart_summary.json").read_text())
    assert found["makespan_cycles"] == 76_215
    del found["host_seconds"]
    kept.pop("host_seconds", None)
    assert json.loads(json.dumps(found)) == kept


def test_nothing_is_left_behind(layer: GemmLayer, temporary: Path) -> None:
    """A run lies in one temporary folder until nobody holds it, or it is closed; nothing else is written."""
    first, second = simulate(layer), simulate(layer)
    assert len(list(temporary.iterdir())) == 2
    assert len(first.intervals) == len(second.intervals) > 0
    del first
    gc.collect()
    assert len(list(temporary.iterdir())) == 1
    with second:
        pass
    assert not list(temporary.iterdir())
    assert not list(Path.cwd().iterdir())
    assert second.cycles == int(second.states.sum(axis=1).iloc[0])
    with pytest.raises(ConfigError, match=r"run: found '.*', which was closed; .* save\(folder\)"):
        _ = second.intervals


def test_nothing_is_left_when_python_ends(tmp_path: Path) -> None:
    """A script that ends while it holds a run, or with an error, leaves no folder."""
    script = (
        "import panacea_sim as p; r = p.simulate(p.synthetic_layer(64, 32, 8, .5, .5, seed=0)); print(r.cycles); 1 / 0"
    )
    command = [sys.executable, "-c", script]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "ZeroDivisionError" in done.stderr
    assert int(done.stdout) > 0
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_leaves_nothing(layer: GemmLayer, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still raises, leaves no folder, and nobody is sent to one."""
    let_memory_be_small(monkeypatch, "OMEM", 8)
    with pytest.raises(DeadlockError) as raised:
        simulate(layer)
    assert not list(temporary.iterdir())
    assert not any(str(temporary) in note for note in getattr(raised.value, "__notes__", ()))


def test_a_network_is_that_of_the_command(tmp_path: Path) -> None:
    """A table runs as the scenario of its graph does, untraced, each layer alone; options reach it."""
    path = tmp_path / "net.csv"
    path.write_text(_TABLE)
    found = simulate(path, weight_bits=4, profile="dense", explain=True)
    graph = load_network(str(path), weight_bits=4, profile="dense")
    assert found.cycles == run(network_scenario(graph)).summary.makespan_cycles
    assert simulate(graph).cycles == found.cycles
    assert list(found.layers.index) == ["first", "second"]
    assert (found.summary["trace"]["level"], found.summary["schedule"]) == ("off", "barrier")
    assert set(found.critical_path.layer) == {"first", "second"}
    assert int(found.critical_path.cycles.sum()) == found.cycles


def test_machines_are_given_in_many_ways(layer: GemmLayer, tmp_path: Path) -> None:
    """A preset with settings, by short and dotted names, fields, a file and a Hardware are the same machine."""
    path = tmp_path / "mine.yaml"
    path.write_text("n_dwo: 6\nn_swo: 6\n")
    given: list[dict[str, Any]] = [
        {"set": {"n_dwo": 6, "n_swo": 6}},
        {"set": {"hardware.n_dwo": np.int64(6), "hardware.n_swo": 6}},
        {"hardware": {"n_dwo": 6, "n_swo": 6}},
        {"hardware": path},
        {"hardware": load_hardware("panacea", {"n_swo": 6}), "set": {"n_dwo": 6}},
    ]
    cycles = {simulate(layer, trace="off", **each).cycles for each in given}
    assert len(cycles) == 1
    assert cycles != {simulate(layer, trace="off").cycles}


def test_a_scenario_is_changed_by_what_is_asked(layer: GemmLayer) -> None:
    """Settings come on top of those of a scenario, whose other parts stay; its name can be another one."""
    scenario = Scenario("mine", layer, settings={"n_dwo": 6}, values="off")
    found = simulate(scenario, set={"n_swo": 6}, name="other", trace="off")
    expected = run(Scenario("mine", layer, settings={"n_dwo": 6, "n_swo": 6}, values="off"))
    assert (found.name, found.cycles, found.exact) == ("other", expected.summary.makespan_cycles, None)


def test_several_layers_are_one_simulation(layer: GemmLayer) -> None:
    """A list of layers overlaps as in a scenario."""
    layers = [layer, synthetic_layer(70, 70, 40, 0.3, 0.6, seed=4, name="next")]
    found = simulate(layers, trace="off", values="off")
    assert found.cycles == run(Scenario("both", tuple(layers), values="off")).summary.makespan_cycles


def test_outputs_are_exact(layer: GemmLayer) -> None:
    """What came out of the machine is the integer product, by the name of the layer; without values there is none."""
    found = simulate(layer, values="travel", trace="off").outputs
    assert list(found) == [layer.name]
    assert layer.lo_bits == 4
    assert np.array_equal(found[layer.name], layer.weight.astype(np.int64) @ layer.activation.astype(np.int64))
    with pytest.raises(ConfigError, match=r"outputs: found no values: .* simulate\(layer, values='travel'\)"):
        _ = simulate(layer, values="off", trace="off").outputs


def test_real_operands_are_quantized_as_by_the_calibrator() -> None:
    """Arrays with samples become the layer of a held-out sample that the calibrator makes."""
    rng = np.random.default_rng(1)
    weight, samples = rng.normal(size=(12, 40)), rng.normal(size=(5, 40, 8))
    found = quantize(weight, samples, name="mine")
    calibrator = Calibrator()
    for sample in samples:
        calibrator.observe("mine", weight, sample)
    expected = calibrator.layer("mine").layer(0)
    assert np.array_equal(found.weight, expected.weight)
    assert np.array_equal(found.activation, expected.activation)
    assert simulate(found).exact


def test_settings_are_refused_as_by_the_command(layer: GemmLayer) -> None:
    """An unknown field gets the message of --set, with the argument in place of the option."""
    with pytest.raises(ConfigError) as command:
        parse_settings(["hardware.n_dwoo=6"])
    with pytest.raises(ConfigError) as python:
        simulate(layer, set={"n_dwoo": 6})
    assert str(python.value) == str(command.value).replace("--set:", "set:")
    assert "Did you mean 'hardware.n_dwo'?" in str(python.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"set": {"n_dwo": 0}}, r"hardware.n_dwo: found 0; .* Change it with set=\{'n_dwo': VALUE\}"),
        ({"set": {"n_dwo": 6, "hardware.n_dwo": 6}}, "set: found both 'n_dwo' and 'hardware.n_dwo'"),
        ({"set": ["n_dwo=6"]}, r"set: found \['n_dwo=6'\]; .* For example set=\{'n_dwo': 8\}"),
        ({"hardware": 3}, "hardware: found an int; accepted: a Hardware, the name of a preset"),
        ({"hardware": {"nothing": 1}}, "hardware.nothing: found an unknown field"),
        ({"tokens": 3}, "^tokens: found 3; accepted: nothing beside this GemmLayer, which is no network"),
        ({"engine": "fast"}, "engine: found 'fast'; accepted: auto, reference, compiled"),
        ({"trace": "all"}, "trace: found 'all'; accepted: off, stalls, full"),
        ({"window": (3, 2)}, r"window: found \(3, 2\), which holds no cycle"),
        ({"workers": 0}, "^workers: found 0"),
        ({"values": "travel", "engine": "compiled"}, "Choose engine='auto', or values='off'"),
        ({"shape": 3}, "shape: found 3; accepted: inputs with their sizes"),
    ],
)
def test_what_cannot_be_used_is_told(
    layer: GemmLayer, temporary: Path, arguments: dict[str, Any], message: str
) -> None:
    """Each argument is refused in one message that names it, and nothing is written."""
    with pytest.raises(ConfigError, match=message):
        simulate(layer, **arguments)
    assert not list(temporary.iterdir())


def test_what_is_no_workload_is_told(layer: GemmLayer, tmp_path: Path) -> None:
    """Numbers, arrays, studies, folders and unknown names are refused, with what to do where that is known."""
    saved = simulate(layer).save(tmp_path / "kept")
    study = Study("both", (Scenario("one", layer),))
    refused: list[tuple[Any, str]] = [
        (3, "workload: found an int; accepted: a layer, several layers, a Scenario"),
        ([], "workload: found nothing"),
        ((np.ones((3, 3)), np.ones((3, 3))), r"found arrays; .* simulate\(quantize\(weight, activation\)\)"),
        (study, r"the study 'both'; .*\[simulate\(each\) for each in study.scenarios\]"),
        (saved.stored.path, r"the run folder '.*kept'; .* It is opened with Run.open"),
        (tmp_path, "workload: found the folder"),
        ("opt-125", r"the unknown model 'opt-125'; .* Did you mean 'opt-125m'\?"),
    ]
    for workload, message in refused:
        with pytest.raises(ConfigError, match=message):
            simulate(workload)


def test_a_run_is_kept_on_request(layer: GemmLayer, temporary: Path, tmp_path: Path) -> None:
    """A saved run is a run folder with all tables; an existing one is replaced on request only."""
    found = simulate(layer, explain=True)
    kept = found.save(tmp_path / "kept")
    found.close()
    assert not list(temporary.iterdir())
    assert kept.summary == found.summary
    assert main(["inspect", str(tmp_path / "kept")]) == 0
    assert Run.open(tmp_path / "kept").root_causes.equals(kept.root_causes)
    assert kept.outputs is found.outputs
    with pytest.raises(ConfigError, match=r"^folder: found the existing folder .* Use force=True to replace it"):
        kept.save(tmp_path / "kept")
    assert simulate(layer, trace="off").save(tmp_path / "kept", force=True).summary["trace"]["level"] == "off"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Run again with --explain, or with --trace full", "Run again with explain=True, or with trace='full'"),
        ("Change it with --set hardware.n_dwo=VALUE", "Change it with set={'n_dwo': VALUE}"),
        ("a step --a-b of --out -- it", "a step a_b of folder -- it"),
    ],
)
def test_options_become_arguments(said: str, told: str) -> None:
    """A message names what Python calls it, also in the error that another process makes of it."""
    with pytest.raises(ConfigError) as raised, in_python_words():
        raise ConfigError("--weight-bits", 3, "4", said)
    assert str(raised.value) == f"weight_bits: found 3; accepted: 4. {told}"
    _, arguments = raised.value.__reduce__()
    assert arguments == ("weight_bits", "3", "4", told)
