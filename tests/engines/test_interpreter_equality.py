"""The reference engine and the naive interpreter agree on every cycle of random machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from case_counts import at_most
from engine_runs import reference
from hypothesis import event, given, settings
from naive import NaiveResult, StuckError, interpret
from strategies import BANKED_DEVICES, SPLITTING_DEVICES, chains, machines, numbered

from panacea_sim.description.description import Description
from panacea_sim.errors import DeadlockError
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario


def _outcome(run: Callable[[Description], NaiveResult], machine: Description) -> NaiveResult | None:
    """Return the result, or None where the machine deadlocks."""
    try:
        return run(machine)
    except (StuckError, DeadlockError):
        return None


@settings(max_examples=300)
@given(machines())
def test_reference_equals_the_naive_interpreter(machine: Description) -> None:
    """Both give the same rows, state totals, makespan and high-water marks, or both find the same deadlock."""
    expected = _outcome(interpret, machine)
    event(f"deadlock: {expected is None}")
    assert _outcome(reference, machine) == expected


@settings(max_examples=100)
@given(machines(SPLITTING_DEVICES))
def test_equal_where_a_request_takes_several_grants(machine: Description) -> None:
    """Both agree as well where a part of a request is served in several grants, between which others go first."""
    assert _outcome(reference, machine) == _outcome(interpret, machine)


@at_most(100)
@given(chains())
def test_equal_on_real_programs(scenario: Scenario) -> None:
    """Both agree on whole machines at work on one layer or two chained ones, in any order, with stacks and spills."""
    prepared = prepare(replace(scenario, values=False))
    components = [replace(part, labels=numbered(part.firings)) for part in prepared.description.components]
    machine = replace(prepared.description, components=tuple(components))
    plans = [layer.plan for layer in prepared.program.layers]
    event(f"layers: {len(plans)}, spills: {any(plan.partial_sums.spills for plan in plans)}")
    event(f"{plans[0].order}, height {plans[0].height}")
    assert reference(machine) == interpret(machine)


@settings(max_examples=300)
@given(machines(BANKED_DEVICES))
def test_equal_with_banks_and_refresh(machine: Description) -> None:
    """Both agree as well on channels with banks: why a channel has no data, and who waits for it, in every cycle."""
    expected = _outcome(interpret, machine)
    event(f"reasons: {sorted({row.cause for row in expected.rows if ':' in row.cause} if expected else ())}")
    assert _outcome(reference, machine) == expected


@at_most(100)
@given(machines() | machines(BANKED_DEVICES))
def test_states_add_up_to_the_makespan(machine: Description) -> None:
    """The six states of every component and channel sum to the makespan exactly."""
    result = _outcome(reference, machine)
    if result is not None:
        assert {sum(states.values()) for states in result.states.values()} == {result.makespan_cycles}


@pytest.mark.parametrize("run", [interpret, reference], ids=["naive", "reference"])
@at_most(100)
@given(machine=machines())
def test_order_of_components_does_not_matter(run: Callable[[Description], NaiveResult], machine: Description) -> None:
    """A machine behaves the same when its components are listed the other way round (ports keep their order)."""
    expected = _outcome(run, machine)
    reversed_machine = replace(machine, components=machine.components[::-1])
    result = _outcome(run, reversed_machine)
    if expected is None or result is None:
        assert result is expected
    else:
        assert _in_order(result) == _in_order(expected)


def _in_order(result: NaiveResult) -> NaiveResult:
    return replace(result, rows=sorted(result.rows), postings=sorted(result.postings))
