"""Bandwidths of the DRAM channel: near the bounds of the device and near a controller that works command by command."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from dram_controller import Controller

from panacea_sim.hardware.dram.devices import DramDevice, dram_device, list_devices
from panacea_sim.memory.params import Map, dram_params
from panacea_sim.memory.replay import ChannelRequest, Replay, replay

DEVICES = [dram_device(name, "device") for name in list_devices()]
NAMES = list_devices()


def _replay(device: DramDevice, requests: list[ChannelRequest], address_map: Map = "bank_group_low") -> Replay:
    params = dram_params(
        device, None, address_map=address_map, policy="fr_fcfs", page="open", age_cap_cycles=1_000_000_000
    )
    return replay(params, requests)


def _share_of_peak(device: DramDevice, bursts: int, outcome: Replay) -> float:
    return bursts * device.burst_cycles / int(outcome.ready_cycle.max() - outcome.arrival_cycle.min())


def _sequential(device: DramDevice, count: int, write: int = 0) -> list[ChannelRequest]:
    return [ChannelRequest(0, number * device.burst_bytes, device.burst_bytes, bool(write)) for number in range(count)]


def _two_streams(device: DramDevice, count: int) -> list[ChannelRequest]:
    """Two sequential streams in turn, in the same banks but other rows."""
    return [
        ChannelRequest(0, number % 2 * (1 << 28) + number // 2 * device.burst_bytes, device.burst_bytes, write=False)
        for number in range(count)
    ]


def _random(device: DramDevice, count: int) -> list[ChannelRequest]:
    source = random.Random(7)  # noqa: S311  # a pattern, not a secret
    bursts = (1 << 30) // device.burst_bytes
    return [
        ChannelRequest(0, source.randrange(bursts) * device.burst_bytes, device.burst_bytes, write=False)
        for _ in range(count)
    ]


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_sequential(device: DramDevice, write: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """A long sequential stream reaches 95 % of what refresh leaves of the peak, burst by burst or in long requests."""
    count = 20_000
    reachable = 1 - device.rfc_cycles / device.refi_cycles
    bursts = _sequential(device, count, write)
    long = [ChannelRequest(0, 0, count // 10 * device.burst_bytes, write)] * 10
    long = [ask._replace(address=number * ask.size_bytes) for number, ask in enumerate(long)]
    for requests in (bursts, long):
        assert 0.95 * reachable <= _share_of_peak(device, count, _replay(device, requests)) <= reachable + 0.02


@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_column_low_is_bound_by_the_bank_group(device: DramDevice) -> None:
    """With the columns lowest, a long request runs at tCCD_L where there are bank groups."""
    outcome = _replay(device, [ChannelRequest(0, 0, 10_000 * device.burst_bytes, write=False)], "column_low")
    bound = device.burst_cycles / device.ccd_l_cycles * (1 - device.rfc_cycles / device.refi_cycles)
    assert _share_of_peak(device, 10_000, outcome) == pytest.approx(bound, rel=0.06)


@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_conflicts_in_one_bank_settle_at_trc(device: DramDevice) -> None:
    """Reads that change the row of one bank each time follow one another by tRC, but for refreshes."""
    stride = device.row_bytes * device.bank_groups * device.banks_per_group
    requests = [ChannelRequest(0, number * stride, device.burst_bytes, write=False) for number in range(60)]
    outcome = _replay(device, requests)
    steps = {int(after - before) for before, after in zip(outcome.ready_cycle, outcome.ready_cycle[1:], strict=False)}
    assert device.rc_cycles in steps
    assert all(step == device.rc_cycles or step > device.rfc_cycles for step in steps)


@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_random_reads(device: DramDevice) -> None:
    """Random reads over all banks come within 8 % of the bound by tFAW, tRRD and the bus, and never above it."""
    count = 4000
    outcome = _replay(device, _random(device, count))
    activate_cycles = max(device.faw_cycles / 4, device.rrd_s_cycles, device.burst_cycles)
    bound = device.burst_cycles / activate_cycles * (1 - device.rfc_cycles / device.refi_cycles)
    assert 0.92 * bound <= _share_of_peak(device, count, outcome) <= 1.01 * bound


@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_refresh_share(device: DramDevice) -> None:
    """In a long stream there is a refresh in every interval."""
    outcome = _replay(device, _sequential(device, 20_000))
    span_cycles = int(outcome.ready_cycle.max())
    assert abs(outcome.refresh_cycles / device.rfc_cycles - span_cycles / device.refi_cycles) < 1


_PATTERNS: dict[str, Callable[[DramDevice, int], list[ChannelRequest]]] = {
    "sequential": _sequential,
    "two streams": _two_streams,
    "random": _random,
}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", _PATTERNS)
@pytest.mark.parametrize("device", DEVICES, ids=NAMES)
def test_near_a_controller_command_by_command(device: DramDevice, pattern: str) -> None:
    """Bandwidth, bursts, refreshes and row openings are near to those of a controller that sends one command at a time.

    How often two streams open rows depends on who goes first, and is not compared.
    """
    requests = _PATTERNS[pattern](device, 3000)
    controller = Controller(device, "bank_group_low")
    cycle_by_cycle = controller.run(requests)
    outcome = _replay(device, requests)
    assert int(outcome.ready_cycle.max()) == pytest.approx(cycle_by_cycle, rel=0.05)
    assert outcome.row_hits + outcome.row_misses == controller.sent["RD"] == 3000
    assert outcome.refreshes == controller.sent["REF"]
    if pattern != "two streams":
        assert outcome.activates == pytest.approx(controller.sent["ACT"], rel=0.02, abs=1)
