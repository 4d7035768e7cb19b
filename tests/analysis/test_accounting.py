"""The conservation checks: they accept every run that ended, and each can fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from case_counts import at_most
from hypothesis import given
from strategies import machines

from panacea_sim.analysis.accounting import check_conservation, state_cycles
from panacea_sim.description.description import Description
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import DeadlockError, InvariantError
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import StallTotal
from panacea_sim.workload.synthetic import synthetic_layer

Fault = Callable[[EngineResult], EngineResult]


@pytest.fixture(scope="module")
def ended() -> tuple[Description, EngineResult]:
    """Return a machine and what came out of its run, in which everything adds up."""
    layer = synthetic_layer(16, 16, 8, rho_w=0.5, rho_x=0.5, seed=0)
    machine = {"dram": "ideal", "dram_channels": 1, "n_pea": 2, "tile_k": 8, "tile_n": 4}
    description = prepare(Scenario("accounts", layer, settings=machine, values=False)).description
    return description, run_reference(description, Recorder(TraceOptions("off")))


def test_a_good_run_passes(ended: tuple[Description, EngineResult]) -> None:
    """A run without a fault passes every check."""
    check_conservation(*ended)


@at_most(150)
@given(machines())
def test_every_machine_that_ends_passes(machine: Description) -> None:
    """Random machines keep all laws but one: here tokens and bytes may be left over."""
    try:
        result = run_reference(machine, Recorder(TraceOptions("off")))
    except DeadlockError:
        return
    findings = ""
    try:
        check_conservation(machine, result)
    except InvariantError as error:
        findings = _findings(error)
    # The drawn machines may give tokens that nobody wants; nothing else may be wrong.
    assert re.fullmatch(r"(\d+ went into \w+, but \d+ came out(; )?)*", findings)


def _findings(error: InvariantError) -> str:
    return str(error).removeprefix("the accounts of the run do not add up: ").split(". This is a bug")[0]


def _one_cycle_lost(result: EngineResult) -> EngineResult:
    first, *rest = result.totals["pea0"]
    return replace(result, totals={**result.totals, "pea0": [replace(first, cycles=first.cycles - 1), *rest]})


def _one_cycle_twice(result: EngineResult) -> EngineResult:
    extra = StallTotal(State.STARVED, "requests", "", 1)
    return replace(result, totals={**result.totals, "dram0": [*result.totals["dram0"], extra]})


def _one_firing_lost(result: EngineResult) -> EngineResult:
    return replace(result, firings={**result.firings, "ppu": result.firings["ppu"] - 1})


def _one_token_lost(result: EngineResult) -> EngineResult:
    queue = result.queues["q_ppu"]
    return replace(result, queues={**result.queues, "q_ppu": replace(queue, taken=queue.taken - 1)})


def _one_byte_kept(result: EngineResult) -> EngineResult:
    memory = result.memories["WMEM"]
    return replace(result, memories={**result.memories, "WMEM": replace(memory, taken=memory.taken - 1)})


def _queue_too_full(result: EngineResult) -> EngineResult:
    queue = result.queues["q_w"]
    return replace(result, queues={**result.queues, "q_w": replace(queue, high_water=queue.capacity + 1)})


def _memory_too_full(result: EngineResult) -> EngineResult:
    memory = result.memories["OMEM"]
    return replace(result, memories={**result.memories, "OMEM": replace(memory, high_water=memory.capacity + 1)})


def _one_byte_not_read(result: EngineResult) -> EngineResult:
    channel = result.channels["dram0"]
    return replace(result, channels={"dram0": replace(channel, read_bytes=channel.read_bytes - 1)})


def _one_byte_written_more(result: EngineResult) -> EngineResult:
    channel = result.channels["dram0"]
    return replace(result, channels={"dram0": replace(channel, write_bytes=channel.write_bytes + 1)})


def _faster_than_the_bus(result: EngineResult) -> EngineResult:
    return replace(result, makespan_cycles=3)


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (_one_cycle_lost, r"the states of pea0 add up to \d+ cycles of \d+"),
        (_one_cycle_twice, r"the states of dram0 add up to \d+ cycles of \d+"),
        (_one_firing_lost, r"ppu fired 3 times of 4"),
        (_one_token_lost, r"4 went into q_ppu, but 3 came out"),
        (_one_byte_kept, r"\d+ went into WMEM, but \d+ came out"),
        (_queue_too_full, r"q_w held 3 of 2"),
        (_memory_too_full, r"OMEM held 32769 of 32768"),
        (_one_byte_not_read, r"\d+ bytes were to be read, but \d+ were"),
        (_one_byte_written_more, r"\d+ bytes were to be written, but \d+ were"),
        (_faster_than_the_bus, r"dram0 moved \d+ bytes, but can move 96 in the time"),
    ],
)
def test_a_planted_fault_is_named(plant: Fault, message: str, ended: tuple[Description, EngineResult]) -> None:
    """Each law, broken by hand in the result, is an InvariantError that says which account is wrong."""
    description, result = ended
    with pytest.raises(InvariantError, match=message):
        check_conservation(description, plant(result))


def test_a_channel_moves_no_byte_more_than_its_bus(ended: tuple[Description, EngineResult]) -> None:
    """The last cycle in which all bytes could be moved is accepted, one cycle less is not."""
    description, result = ended
    totals = result.channels["dram0"]
    moved, each_cycle = totals.read_bytes + totals.write_bytes, description.channels[0].device.most_bytes(1)
    law = rf"dram0 moved {moved} bytes, but can move"
    for cycles, is_broken in (((moved - 1) // each_cycle, True), (-(-moved // each_cycle), False)):
        with pytest.raises(InvariantError) as caught:  # the states do not add up to another makespan
            check_conservation(description, replace(result, makespan_cycles=cycles))
        assert (law in str(caught.value)) == is_broken


@pytest.mark.parametrize("plant", [_one_firing_lost, _one_token_lost, _queue_too_full, _one_byte_not_read])
def test_only_what_is_wrong_is_named(plant: Fault, ended: tuple[Description, EngineResult]) -> None:
    """A single fault gives a single finding."""
    description, result = ended
    with pytest.raises(InvariantError) as caught:
        check_conservation(description, plant(result))
    assert ";" not in _findings(caught.value)


def test_all_faults_are_named_together(ended: tuple[Description, EngineResult]) -> None:
    """Two faults are two findings in one error, which asks for a report."""
    description, result = ended
    with pytest.raises(InvariantError, match=r"ppu fired 3 times of 4; 4 went into q_ppu.*please report it"):
        check_conservation(description, _one_token_lost(_one_firing_lost(result)))


def test_states_are_summed_over_causes() -> None:
    """All six states are there for every component, each the sum over its causes."""
    totals = [
        StallTotal(State.STARVED, "q_a", "a", 3),
        StallTotal(State.STARVED, "q_b", "b", 4),
        StallTotal(State.BUSY, "", "", 5),
    ]
    result = EngineResult(12, {"c": totals}, {}, {}, {}, {}, {})
    states = {"busy": 5, "starved": 7, "blocked": 0, "contended": 0, "waiting": 0, "idle": 0}
    assert state_cycles(result) == {"c": states}
