"""Tiny machines, worked out by hand, that every interpreter of a description must reproduce."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from engine_runs import reference
from naive import STATES, NaiveResult, interpret
from strategies import numbered

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Memory, Port, Queue
from panacea_sim.description.steps import Acquire, Give, Release, Requests, Take
from panacea_sim.memory.device import IdealDevice
from panacea_sim.units import IntArray

Run = Callable[[Description], NaiveResult]


@pytest.fixture(params=[interpret, reference], ids=["naive", "reference"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return each way to run a description in turn."""
    chosen: Run = request.param
    return chosen


def _array(*values: int) -> IntArray:
    return np.array(values, np.int64)


def _one_part_each(*size_bytes: int, write: bool) -> Requests:
    count = len(size_bytes)
    nothing = np.zeros(count, np.int64)
    # Reads and writes of other bytes: where they share some, order goes before priority.
    address = np.full(count, 0 if write else 4096)
    return Requests(np.arange(count + 1), nothing, address, _array(*size_bytes), np.full(count, int(write), np.int64))


def test_blocked_producer(run: Run) -> None:
    """A producer is blocked while its queue is full, and uses the slot in the cycle in which the consumer takes."""
    # One slot. The source gives token 0 in 2 and the sink takes it in 2; token 1 in 4, into the free slot. Token 2 is
    # made in 6, when the sink still serves token 0 and token 1 fills the slot: it waits until the sink takes token 1
    # in 7. Token 3 takes long: the sink, done with token 2 in 17, starves until 19.
    source = Component(
        "source", "test", 4, _array(2, 2, 2, 12), gives=(Give("q", _array(1, 1, 1, 1)),), labels=numbered(4)
    )
    sink = Component("sink", "test", 4, _array(5, 5, 5, 5), takes=(Take("q", _array(1, 1, 1, 1)),), labels=numbered(4))
    result = run(Description((source, sink), queues=(Queue("q", capacity=1),)))
    assert result.rows == [
        ("source", "busy", 0, 2, 0, "", ""),
        ("source", "busy", 2, 4, 1, "", ""),
        ("source", "busy", 4, 6, 2, "", ""),
        ("source", "blocked", 6, 7, 2, "q", "sink"),
        ("source", "busy", 7, 19, 3, "", ""),
        ("source", "idle", 19, 24, -1, "", ""),
        ("sink", "idle", 0, 2, -1, "q", "source"),
        ("sink", "busy", 2, 7, 0, "", ""),
        ("sink", "busy", 7, 12, 1, "", ""),
        ("sink", "busy", 12, 17, 2, "", ""),
        ("sink", "starved", 17, 19, 3, "q", "source"),
        ("sink", "busy", 19, 24, 3, "", ""),
    ]
    assert result.makespan_cycles == 24
    assert result.high_water == {"q": 1}
    assert result.states["source"] == dict.fromkeys(STATES, 0) | {"busy": 18, "blocked": 1, "idle": 5}


def test_two_requesters_in_one_cycle(run: Run) -> None:
    """Requests of one cycle are granted by priority, and a requester is contended until its own grant."""
    # 8 bytes a cycle, reads 3 cycles late. In cycle 0 the reader posts 16 bytes and the writer, with the better
    # priority and two slots, 24 and 8 bytes. The bus serves the writer from 0 to 3 and from 3 to 4, then the reader
    # from 4 to 6, whose data is there in 9. Only then has the reader a slot for its second request: the bus stands
    # still from 6 to 9, and the data is there in 9 + 2 + 3 = 14.
    reader = Component("reader", "test", 2, requests=_one_part_each(16, 16, write=False), labels=numbered(2))
    writer = Component("writer", "test", 2, requests=_one_part_each(24, 8, write=True), labels=numbered(2))
    machine = Description(
        (reader, writer),
        channels=(Channel("dram0", IdealDevice(bytes_per_cycle=8, latency_cycles=3)),),
        ports=(Port("reader", priority=1, outstanding=1), Port("writer", priority=0, outstanding=2)),
    )
    result = run(machine)
    assert result.rows == [
        ("reader", "contended", 0, 4, 0, "dram0", "writer"),
        ("reader", "busy", 4, 9, 0, "", ""),
        ("reader", "busy", 9, 14, 1, "", ""),
        ("writer", "busy", 0, 3, 0, "", ""),
        ("writer", "busy", 3, 4, 1, "", ""),
        ("writer", "idle", 4, 14, -1, "", ""),
        ("dram0", "busy", 0, 3, 0, "", "writer"),
        ("dram0", "busy", 3, 4, 1, "", "writer"),
        ("dram0", "busy", 4, 6, 0, "", "reader"),
        ("dram0", "starved", 6, 9, -1, "requests", ""),
        ("dram0", "busy", 9, 11, 1, "", "reader"),
        ("dram0", "idle", 11, 14, -1, "", ""),
    ]
    assert result.makespan_cycles == 14


def test_memory_that_frees_late(run: Run) -> None:
    """A DMA stream cannot post its next request before the space of an earlier tile is released."""
    # 100 bytes hold one tile of 60. Tile 0: the bus is busy from 0 to 6, the data is there in 7, the token can be taken
    # in 8 and the user serves until 15, when the space is released. Until 7 the loader is busy with tile 0, then it is
    # blocked; tile 1 follows 15 cycles after tile 0.
    loader = Component(
        "loader",
        "test",
        2,
        requests=_one_part_each(60, 60, write=False),
        acquires=(Acquire("mem", _array(60, 60)),),
        gives=(Give("q", _array(1, 1)),),
        labels=numbered(2),
    )
    user = Component(
        "user",
        "test",
        2,
        _array(7, 7),
        takes=(Take("q", _array(1, 1)),),
        releases=(Release("mem", _array(60, 60)),),
        labels=numbered(2),
    )
    machine = Description(
        (loader, user),
        queues=(Queue("q", capacity=2, latency_cycles=1),),
        memories=(Memory("mem", 100),),
        channels=(Channel("dram0", IdealDevice(bytes_per_cycle=10, latency_cycles=1)),),
        ports=(Port("loader", outstanding=2),),
    )
    result = run(machine)
    assert result.rows == [
        ("loader", "busy", 0, 7, 0, "", ""),
        ("loader", "blocked", 7, 15, 1, "mem", "user"),
        ("loader", "busy", 15, 22, 1, "", ""),
        ("loader", "idle", 22, 30, -1, "", ""),
        ("user", "idle", 0, 8, -1, "q", "loader"),
        ("user", "busy", 8, 15, 0, "", ""),
        ("user", "starved", 15, 23, 1, "q", "loader"),
        ("user", "busy", 23, 30, 1, "", ""),
        ("dram0", "busy", 0, 6, 0, "", "loader"),
        ("dram0", "starved", 6, 15, -1, "requests", ""),
        ("dram0", "busy", 15, 21, 1, "", "loader"),
        ("dram0", "idle", 21, 30, -1, "", ""),
    ]
    assert result.makespan_cycles == 30
    assert result.high_water == {"q": 1, "mem": 60}


def test_a_bus_that_is_not_filled(run: Run) -> None:
    """A request keeps an ideal bus for its last byte as for a full cycle."""
    # 8 bytes a cycle: 9 bytes take from 0 to 2, one byte from 2 to 3.
    writer = Component("writer", "test", 2, requests=_one_part_each(9, 1, write=True), labels=numbered(2))
    machine = Description(
        (writer,),
        channels=(Channel("dram0", IdealDevice(bytes_per_cycle=8, latency_cycles=5)),),
        ports=(Port("writer", outstanding=2),),
    )
    assert run(machine).rows == [
        ("writer", "busy", 0, 2, 0, "", ""),
        ("writer", "busy", 2, 3, 1, "", ""),
        ("dram0", "busy", 0, 2, 0, "", "writer"),
        ("dram0", "busy", 2, 3, 1, "", "writer"),
    ]


@pytest.mark.parametrize("channels", [(1, 0), (0, 1)])
def test_tie_between_two_channels(run: Run, channels: tuple[int, int]) -> None:
    """Where two parts of a request are granted in one cycle, the stall names the channel of the first."""
    # The holder has both buses from 0 to 2. The other's parts, first that of one channel, are both granted in 2.
    holder = Component("holder", "test", 1, requests=_two_parts(channels=(0, 1), size_bytes=16), labels=numbered(1))
    other = Component("other", "test", 1, requests=_two_parts(channels=channels, size_bytes=8), labels=numbered(1))
    device = IdealDevice(bytes_per_cycle=8, latency_cycles=0)
    machine = Description(
        (holder, other),
        channels=(Channel("dram0", device), Channel("dram1", device)),
        ports=(Port("holder", priority=0), Port("other", priority=1)),
    )
    result = run(machine)
    assert result.rows == [
        ("holder", "busy", 0, 2, 0, "", ""),
        ("holder", "idle", 2, 3, -1, "", ""),
        ("other", "contended", 0, 2, 0, f"dram{channels[0]}", "holder"),
        ("other", "busy", 2, 3, 0, "", ""),
        ("dram0", "busy", 0, 2, 0, "", "holder"),
        ("dram0", "busy", 2, 3, 0, "", "other"),
        ("dram1", "busy", 0, 2, 0, "", "holder"),
        ("dram1", "busy", 2, 3, 0, "", "other"),
    ]


def _two_parts(channels: tuple[int, int], size_bytes: int) -> Requests:
    nothing = _array(0, 0)
    return Requests(_array(0, 2), _array(*channels), nothing, _array(size_bytes, size_bytes), write=nothing)
