"""The schedule "barrier" with layers in files: each is read when its turn comes."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.running.prepare import PreparedLayers, prepare
from panacea_sim.running.run import Interrupted, RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer_file import LayerFile
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": "mkn", "dtp": "off", "dram": "ideal", "dram_channels": 1}
WORKERS = [1, pytest.param(2, marks=pytest.mark.slow)]
OFF = TraceOptions("off")


def _stored(folder: Path, count: int = 3, size: int = 16) -> tuple[Path, ...]:
    paths = tuple(folder / f"net{number}.npz" for number in range(count))
    for number, path in enumerate(paths):
        save_layer(synthetic_layer(size, size, size, 0.3, 0.5, number, name=path.stem), path)
    return paths


def _scenario(layers: Any, **changes: Any) -> Scenario:  # noqa: ANN401  # what a Scenario takes
    return Scenario("net", layers, **{"settings": MACHINE, "schedule": "barrier", **changes})


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key != "host_seconds"}


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("values", [True, False])
def test_files_give_what_operands_in_memory_give(values: bool, workers: int, tmp_path: Path) -> None:  # noqa: FBT001
    """The summary does not depend on where the operands are, nor on the process that reads them."""
    paths = _stored(tmp_path)
    in_memory = tuple(path.load() for path in prepare(_scenario(paths)).layers if isinstance(path, LayerFile))
    assert len(in_memory) == 3
    wanted = run(_scenario(in_memory, values=values), RunOptions(engine="reference")).summary.to_json()
    found = run(_scenario(paths, values=values), RunOptions(workers=workers, engine="reference")).summary.to_json()
    assert _figures(found) == _figures(wanted)


def test_operands_are_dropped_with_their_layer(tmp_path: Path) -> None:
    """Preparing, writing and digesting a network, and its run, need the memory of a layer and not of all."""
    paths = _stored(tmp_path, 12, 512)
    operands_bytes = 12 * 2 * 512 * 512
    scenario = _scenario(paths, values=False, settings={"dtp": "off", "loop_order": "mnk"})
    run(_scenario(paths[:1], values=False, settings=scenario.settings), RunOptions(tmp_path / "warm", trace=OFF))
    tracemalloc.start()
    prepared = prepare(scenario)
    assert isinstance(prepared, PreparedLayers)
    assert tracemalloc.get_traced_memory()[1] < operands_bytes / 12
    scenario.digest()
    assert tracemalloc.get_traced_memory()[1] < operands_bytes / 3
    tracemalloc.stop()
    held: list[int] = []

    def count(*_: int) -> None:
        held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    run(prepared, RunOptions(tmp_path / "out", trace=OFF, layer_progress=count))
    tracemalloc.stop()
    # What stays of a layer are figures; the operands would be half a megabyte.
    assert (held[-1] - held[1]) / 10 < operands_bytes / 12 / 4


def test_a_run_keeps_the_files_as_they_were(tmp_path: Path) -> None:
    """The run folder has copies of the files, from which the same run is made."""
    paths = _stored(tmp_path)
    first = run(_scenario(paths), RunOptions(tmp_path / "out", trace=OFF)).summary.to_json()
    for number, path in enumerate(paths):
        assert (tmp_path / "out" / f"layer-{number}.npz").read_bytes() == path.read_bytes()
    again = load_scenario(tmp_path / "out" / "scenario.yaml")
    assert isinstance(again, Scenario)
    assert _figures(run(again).summary.to_json()) == {**_figures(first), "trace": {"level": "full", "window": None}}


@pytest.mark.slow
def test_processes_find_files_by_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that has changed its folder may name files and the run folder from there."""
    _stored(tmp_path)
    monkeypatch.chdir(tmp_path)
    summary = run(_scenario(("net0.npz", Path("net1.npz"))), RunOptions(Path("out"), workers=2)).summary.to_json()
    assert [layer["name"] for layer in summary["layers"]] == ["net0", "net1"]


def test_a_missing_file_is_told_before_the_run(tmp_path: Path) -> None:
    """Nothing runs and nothing is written if one of the files is not there."""
    paths = (*_stored(tmp_path, 2), tmp_path / "none.npz")
    with pytest.raises(ConfigError, match=r"none\.npz: found No such file or directory"):
        run(_scenario(paths), RunOptions(tmp_path / "out"))
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("workers", WORKERS)
def test_what_only_operands_tell_is_told_at_their_turn(workers: int, tmp_path: Path) -> None:
    """A value out of range ends the run when the layer is read; what was done until then is kept."""
    paths = _stored(tmp_path, 2)
    layer = synthetic_layer(16, 16, 16, 0.3, 0.5, 1)
    np.savez(tmp_path / "bad.npz", weight=layer.weight, activation=layer.activation, zero_point=128, weight_bits=4)
    with pytest.raises(ConfigError, match=r"layer\.weight: found .*File: .*bad\.npz") as failed:
        run(_scenario((*paths, tmp_path / "bad.npz")), RunOptions(tmp_path / "out", workers=workers))
    assert failed.value.__notes__ == [f"What was recorded is in {tmp_path / 'out.partial'}"]


def test_sums_that_overflow_are_refused_at_their_turn(tmp_path: Path) -> None:
    """Accumulators are checked, without values too, when the operands are there."""
    weight, activation = np.full((1, 4100), 511, np.int16), np.full((4100, 1), 4095, np.uint16)
    save_layer(GemmLayer("wide", weight, activation, 0, weight_bits=10, activation_bits=12), tmp_path / "wide.npz")
    with pytest.raises(ConfigError, match="int32"):
        run(_scenario(tmp_path / "wide.npz", values=False, settings={}))


def _chain(folder: Path) -> Path:
    """Run a chain whose operands are kept in files, and return its folder."""
    first = replace(synthetic_layer(16, 24, 24, 0.3, 0.5, 1, name="first"), recipe=None)
    first = replace(first, output=calibrated_output(first))
    second = following(first, "second", synthetic_layer(8, 16, 1, 0.3, 0.5, 2).weight)
    run(_scenario((first, second)), RunOptions(folder / "chain", trace=OFF, engine="reference"))
    return folder / "chain"


@pytest.mark.parametrize("workers", WORKERS)
def test_a_chain_in_files_runs(workers: int, tmp_path: Path) -> None:
    """A layer in a file reads the outputs of one in a file, which is read for the comparison and dropped."""
    kept = load_scenario(_chain(tmp_path) / "scenario.yaml")
    assert isinstance(kept, Scenario)
    assert all(isinstance(layer, LayerFile) for layer in kept.layers)
    summary = run(kept, RunOptions(workers=workers, engine="reference")).summary.to_json()
    wanted = json.loads((tmp_path / "chain" / "summary.json").read_text())
    assert summary["layers"] == wanted["layers"]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_broken_chain_in_files_is_refused(workers: int, tmp_path: Path) -> None:
    """Activations that are not the outputs of the source are found at the layer's turn."""
    folder = _chain(tmp_path)
    other = synthetic_layer(16, 24, 24, 0.3, 0.5, 9, name="first")
    save_layer(other, folder / "layer-0.npz")
    kept = load_scenario(folder / "scenario.yaml")
    assert isinstance(kept, Scenario)
    with pytest.raises(ConfigError, match=r"layer\.activation: found other values; accepted: the outputs of 'first'"):
        run(kept, RunOptions(workers=workers, engine="reference"))


def test_a_source_without_output_is_refused_before_the_run(tmp_path: Path) -> None:
    """What the entries of scenario.yaml tell of a chain is found before anything runs."""
    folder = _chain(tmp_path)
    content = yaml.safe_load((folder / "scenario.yaml").read_text())
    del content["layers"][0]["output"]
    (folder / "scenario.yaml").write_text(yaml.safe_dump(content))
    kept = load_scenario(folder / "scenario.yaml")
    assert isinstance(kept, Scenario)
    with pytest.raises(ConfigError, match=r"layer\.output: found None in 'first'; accepted: an OutputFormat"):
        prepare(kept)


def _stop(done: int, _: int) -> None:
    if done == 1:
        raise KeyboardInterrupt


def test_an_interrupted_run_can_be_made_again_from_its_folder(tmp_path: Path) -> None:
    """The scenario.yaml of NAME.partial runs into NAME, although that replaces the files that it names."""
    with pytest.raises(Interrupted):
        run(_scenario(_stored(tmp_path)), RunOptions(tmp_path / "out", layer_progress=_stop, engine="reference"))
    partial = tmp_path / "out.partial"
    arguments = ["--workers", "1", "--out", str(tmp_path / "out"), "--trace", "off", "--json"]
    assert main(["run", str(partial / "scenario.yaml"), *arguments]) == 0
    assert not partial.exists()
    assert len(json.loads((tmp_path / "out" / "summary.json").read_text())["layers"]) == 3


def test_a_run_can_replace_the_folder_that_it_comes_from(tmp_path: Path) -> None:
    """With --force, a run made from its own folder reads its files before they go."""
    run(_scenario(_stored(tmp_path)), RunOptions(tmp_path / "out", trace=OFF, engine="reference"))
    kept = load_scenario(tmp_path / "out" / "scenario.yaml")
    assert isinstance(kept, Scenario)
    run(kept, RunOptions(tmp_path / "out", force=True, trace=OFF, engine="reference"))
    assert (tmp_path / "out" / "layer-2.npz").is_file()


def test_layers_that_do_not_fit_are_refused_at_their_turn(tmp_path: Path) -> None:
    """A machine that is too small is told with the words of a run with operands in memory."""
    with pytest.raises(MappingError, match="AMEM holds 10 bytes, but a tile needs"):
        run(_scenario(_stored(tmp_path), settings={**MACHINE, "amem_bytes": 10}))
