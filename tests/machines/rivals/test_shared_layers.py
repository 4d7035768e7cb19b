"""Real layers on every machine: exact accumulators, and counts that make the energy; `make equal` takes all of them."""

from __future__ import annotations

from itertools import product

import pytest
from case_counts import asked_machines
from naive_energy import CASES, naive_cells, naive_pj
from real_layers import real_layer
from strategies import ABLATED, RIVALS

from panacea_sim.energy.energy import CATEGORIES, energy_of
from panacea_sim.energy.table import energy_table
from panacea_sim.hardware.config import from_mapping, load_hardware
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.npz import load_layer

_KINDS = product(("ffn1", "ffn2", "out", "qkv"), ("plain", "zpm", "dbs"))
_LAYERS = [f"minilm_l3_{layer}_{variant}" for layer, variant in _KINDS]
_TAKEN = _LAYERS if asked_machines(0) else ["minilm_l3_out_dbs"]


@pytest.mark.parametrize("machine", [*RIVALS, *ABLATED])
@pytest.mark.parametrize("name", _TAKEN)
def test_a_real_layer(name: str, machine: str) -> None:
    """Where values travel the accumulators are exact; on every machine energy is its counts times the table."""
    travels = machine in RIVALS
    fields = load_hardware("panacea").model_dump() | {"machine": machine}
    hardware = load_hardware(machine) if travels else from_mapping(fields)
    scenario = Scenario("shared", load_layer(real_layer(name)), hardware, values="travel" if travels else "off")
    summary = run(scenario, RunOptions(engine="reference", trace=TraceOptions("off"))).summary
    assert summary.exact is (True if travels else None)
    found, plain = energy_of(summary, energy_table()), summary.to_json()
    cells = naive_cells(plain)
    for case in CASES:
        expected = naive_pj(plain, case, cells[case], events=False)
        for category in CATEGORIES:
            assert getattr(found.run.of_category(category), case) == expected[category], (category, case)
