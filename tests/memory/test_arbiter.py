"""Order is kept where bytes overlap, whatever policy, priorities and age say."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import get_args

import numpy as np
import pytest
from case_counts import at_most
from dram_judge import Access, contents
from engine_runs import ENGINES
from hypothesis import given
from hypothesis import strategies as st
from strategies import Ask, crowds, numbered

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Port
from panacea_sim.description.steps import Requests
from panacea_sim.hardware.dram.devices import DramDevice, dram_device, list_devices
from panacea_sim.memory.arbiter import ADDRESS, REQUEST_CYCLE, SIZE_BYTES, WIDTH, first_come_first_served, keep_order
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.device import Device, DeviceState, IdealDevice
from panacea_sim.memory.params import Map, Page, Policy, dram_params
from panacea_sim.trace.recorder import Recorder

_READ, _WRITE = 0, 1
_IDEAL = IdealDevice(bytes_per_cycle=8, latency_cycles=3)


def _banked(device: str | DramDevice, policy: Policy = "fr_fcfs", page: Page = "open", age_cap: int = 10_000) -> Device:
    found = dram_device(device, "device") if isinstance(device, str) else device
    return BankedDevice(
        dram_params(found, None, address_map="bank_group_low", policy=policy, page=page, age_cap_cycles=age_cap)
    )


def _queue(*waiting: tuple[int, int, int, int]) -> list[int]:
    """Return the queue of requests of cycle 0 with priority, address, bytes and write, each of a port of its own."""
    numbers = []
    for port, (priority, address, size_bytes, write) in enumerate(waiting):
        numbers += [priority, 0, port, address, size_bytes, write]
    return numbers


def _chosen(state: DeviceState, *waiting: tuple[int, int, int, int]) -> int:
    return state.choose(state.next_decision_cycle(0), _queue(*waiting), len(waiting))


@pytest.mark.parametrize("device", list_devices())
@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ((64, 64, _WRITE), (64, 64, _READ)),
        ((0, 256, _WRITE), (64, 64, _READ)),
        ((64, 64, _WRITE), (0, 256, _READ)),
        ((64, 64, _WRITE), (127, 64, _READ)),
        ((64, 64, _WRITE), (1, 64, _READ)),
    ],
    ids=["same", "inside", "around", "last byte", "first byte"],
)
def test_bytes_in_common_keep_the_order(
    device: str, earlier: tuple[int, int, int], later: tuple[int, int, int]
) -> None:
    """A read that could go at once stays behind a write of one of its bytes, and a write behind such a read."""
    for swap in (_READ, _WRITE):
        state = _banked(device).new_state()
        # The row is open, and the bus has the direction of the later request.
        state.serve(0, 0, 64, write=bool(swap))
        first, second = ((0, *where, write ^ swap) for *where, write in (earlier, later))
        assert _chosen(state, first, second) == 0


@pytest.mark.parametrize("device", list_devices())
@pytest.mark.parametrize("address", [0, 128, 4096], ids=["below", "above", "far"])
def test_other_bytes_do_not(device: str, address: int) -> None:
    """A read overtakes a write of bytes beside its own."""
    state = _banked(device).new_state()
    state.serve(0, 0, 64, write=False)
    assert _chosen(state, (0, 64, 64, _WRITE), (0, address, 64, _READ)) == 1


def test_reads_of_the_same_bytes_do_not() -> None:
    """A read overtakes a read, of a better priority at least, whatever bytes they have in common."""
    for device in (_IDEAL, _banked("hbm2"), _banked("hbm2", "fcfs")):
        assert _chosen(device.new_state(), (1, 0, 64, _READ), (0, 0, 64, _READ)) == 1


def test_two_writes_keep_the_order() -> None:
    """The later of two writes is what the memory holds in the end, whatever their priorities."""
    for device in (_IDEAL, _banked("hbm2"), _banked("hbm2", "fcfs")):
        assert _chosen(device.new_state(), (1, 0, 64, _WRITE), (0, 32, 64, _WRITE)) == 0


@pytest.mark.parametrize("device", [_IDEAL, _banked("hbm2"), _banked("hbm2", "fcfs")], ids=["ideal", "fr", "fcfs"])
def test_overlap_goes_before_priority(device: Device) -> None:
    """A write of the best priority gives its turn to the read that it must not overtake, and not to a third one."""
    read, third, write = (2, 0, 64, _READ), (1, 4096, 64, _READ), (0, 0, 64, _WRITE)
    assert _chosen(device.new_state(), read, third, write) == 0
    assert _chosen(device.new_state(), third, read, write) == 1
    assert _chosen(device.new_state(), third, read, (0, 64, 64, _WRITE)) == 2


def test_age_does_not_go_before_overlap() -> None:
    """Where all have waited for too long, the first of the best priority gives its turn as well."""
    state = _banked("ddr4_3200", age_cap=1).new_state()
    state.serve(0, 4096, 64, write=False)
    assert _chosen(state, (1, 0, 64, _WRITE), (0, 0, 64, _READ)) == 0


def test_turns_are_handed_on() -> None:
    """Who gets a turn hands it on to the one that it may not overtake itself."""
    first, second, third = (0, 0, 64, _READ), (0, 32, 64, _WRITE), (0, 64, 64, _READ)
    assert keep_order(_queue(first, second, third), 2) == 0
    assert keep_order(_queue(second, third), 1) == 0
    assert keep_order(_queue(first, third), 1) == 1
    assert first_come_first_served(_queue((2, *first[1:]), (1, *second[1:]), third), 3) == 0


def test_the_first_of_several_gets_the_turn() -> None:
    """A write that waits for two reads gives its turn to the one that came first."""
    assert keep_order(_queue((0, 64, 64, _READ), (0, 0, 64, _READ), (0, 0, 128, _WRITE)), 2) == 0


def test_bytes_that_were_granted_hold_nobody_back() -> None:
    """Once the first row of a long write is granted, a read of that row may go before the rest, and only such a one."""
    device = dram_device("hbm2", "device")
    state = _banked(device).new_state()
    end = device.row_bytes * device.bank_groups
    granted = state.serve(0, end - 64, 128, write=True).size_bytes
    assert granted == 64
    rest = (1, end, 64, _WRITE)
    assert _chosen(state, rest, (0, end - 64, 64, _READ)) == 1
    assert _chosen(state, rest, (0, end - 63, 64, _READ)) == 0


def _granted(state: DeviceState, asks: Sequence[Ask]) -> list[Access]:
    """Drive requests through a channel and return the accesses in the order of the grants."""
    queue: list[int] = []
    numbers: list[int] = []
    upcoming = arrival = 0
    accesses = []
    while upcoming < len(asks) or numbers:
        while upcoming < len(asks) and (
            not numbers or arrival + asks[upcoming].wait_cycles <= state.next_decision_cycle(queue[REQUEST_CYCLE])
        ):
            ask = asks[upcoming]
            arrival += ask.wait_cycles
            queue += [ask.priority, arrival, 0, ask.address, ask.size_bytes, int(ask.write)]
            numbers.append(upcoming)
            upcoming += 1
        cycle = state.next_decision_cycle(queue[REQUEST_CYCLE])
        position = state.choose(cycle, queue, len(numbers))
        base = position * WIDTH
        address, size_bytes, write = queue[base + ADDRESS : base + WIDTH]
        service = state.serve(cycle, address, size_bytes, write=bool(write))
        accesses.append(Access(numbers[position], address, service.size_bytes, bool(write)))
        queue[base + ADDRESS] += service.size_bytes
        queue[base + SIZE_BYTES] -= service.size_bytes
        if not queue[base + SIZE_BYTES]:
            del queue[base : base + WIDTH], numbers[position]
    return accesses


def _in_order(asks: Sequence[Ask]) -> list[Access]:
    return [Access(number, ask.address, ask.size_bytes, ask.write) for number, ask in enumerate(asks)]


@given(st.data())
def test_memory_holds_what_it_would_in_order(data: st.DataObject) -> None:
    """Every byte that is read or left behind is what it would be if requests went as they come."""
    device = dram_device(data.draw(st.sampled_from(list_devices())), "device")
    params = dram_params(
        device,
        None,
        address_map=data.draw(st.sampled_from(get_args(Map))),
        policy=data.draw(st.sampled_from(get_args(Policy))),
        page=data.draw(st.sampled_from(get_args(Page))),
        age_cap_cycles=data.draw(st.sampled_from([1, 50, 10_000])),
    )
    asks = data.draw(crowds(device))
    for channel in (BankedDevice(params), _IDEAL):
        assert contents(_granted(channel.new_state(), asks)) == contents(_in_order(asks))


@pytest.mark.parametrize("engine", ENGINES)
@at_most(150)
@given(st.data())
def test_order_is_kept_in_a_machine(engine: str, data: st.DataObject) -> None:
    """The accesses that an engine writes down leave the memory as if the ports had gone one after the other."""
    device = dram_device(data.draw(st.sampled_from(list_devices())), "device")
    asks = data.draw(crowds(device))
    memory = data.draw(st.sampled_from([_IDEAL, _banked(device), _banked(device, "fcfs")]))
    streams = tuple(_stream(f"port{number}", ask) for number, ask in enumerate(asks))
    ports = tuple(Port(f"port{number}", ask.priority, outstanding=1) for number, ask in enumerate(asks))
    recorder = Recorder(layers=("first", "second"))
    run = getattr(import_module(f"panacea_sim.engines.{engine}.engine"), f"run_{engine}")  # numba may be missing
    run(Description(streams, channels=(Channel("dram0", memory),), ports=ports), recorder)
    next_address = [ask.address for ask in asks]
    accesses = []
    for row in recorder.table("dram").to_pylist():
        number = int(row["port"].removeprefix("port"))
        accesses.append(Access(number, next_address[number], row["bytes"], row["write"]))
        next_address[number] += row["bytes"]
    assert contents(accesses) == contents(_in_order(asks))


def _stream(name: str, ask: Ask) -> Component:
    """Return a stream of one request, which it posts in cycle 0."""
    columns = (np.array([value], np.int64) for value in (0, ask.address, ask.size_bytes, int(ask.write)))
    return Component(name, "test", 1, requests=Requests(np.array([0, 1]), *columns), labels=numbered(1))
