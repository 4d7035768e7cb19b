"""Use of the operators in the PEAs over time: DWOs, SWOs and CS."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds

from panacea_sim.trace.binning import Cover
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.schema import OPERATORS, State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within
from panacea_sim.units import IntArray

__all__ = ["is_pea", "operator_counts", "operator_steps", "recorded_operators"]

_PEA = re.compile(r"pea\d+")
_STEPS = tuple(f"{name}_steps" for name in OPERATORS)


def is_pea(component: str) -> bool:
    """Return whether this is the name of a PEA."""
    return _PEA.fullmatch(component) is not None


def operator_counts(run: StoredRun) -> dict[str, int] | None:
    """Return how many DWOs, SWOs and CS all PEAs have together: the steps that they can do in a cycle.

    None if neither the summary nor scenario.yaml, which a partial run has as well, tells. Raises ConfigError for a
    scenario.yaml that cannot be read.
    """
    summary = run.summary
    if summary.get("operators") and summary.get("makespan_cycles"):
        return {name: summary["operators"][f"{name}_capacity"] // summary["makespan_cycles"] for name in OPERATORS}
    hardware = run.hardware
    if hardware is None:
        return None
    return {name: hardware.n_pea * getattr(hardware, f"n_{name}") for name in OPERATORS}


def operator_steps(run: StoredRun, edges: IntArray) -> dict[str, npt.NDArray[np.float64]]:
    """Return the steps of each kind of operator in each bin, over all PEAs; a firing's are spread over its cycles.

    Raises ConfigError if no activity was recorded.
    """
    covers = {name: Cover(edges, 1) for name in _STEPS}
    working = ds.field("dwo_steps") + ds.field("swo_steps") + ds.field("cs_steps") > 0
    where = within((int(edges[0]), int(edges[-1]))) & working
    for batch in column_batches(run, "activities", ["start_cycle", "end_cycle", *_STEPS], where):
        start, end = batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy()
        for name, cover in covers.items():
            cover.add(np.zeros(len(start), np.int64), start, end, batch[name].to_numpy() / (end - start))
    return dict(zip(OPERATORS, (cover.units()[0] for cover in covers.values()), strict=True))


def recorded_operators(run: StoredRun, span: tuple[int, int]) -> tuple[int, int] | None:
    """Return the cycles of `span` in which everything that any PEA does was recorded, None if there are none.

    Of a trace of stalls, and of a run of a version that did not record steps, there are none. Of a partial run some
    PEAs are known a little longer than others.
    """
    numbers = {name: number for number, name in enumerate(filter(is_pea, run.sections))}
    steps_are_missing = run.dataset("activities").schema.field(_STEPS[0]).nullable
    if not numbers or steps_are_missing or State.BUSY not in run.recorded_states:
        return None
    first, last = np.full(len(numbers), span[1]), np.full(len(numbers), span[0])
    known_cycles = np.zeros(len(numbers), np.int64)
    for batch in column_batches(run, "activities", ["component", "start_cycle", "end_cycle"], within(span)):
        pea = codes(batch["component"], numbers)
        mine = pea >= 0
        pea, start, end = pea[mine], batch["start_cycle"].to_numpy()[mine], batch["end_cycle"].to_numpy()[mine]
        start, end = np.maximum(start, span[0]), np.minimum(end, span[1])
        np.minimum.at(first, pea, start)
        np.maximum.at(last, pea, end)
        np.add.at(known_cycles, pea, end - start)
    if (known_cycles != last - first).any() or first.max() >= last.min():
        return None
    return int(first.max()), int(last.min())
