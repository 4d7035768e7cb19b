"""Engines in the form of the naive interpreter, so that results can be compared with `==`.

The components must have the labels of `strategies.numbered`: the trace knows tiles, not firings, so the tile row m
stands for the firing.
"""

from __future__ import annotations

import numpy as np
import pytest
from naive import STATES, NaiveResult, Row

from panacea_sim.errors import DeadlockError
from panacea_sim.machine.compiled import run_compiled
from panacea_sim.machine.description import Description
from panacea_sim.machine.reference import run_reference
from panacea_sim.machine.result import EngineResult
from panacea_sim.trace.recorder import Recorder, TraceOptions

__all__ = ["assert_equal", "compiled", "figures", "reference"]

LAYERS = ("first", "second")
"""The layers that labels in tests count."""


def reference(description: Description) -> NaiveResult:
    """Run the reference engine with a full trace."""
    recorder = Recorder(layers=LAYERS)
    return _as_naive(run_reference(description, recorder), recorder)


def compiled(description: Description) -> NaiveResult:
    """Run the compiled engine with a full trace."""
    recorder = Recorder(layers=LAYERS)
    return _as_naive(run_compiled(description, recorder), recorder)


def assert_equal(description: Description, kept: tuple[str, ...]) -> NaiveResult | None:
    """Assert that both engines give the same figures, times and tables, with a trace and without one.

    Return what they give, to be compared with the naive interpreter; None if both find the same deadlock.
    """
    slow, fast, untraced = Recorder(layers=LAYERS), Recorder(layers=LAYERS), Recorder(TraceOptions("off"), LAYERS)
    try:
        expected = run_reference(description, slow, None, kept)
    except DeadlockError as error:
        expected_message = str(error)
    else:
        _assert_figures(expected, [run_compiled(description, recorder, kept) for recorder in (fast, untraced)])
        for table in ("activities", "queues", "dram"):
            # Only where they differ are tables turned into rows, which takes far longer than to compare them.
            if not fast.table(table).equals(slow.table(table)):
                assert fast.table(table).to_pylist() == slow.table(table).to_pylist()
        return _as_naive(expected, slow)
    with pytest.raises(DeadlockError) as found:
        run_compiled(description, fast, kept)
    assert str(found.value) == expected_message
    return None


def _assert_figures(expected: EngineResult, results: list[EngineResult]) -> None:
    """Assert that results have the same figures, and the same times of the same components."""
    for found in results:
        assert figures(found) == figures(expected)
        assert found.times.keys() == expected.times.keys()
        for name, times in expected.times.items():
            assert np.array_equal(found.times[name].start_cycle, times.start_cycle), name
            assert np.array_equal(found.times[name].end_cycle, times.end_cycle), name


def _as_naive(result: EngineResult, recorder: Recorder) -> NaiveResult:
    columns = recorder.table("activities").to_pydict()
    names = ("component", "state", "start_cycle", "end_cycle", "m", "cause", "cause_component")
    states = {
        name: {state: sum(total.cycles for total in totals if total.state.value == state) for state in STATES}
        for name, totals in result.totals.items()
    }
    high_water = {name: totals.high_water for name, totals in (result.queues | result.memories).items()}
    rows = [Row(*values) for values in zip(*(columns[name] for name in names), strict=True)]
    return NaiveResult(result.makespan_cycles, rows, states, high_water)


def figures(result: EngineResult) -> tuple[object, ...]:
    """Return all figures of a result in a form that can be compared."""
    totals = {
        name: {(total.state, total.cause, total.cause_component): total.cycles for total in of_component}
        for name, of_component in result.totals.items()
    }
    return result.makespan_cycles, totals, result.firings, result.queues, result.memories, result.channels
