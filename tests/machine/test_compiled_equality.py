"""The compiled engine is the reference engine, only faster: every row, total, counter and mark is equal."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from strategies import BANKED_DEVICES, chains, machines

pytest.importorskip("numba")

from engine_runs import assert_equal, compiled, figures, reference
from naive import NaiveResult, StuckError, interpret

from panacea_sim.errors import DeadlockError
from panacea_sim.machine.compiled import run_compiled
from panacea_sim.machine.description import Description
from panacea_sim.scenario import Scenario
from panacea_sim.simulation import prepare
from panacea_sim.trace.recorder import Recorder, TraceOptions
from panacea_sim.workload.synthetic import synthetic_layer

MACHINES = settings(max_examples=int(os.environ.get("EQUAL_MACHINES", "500")))
"""`make equal N=...` sets the number of machines."""


@MACHINES
@given(machines())
def test_equal_on_ideal_channels(machine: Description) -> None:
    """Reference, compiled engine and naive interpreter agree in every row, total and mark, and on deadlocks."""
    expected = _outcome(reference, machine)
    assert _outcome(compiled, machine) == expected
    assert _outcome(interpret, machine) == expected


@MACHINES
@given(machines(BANKED_DEVICES))
def test_equal_with_banks_and_refresh(machine: Description) -> None:
    """Both engines agree on channels with banks, in why nothing moves as well."""
    assert _outcome(compiled, machine) == _outcome(reference, machine)


@settings(max_examples=100)
@given(chains())
def test_equal_on_real_programs(scenario: Scenario) -> None:
    """Both engines agree on whole machines, in any order, with stacks, spills and chained layers."""
    assert_equal(prepare(replace(scenario, values=False)).description, ("dispatcher", "w_dma", "o_dma"))


@pytest.mark.parametrize(
    "settings_",
    [
        {"dram": "hbm2", "dram_channels": 2, "dtp": "off"},
        {"dram": "ddr4_3200", "dram_channels": 3, "loop_order": "mkn"},
        {"dram": "lpddr4_3200", "loop_order": "kmn", "dtp": "on", "outstanding": 2},
        {"dram": "lpddr5_6400", "dram_channels": 4, "dram_policy": "fcfs", "dram_page": "closed", "queue_depth": 1},
        {"dram": "ideal", "loop_order": "nkm", "psum_bytes": 262_144, "omem_bytes": 294_912},
    ],
)
def test_equal_on_a_layer(settings_: dict[str, object]) -> None:
    """Tables, counters, firing times and high-water marks of a layer with some hundred tiles are equal."""
    layer = synthetic_layer(500, 300, 200, rho_w=0.3, rho_x=0.8, seed=3)
    scenario = Scenario("layer", layer, settings=settings_, values=False)
    assert_equal(prepare(scenario).description, ("w_dma", "x_dma", "dispatcher", "o_dma"))


@pytest.mark.parametrize("level", ["off", "stalls"])
def test_totals_do_not_depend_on_the_trace(level: str) -> None:
    """Without a trace the compiled engine gives the totals that it gives with one."""
    layer = synthetic_layer(200, 100, 100, rho_w=0.3, rho_x=0.8, seed=3)
    description = prepare(Scenario("layer", layer, values=False)).description
    full = run_compiled(description, Recorder(layers=("layer",)))
    other = run_compiled(description, Recorder(TraceOptions(level), ("layer",)))  # type: ignore[arg-type]  # one of its words
    assert figures(other) == figures(full)


def _outcome(engine: Callable[[Description], NaiveResult], machine: Description) -> NaiveResult | None:
    """Return what an engine gives, None for a deadlock."""
    try:
        return engine(machine)
    except (DeadlockError, StuckError):
        return None
