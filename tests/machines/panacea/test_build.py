"""The machine of the diagram: its queues, memories, ports and channels have the figures of the hardware."""

from __future__ import annotations

import pytest

from panacea_sim.description.description import Description
from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.machines.panacea.build import Panacea
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.channel_device import channel_device
from panacea_sim.memory.device import IdealDevice
from panacea_sim.memory.params import dram_params
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

# All different, so that none can stand for another.
MACHINE = {
    "n_pea": 2,
    "tile_k": 8,
    "tile_n": 8,
    "dtp": "off",
    "queue_depth": 3,
    "pea_latency_cycles": 17,
    "wmem_bytes": 10_001,
    "amem_bytes": 10_002,
    "omem_bytes": 10_003,
    "psum_bytes": 1_004,
    "outstanding": 5,
    "w_dma_priority": 6,
    "x_dma_priority": 7,
    "o_dma_priority": 8,
    "s_dma_priority": 9,
    "dram": "ideal",
    "dram_channels": 2,
    "dram_bytes_per_cycle": 16,
    "dram_latency_cycles": 19,
}


def _description(loop_order: str) -> Description:
    layer = synthetic_layer(16, 24, 16, rho_w=0.3, rho_x=0.5, seed=1)
    prepared = prepare(Scenario("machine", layer, settings={**MACHINE, "loop_order": loop_order}, values=False))
    assert isinstance(prepared, Prepared)
    return prepared.description


@pytest.mark.parametrize("loop_order", ["mnk", "kmn"])
def test_queues_have_their_depth_and_latency(loop_order: str) -> None:
    """Every queue is as deep as the hardware says, and only those from the PEAs pass tokens on later."""
    queues = _description(loop_order).queues
    assert {queue.capacity for queue in queues} == {3}
    assert {queue.name: queue.latency_cycles for queue in queues if queue.latency_cycles} == {
        "q_sum0": 17,
        "q_sum1": 17,
    }


@pytest.mark.parametrize(
    ("loop_order", "memories"),
    [
        ("mnk", {"WMEM": 10_001, "AMEM": 10_002, "OMEM": 10_003}),
        ("kmn", {"WMEM": 10_001, "AMEM": 10_002, "OMEM": 10_003 - 1_004, "PSUM": 1_004}),
    ],
)
def test_partial_sums_take_their_place_out_of_omem(loop_order: str, memories: dict[str, int]) -> None:
    """Memories hold their bytes; PSUM exists, and makes OMEM smaller, only where partial sums are kept."""
    found = {memory.name: memory.capacity_bytes for memory in _description(loop_order).memories}
    assert found == memories


@pytest.mark.parametrize(("loop_order", "streams"), [("mnk", "wxo"), ("kmn", "wxos")])
def test_ports_have_their_priorities_and_requests_in_flight(loop_order: str, streams: str) -> None:
    """The DMA streams have the ports in the order of the diagram, each with its own priority."""
    ports = [(port.component, port.priority, port.outstanding) for port in _description(loop_order).ports]
    assert ports == [(f"{name}_dma", 6 + place, 5) for place, name in enumerate(streams)]


def test_channels_with_banks_have_the_choices_of_the_hardware() -> None:
    """Clock, address map, policy, page and age cap reach the device."""
    choices = {"policy": "fcfs", "page": "closed", "address_map": "column_low", "age_cap_cycles": 77}
    settings = {"dram": "ddr4_3200", "clock_hz": 700_000_000, "dram_age_cap_cycles": 77, "dram_map": "column_low"}
    hardware = load_hardware("panacea", {**settings, "dram_policy": "fcfs", "dram_page": "closed"})
    params = dram_params(dram_device("ddr4_3200", "device"), 700_000_000, **choices)  # type: ignore[arg-type]  # literals
    assert channel_device(hardware) == BankedDevice(params)


def test_ideal_channels_have_their_width_and_latency() -> None:
    """All channels have one device alike."""
    devices = [channel.device for channel in _description("mnk").channels]
    assert devices == [IdealDevice(bytes_per_cycle=16, latency_cycles=19)] * 2


@pytest.mark.parametrize("loop_order", ["mnk", "kmn"])
def test_the_machine_names_what_its_components_count(loop_order: str) -> None:
    """With and without partial sums, all actions and no others are counted."""
    counted = {action.name for part in _description(loop_order).components for action in part.actions}
    assert counted == set(Panacea.actions)


def test_an_action_that_the_machine_does_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A component that counts something else is named, with its machine."""
    monkeypatch.setattr(Panacea, "actions", tuple(set(Panacea.actions) - {"encoded_bytes"}))
    with pytest.raises(InvariantError, match="encoder of machine 'panacea' counts 'encoded_bytes', which is none of"):
        _description("mnk")
