"""A component that is added to the description, and to nothing else, runs in both engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from engine_runs import assert_equal

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Give, Take
from panacea_sim.engines.compiled.engine import run_compiled
from panacea_sim.engines.compiled.lanes import find_lane_groups
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import DeadlockError
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.synthetic import synthetic_layer

TIMES = ("w_dma", "x_dma", "dispatcher", "o_dma")


def _machine(**settings: object) -> Description:
    layer = synthetic_layer(200, 100, 100, rho_w=0.3, rho_x=0.8, seed=3)
    return prepare(Scenario("layer", layer, settings=settings, values=False)).description


def _with_probe(machine: Description, queue: str) -> Description:
    """Return the machine with a component behind a queue that hands its tokens on."""
    parts = {part.name: part for part in machine.components}
    tokens = sum(int(give.tokens.sum()) for give in parts[machine.producer[queue]].gives if give.queue == queue)
    one = np.ones(tokens, np.int64)
    takes, gives = (Take(queue, one),), (Give("q_probe", one),)
    probe = Component("probe", "codecs", tokens, service_cycles=np.arange(tokens) % 40, takes=takes, gives=gives)
    consumer = parts[machine.consumer[queue]]
    rest = tuple(replace(take, queue="q_probe") if take.queue == queue else take for take in consumer.takes)
    parts[consumer.name] = replace(consumer, takes=rest)
    return Description(
        (*parts.values(), probe),
        (*machine.queues, Queue("q_probe", 1, 3)),
        machine.stores,
        machine.memories,
        machine.channels,
        machine.ports,
    )


@pytest.mark.parametrize("queue", ["q_w", "q_pea5", "q_sum9", "q_ppu"])
def test_a_component_that_passes_tokens_on_runs_in_both_engines(queue: str) -> None:
    """Wherever it stands, among the lanes of the PEAs too, both engines agree in every row and figure."""
    assert_equal(_with_probe(_machine(), queue), TIMES)


def test_the_pe_arrays_are_one_section() -> None:
    """All PEAs of the machine are lanes of one actor; one that is fed or wanted otherwise stands by itself."""
    machine = _machine()
    (group,) = find_lane_groups(machine, TIMES)
    names = [part.name for part in machine.components]
    assert (group.first, group.lanes) == (names.index("pea0"), 16)
    assert [each.lanes for each in find_lane_groups(machine, ("pea3",))] == [3, 12]
    assert [each.lanes for each in find_lane_groups(_with_probe(machine, "q_pea5"), TIMES)] == [5, 10]


def test_a_deadlock_behind_the_lanes_is_told_alike() -> None:
    """Where the accumulator can never have its space both engines name the same circle, and the same PEA in it."""
    machine = _machine()
    memories = tuple(replace(each, capacity_bytes=64) if each.name == "OMEM" else each for each in machine.memories)
    stuck = replace(machine, memories=memories)
    with pytest.raises(DeadlockError) as slow:
        run_reference(stuck, Recorder(layers=("layer",)))
    with pytest.raises(DeadlockError) as fast:
        run_compiled(stuck, Recorder(layers=("layer",)))
    assert str(fast.value) == str(slow.value)
    assert "OMEM" in str(fast.value)
