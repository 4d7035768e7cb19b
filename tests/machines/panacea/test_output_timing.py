"""Timing of the output path: lanes, and the port of OMEM."""

from __future__ import annotations

import pytest

from panacea_sim.description.component import Component
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

OUTPUTS = 64 * 64


def _component(name: str, **settings: object) -> Component:
    layer = synthetic_layer(64, 32, 64, rho_w=0.5, rho_x=0.5, seed=0)
    chosen = {"loop_order": "mnk", "dtp": "off", **settings}
    description = prepare(Scenario("output", layer, settings=chosen, values=False)).description
    return next(component for component in description.components if component.name == name)


@pytest.mark.parametrize(
    ("name", "settings", "cycles"),
    [
        ("accumulator", {}, OUTPUTS // 64),
        ("accumulator", {"accumulator_lanes": 16}, OUTPUTS // 16),
        ("accumulator", {"omem_bytes_per_cycle": 64}, OUTPUTS * 4 // 64),
        ("ppu", {}, OUTPUTS // 32),
        ("ppu", {"omem_bytes_per_cycle": 64}, OUTPUTS * 4 // 64),
        ("ppu", {"ppu_lanes": 4096, "omem_bytes_per_cycle": 256}, OUTPUTS * 4 // 256),
    ],
)
def test_the_slower_of_lanes_and_port_decides(name: str, settings: dict[str, object], cycles: int) -> None:
    """An output tile takes as long as its lanes or the port of OMEM need, 4 bytes for each output."""
    assert _component(name, **settings).service_cycles.tolist() == [cycles]  # type: ignore[union-attr]  # it serves
