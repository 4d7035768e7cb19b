"""Engines in the form of the naive interpreter, so that results can be compared with `==`.

The components must have the labels of `strategies.numbered`: the trace knows tiles, not firings, so the tile row m
stands for the firing.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from naive import STATES, Access, NaiveResult, Posting, Row
from watched_banks import Events

from panacea_sim.description.description import Description
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import DeadlockError
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import TABLES

__all__ = ["ENGINES", "NEEDS_NUMBA", "assert_equal", "figures", "reference"]

NEEDS_NUMBA = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
ENGINES = ["reference", pytest.param("compiled", marks=NEEDS_NUMBA)]
"""Both engines, for tests that are parametrised with them."""

LAYERS = ("first", "second", "third", "fourth")
"""The layers that labels in tests count."""


def reference(description: Description) -> NaiveResult:
    """Run the reference engine with a full trace."""
    recorder = Recorder(layers=LAYERS)
    return _as_naive(run_reference(description, recorder), recorder)


def _run_compiled(description: Description, recorder: Recorder, kept: tuple[str, ...] = ()) -> EngineResult:
    from panacea_sim.engines.compiled.engine import run_compiled  # noqa: PLC0415  # numba may be missing

    return run_compiled(description, recorder, kept)


def assert_equal(description: Description, kept: tuple[str, ...]) -> NaiveResult | None:
    """Assert that both engines give the same figures, times and tables, with a trace and without one.

    Return what they give, to be compared with the naive interpreter; None if both find a deadlock in the same cycle.
    """
    slow, fast, untraced = Recorder(layers=LAYERS), Recorder(layers=LAYERS), Recorder(TraceOptions("off"), LAYERS)
    try:
        expected = run_reference(description, slow, None, kept)
    except DeadlockError as error:
        stop = str(error).partition(":")[0]  # which circle is named depends on the engine, if there are several
    else:
        _assert_figures(expected, [_run_compiled(description, recorder, kept) for recorder in (fast, untraced)])
        for table in TABLES:
            # Only where they differ are tables turned into rows, which takes far longer than to compare them.
            if not fast.table(table).equals(slow.table(table)):
                assert fast.table(table).to_pylist() == slow.table(table).to_pylist()
        return _as_naive(expected, slow)
    with pytest.raises(DeadlockError, match=f"^{stop}:"):
        _run_compiled(description, fast, kept)
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
    activities, accesses = recorder.table("activities").to_pydict(), recorder.table("dram").to_pydict()
    names = ("component", "state", "start_cycle", "end_cycle", "m", "cause", "cause_component")
    states = {
        name: {state: sum(total.cycles for total in totals if total.state.value == state) for state in STATES}
        for name, totals in result.totals.items()
    }
    high_water = {name: totals.high_water for name, totals in (result.queues | result.memories).items()}
    rows = [Row(*values) for values in zip(*(activities[name] for name in names), strict=True)]
    postings = [Posting(**row) for row in recorder.table("postings").to_pylist()]
    grants = [Access(*values) for values in zip(*(accesses[name] for name in Access._fields), strict=True)]
    events = {
        name: Events(*(getattr(channel, key) for key in Events._fields)) for name, channel in result.channels.items()
    }
    return NaiveResult(result.makespan_cycles, rows, states, high_water, grants, postings, events)


def figures(result: EngineResult) -> tuple[object, ...]:
    """Return all figures of a result in a form that can be compared."""
    totals = {
        name: {(total.state, total.cause, total.cause_component): total.cycles for total in of_component}
        for name, of_component in result.totals.items()
    }
    return result.makespan_cycles, totals, result.firings, result.queues, result.memories, result.channels
