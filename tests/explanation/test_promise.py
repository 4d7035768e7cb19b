"""The promise of the critical path: a component that gets faster gains at most its cycles on the path.

It is a theorem where the order of grants cannot change: on private ideal channels, and on shared ones with the order
held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from engine_runs import LAYERS
from hypothesis import event, given
from hypothesis import strategies as st
from naive_machine import Machine
from naive_path import EventGraph
from strategies import machines

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Memory, Port, Queue
from panacea_sim.description.steps import Acquire, Give, Release, Requests, Take
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import DeadlockError
from panacea_sim.explanation.explain import path_segments
from panacea_sim.explanation.records import recorder_records
from panacea_sim.memory.device import IdealDevice
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.units import IntArray

pytestmark = pytest.mark.timeout(1_800)

_FASTER: tuple[Callable[[IntArray], IntArray], ...] = (lambda cycles: cycles // 2, np.zeros_like)


@given(machines())
def test_no_speed_up_on_private_channels_gains_more(machine: Description) -> None:
    """No component, nor a group of them, that is twice as fast or takes no time gains more than the path promises."""
    _check_private(_with_private_channels(machine))


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
    found = _makespan_and_path(machine)
    if found is None:
        return
    makespan, path = found
    naive = Machine(machine)
    naive.run()
    for group in _groups(machine):
        for faster in _FASTER:
            changed = {name: faster(cycles) for name, cycles in _services(machine).items() if name in group}
            gain = makespan - EventGraph(naive, changed).makespan()
            assert gain <= _promised(path, group, faster), f"{sorted(group)} gains {gain}"


def _check_private(machine: Description) -> None:
    found = _makespan_and_path(machine)
    if found is None:
        return
    makespan, path = found
    gains = []
    for group in _groups(machine):
        for faster in _FASTER:
            changed = {name: faster(cycles) for name, cycles in _services(machine).items() if name in group}
            gain = makespan - run_reference(_with_services(machine, changed), Recorder(NO_TRACE)).makespan_cycles
            gains.append(gain)
            assert gain <= _promised(path, group, faster), f"{sorted(group)} gains {gain}"
    event(f"something gains: {any(gains)}")


def _makespan_and_path(machine: Description) -> tuple[int, list[dict[str, object]]] | None:
    """Return the makespan and the stretches of the critical path, None of a machine that gets stuck."""
    recorder = Recorder(NO_TRACE, LAYERS, explains=True)
    try:
        makespan = run_reference(machine, recorder).makespan_cycles
    except DeadlockError:
        return None
    return makespan, path_segments(recorder_records(machine, recorder, makespan)).to_pylist()


def _promised(path: list[dict[str, object]], group: frozenset[str], faster: Callable[[IntArray], IntArray]) -> int:
    services = [row for row in path if row["kind"] == "service" and row["component"] in group]
    cycles = np.array([row["end_cycle"] - row["start_cycle"] for row in services], np.int64)  # type: ignore[operator]
    return int((cycles - faster(cycles)).sum())


def _groups(machine: Description) -> list[frozenset[str]]:
    """Return each component that serves by itself, and those of each group together."""
    names = list(_services(machine))
    together: dict[str, set[str]] = {}
    for part in machine.components:
        if part.name in names:
            together.setdefault(part.group, set()).add(part.name)
    return list(dict.fromkeys([*(frozenset([name]) for name in names), *map(frozenset, together.values())]))


def _services(machine: Description) -> dict[str, IntArray]:
    return {part.name: part.service_cycles for part in machine.components if part.service_cycles is not None}


def _with_services(machine: Description, changed: Mapping[str, IntArray]) -> Description:
    parts = [
        replace(part, service_cycles=changed[part.name]) if part.name in changed else part
        for part in machine.components
    ]
    return replace(machine, components=tuple(parts))


def _with_private_channels(machine: Description) -> Description:
    """Give each stream channels of its own, so that no grant can change the order of another stream's."""
    channels: list[Channel] = []
    parts = []
    for part in machine.components:
        if part.requests is not None:
            own = replace(part.requests, channel=part.requests.channel + len(channels))
            channels += [Channel(f"{part.name}.{old.name}", old.device) for old in machine.channels]
            parts.append(replace(part, requests=own))
        else:
            parts.append(part)
    return replace(machine, components=tuple(parts), channels=tuple(channels))
