"""Chained layers in one run: who waits for what, read from the trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from case_counts import at_most
from hypothesis import assume, given
from strategies import chains

from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import MappingError
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.synthetic import synthetic_layer

_MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8}


class _Trace(NamedTuple):
    """The activities of a run, and the cycle in which each output tile (layer, m, n) was written."""

    prepared: Prepared
    rows: list[dict[str, Any]]
    written: dict[tuple[str, int, int], int]

    def needed_cycle(self, row: dict[str, Any]) -> int:
        """Return when the output tile was written that holds the activation tile of a row of the second layer."""
        hardware = self.prepared.hardware
        return self.written["first", row["k"] * hardware.tile_k // hardware.tile_m, row["n"]]


def _traced(scenario: Scenario) -> _Trace:
    prepared = prepare(replace(scenario, values=False))
    recorder = Recorder(layers=tuple(layer.name for layer in prepared.layers))
    run_reference(prepared.description, recorder)
    rows = recorder.table("activities").to_pylist()
    written = {
        (row["layer"], row["m"], row["n"]): row["end_cycle"]
        for row in rows
        if (row["component"], row["state"]) == ("o_dma", "busy")
    }
    return _Trace(prepared, rows, written)


@at_most(100)
@given(chains())
def test_nothing_is_read_before_it_is_written(scenario: Scenario) -> None:
    """The channel serves a chained activation tile only after the output tile that holds it has been written."""
    assume(len(scenario.layers) > 1)
    trace = _traced(scenario)
    reads = [
        row
        for row in trace.rows
        if (row["component"], row["cause_component"], row["layer"]) == ("dram0", "x_dma", "second")
    ]
    assert len(reads) == len(trace.prepared.program.layers[1].plan.activation_loads.tile)
    assert all(row["start_cycle"] >= trace.needed_cycle(row) for row in reads)


@at_most(100)
@given(chains())
def test_a_layer_waits_only_for_what_it_needs(scenario: Scenario) -> None:
    """Only `x_dma` of the second layer waits for `o_dma`, and each wait ends when the tile that it needs is there."""
    trace = _traced(scenario)
    waits = [row for row in trace.rows if row["state"] == "waiting" and row["component"] != "s_dma"]
    assert {(row["component"], row["layer"], row["cause_component"]) for row in waits} <= {("x_dma", "second", "o_dma")}
    assert all(row["end_cycle"] == trace.needed_cycle(row) for row in waits)


def _chain() -> Scenario:
    first = replace(synthetic_layer(40, 24, 24, 0.3, 0.5, 1, name="first"), weight_scale=0.01, activation_scale=0.1)
    first = replace(first, output=calibrated_output(first, "gelu"))
    weight = synthetic_layer(20, 40, 1, 0.3, 0.5, 2).weight
    return Scenario("chain", (first, following(first, "second", weight)), settings=_MACHINE)


def test_the_second_layer_starts_before_the_first_ends() -> None:
    """With n outermost the second layer works on the first tokens while the first layer is still busy with the last."""
    settings = {**_MACHINE, "loop_order": "nmk", "dtp": "off"}
    first, second = run(replace(_chain(), settings=settings)).summary.to_json()["layers"]
    trace = _traced(replace(_chain(), settings=settings))
    first_read = min(
        row["start_cycle"]
        for row in trace.rows
        if (row["component"], row["cause_component"], row["layer"]) == ("dram0", "x_dma", "second")
    )
    assert second["start_cycle"] <= first_read < first["end_cycle"] < second["end_cycle"]


def test_the_second_layer_is_seen_waiting() -> None:
    """With m outermost the second layer needs the last output tiles of the first one, and waits for them."""
    settings = {**_MACHINE, "loop_order": "mnk", "dtp": "off"}
    summary = run(replace(_chain(), settings=settings)).summary.to_json()
    assert summary["components"]["x_dma"]["waiting"] > 0
    (stall,) = (stall for stall in summary["stalls"]["x_dma"] if stall["state"] == "waiting")
    assert (stall["cause"], stall["cause_component"]) == ("dataflow", "o_dma")


def test_a_chain_runs_again_from_its_folder(tmp_path: Path) -> None:
    """scenario.yaml of a chain, with the operands beside it, gives the same summary."""
    first = run(_chain(), RunOptions(tmp_path / "out")).summary.to_json()
    again = load_scenario(tmp_path / "out" / "scenario.yaml")
    assert isinstance(again, Scenario)
    assert {**run(again).summary.to_json(), "host_seconds": 0} == {**first, "host_seconds": 0}
    assert first["exact"] is True


@pytest.mark.parametrize("psum_bytes", [256, 4096], ids=["spills", "fits"])
def test_partial_sums_do_not_leak_into_the_next_layer(psum_bytes: int) -> None:
    """A layer whose tiles are visited once is exact behind one that keeps partial sums, and before one."""
    several = synthetic_layer(8, 24, 16, 0.3, 0.5, 1, name="several")
    once = synthetic_layer(8, 8, 16, 0.3, 0.5, 2, name="once")
    again = replace(several, name="again", recipe=None)
    settings = {**_MACHINE, "loop_order": "kmn", "dtp": "off", "psum_bytes": psum_bytes}
    outcome = run(Scenario("leak", (several, once, again), settings=settings))
    assert [layer.plan.partial_sums.firings > 0 for layer in outcome.prepared.program.layers] == [True, False, True]
    assert outcome.summary.to_json()["exact"] is True


def test_partial_sums_of_another_layer_leave_less_for_finished_tiles() -> None:
    """A layer whose output tile fits OMEM alone, but not beside the partial sums of another one, is refused."""
    large = synthetic_layer(8, 24, 8, 0.3, 0.5, 1, name="large")  # one output tile of 8 x 8
    small = synthetic_layer(2, 24, 10, 0.3, 0.5, 1, name="small")  # two of 2 rows, visited three times each
    settings = {**_MACHINE, "loop_order": "kmn", "dtp": "off", "omem_bytes": 300, "psum_bytes": 100}
    assert run(Scenario("alone", large, settings=settings)).summary.to_json()["exact"] is True
    for layers in ((large, small), (small, large)):
        with pytest.raises(MappingError, match="OMEM holds 200 bytes for finished tiles, but an output tile needs 256"):
            prepare(Scenario("together", layers, settings=settings))
