"""Whole runs through the public door: real layers, run folders, what is left when a run does not end."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from engine_runs import NEEDS_NUMBA
from real_layers import EXPECTED, real_layer
from stored_runs import let_memory_be_small

from panacea_sim.engines import choice
from panacea_sim.engines.reference import engine as reference
from panacea_sim.errors import ConfigError, DeadlockError, InvariantError, MappingError
from panacea_sim.running.run import Interrupted, RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.synthetic import synthetic_layer

MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": "mnk", "dtp": "off", "dram": "ideal", "dram_channels": 1}


def _scenario(**changes: Any) -> Scenario:  # noqa: ANN401  # fields of a Scenario
    layer = synthetic_layer(16, 24, 24, rho_w=0.3, rho_x=0.5, seed=1)
    return replace(Scenario("small", layer, settings=MACHINE), **changes)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_layer_runs_exactly(name: str) -> None:
    """Each real layer gives the kept accumulators and densities, and stores at least what it must."""
    expected = EXPECTED[name]
    summary = run(Scenario(name, real_layer(name)), RunOptions(trace=TraceOptions("off"))).summary.to_json()
    (layer,) = summary["layers"]
    assert summary["exact"] is True
    assert layer["output_sha256"] == expected["output_sha256"]
    assert (layer["M"], layer["K"], layer["N"]) == (expected["M"], expected["K"], expected["N"])
    assert layer["rho_w"] == pytest.approx(expected["rho_w"], rel=0, abs=1e-9)
    assert layer["rho_x"] == pytest.approx(expected["rho_x"], rel=0, abs=1e-9)
    # M and N are multiples of v and 7- and 8-bit operands have one HO slice; what is not skipped is stored.
    assert layer["stored_w"] >= round((1 - expected["rho_w"]) * layer["M"] / 4 * layer["K"])
    assert layer["stored_x"] >= round((1 - expected["rho_x"]) * layer["N"] / 4 * layer["K"])


def test_a_run_without_a_folder_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder a run leaves no file, and gives its summary, result and graphs."""
    monkeypatch.chdir(tmp_path)
    outcome = run(_scenario())
    assert outcome.folder is None
    assert list(tmp_path.iterdir()) == []
    assert outcome.summary.to_json()["makespan_cycles"] == outcome.result.makespan_cycles


def test_the_run_folder_holds_what_is_promised(tmp_path: Path) -> None:
    """A run folder has the summary, the scenario, four tables and the log; nothing partial is left."""
    outcome = run(_scenario(), RunOptions(tmp_path / "out"))
    assert outcome.folder == tmp_path / "out"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    tables = ["activities.parquet", "dram.parquet", "postings.parquet", "queues.parquet"]
    assert sorted(path.name for path in outcome.folder.iterdir()) == sorted(
        [*tables, ".panacea-run", "log.jsonl", "scenario.yaml", "summary.json"]
    )
    assert json.loads((outcome.folder / "summary.json").read_text()) == outcome.summary.to_json()


def test_the_summary_has_its_documented_keys() -> None:
    """All keys of the summary are there, none has another name."""
    summary = run(_scenario()).summary.to_json()
    assert {
        *("schema", "scenario", "engine", "makespan_cycles", "clock_hz", "seconds", "exact", "tiles", "host_seconds"),
        *("layers", "components", "operators", "dram"),
    } <= set(summary)
    assert summary["schema"] == 2
    assert summary["engine"] == "reference"
    assert summary["tiles"] == 2 * 3 * 3
    assert summary["seconds"] == pytest.approx(summary["makespan_cycles"] / summary["clock_hz"])
    assert {
        *("name", "M", "N", "K", "start_cycle", "end_cycle", "rho_w", "rho_x", "stored_w", "stored_x", "output_sha256")
    } <= set(summary["layers"][0])
    assert {"read_bytes", "write_bytes", "row_hits", "row_misses", "busy_cycles"} <= set(summary["dram"])
    operators = {f"{name}_{what}" for name in ("dwo", "swo", "cs") for what in ("busy", "capacity")}
    assert operators == set(summary["operators"])
    assert {frozenset(states) for states in summary["components"].values()} == {
        frozenset({"busy", "starved", "blocked", "contended", "waiting", "idle"})
    }


def test_stalls_of_the_summary_add_up_to_the_states() -> None:
    """For each component the stalls by cause sum to its four stall states."""
    summary = run(_scenario()).summary.to_json()
    for name, states in summary["components"].items():
        stalled = states["starved"] + states["blocked"] + states["contended"] + states["waiting"]
        assert sum(stall["cycles"] for stall in summary["stalls"][name]) == stalled


def test_bytes_of_the_summary_are_those_of_the_layer() -> None:
    """What the DRAM moved is what the layer's tiles take."""
    summary = run(_scenario()).summary.to_json()
    (layer,) = summary["layers"]
    assert summary["dram"]["read_bytes"] == layer["weight_bytes"] + layer["activation_bytes"]
    assert summary["dram"]["write_bytes"] == layer["output_bytes"] == layer["M"] * layer["N"]


def test_four_bit_operands_have_no_density() -> None:
    """Operands without HO slices report no rho and no stored vectors."""
    layer = synthetic_layer(8, 8, 8, 0, 0, 0, weight_bits=4, activation_bits=4)
    (entry,) = run(_scenario(layer=layer)).summary.to_json()["layers"]
    assert (entry["rho_w"], entry["rho_x"], entry["stored_w"], entry["stored_x"]) == (None, None, 0, 0)


def test_the_smallest_layer_runs() -> None:
    """A 1 x 1 x 1 product runs exactly on the default machine."""
    layer = GemmLayer("one", np.array([[-64]], np.int8), np.array([[255]], np.uint8), zero_point=3)
    outcome = run(Scenario("one", layer))
    assert outcome.summary.to_json()["exact"] is True
    wanted = hashlib.sha256(np.array([-64 * 255], "<i4").tobytes()).hexdigest()
    assert outcome.summary.to_json()["layers"][0]["output_sha256"] == wanted


def test_outputs_are_encoded_for_the_next_layer() -> None:
    """With an output format, the image at the output address decodes to other bytes than the dense ones."""
    layer = replace(synthetic_layer(16, 24, 24, 0.3, 0.5, 1), output=OutputFormat(4.0, 128, lo_bits=5))
    outcome = run(_scenario(layer=layer))
    assert outcome.summary.to_json()["exact"] is True
    assert outcome.summary.to_json()["components"]["encoder"]["busy"] > 0
    assert outcome.summary.to_json()["layers"][0]["output_bytes"] != 16 * 24


def test_graph_nodes_carry_the_times_of_the_run() -> None:
    """After a run each tile group has start, end and stall, and the stalls sum to those of the dispatcher."""
    outcome = run(_scenario())
    (graph,) = outcome.tile_groups()
    dispatcher = outcome.summary.to_json()["components"]["dispatcher"]
    assert graph.number_of_nodes() == 2 * 3
    nodes = [graph.nodes[group] for group in nx.lexicographical_topological_sort(graph)]
    assert sum(node["stall_cycles"] for node in nodes) == dispatcher["starved"] + dispatcher["blocked"]
    assert all(0 <= node["start_cycle"] < node["end_cycle"] for node in nodes)
    starts = [node["start_cycle"] for node in nodes]
    assert starts == sorted(starts)
    assert max(node["end_cycle"] for node in nodes) == outcome.summary.to_json()["makespan_cycles"]


def test_the_layer_spans_the_run() -> None:
    """A single layer starts with its first fetch and ends with its last write."""
    summary = run(_scenario()).summary.to_json()
    assert summary["layers"][0]["start_cycle"] == 0
    assert summary["layers"][0]["end_cycle"] == summary["makespan_cycles"]


@NEEDS_NUMBA
def test_progress_of_the_compiled_engine_ends_with_all_tile_groups() -> None:
    """The progress function hears now and then of the output tiles that are done, with the total."""
    heard: list[tuple[int, int]] = []
    layer = synthetic_layer(1024, 1024, 512, rho_w=0.3, rho_x=0.8, seed=1)
    scenario = Scenario("large", layer, values=False, settings={"loop_order": "mnk", "dtp": "off", "tile_k": 8})
    options = RunOptions(progress=lambda done, total: heard.append((done, total)), engine="compiled")
    run(scenario, options)
    assert len(heard) > 1
    assert heard == sorted(heard)
    assert heard[-1] == (128, 128)


def test_progress_counts_all_tile_groups() -> None:
    """The progress function hears of every output tile, in order, with the total."""
    heard: list[tuple[int, int]] = []
    run(_scenario(), RunOptions(progress=lambda done, total: heard.append((done, total))))
    assert heard == [(done, 6) for done in range(1, 7)]


def test_a_tile_that_does_not_fit_is_refused_before_the_run(tmp_path: Path) -> None:
    """A memory too small for a tile is a MappingError that says how many bytes are missing; nothing is written."""
    settings = {**MACHINE, "amem_bytes": 10}
    with pytest.raises(MappingError, match="AMEM holds 10 bytes, but a tile needs") as error:
        run(_scenario(settings=settings), RunOptions(tmp_path / "out"))
    needed, missing = (
        int(digits) for digits in re.findall(r"needs (\d+): (\d+) bytes are missing", str(error.value))[0]
    )
    assert missing == needed - 10
    assert list(tmp_path.iterdir()) == []


def test_a_deadlock_leaves_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that deadlocks leaves NAME.partial with readable tables and a log that tells; there is no NAME."""
    let_memory_be_small(monkeypatch, "OMEM", 32)
    with pytest.raises(DeadlockError, match=r"accumulator -> o_dma|o_dma -> accumulator|OMEM"):
        run(_scenario(), RunOptions(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"]
    assert pq.read_table(tmp_path / "out.partial" / "activities.parquet").num_rows > 0
    events = [json.loads(line) for line in (tmp_path / "out.partial" / "log.jsonl").read_text().splitlines()]
    assert (events[-1]["event"], events[-1]["error"]) == ("failed", "DeadlockError")
    assert "OMEM" in events[-1]["message"]


def test_broken_accounts_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose accounts do not add up raises, and its folder stays partial for a report."""
    run_engine = reference.run_reference

    def lose_a_firing(*arguments: Any) -> Any:  # noqa: ANN401  # those of the engine
        result = run_engine(*arguments)
        return replace(result, firings={**result.firings, "ppu": 0})

    monkeypatch.setattr(choice, "run_reference", lose_a_firing)
    with pytest.raises(InvariantError, match=r"ppu fired 0 times of 6"):
        run(_scenario(), RunOptions(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"]


def _interrupt_at_the_third_tile(done: int, _: int) -> None:
    if done == 3:
        raise KeyboardInterrupt


def test_an_interrupted_run_can_be_read(tmp_path: Path) -> None:
    """An interrupt leaves NAME.partial with tables, a summary marked partial and the scenario, and says where."""
    trace = TraceOptions("full", (2, 10**6))
    with pytest.raises(Interrupted) as stop:
        run(_scenario(), RunOptions(tmp_path / "out", trace=trace, progress=_interrupt_at_the_third_tile))
    partial = tmp_path / "out.partial"
    assert stop.value.partial == partial
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"]
    assert json.loads((partial / "summary.json").read_text())["partial"] is True
    ends = pq.read_table(partial / "activities.parquet").column("end_cycle")
    assert len(ends) > 0
    assert max(ends.to_pylist()) < run(_scenario()).summary.to_json()["makespan_cycles"]
    queues = pq.read_table(partial / "queues.parquet").column("cycle").to_pylist()
    assert open_run(partial).recorded_cycles == (2, max([*ends.to_pylist(), *queues]))
    assert not (partial / "spill").exists()


def test_a_run_over_a_left_partial_works(tmp_path: Path) -> None:
    """What an interrupted run has left is replaced by the next one without --force."""
    with pytest.raises(Interrupted):
        run(_scenario(), RunOptions(tmp_path / "out", progress=_interrupt_at_the_third_tile))
    run(_scenario(), RunOptions(tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_interrupt_without_a_folder_says_so() -> None:
    """An interrupted run that writes nothing has no partial folder."""
    with pytest.raises(Interrupted) as stop:
        run(_scenario(), RunOptions(progress=_interrupt_at_the_third_tile))
    assert stop.value.partial is None


@pytest.mark.parametrize("trace", ["off", "stalls", "full"])
def test_the_trace_changes_no_figure(trace: Any) -> None:  # noqa: ANN401  # a literal of TraceOptions
    """What is recorded changes nothing in the summary but the time of the host, and what it says of the trace."""
    options = TraceOptions(trace, (3, 7))
    whole, other = run(_scenario()).summary.to_json(), run(_scenario(), RunOptions(trace=options)).summary.to_json()
    assert whole["trace"] == {"level": "full", "window": None}
    assert other["trace"] == {"level": trace, "window": [3, 7]}
    assert {**whole, "host_seconds": 0, "trace": 0} == {**other, "host_seconds": 0, "trace": 0}


def test_scenario_yaml_resolves_everything(tmp_path: Path) -> None:
    """The kept scenario has every hardware field, and the recipe of a synthetic layer instead of its operands."""
    run(_scenario(), RunOptions(tmp_path / "out"))
    content = yaml.safe_load((tmp_path / "out" / "scenario.yaml").read_text())
    assert content["hardware"]["n_pea"] == 2
    assert content["hardware"]["dram"] == "ideal"
    assert content["layers"][0]["synthetic"]["seed"] == 1
    assert not list((tmp_path / "out").glob("*.npz"))


def test_unknown_settings_of_a_scenario_are_refused() -> None:
    """A setting that is no hardware field is named with the nearest one."""
    with pytest.raises(ConfigError, match=r"hardware\.n_dwos: found an unknown field.*Did you mean 'n_dwo'\?"):
        run(_scenario(settings={"n_dwos": 3}))


_CHANGED_LAYERS = {
    "next_layer": replace(synthetic_layer(16, 24, 24, 0.3, 0.5, 1), output=OutputFormat(4.0, 128, lo_bits=5, r=(3,))),
    "frequent": replace(synthetic_layer(16, 24, 24, 0.3, 0.5, 1), r=(2,)),
    "fewer_tokens": replace(
        synthetic_layer(16, 24, 24, 0.3, 0.5, 1), activation=synthetic_layer(16, 24, 24, 0.3, 0.5, 1).activation[:, :5]
    ),
    "scaled": replace(synthetic_layer(16, 24, 24, 0.3, 0.5, 1), output=OutputFormat(4.0, 128), activation_scale=9.0),
}


@pytest.mark.parametrize("name", _CHANGED_LAYERS)
def test_a_changed_layer_is_kept_as_it_was(name: str, tmp_path: Path) -> None:
    """A synthetic layer with other fields than its recipe draws runs again from scenario.yaml with the same summary."""
    first = run(_scenario(layer=_CHANGED_LAYERS[name]), RunOptions(tmp_path / "out")).summary.to_json()
    again = load_scenario(tmp_path / "out" / "scenario.yaml")
    assert isinstance(again, Scenario)
    assert {**run(again).summary.to_json(), "host_seconds": 0} == {**first, "host_seconds": 0}
