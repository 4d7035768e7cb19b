"""Machines on which one finding is twice as fast, or twice as large: what changes, and that nothing else does."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest

from panacea_sim.description.description import Description
from panacea_sim.description.steps import Wait
from panacea_sim.explanation.doubling import doubled, step_text
from panacea_sim.explanation.explanation import Limit, PathRow
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.device import IdealDevice
from panacea_sim.memory.params import CLOCK_DENOMINATOR, CLOCK_NUMERATOR, RFC
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer


def _machine(**settings: int | str) -> Description:
    layer = MaskedLayer("p", 64, 32, 64, 0.5, 0.9, 1)
    prepared = prepare(Scenario("p", layer, settings=settings, values="off"), "reference")
    assert isinstance(prepared, Prepared)
    return prepared.description


@pytest.fixture(scope="module")
def ideal() -> Description:
    """Return a machine on ideal channels whose PEAs have a latency."""
    return _machine(dram="ideal", dram_channels=2, dram_latency_cycles=31, pea_latency_cycles=5)


@pytest.fixture(scope="module")
def banked() -> Description:
    """Return a machine on HBM2."""
    return _machine()


def _row(component: str, kind: str, cause: str = "") -> PathRow:
    return PathRow(component, kind, cause, 10, 1, {component: 10})  # type: ignore[arg-type]  # as a test needs it


def _limit(name: str, kind: str) -> Limit:
    return Limit(name, kind, 1, 0)  # type: ignore[arg-type]  # as a test needs it


def _changed(before: Description, after: Description) -> set[str]:
    """Return what differs: components by name with the field, other parts by name."""
    found = set()
    for one, other in zip(before.components, after.components, strict=True):
        for field in fields(one):
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            if mine is not theirs:
                found.add(f"{one.name}.{field.name}")
    for name in ("queues", "stores", "memories", "channels"):
        for one, other in zip(getattr(before, name), getattr(after, name), strict=True):
            if one != other:
                found.add(one.name)
    found |= {f"port {one.component}" for one, other in zip(before.ports, after.ports, strict=True) if one != other}
    return found


def test_a_service_of_a_group_is_halved(ideal: Description) -> None:
    """All members of the group serve in half the cycles, rounded down, and nothing else changes."""
    after = doubled(ideal, _row("pea", "service", "dwo"))
    assert _changed(ideal, after) == {f"pea{number}.service_cycles" for number in range(16)}
    for one, other in zip(ideal.components, after.components, strict=True):
        if one.group == "pea":
            assert one.service_cycles is not None
            assert other.service_cycles is not None
            assert np.array_equal(other.service_cycles, [cycles // 2 for cycles in one.service_cycles.tolist()])


def test_transfers_and_latencies_of_ideal_channels(ideal: Description) -> None:
    """Twice the bytes a cycle, or half the latency, on all channels."""
    faster = doubled(ideal, _row("w_dma", "transfer", "dram1"))
    sooner = doubled(ideal, _row("dram0", "latency"))
    for before, fast, soon in zip(ideal.channels, faster.channels, sooner.channels, strict=True):
        assert isinstance(before.device, IdealDevice)
        assert fast.device == IdealDevice(2 * before.device.bytes_per_cycle, 31)
        assert soon.device == IdealDevice(before.device.bytes_per_cycle, 15)
    assert _changed(ideal, faster) == _changed(ideal, sooner) == {"dram0", "dram1"}


@pytest.mark.parametrize("row", [_row("w_dma", "transfer", "dram0"), _row("dram0", "device", "row")])
def test_a_device_runs_twice_as_fast(banked: Description, row: PathRow) -> None:
    """What its cycles decide together has half the time together."""
    after = doubled(banked, row)
    for one, other in zip(banked.channels, after.channels, strict=True):
        assert isinstance(one.device, BankedDevice)
        assert isinstance(other.device, BankedDevice)
        mine, theirs = (
            Fraction(each[CLOCK_NUMERATOR], each[CLOCK_DENOMINATOR])
            for each in (one.device.params, other.device.params)
        )
        assert theirs == 2 * mine
        assert one.device.params[2:] == other.device.params[2:]


def test_refreshes_are_halved(banked: Description) -> None:
    """Only the length of a refresh changes."""
    after = doubled(banked, _row("dram0", "device", "refresh"))
    for one, other in zip(banked.channels, after.channels, strict=True):
        assert isinstance(one.device, BankedDevice)
        assert isinstance(other.device, BankedDevice)
        differing = {
            place
            for place, (mine, theirs) in enumerate(zip(one.device.params, other.device.params, strict=True))
            if mine != theirs
        }
        assert differing == {RFC}
        assert other.device.params[RFC] == one.device.params[RFC] // 2


def test_queues_memories_and_slots_have_twice_the_room(ideal: Description) -> None:
    """A name may be short for all queues alike."""
    queues = doubled(ideal, _limit("q_pea*", "queue"))
    assert _changed(ideal, queues) == {f"q_pea{number}" for number in range(16)}
    assert queues.queues[2].capacity == 2 * ideal.queues[2].capacity
    memory = doubled(ideal, _limit("WMEM", "memory"))
    assert _changed(ideal, memory) == {"WMEM"}
    assert memory.memories[0].capacity_bytes == 2 * ideal.memories[0].capacity_bytes
    slots = doubled(ideal, _limit("x_dma", "slot"))
    assert _changed(ideal, slots) == {"port x_dma"}
    assert slots.ports[1].outstanding == 2 * ideal.ports[1].outstanding


def test_a_latency_of_queues_is_halved(ideal: Description) -> None:
    """All queues of that name have half the latency."""
    after = doubled(ideal, _row("q_sum*", "latency"))
    assert _changed(ideal, after) == {f"q_sum{number}" for number in range(16)}
    assert {queue.latency_cycles for queue in after.queues if queue.name.startswith("q_sum")} == {2}


def test_a_stream_goes_first(ideal: Description) -> None:
    """The others keep their order behind it."""
    after = doubled(ideal, _limit("o_dma behind w_dma on dram0", "order"))
    assert [port.priority for port in after.ports] == [1, 1, 0]


def test_waits_for_layers_are_left_out(ideal: Description) -> None:
    """The group that waits has no waits any more."""
    stream = next(part for part in ideal.components if part.name == "x_dma")
    waiting = replace(stream, waits=(Wait("o_dma", np.zeros(stream.firings, np.int64)),))
    parts = tuple(waiting if part is stream else part for part in ideal.components)
    machine = replace(ideal, components=parts)
    after = doubled(machine, _limit("x_dma after o_dma", "dataflow"))
    assert _changed(machine, after) == {"x_dma.waits"}


def test_findings_about_which_the_same_is_done_have_the_same_words() -> None:
    """All transfers are one step; so are all reasons of a device but refresh."""
    rows = [_row("w_dma", "transfer", "dram0"), _row("o_dma", "transfer", "dram1")]
    assert {step_text(row) for row in rows} == {"twice the bandwidth"}
    assert step_text(_row("dram0", "device", "row")) == step_text(_row("dram1", "device", "turnaround"))
    assert step_text(_row("dram0", "device", "refresh")) == "half the refresh"
    assert step_text(_limit("w_dma behind o_dma on dram0", "order")) == "w_dma first"
    assert step_text(_limit("x_dma after o_dma", "dataflow")) == "no waits of x_dma for layers"
