"""The compiled engine is the reference engine, only faster: every row, total, counter and mark is equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from case_counts import asked_machines
from hypothesis import event, given, settings
from strategies import BANKED_DEVICES, any_linked_programs, machines, numbered, programs

pytest.importorskip("numba")

from engine_runs import assert_equal, figures, reference
from naive import NaiveResult, StuckError, interpret

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.engines.compiled.engine import run_compiled
from panacea_sim.engines.compiled.lanes import find_lane_groups
from panacea_sim.errors import ConfigError
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.program import Program
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.synthetic import synthetic_layer

_COUNT = asked_machines(500)
"""The number of machines of each kind; programs, which are larger, are two fifths as many,
and networks of layers that wait for each other, with products, steps and weights of other layers, one fifth."""

pytestmark = pytest.mark.timeout(600 + 2 * _COUNT)  # to make the example of a failure small takes minutes

_SMALL_CYCLES = 1_500
"""Whole machines up to this makespan are interpreted as well, cycle by cycle."""


@settings(max_examples=_COUNT)
@given(machines())
def test_equal_on_ideal_channels(machine: Description) -> None:
    """Reference, compiled engine and naive interpreter agree in every row, figure and time, and on deadlocks."""
    _check_machine(machine)


@settings(max_examples=_COUNT)
@given(machines(BANKED_DEVICES))
def test_equal_with_banks_and_refresh(machine: Description) -> None:
    """All three agree on channels with banks, in why nothing moves as well."""
    _check_machine(machine)


@settings(max_examples=2 * _COUNT // 5)
@given(programs)
def test_equal_on_real_programs(scenario: Scenario) -> None:
    """All agree on whole machines: up to 16 PEAs, any order and device, with stacks, spills and chained layers."""
    machine = prepare(replace(scenario, values=False)).description
    kept = ("dispatcher", "w_dma", "o_dma")
    found = assert_equal(machine, kept)
    event(f"lanes: {sum(group.lanes for group in find_lane_groups(machine, kept))}")
    event(f"{scenario.settings['dram']} x {scenario.settings['dram_channels']}")
    is_small = found is not None and found.makespan_cycles <= _SMALL_CYCLES
    event(f"interpreted: {is_small}")
    if is_small:
        components = tuple(replace(part, labels=numbered(part.firings)) for part in machine.components)
        machine = replace(machine, components=components)
        assert reference(machine) == interpret(machine)


@settings(max_examples=_COUNT // 5)
@given(any_linked_programs)
def test_equal_where_weights_wait(program: Program) -> None:
    """All agree on programs whose operands, weights too, wait for the outputs of other layers."""
    machine = MACHINE.describe(program)
    streams = {part.name: part for part in machine.components}
    works = [layer.plan.work for layer in program.layers]
    event(f"products: {any(work.tiling.repeat > 1 for work in works)}")
    event(f"steps: {any(work.sequential and work.tiling.repeat > 1 for work in works)}")
    event(f"weights wait: {bool(streams['w_dma'].waits)}, activations: {bool(streams['x_dma'].waits)}")
    found = assert_equal(machine, ("w_dma", "x_dma", "o_dma"))
    assert found is not None
    if found.makespan_cycles <= _SMALL_CYCLES:
        components = tuple(replace(part, labels=numbered(part.firings)) for part in machine.components)
        machine = replace(machine, components=components)
        assert reference(machine) == interpret(machine)


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


def test_a_step_beyond_32_bits_is_refused() -> None:
    """The compiled engine says which limit a machine exceeds, and who has none."""
    endless = Component("endless", "test", 1, np.array([1 << 31]))
    message = r"found a step of 2147483648 cycles or bytes; accepted: steps that fit into 32 bits\. --engine reference"
    with pytest.raises(ConfigError, match=message):
        run_compiled(Description((endless,)), Recorder())


def _check_machine(machine: Description) -> None:
    """Compare everything; the firing times of half of the components, as those that are kept are no lanes."""
    kept = tuple(part.name for part in machine.components[::2] if not part.name.startswith("lane"))
    event(f"lane groups: {len(find_lane_groups(machine, kept))}")
    event(f"channels: {len(machine.channels)}")
    assert assert_equal(machine, kept) == _interpreted(machine)


def _interpreted(machine: Description) -> NaiveResult | None:
    """Return what the naive interpreter gives, None for a deadlock."""
    try:
        return interpret(machine)
    except StuckError:
        return None
