"""Channels with banks in the machine: who waits, for what, and that it adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine_runs import reference
from hypothesis import given
from hypothesis import strategies as st
from naive import NaiveResult
from strategies import numbered

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Port
from panacea_sim.description.steps import Requests
from panacea_sim.engines.reference.posted_request import gap_reasons
from panacea_sim.hardware.dram.devices import dram_device, list_devices
from panacea_sim.memory.arbiter import PORT, REQUEST_CYCLE, WIDTH, place_in_queue
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.device import Service
from panacea_sim.memory.params import dram_params
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

_LAYER = synthetic_layer(64, 96, 32, rho_w=0.3, rho_x=0.6, seed=5, zero_point=100)
_CHOICES: dict[str, Any] = {"address_map": "bank_group_low", "page": "open", "age_cap_cycles": 500}


def _stream(name: str, count: int, first_address: int, size_bytes: int = 1024) -> Component:
    address = first_address + np.arange(count) * size_bytes
    sizes, nothing = np.full(count, size_bytes), np.zeros(count, np.int64)
    requests = Requests(np.arange(count + 1), nothing, address, sizes, nothing)
    return Component(name, "test", count, requests=requests, labels=numbered(count))


def _two_streams(device: str, priorities: tuple[int, int], policy: str) -> NaiveResult:
    """Run two streams of 200 kB each that keep a channel busy."""
    params = dram_params(dram_device(device, "device"), 1_000_000_000, policy=policy, **_CHOICES)  # type: ignore[arg-type]
    streams = (_stream("a", 200, 0), _stream("b", 200, 1 << 28))
    ports = tuple(Port(name, priority, outstanding=2) for name, priority in zip("ab", priorities, strict=True))
    return reference(Description(streams, channels=(Channel("dram0", BankedDevice(params)),), ports=ports))


@pytest.mark.parametrize("policy", ["fcfs", "fr_fcfs"])
@pytest.mark.parametrize("device", list_devices())
def test_equal_streams_wait_equally(device: str, policy: str) -> None:
    """Two streams of the same kind and priority are contended for the same time, within 2 %."""
    states = _two_streams(device, (0, 0), policy).states
    assert states["a"]["contended"] == pytest.approx(states["b"]["contended"], rel=0.02)


@pytest.mark.parametrize("policy", ["fcfs", "fr_fcfs"])
@pytest.mark.parametrize("device", list_devices())
def test_priorities_change_who_waits(device: str, policy: str) -> None:
    """The stream with the better priority waits less than the other; the channel moves the same for both."""
    states = _two_streams(device, (1, 0), policy).states
    mirrored = _two_streams(device, (0, 1), policy).states
    assert states["b"]["contended"] < 0.7 * states["a"]["contended"]
    assert mirrored["a"]["contended"] < 0.7 * mirrored["b"]["contended"]
    assert states["dram0"]["busy"] == pytest.approx(mirrored["dram0"]["busy"], rel=0.02)


@pytest.mark.parametrize("device", list_devices())
def test_every_device_runs_a_layer(device: str) -> None:
    """A layer is exact on two channels of every device, its accounts add up, and bursts are counted once each."""
    settings = {"dram": device, "dram_channels": 2, "n_pea": 4, "tile_n": 16}
    outcome = run(Scenario("layer", _LAYER, settings=settings))
    assert outcome.summary.to_json()["exact"] is True
    burst_bytes = dram_device(device, "device").burst_bytes
    for channel in outcome.summary.to_json()["dram"]["channels"].values():
        assert channel["bursts"] == channel["row_hits"] + channel["row_misses"]
        assert channel["burst_bytes"] == channel["bursts"] * burst_bytes
        assert channel["burst_bytes"] >= channel["read_bytes"] + channel["write_bytes"]
        assert channel["activates"] >= channel["row_misses"]
        assert channel["row_hits"] > channel["row_misses"] > 0


def test_contended_time_adds_up_by_cause() -> None:
    """A stream's contended cycles are those with the channel as cause and those with one of its reasons."""
    outcome = run(
        Scenario("layer", _LAYER, settings={"dram": "lpddr4_3200", "dram_channels": 1, "n_pea": 4, "tile_n": 16})
    )
    summary = outcome.summary.to_json()
    causes = {"dram0", "dram0:refresh", "dram0:turnaround", "dram0:row", "dram0:latency"}
    for name in ("w_dma", "x_dma", "o_dma"):
        contended = [stall for stall in summary["stalls"][name] if stall["state"] == "contended"]
        assert {stall["cause"] for stall in contended} <= causes
        assert sum(stall["cycles"] for stall in contended) == summary["components"][name]["contended"]
        assert all(bool(stall["cause_component"]) == (stall["cause"] == "dram0") for stall in contended)
    held_back = [stall for stall in summary["stalls"]["dram0"] if stall["state"] == "contended"]
    assert {stall["cause"] for stall in held_back} <= causes - {"dram0"}
    assert sum(stall["cycles"] for stall in held_back) == summary["components"]["dram0"]["contended"] > 0


@given(
    st.tuples(*[st.integers(-20, 120)] * 3),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_gap_reasons_tile_the_gap(marks: tuple[int, int, int], from_cycle: int, gap_cycles: int) -> None:
    """Whatever a device says, the reasons fill the gap without holes and in their order."""
    start_cycle = from_cycle + gap_cycles
    service = Service(start_cycle, start_cycle + 4, start_cycle + 4, 64, 0, 0, 0, 1, *marks)
    pieces = list(gap_reasons(service, from_cycle))
    edges = [from_cycle, *(end for _, end, _ in pieces)]
    assert edges == [*(begin for begin, _, _ in pieces), start_cycle]
    order = ["refresh", "turnaround", "row", "latency"]
    assert [order.index(reason) for _, _, reason in pieces] == sorted(order.index(reason) for _, _, reason in pieces)
    assert all(begin < end for begin, end, _ in pieces)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_queue_does_not_depend_on_the_order_within_a_cycle(arrivals: list[tuple[int, int]]) -> None:
    """Requests that arrive in one cycle stand in the order of their ports, those of one port as they came."""
    arrivals.sort(key=lambda arrival: arrival[0])
    queue: list[int] = []
    for number, (cycle, port) in enumerate(arrivals):
        base = WIDTH * place_in_queue(queue, number, cycle, port)
        queue[base:base] = (0, cycle, port, number, 1, 0)
    rows = [queue[base : base + WIDTH] for base in range(0, len(queue), WIDTH)]
    keys = [(row[REQUEST_CYCLE], row[PORT], row[3]) for row in rows]
    assert keys == sorted(keys)
