"""Arrows from causes to stalls, over the rows that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds

from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import IntArray

__all__ = ["DrawnRows", "Flows", "drawn_rows", "find_flows"]


@dataclass(frozen=True)
class Flows:
    """For each arrow the row of its source and the row of the stall it leads to, ordered by source.

    Rows are counted in the order of activities.parquet, over the rows that `where` kept.
    """

    source: IntArray
    stall: IntArray

    def leaving(self, first_row: int, rows: int) -> Iterator[tuple[IntArray, npt.NDArray[np.bool_]]]:
        """Return, for the first arrow of each of `rows` rows from `first_row` on, then the second and so on, its stall.

        With it comes which of the rows have so many arrows.
        """
        cuts = np.searchsorted(self.source, np.arange(first_row, first_row + rows + 1))
        counts = np.diff(cuts)
        for place in range(int(counts.max(initial=0))):
            present = counts > place
            stall = np.zeros(rows, np.int64)
            stall[present] = self.stall[cuts[:-1][present] + place]
            yield stall, present

    def arriving(self, first_row: int, rows: int) -> npt.NDArray[np.bool_]:
        """Return for each of `rows` rows from `first_row` on whether an arrow leads to it."""
        first, last = np.searchsorted(self.stalls, [first_row, first_row + rows])
        found = np.zeros(rows, bool)
        found[self.stalls[first:last] - first_row] = True
        return found

    @cached_property
    def stalls(self) -> IntArray:
        """The rows of all stalls that arrows lead to, in their order."""
        return np.sort(self.stall)


@dataclass(frozen=True)
class DrawnRows:
    """Rows of activities, in their order: the numbers of the component and of the one at the other end of a stall.

    Numbers count the components and channels of the run; -1 stands for none. `components` is how many there are.
    """

    components: int

    component: npt.NDArray[np.int16]
    other: npt.NDArray[np.int16]
    start_cycle: IntArray
    end_cycle: IntArray


def find_flows(rows: DrawnRows) -> Flows:
    """Return the arrows of a run: from what a component did in the cycle before another one began to wait for it.

    A stall has none at cycle 0, without a component at the other end, or if that one's row was not recorded. This
    needs some tens of bytes of memory for each activity.
    """
    sources, stalls = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number in range(rows.components):
        own = np.flatnonzero(rows.component == number)
        waiting = np.flatnonzero(rows.other == number)
        if not len(own) or not len(waiting):
            continue
        before = rows.start_cycle[waiting] - 1
        found = np.searchsorted(rows.end_cycle[own], before, side="right")
        covered = (found < len(own)) & (rows.start_cycle[own[np.minimum(found, len(own) - 1)]] <= before)
        sources.append(own[found[covered]])
        stalls.append(waiting[covered])
    source, stall = np.concatenate(sources), np.concatenate(stalls)
    order = np.lexsort((stall, source))
    return Flows(source[order], stall[order])


def drawn_rows(run: StoredRun, where: ds.Expression | None = None) -> DrawnRows:
    """Return the rows of activities that `where` keeps."""
    numbers = {name: number for number, name in enumerate(run.sections)}
    no_stalls = {State.BUSY.value: 1, State.IDLE.value: 1}
    nothing = np.zeros(0, np.int64)
    parts = [(nothing.astype(np.int16), nothing.astype(np.int16), nothing, nothing)]
    columns = ["component", "state", "cause_component", "start_cycle", "end_cycle"]
    for batch in column_batches(run, "activities", columns, where):
        other = codes(batch["cause_component"], numbers)
        other[codes(batch["state"], no_stalls) == 1] = -1
        component = codes(batch["component"], numbers)
        start, end = batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy()
        parts.append((component.astype(np.int16), other.astype(np.int16), start, end))
    return DrawnRows(len(numbers), *(np.concatenate(column) for column in zip(*parts, strict=True)))
