"""Use of the operators over time: of each action whose rate is limited, how much of it is done."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.dataset as ds

from panacea_sim.trace.binning import Cover
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within
from panacea_sim.units import IntArray

__all__ = ["operator_counts", "operator_label", "operator_lanes", "operator_steps", "recorded_operators"]


def operator_counts(run: StoredRun) -> dict[str, int]:
    """Return how often all components together can do each limited action in a cycle, by its column.

    A run of schema 1 does not tell: it has none.
    """
    return {} if run.heading.topology is None else run.heading.topology.per_cycle


def operator_label(action: str) -> str:
    """Return what people call the operators of an action: its column without the unit, in capitals."""
    return action.rpartition("_")[0].upper()


def operator_lanes(run: StoredRun) -> list[str]:
    """Return the components that do limited actions, in the machine's order."""
    topology = run.heading.topology
    return [] if topology is None else [part.name for part in topology.components if any(part.actions.values())]


def operator_steps(run: StoredRun, edges: IntArray) -> dict[str, npt.NDArray[np.float64]]:
    """Return how often each limited action is done in each bin; a firing's share is spread over its cycles.

    Raises ConfigError if no activity was recorded.
    """
    actions = list(operator_counts(run))
    covers = {name: Cover(edges, 1) for name in actions}
    working = pc.scalar(False)
    for name in actions:
        working |= ds.field(name) > 0
    where = within((int(edges[0]), int(edges[-1]))) & working
    for batch in column_batches(run, "activities", ["start_cycle", "end_cycle", *actions], where):
        start, end = batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy()
        for name, cover in covers.items():
            cover.add(np.zeros(len(start), np.int64), start, end, batch[name].to_numpy() / (end - start))
    return {name: cover.units()[0] for name, cover in covers.items()}


def recorded_operators(run: StoredRun, span: tuple[int, int]) -> tuple[int, int] | None:
    """Return the cycles of `span` in which everything was recorded that any operator does, None if there are none.

    Of a trace of stalls there are none. Of a partial run some components are known a little longer than others.
    """
    numbers = {name: number for number, name in enumerate(operator_lanes(run))}
    if not numbers or State.BUSY not in run.recorded_states:
        return None
    first, last = np.full(len(numbers), span[1]), np.full(len(numbers), span[0])
    known_cycles = np.zeros(len(numbers), np.int64)
    for batch in column_batches(run, "activities", ["component", "start_cycle", "end_cycle"], within(span)):
        lane = codes(batch["component"], numbers)
        mine = lane >= 0
        lane, start, end = lane[mine], batch["start_cycle"].to_numpy()[mine], batch["end_cycle"].to_numpy()[mine]
        start, end = np.maximum(start, span[0]), np.minimum(end, span[1])
        np.minimum.at(first, lane, start)
        np.maximum.at(last, lane, end)
        np.add.at(known_cycles, lane, end - start)
    if (known_cycles != last - first).any() or first.max() >= last.min():
        return None
    return int(first.max()), int(last.min())
