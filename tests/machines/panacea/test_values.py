"""The values that travel: small machines are exact, whatever their shape and however little they hold."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from strategies import chains, scenarios

from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer

_PLENTY_BYTES = 1 << 24


def _run(scenario: Scenario, **settings: object) -> RunOutcome:
    changed = replace(scenario, settings={**scenario.settings, **settings})
    return run(changed, RunOptions(trace=TraceOptions("off")))


def _wanted_sha256(layer: GemmLayer) -> str:
    """Return the hash of the plain integer product, which shares nothing with the package."""
    dropped_bits = layer.lo_bits - 4
    x_hat = (layer.activation.astype(np.int64) >> dropped_bits) << dropped_bits
    product = layer.weight.astype(np.int64) @ x_hat
    return hashlib.sha256(product.astype("<i4").tobytes()).hexdigest()


@given(scenarios())
def test_simulated_accumulators_equal_the_integer_product(scenario: Scenario) -> None:
    """Any operands on any small machine give the accumulators of the plain integer product."""
    outcome = _run(scenario)
    assert outcome.summary.to_json()["exact"] is True
    (layer,) = outcome.prepared.layers
    assert outcome.summary.to_json()["layers"][0]["output_sha256"] == _wanted_sha256(layer)


@at_most(150)
@given(scenarios())
def test_states_of_a_whole_machine_add_up(scenario: Scenario) -> None:
    """The six states of every component and channel sum to the makespan exactly."""
    outcome = _run(replace(scenario, values=False))
    summary, n_pea = outcome.summary.to_json(), outcome.prepared.hardware.n_pea
    has_partial_sums = outcome.prepared.program.keeps_partial_sums
    assert len(summary["components"]) == 10 - 1 + has_partial_sums + n_pea + 1
    assert {sum(states.values()) for states in summary["components"].values()} == {summary["makespan_cycles"]}


@at_most(200)
@given(scenarios())
def test_no_run_is_faster_than_its_bounds(scenario: Scenario) -> None:
    """The makespan is at least the work of the busiest PEA and at least the time that the bytes take on the bus."""
    outcome = _run(replace(scenario, values=False))
    makespan_cycles, dram = outcome.summary.to_json()["makespan_cycles"], outcome.summary.to_json()["dram"]
    pea_cycles = [
        int(part.service_cycles.sum())
        for part in outcome.prepared.description.components
        if part.section == "compute" and part.name != "dispatcher" and part.service_cycles is not None
    ]
    assert len(pea_cycles) == outcome.prepared.hardware.n_pea
    moved_bytes = dram["read_bytes"] + dram["write_bytes"]
    bus_cycles = math.ceil(moved_bytes / outcome.prepared.hardware.dram_bytes_per_cycle)
    assert makespan_cycles >= max(*pea_cycles, bus_cycles)


@at_most(75)
@given(scenarios())
def test_deep_queues_and_large_memories_change_no_value(scenario: Scenario) -> None:
    """Queues of depth 64 and memories for everything give the accumulators and output bytes of the small machine."""
    roomy = {
        **dict.fromkeys(("wmem_bytes", "amem_bytes", "psum_bytes"), _PLENTY_BYTES),
        "omem_bytes": 2 * _PLENTY_BYTES,
    }
    small, large = _run(scenario), _run(scenario, queue_depth=64, **roomy)
    assert (
        small.summary.to_json()["layers"][0]["output_sha256"] == large.summary.to_json()["layers"][0]["output_sha256"]
    )
    assert small.prepared.values is not None
    assert large.prepared.values is not None
    assert small.prepared.values.image == large.prepared.values.image


@at_most(75)
@given(scenarios())
def test_values_change_no_time(scenario: Scenario) -> None:
    """A run without values takes the same cycles, in every state of every component, as one with values."""
    with_values, without = _run(scenario).summary.to_json(), _run(replace(scenario, values=False)).summary.to_json()
    assert without["exact"] is None
    assert without["layers"][0]["output_sha256"] is None
    assert without["components"] == with_values["components"]


@at_most(100)
@given(scenarios())
def test_twice_the_bandwidth_is_not_slower(scenario: Scenario) -> None:
    """Twice the DRAM bandwidth costs at most 1 % (and few cycles in tiny runs), which another order of grants can."""
    bandwidth = scenario.settings["dram_bytes_per_cycle"]
    assert isinstance(bandwidth, int)
    timing = replace(scenario, values=False)
    slow, fast = _run(timing), _run(timing, dram_bytes_per_cycle=2 * bandwidth)
    few_cycles = 16
    slow_cycles, fast_cycles = slow.summary.to_json()["makespan_cycles"], fast.summary.to_json()["makespan_cycles"]
    assert fast_cycles <= 1.01 * slow_cycles + few_cycles


_ODD_LAYER = synthetic_layer(22, 21, 13, rho_w=0.4, rho_x=0.6, seed=5, weight_bits=10)  # 3 x 3 x 2 tiles, all ragged


@pytest.mark.parametrize("psum_bytes", [256, 4096], ids=["spills", "fits"])
@pytest.mark.parametrize("dtp", ["off", "on", "auto"])
@pytest.mark.parametrize("order", [*LOOP_ORDERS, "auto"])
def test_every_mapping_gives_the_same_values(order: str, dtp: str, psum_bytes: int) -> None:
    """Order, double-tile processing and spills change no accumulator, also where the last stack has one tile."""
    machine = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "psum_bytes": psum_bytes}
    outcome = _run(Scenario("odd", _ODD_LAYER, settings={**machine, "loop_order": order, "dtp": dtp}))
    (planned,), (entry,) = outcome.prepared.program.layers, outcome.summary.to_json()["layers"]
    assert outcome.summary.to_json()["exact"] is True
    assert entry["output_sha256"] == _wanted_sha256(_ODD_LAYER)
    assert (entry["spilled_bytes"] > 0) == (psum_bytes == 256 and not planned.plan.order.endswith("k"))


@at_most(100)
@given(chains())
def test_chains_are_exact_end_to_end(scenario: Scenario) -> None:
    """Layers that read what the one before has written into DRAM give the plain integer products."""
    outcome = _run(scenario)
    assert outcome.summary.to_json()["exact"] is True
    for layer, entry in zip(outcome.prepared.layers, outcome.summary.to_json()["layers"], strict=True):
        assert entry["output_sha256"] == _wanted_sha256(layer)
