"""Time cut into bins: how much of each bin intervals cover, exactly and without a loop over them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from panacea_sim.units import IntArray

__all__ = ["Cover", "bin_edges"]


def bin_edges(first_cycle: int, last_cycle: int, bins: int) -> IntArray:
    """Return the edges, in whole cycles, of at most `bins` bins whose widths differ by at most one cycle.

    No bin is empty: fewer cycles than `bins` give one bin for each cycle.
    """
    span_cycles = last_cycle - first_cycle
    bins = min(bins, span_cycles)
    whole, rest = divmod(span_cycles, bins)
    number = np.arange(bins + 1, dtype=np.int64)
    return first_cycle + number * whole + number * rest // bins


class Cover:
    """Adds up, for each of `rows` rows, the cycles of every bin that intervals of that row cover.

    Intervals come in any order and in as many parts as they like; those of one row may overlap, and count twice then.
    An interval with a weight counts as that many units a cycle. What lies outside of the edges does not count.
    """

    def __init__(self, edges: IntArray, rows: int) -> None:
        self.edges = edges
        self._rows = rows
        size = rows * (len(edges) + 1)
        self._partial = np.zeros(size)
        self._whole = np.zeros(size)

    def add(
        self,
        row: npt.NDArray[np.integer],
        start_cycle: IntArray,
        end_cycle: IntArray,
        weight: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Add intervals from `start_cycle` to before `end_cycle`."""
        start_cycle = np.clip(start_cycle, self.edges[0], self.edges[-1])
        end_cycle = np.clip(end_cycle, self.edges[0], self.edges[-1])
        unit = np.ones(len(row)) if weight is None else weight
        self._add_step(row, start_cycle, unit)
        self._add_step(row, end_cycle, -unit)

    def units(self) -> npt.NDArray[np.float64]:
        """Return what was added as an array [rows, bins]: without weights, cycles, which are whole numbers."""
        shape = (self._rows, len(self.edges) + 1)
        partial, whole = self._partial.reshape(shape), self._whole.reshape(shape)
        return np.asarray(partial[:, :-2] + np.cumsum(whole, axis=1)[:, :-2] * np.diff(self.edges))

    def _add_step(self, row: npt.NDArray[np.integer], cycle: IntArray, unit: npt.NDArray[np.float64]) -> None:
        """Add `unit` a cycle from `cycle` on: a part of the bin it is in, and all bins behind it whole."""
        found = np.searchsorted(self.edges, cycle, side="right") - 1
        upper = self.edges[np.minimum(found + 1, len(self.edges) - 1)]
        at = row.astype(np.int64) * (len(self.edges) + 1) + found
        self._partial += np.bincount(at, unit * (upper - cycle), len(self._partial))
        self._whole += np.bincount(at + 1, unit, len(self._whole))
