"""The promise of the critical path: a component that gets faster gains at most its cycles on the path.

It is a theorem where the order of grants cannot change: on private ideal channels, and on shared ones with the order
held.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from naive_machine import Machine
from naive_path import EventGraph
from promised_gains import FASTER, gains, groups, makespan_and_path, promised, services, with_private_channels
from strategies import machines

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Memory, Port, Queue
from panacea_sim.description.steps import Acquire, Give, Release, Requests, Take
from panacea_sim.memory.device import IdealDevice

pytestmark = pytest.mark.timeout(1_800)


@given(machines())
def test_no_speed_up_on_private_channels_gains_more(machine: Description) -> None:
    """No component, nor a group of them, that is twice as fast or takes no time gains more than the path promises."""
    _check_private(with_private_channels(machine))


@st.composite
def _tight_machines(draw: st.DrawFn) -> Description:
    """Draw a stream on its own channel with a latency of 50, into a memory of two tiles, and two stages behind it."""
    tiles = draw(st.integers(2, 20))
    sizes = np.full(tiles, 64)
    ones = np.ones(tiles, np.int64)
    cycles = [np.array(draw(st.lists(st.integers(0, 120), min_size=tiles, max_size=tiles))) for _ in range(2)]
    requests = Requests(
        np.arange(tiles + 1), np.zeros(tiles, np.int64), np.arange(tiles) * 64, sizes, np.zeros(tiles, np.bool_)
    )
    parts = (
        Component("dma", "", tiles, requests=requests, acquires=(Acquire("memory", sizes),), gives=(Give("q", ones),)),
        Component(
            "first", "", tiles, cycles[0], takes=(Take("q", ones),), releases=(Release("memory", sizes),),
            gives=(Give("between", ones),),
        ),
        Component("second", "", tiles, cycles[1], takes=(Take("between", ones),)),
    )  # fmt: skip
    queues = Queue("q", draw(st.integers(1, 3))), Queue("between", draw(st.integers(1, 3)))
    channels = (Channel("dram0", IdealDevice(draw(st.sampled_from([1, 2, 8])), 50)),)
    ports = (Port("dma", 0, draw(st.integers(1, 3))),)
    return Description(parts, queues, memories=(Memory("memory", 128),), channels=channels, ports=ports)


@given(_tight_machines())
def test_nor_with_a_tight_memory_and_a_long_latency(machine: Description) -> None:
    """The promise holds where a memory of two tiles, slots and a latency of 50 cycles limit a stream."""
    _check_private(machine)


@given(machines())
def test_nor_on_shared_channels_with_the_order_of_grants_held(machine: Description) -> None:
    """Where streams share channels it holds for the event graph in which each channel grants in the same order."""
    found = makespan_and_path(machine)
    if found is None:
        return
    makespan, path = found
    naive = Machine(machine)
    naive.run()
    for group in groups(machine):
        for faster in FASTER:
            changed = {name: faster(cycles) for name, cycles in services(machine).items() if name in group}
            gain = makespan - EventGraph(naive, changed).makespan()
            assert gain <= promised(path, group, faster), f"{sorted(group)} gains {gain}"


def _check_private(machine: Description) -> None:
    found = list(gains(machine))
    for gain in found:
        assert gain.cycles <= gain.promised_cycles, f"{sorted(gain.group)} gains {gain.cycles}"
    event(f"something gains: {any(gain.cycles for gain in found)}")
