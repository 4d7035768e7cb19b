"""The schedule "barrier": layers that run each alone, side by side in processes, equal ones once."""

from __future__ import annotations

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import takewhile
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from engine_runs import ENGINES, NEEDS_NUMBA

from panacea_sim.commands.main import main
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.errors import ConfigError, InvariantError, MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running.batches import run_batches
from panacea_sim.running.layers import LayerTask, run_layer
from panacea_sim.running.prepare import work_of
from panacea_sim.running.processes import WorkerError, opened_executor
from panacea_sim.running.run import Interrupted, RunOptions, run
from panacea_sim.running.scenario import Scenario, Schedule, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import ACTIVITIES, TABLES
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.synthetic import synthetic_layer

MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": "mkn", "dtp": "off", "dram_channels": 1}
LAYERS = (
    MaskedLayer("deep", 16, 24, 16, 0.3, 0.5, seed=1),  # the only one that visits outputs more than once
    MaskedLayer("flat", 16, 8, 24, 0.1, 0.6, seed=2),
    MaskedLayer("again", 16, 24, 16, 0.3, 0.5, seed=1),
    MaskedLayer("other", 16, 24, 16, 0.3, 0.5, seed=3),
)


def _scenario(**changes: Any) -> Scenario:  # noqa: ANN401  # fields of a Scenario
    return replace(Scenario("layers", LAYERS, settings=MACHINE, values=False, schedule="barrier"), **changes)


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in {"host_seconds", "engine", "layers"}}


def _layers(summary: dict[str, Any], *without: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in layer.items() if key not in without} for layer in summary["layers"]]


def _traced(folder: Path, **options: Any) -> tuple[dict[str, Any], dict[str, pa.Table]]:  # noqa: ANN401  # RunOptions
    scenario = options.pop("scenario", None) or _scenario()
    summary = run(scenario, RunOptions(folder, **{"engine": "reference", **options})).summary.to_json()
    return summary, {table: pq.read_table(folder / f"{table}.parquet") for table in TABLES}


@NEEDS_NUMBA
def test_both_engines_agree(tmp_path: Path) -> None:
    """Summary and all tables of a run layer by layer are the same with both engines."""
    one, tables = _traced(tmp_path / "one")
    other, other_tables = _traced(tmp_path / "other", engine="compiled")
    assert (_figures(one), one["layers"]) == (_figures(other), other["layers"])
    assert {name: table.to_pylist() for name, table in tables.items()} == {
        name: table.to_pylist() for name, table in other_tables.items()
    }


def test_the_whole_is_the_sum_of_its_layers(tmp_path: Path) -> None:
    """Cycles, states, bytes and rows are those of runs of each layer alone, one behind the other."""
    whole, tables = _traced(tmp_path / "whole")
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    states: dict[str, dict[str, int]] = {}
    offset = read_bytes = 0
    for layer, entry in zip(LAYERS, whole["layers"], strict=True):
        alone, parts = _traced(tmp_path / layer.name, scenario=_scenario(layer=layer, schedule="overlap"))
        assert (entry["start_cycle"], entry["end_cycle"]) == (
            alone["layers"][0]["start_cycle"] + offset,
            alone["layers"][0]["end_cycle"] + offset,
        )
        for name in whole["components"]:
            idle = {state: alone["makespan_cycles"] * (state == "idle") for state in whole["components"][name]}
            for state, cycles in alone["components"].get(name, idle).items():
                states.setdefault(name, {}).setdefault(state, 0)
                states[name][state] += cycles
        for name, table in parts.items():
            rows[name] += [_moved(row, offset) for row in table.to_pylist()]
        if "s_dma" not in alone["components"]:
            actions = tables["activities"].column_names[len(ACTIVITIES) :]
            rows["activities"].append(_idle("s_dma", offset, offset + alone["makespan_cycles"], actions))
        offset += alone["makespan_cycles"]
        read_bytes += alone["dram"]["read_bytes"]
    # Not all layers have partial sums that wait between visits.
    assert 0 < whole["components"]["s_dma"]["idle"] < offset
    assert whole["makespan_cycles"] == offset
    assert whole["components"] == states
    assert all(sum(found.values()) == offset for found in states.values())
    assert whole["dram"]["read_bytes"] == read_bytes
    for name, table in tables.items():
        order = {owner: place for place, owner in enumerate(dict.fromkeys(table.column(0).to_pylist()))}
        wanted = sorted(rows[name], key=lambda row: order[next(iter(row.values()))])
        assert table.to_pylist() == wanted


def _moved(row: dict[str, Any], offset: int) -> dict[str, Any]:
    return {key: value + offset if key.endswith("cycle") else value for key, value in row.items()}


def _idle(component: str, start: int, end: int, actions: list[str]) -> dict[str, Any]:
    row = {"component": component, "state": "idle", "start_cycle": start, "end_cycle": end, "layer": ""}
    return {
        **row,
        "m": -1,
        "n": -1,
        "k": -1,
        "cause": "",
        "cause_component": "",
        "bytes": 0,
        **dict.fromkeys(actions, 0),
    }


def test_equal_layers_run_once() -> None:
    """A layer with the masks of an earlier one names it, and no figure differs from a run that simulates both."""
    once, each = (run(_scenario(), RunOptions(memoize=memoize)).summary.to_json() for memoize in (True, False))
    assert [layer["memoized_from"] for layer in once["layers"]] == [None, None, "deep", None]
    assert [layer["memoized_from"] for layer in each["layers"]] == [None] * 4
    assert _figures(once) == _figures(each)
    assert _layers(once, "memoized_from") == _layers(each, "memoized_from")


def test_layers_without_ho_slices_are_equal_whatever_they_hold() -> None:
    """4-bit operands have no masks, so layers of one size are the same work; with values on they run nevertheless."""
    layers = tuple(
        replace(synthetic_layer(8, 8, 8, 0, 0, seed, weight_bits=4, activation_bits=4), name=f"layer{seed}")
        for seed in range(2)
    )
    summary = run(_scenario(layer=layers)).summary.to_json()
    assert [layer["memoized_from"] for layer in summary["layers"]] == [None, "layer0"]
    compared = run(_scenario(layer=layers, values=True)).summary.to_json()
    assert [layer["memoized_from"] for layer in compared["layers"]] == [None, None]
    assert compared["exact"] is True
    assert compared["layers"][0]["output_sha256"] != compared["layers"][1]["output_sha256"]


def _with_output(name: str, output: OutputFormat | None) -> GemmLayer:
    layer = synthetic_layer(16, 24, 24, 0.3, 0.5, 1, name=name)
    return replace(layer, weight_scale=0.01, activation_scale=0.1, output=output, recipe=None)


def _memoized_from(layers: tuple[Layer, ...]) -> list[str | None]:
    summary = run(_scenario(layer=layers), RunOptions(engine="reference")).summary.to_json()
    return [layer["memoized_from"] for layer in summary["layers"]]


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (OutputFormat(1.0, 100), "ho"),
        (OutputFormat(1.0, 100, bits=12), "ho"),
        (OutputFormat(0.1, 100, function="relu"), "ho"),
        (None, "total"),  # beside a format of 4 bits, which has no HO slices either
    ],
)
def test_layers_with_other_encoded_outputs_are_not_equal(other: OutputFormat | None, differs: str) -> None:
    """Equal masks with other bytes to encode or to write are other work; a layer equal in all is not simulated."""
    form = OutputFormat(0.1, 100) if differs == "ho" else OutputFormat(4.0, 7, bits=4)
    layers = (_with_output("first", form), _with_output("other", other), _with_output("again", form))
    once, each = (
        run(_scenario(layer=layers), RunOptions(engine="reference", memoize=memoize)).summary.to_json()
        for memoize in (True, False)
    )
    assert [layer["memoized_from"] for layer in once["layers"]] == [None, None, "first"]
    assert _figures(once) == _figures(each)
    assert _layers(once, "memoized_from") == _layers(each, "memoized_from")


def test_outputs_of_equal_size_in_other_pieces_are_not_equal() -> None:
    """Output tiles that change places, and encoded ones that are cut otherwise, are other work than the same bytes."""
    work = work_of(_with_output("layer", OutputFormat(1.0, 100)), load_hardware("panacea", MACHINE), values=False)
    bytes_of = work.output_bytes
    swapped = replace(work, output_bytes=replace(bytes_of, ho=bytes_of.ho[:, ::-1], total=bytes_of.total[:, ::-1]))
    pieces = replace(work, output_bytes=replace(bytes_of, pieces=None))
    assert len({each.key() for each in (work, swapped, pieces)}) == 3


def test_layers_of_other_sizes_are_not_equal() -> None:
    """Layers differ by one token also where padding makes all their masks and bytes alike."""
    form = OutputFormat(4.0, 7, bits=4)
    narrow = {"weight_bits": 4, "activation_bits": 4}
    layers = tuple(
        replace(synthetic_layer(16, 8, tokens, 0, 0, 1, name=f"{tokens} tokens", **narrow), output=form)  # type: ignore[arg-type]  # none of them is the name
        for tokens in (7, 8)
    )
    one, other = (work_of(layer, load_hardware("panacea", MACHINE), values=False) for layer in layers)
    assert np.array_equal(one.output_bytes.total, other.output_bytes.total)
    assert _memoized_from(layers) == [None, None]


@pytest.mark.parametrize(
    ("changes", "vector", "is_equal"),
    [
        ({}, "fused", True),
        ({"passes": 3}, "fused", False),
        ({"passes": 3}, "free", True),
        ({"repeat": 2}, "fused", False),
    ],
)
def test_layers_of_other_repeats_or_passes_are_not_equal(changes: dict[str, int], vector: str, is_equal: bool) -> None:  # noqa: FBT001  # expected
    """Operands without slices are all alike, but products and passes of the PPU, where they take time, are work."""
    layer = MaskedLayer("first", 16, 24, 16, 0, 0, seed=1, weight_bits=4, activation_bits=4)
    layers = (layer, replace(layer, name="other", **changes))
    scenario = _scenario(layer=layers, settings={**MACHINE, "vector": vector})
    summary = run(scenario, RunOptions(engine="reference")).summary
    assert [each.memoized_from for each in summary.layers] == [None, "first" if is_equal else None]


def test_masks_of_other_operands_are_not_equal() -> None:
    """A mask of weights is not taken for an equal one of activations."""
    layers = (
        replace(synthetic_layer(8, 8, 8, 1, 1, 1, weight_bits=7, activation_bits=4), name="weights"),
        replace(synthetic_layer(8, 8, 8, 1, 1, 1, weight_bits=4, activation_bits=8), name="activations"),
    )
    assert _memoized_from(layers) == [None, None]


@pytest.mark.parametrize("rates", [(0.3, 0.6), (0.4, 0.5)], ids=["activation", "weight"])
def test_one_mask_alone_makes_another_layer(rates: tuple[float, float]) -> None:
    """A layer whose weights, or whose activations, skip other vectors is simulated."""
    layers = (LAYERS[0], MaskedLayer("other", 16, 24, 16, *rates, seed=1))
    masks = [layer.skip_masks(4) for layer in layers]
    assert [np.array_equal(one, other) for one, other in zip(*masks, strict=True)].count(True) == 1
    assert _memoized_from(layers) == [None, None]


def test_traced_layers_all_run(tmp_path: Path) -> None:
    """Where rows are recorded, each layer is simulated and has its own rows."""
    summary, tables = _traced(tmp_path / "out")
    assert all(layer["memoized_from"] is None for layer in summary["layers"])
    assert {"deep", "flat", "again", "other"} <= set(tables["activities"].column("layer").to_pylist())


@pytest.mark.slow
def test_processes_change_nothing(tmp_path: Path) -> None:
    """Two processes give the summary and the tables that one gives, byte by byte, and leave none behind."""
    one, _ = _traced(tmp_path / "one", workers=1)
    two, _ = _traced(tmp_path / "two", workers=2)
    assert (_figures(one), one["layers"]) == (_figures(two), two["layers"])
    for table in TABLES:
        assert (tmp_path / "one" / f"{table}.parquet").read_bytes() == (
            tmp_path / "two" / f"{table}.parquet"
        ).read_bytes()
    assert active_children() == []


def test_a_window_counts_the_cycles_of_the_whole_run(tmp_path: Path) -> None:
    """With a window, the rows are those of the full trace that overlap it, over the border of two layers."""
    whole, tables = _traced(tmp_path / "whole")
    border = whole["layers"][1]["end_cycle"]
    first, last = border - 50, border + 70
    _, found = _traced(tmp_path / "part", trace=TraceOptions("full", (first, last)), workers=2)
    for name, table in tables.items():
        is_interval = "start_cycle" in table.column_names
        cycle = table.column("start_cycle") if is_interval else table.column("cycle")
        end = table.column("end_cycle") if is_interval else pc.add(cycle, 1)
        inside = table.filter(pc.and_(pc.less(cycle, last), pc.greater(end, first)))
        assert 0 < inside.num_rows < table.num_rows
        assert found[name].to_pylist() == inside.to_pylist()
    assert open_run(tmp_path / "part").recorded_cycles == (first, last)
    assert open_run(tmp_path / "whole").recorded_cycles == (0, whole["makespan_cycles"])


def test_a_chain_runs_exactly_layer_by_layer() -> None:
    """Values travel under "barrier" too: a layer reads its own activations, which are the outputs of the one before."""
    first = synthetic_layer(16, 24, 24, 0.3, 0.5, 1, name="first")
    first = replace(first, output=calibrated_output(first))
    second = following(first, "second", synthetic_layer(8, 16, 1, 0.3, 0.5, 2).weight)
    overlapping = run(_scenario(layer=(first, second), values=True, schedule="overlap")).summary.to_json()
    summary = run(_scenario(layer=(first, second), values=True)).summary.to_json()
    assert summary["exact"] is True
    shas = [[layer["output_sha256"] for layer in each["layers"]] for each in (summary, overlapping)]
    assert shas[0] == shas[1]
    assert summary["layers"][1]["start_cycle"] >= summary["layers"][0]["end_cycle"]


def _stop(done: int, _: int) -> None:
    if done == 2:
        raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_interrupt_keeps_the_layers_that_are_done(workers: int, tmp_path: Path) -> None:
    """After an interrupt no process is left; the folder holds the layers that were done, to the first that was not."""
    options = RunOptions(tmp_path / "out", layer_progress=_stop, workers=workers, engine="reference")
    with pytest.raises(Interrupted) as stop:
        run(_scenario(), options)
    assert active_children() == []
    assert stop.value.partial == tmp_path / "out.partial"
    left = open_run(tmp_path / "out")
    assert left.is_partial
    assert left.check_component("pea0") == "pea0"
    events = [json.loads(line) for line in (left.path / "log.jsonl").read_text().splitlines()]
    done = {event["layer"] for event in events if event["event"] == "layer"}
    kept = set(takewhile(done.__contains__, [layer.name for layer in LAYERS]))
    assert len(done) == 2
    assert kept == {"deep", "flat"} or workers > 1
    assert set(left.dataset("activities").to_table().column("layer").to_pylist()) - {""} == kept


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_error_of_a_layer_reaches_the_user(workers: int, tmp_path: Path) -> None:
    """A layer that does not fit ends the run with the message of a run by itself, from whichever process."""
    settings = {**MACHINE, "amem_bytes": 10}
    with pytest.raises(MappingError, match=r"^layer .*: AMEM holds 10 bytes, but a tile needs") as failed:
        run(_scenario(settings=settings), RunOptions(tmp_path / "out", workers=workers))
    assert failed.value.__notes__ == [f"What was recorded is in {tmp_path / 'out.partial'}"]
    last = json.loads((tmp_path / "out.partial" / "log.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["error"]) == ("failed", "MappingError")
    assert active_children() == []
    assert open_run(tmp_path / "out").is_partial


@pytest.mark.parametrize("error", [ConfigError("layer.M", 0, "a whole number >= 1", "Try 1"), InvariantError("lost")])
def test_errors_travel(error: Exception) -> None:
    """An error keeps its message on the way from one process to another."""
    there = pickle.loads(pickle.dumps(error))  # noqa: S301  # what executors do
    assert type(there) is type(error)
    assert str(there) == str(error)


_NETWORK = """
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.masked_layer import MaskedLayer

layers = tuple(MaskedLayer(f"layer{n}", 256, 256, 256, 0.1, 0.9, seed=n) for n in range(300))
scenario = Scenario("network", layers, values=False, schedule="barrier")
"""


def _started_network(folder: Path) -> subprocess.Popen[str]:
    """Start a network in two processes, and return when its first layer is done."""
    (folder / "network.py").write_text(_NETWORK)
    command = [
        sys.executable,
        "-m",
        "panacea_sim.commands.main",
        "run",
        "network.py",
        "--workers",
        "2",
        "--engine",
        "reference",
    ]
    process = subprocess.Popen([*command, "--out", "out"], cwd=folder, stderr=subprocess.PIPE, text=True)
    log = folder / "out.partial" / "log.jsonl"
    while not (log.exists() and '"layer": "layer0"' in log.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    return process


def _children(process: int) -> set[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return {int(child) for path in tasks for child in path.read_text().split()}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_parent(sent: signal.Signals, tmp_path: Path) -> None:
    """However a run ends, its processes end too; SIGTERM keeps what was recorded, as an interrupt does."""
    process = _started_network(tmp_path)
    children = _children(process.pid)
    assert len(children) >= 2
    process.send_signal(sent)
    _, told = process.communicate(timeout=90)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if sent == signal.SIGTERM:
        assert process.returncode == 130
        assert "interrupted: what was recorded is in out.partial" in told
        assert open_run(tmp_path / "out").dataset("activities").count_rows() > 0


class _Deadly:
    """Something that ends the process into which it comes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


@pytest.mark.slow
def test_a_process_that_dies_is_told() -> None:
    """A worker that ends without a word gives one error that says what to try."""
    layer: Any = _Deadly()
    task = LayerTask(layer, load_hardware("panacea"), values="off", engine="reference")
    message = r"a worker process ended before its layer was done.*--workers 1.*__main__"
    with pytest.raises(WorkerError, match=message), opened_executor(2, work="layer") as executor:
        list(run_batches([[task], [task]], executor))
    assert active_children() == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_layer_leaves_no_garbage(engine: ChosenEngine) -> None:
    """Circles of references would keep the arrays of many layers until the garbage collector comes by."""
    task = LayerTask(LAYERS[0], load_hardware("panacea"), values="off", engine=engine)
    run_layer(task)
    gc.collect()
    gc.disable()
    try:
        run_layer(task)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(thing).__name__ for thing in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left & {"Program", "Description", "Recorder", "LayerWork"}


def test_progress_counts_layers_and_tiles() -> None:
    """Both progress functions hear of everything that is done, to the end."""
    tiles: list[tuple[int, int]] = []
    layers: list[tuple[int, int]] = []
    run(
        _scenario(),
        RunOptions(
            engine="reference",
            progress=lambda *counts: tiles.append(counts),
            layer_progress=lambda *counts: layers.append(counts),
        ),
    )
    assert layers == [(done, 4) for done in range(1, 5)]
    assert tiles[-1] == (2 * 2 + 2 * 3 + 2 * 2 + 2 * 2,) * 2
    assert sorted(tiles) == tiles


def test_the_kept_scenario_runs_again(tmp_path: Path) -> None:
    """scenario.yaml has schedule and masked layers, from which the same run is made."""
    first = run(_scenario(), RunOptions(tmp_path / "out")).summary.to_json()
    content = yaml.safe_load((tmp_path / "out" / "scenario.yaml").read_text())
    assert content["schedule"] == "barrier"
    assert content["layers"][0]["masked"]["rho_x"] == 0.5
    again = load_scenario(tmp_path / "out" / "scenario.yaml")
    assert isinstance(again, Scenario)
    second = run(again, RunOptions(memoize=False)).summary.to_json()
    assert (_figures(first), first["layers"]) == (_figures(second), second["layers"])


def test_masked_layers_overlap_too() -> None:
    """Under "overlap" masked layers are one simulation, in which the next one begins before the last one ends."""
    summary = run(_scenario(schedule="overlap")).summary.to_json()
    assert summary["schedule"] == "overlap"
    assert summary["exact"] is None
    assert summary["layers"][1]["start_cycle"] < summary["layers"][0]["end_cycle"]


def test_the_command_line_chooses_the_schedule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--schedule, --workers and --no-memoize reach the run."""
    run(_scenario(schedule="overlap"), RunOptions(tmp_path / "kept"))
    arguments = ["--schedule", "barrier", "--workers", "1", "--trace", "off", "--json", "--out", str(tmp_path / "out")]
    assert main(["run", str(tmp_path / "kept" / "scenario.yaml"), *arguments]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["schedule"] == "barrier"
    assert summary["layers"][2]["memoized_from"] == "deep"
    arguments[-1] = str(tmp_path / "each")
    assert main(["run", str(tmp_path / "kept" / "scenario.yaml"), "--no-memoize", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][2]["memoized_from"] is None


def test_masks_cannot_carry_values(tmp_path: Path) -> None:
    """A masked layer in a run with values is refused before anything is written."""
    with pytest.raises(ConfigError, match=r"scenario\.values: found travel; accepted: off, as 'deep' has masks only"):
        run(_scenario(values=True), RunOptions(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_unknown_schedules_are_refused() -> None:
    """A schedule that there is not is named with the nearest one."""
    with pytest.raises(ConfigError, match=r"scenario\.schedule: found 'barier'.*Did you mean 'barrier'\?"):
        _scenario(schedule="barier")


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2", None])
def test_no_workers_are_refused(workers: Any) -> None:  # noqa: ANN401  # what a script may give
    """Less than one process is no way to run, and there are no half ones."""
    with pytest.raises(ConfigError, match=rf"--workers: found {workers}; accepted: a whole number >= 1"):
        RunOptions(workers=workers)


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_no_layers_are_refused(schedule: Schedule) -> None:
    """A scenario has something to run."""
    with pytest.raises(ConfigError, match=r"scenario\.layer: found no layers; accepted: a layer, or a tuple"):
        Scenario("empty", (), schedule=schedule)


def test_opt_has_its_tile_tasks() -> None:
    """The prefill of OPT-2.7B has 192 layers, each drawn from a seed of its own, and 39.3 million tile tasks."""
    path = Path(__file__).parents[2] / "scenarios" / "opt_2_7b_prefill.py"
    scenario = load_scenario(path)
    assert isinstance(scenario, Scenario)
    layers = [layer for layer in scenario.layers if isinstance(layer, MaskedLayer)]
    assert len({layer.seed for layer in layers}) == len(scenario.layers) == 192
    hardware = load_hardware("panacea")
    sizes = np.array([(layer.M, layer.K, layer.N) for layer in layers])
    tiles = -(-sizes // (hardware.tile_m, hardware.tile_k, hardware.tile_n))
    assert tiles.prod(1).sum() == 39_321_600
