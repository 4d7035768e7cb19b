"""Engines in the form of the naive interpreter, so that results can be compared with `==`.

The components must have the labels of `strategies.numbered`: the trace knows tiles, not firings, so the tile row m
stands for the firing.
"""

from __future__ import annotations

from naive import STATES, NaiveResult, Row

from panacea_sim.machine.compiled import run_compiled
from panacea_sim.machine.description import Description
from panacea_sim.machine.reference import run_reference
from panacea_sim.machine.result import EngineResult
from panacea_sim.trace.recorder import Recorder

__all__ = ["compiled", "reference"]


def reference(description: Description) -> NaiveResult:
    """Run the reference engine with a full trace."""
    recorder = Recorder()
    return _as_naive(run_reference(description, recorder), recorder)


def compiled(description: Description) -> NaiveResult:
    """Run the compiled engine with a full trace."""
    recorder = Recorder()
    return _as_naive(run_compiled(description, recorder), recorder)


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
