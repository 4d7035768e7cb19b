"""Machines that cannot go on end at once, with an error that names who waits for whom."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Memory, Queue
from panacea_sim.description.steps import Give, Take, Wait
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import DeadlockError
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.synthetic import synthetic_layer


def _prepared(**settings: object) -> Prepared:
    layer = synthetic_layer(16, 24, 24, rho_w=0.3, rho_x=0.5, seed=1)
    machine = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": "mnk", "dtp": "off", **settings}
    return prepare(Scenario("deadlock", layer, settings=machine, values=False))


def _with_capacity(description: Description, name: str, capacity_bytes: int) -> Description:
    memories = tuple(Memory(name, capacity_bytes) if memory.name == name else memory for memory in description.memories)
    return replace(description, memories=memories)


def _message(description: Description) -> str:
    with pytest.raises(DeadlockError) as caught:
        run_reference(description, Recorder())
    return str(caught.value)


def test_a_resident_panel_that_is_one_byte_too_large() -> None:
    """Weights that must stay for a whole panel, in a memory one byte smaller, stop the fetch and name WMEM."""
    prepared = _prepared()
    loads = prepared.program.layers[0].plan.weight_loads
    panel_bytes = int(loads.size_bytes[: len(loads.size_bytes) // 2].sum())
    message = _message(_with_capacity(prepared.description, "WMEM", panel_bytes - 1))
    # The third tile of the panel has no room, and nothing is freed until the decoder has seen it.
    assert re.match(r"deadlock at cycle \d+: w_dma -> w_decoder -> w_dma\n", message)
    assert "w_dma, firing 2 of 6, is blocked by WMEM, which waits for w_decoder" in message
    assert "w_decoder, firing 2 of 18, is starved by w_loaded, which waits for w_dma" in message
    assert message.endswith("more components wait behind them")


def test_a_resident_panel_that_just_fits() -> None:
    """With that one byte the same machine comes to its end."""
    prepared = _prepared()
    loads = prepared.program.layers[0].plan.weight_loads
    panel_bytes = int(loads.size_bytes[: len(loads.size_bytes) // 2].sum())
    result = run_reference(_with_capacity(prepared.description, "WMEM", panel_bytes), Recorder(layers=("layer",)))
    assert result.memories["WMEM"].high_water == panel_bytes


@pytest.mark.parametrize(
    ("memory", "acquirer", "releaser"), [("AMEM", "x_dma", "x_decoder"), ("OMEM", "accumulator", "o_dma")]
)
def test_a_memory_one_byte_smaller_than_one_tile(memory: str, acquirer: str, releaser: str) -> None:
    """A memory that cannot hold what one firing acquires stops the machine and is named with both its ends."""
    prepared = _prepared()
    (component,) = (part for part in prepared.description.components if part.name == acquirer)
    largest = int(component.acquires[0].size_bytes.max())
    message = _message(_with_capacity(prepared.description, memory, largest - 1))
    assert re.search(rf"{acquirer}, firing \d+ of \d+, is blocked by {memory}, which waits for {releaser}", message)


def _one_each(name: str, takes: str, gives: str) -> Component:
    one = np.ones(3, np.int64)
    return Component(name, "test", 3, service_cycles=4 * one, takes=(Take(takes, one),), gives=(Give(gives, one),))


def test_a_ring_of_two_that_wait_for_each_other() -> None:
    """Two components that each want the other's token first are named with the queues between them."""
    ring = Description(
        (_one_each("left", "q_back", "q_forth"), _one_each("right", "q_forth", "q_back")),
        queues=(Queue("q_forth", 2), Queue("q_back", 2)),
    )
    assert _message(ring).splitlines() == [
        "deadlock at cycle 0: left -> right -> left",
        "  left, firing 0 of 3, is starved by q_back, which waits for right",
        "  right, firing 0 of 3, is starved by q_forth, which waits for left",
    ]


def test_a_ring_that_comes_after_work() -> None:
    """A ring that closes late is named with the cycle in which nothing could move any more, and who waits behind."""
    one, first_only = np.ones(3, np.int64), np.array([1, 0, 0])
    source = Component("source", "test", 1, service_cycles=np.array([5]), gives=(Give("q_in", np.array([1])),))
    left = Component(
        "left",
        "test",
        3,
        service_cycles=2 * one,
        takes=(Take("q_in", first_only), Take("q_back", 1 - first_only)),
        gives=(Give("q_forth", one), Give("q_out", one)),
    )
    right = Component(
        "right",
        "test",
        3,
        service_cycles=2 * one,
        takes=(Take("q_forth", np.array([1, 1, 1])),),
        gives=(Give("q_back", np.array([0, 1, 1])),),
    )
    sink = Component("sink", "test", 3, service_cycles=one, takes=(Take("q_out", one),))
    queues = tuple(Queue(name, 2) for name in ("q_in", "q_forth", "q_back", "q_out"))
    lines = _message(Description((source, left, right, sink), queues=queues)).splitlines()
    assert lines == [
        "deadlock at cycle 9: left -> right -> left",
        "  left, firing 1 of 3, is starved by q_back, which waits for right",
        "  right, firing 1 of 3, is starved by q_forth, which waits for left",
        "  1 more components wait behind them",
    ]


def test_a_token_that_nobody_gives() -> None:
    """Who waits for a token of a component that has ended is named, though there is no cycle."""
    given = np.array([1, 0])
    source = Component("source", "test", 2, service_cycles=np.array([1, 1]), gives=(Give("q", given),))
    sink = Component("sink", "test", 2, service_cycles=np.array([1, 1]), takes=(Take("q", np.ones(2, np.int64)),))
    lines = _message(Description((source, sink), queues=(Queue("q", 2),))).splitlines()
    assert lines == [
        "deadlock at cycle 2: sink waits for source, which has ended",
        "  sink, firing 1 of 2, is starved by q, which waits for source",
    ]


def test_a_graph_dependence_that_closes_a_ring() -> None:
    """A ring through the dataflow graph is a deadlock as well, and names what waits."""
    one = np.ones(1, np.int64)
    first = Component("first", "test", 1, service_cycles=one, waits=(Wait("second", one),))
    second = Component("second", "test", 1, service_cycles=one, waits=(Wait("first", one),))
    message = _message(Description((first, second)))
    assert "first, firing 0 of 1, is waiting by dataflow, which waits for second" in message


def test_a_stopped_run_keeps_its_trace() -> None:
    """What happened before the deadlock can be read from the recorder."""
    prepared = _prepared()
    recorder = Recorder(layers=("layer",))
    (component,) = (part for part in prepared.description.components if part.name == "accumulator")
    largest = int(component.acquires[0].size_bytes.max())
    with pytest.raises(DeadlockError):
        run_reference(_with_capacity(prepared.description, "OMEM", largest - 1), recorder)
    rows = recorder.table("activities").to_pylist()
    assert any(row["component"] == "pea0" and row["state"] == "busy" for row in rows)
