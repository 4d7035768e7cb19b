"""What the machines beside panacea count for energy, and what they are built of."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from strategies import RIVALS

from panacea_sim.analysis.operations import operations_of
from panacea_sim.energy.area import area_of
from panacea_sim.energy.energy import energy_of
from panacea_sim.energy.table import energy_table
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import described, machine_of
from panacea_sim.machines.shared.program import plan_program
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer

_SHAPE = (130, 70, 66)
_PADDED = (132, 70, 68)
"""Rows and columns in whole vectors of 4."""

_LAYER = MaskedLayer("layer", *_SHAPE, 0.0, 0.0, 0)
_PRODUCTS = {"sa_os": 1, "sa_ws": 1, "simd": 1, "bitfusion": 4, "sibia": 4}
"""Products in a MAC of operands that skip nothing."""


@pytest.mark.parametrize("machine", RIVALS)
def test_operations_of_a_rival(machine: str) -> None:
    """Products follow from the sizes, with a sum and a register for each; every task reads both of its tiles."""
    hardware = load_hardware(machine)
    work = machine_of(hardware).work(_LAYER, hardware, None)
    program = plan_program(hardware, [plan_layer("layer", work, hardware, "mnk", 1)])
    found: dict[str, int] = {}
    for of_component in operations_of(described(program), hardware).values():
        for operation, count in of_component.items():
            found[operation] = found.get(operation, 0) + count
    array = machine.startswith("sa_")
    products = _PRODUCTS[machine] * prod(_SHAPE if array else _PADDED)
    width = "multiply_4b" if _PRODUCTS[machine] == 4 else "multiply_8b"
    assert found[width] == found["add_32b"] == products
    assert found["register_bits"] == (48 if array else 32) * products
    assert {"multiply_4b", "multiply_8b", "compensate_32b"} & set(found) == {width}
    m_tiles, n_tiles = (-(-_SHAPE[0] // hardware.tile_m), -(-_SHAPE[2] // hardware.tile_n))
    # A tile is read once with each tile of the other operand.
    assert found["WMEM.read_bytes"] == n_tiles * int(np.sum(work.weight.total))
    assert found["AMEM.read_bytes"] == m_tiles * int(np.sum(work.activation.total))
    visits = -(-_SHAPE[1] // hardware.tile_k) if machine == "sa_ws" else 1
    outputs = _SHAPE[0] * _SHAPE[2]
    assert found["OMEM.written_bytes"] == (4 * visits + 1) * outputs
    assert found["OMEM.read_bytes"] == (4 * (visits - 1) + 4 + 1) * outputs


@pytest.mark.parametrize("machine", RIVALS)
def test_energy_and_area_of_a_rival(machine: str) -> None:
    """A run of every machine has its energy by both families of tables, and the area of its multipliers."""
    summary = run(Scenario("rival", _LAYER, machine, values=False), RunOptions()).summary
    assert summary.inventory is not None
    for name in ("default", "bitfusion"):
        found = energy_of(summary, energy_table(name))
        assert found.run.total is not None
        area = area_of(found.prices.inventory, found.prices.table, found.prices.cells)
        width_um2 = 74.2 if _PRODUCTS[machine] == 4 else 197.7
        units = 3072 if _PRODUCTS[machine] == 4 else 768
        assert float(area.compute.nominal) == pytest.approx(units * width_um2 / 1e6, rel=1e-3)
