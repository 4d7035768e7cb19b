"""What is drawn as a curve below the lanes: occupancies of queues, and bytes on the buses of the DRAM."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds

from panacea_sim.trace.bandwidth import bandwidth
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within
from panacea_sim.units import IntArray

__all__ = ["GRID_BINS", "Curves", "read_curves"]

GRID_BINS = 4096
"""Stretches of time of a curve that is too long for a page."""


class Curves:
    """Curves that are constant from each of their knots, which are cycles, to the next one.

    `described` says of each curve its name, its panel ("queues", "memories", "dram", "operators" or "power") and where
    its knots begin and end in the columns. A value is what the queue (tokens) or memory (bytes) holds from the knot on;
    for the DRAM, the bytes that move from the knot to the next one, for operators their steps, for power the energy in
    fJ.
    """

    def __init__(self) -> None:
        self.described: list[dict[str, Any]] = []
        self._knots: list[IntArray] = [np.zeros(0, np.int64)]
        self._values: list[IntArray] = [np.zeros(0, np.int64)]
        self._length = 0

    def add(self, name: str, panel: str, knots: IntArray, values: IntArray) -> None:
        """Add a curve; its last value holds until the end of the timeline."""
        self.described.append({"name": name, "panel": panel, "from": self._length, "to": self._length + len(knots)})
        self._knots.append(knots)
        self._values.append(values)
        self._length += len(knots)

    def add_amounts(self, name: str, panel: str, edges: IntArray, amounts: npt.NDArray[np.float64]) -> None:
        """Add a curve of amounts between edges, as whole numbers.

        Sums are rounded, not parts: no stretch of time is off by more than one.
        """
        whole = np.rint(np.cumsum(np.append(amounts, 0.0))).astype(np.int64)
        self.add(name, panel, edges, np.diff(whole, prepend=0))

    def columns(self) -> tuple[IntArray, IntArray]:
        """Return the knots and the values of all curves, one curve after the other."""
        return np.concatenate(self._knots), np.concatenate(self._values)


def read_curves(run: StoredRun, span: tuple[int, int], *, most_rows: int) -> tuple[Curves, list[str]]:
    """Return the curves in `span`, and what had to be left out so that no table gives more than `most_rows` knots."""
    curves = Curves()
    notes = [*_add_queues(curves, run, span, most_rows), *_add_channels(curves, run, span, most_rows)]
    return curves, notes


def _add_queues(curves: Curves, run: StoredRun, span: tuple[int, int], most_rows: int) -> list[str]:
    if not run.is_full or not run.has_table("queues"):
        return ["Queue occupancies were not recorded; a run with --trace full has them."]
    until = ds.field("cycle") < span[1]
    count = run.dataset("queues").count_rows(filter=until)
    if not count:
        return ["No queue changed in these cycles, so that their occupancies are not known."]
    if count > most_rows:
        return [f"Queue occupancies are left out: {count:,} changes are too many for a page. --window A:B shows fewer."]
    table = run.dataset("queues").to_table(filter=until).unify_dictionaries().combine_chunks()
    names = {name: number for number, name in enumerate(table["queue"].unique().to_pylist())}
    number = codes(table["queue"].chunk(0), names)
    cycle, occupancy = table["cycle"].to_numpy(), table["occupancy"].to_numpy()
    # Before the first cycle all queues are empty; a recording that begins later knows them from a change on.
    from_start = run.recorded_cycles[0] == 0
    memories = run.memories
    for name in sorted(names, key=_natural):
        mine = number == names[name]
        knots, values = cycle[mine], occupancy[mine]
        if from_start:
            knots, values = np.append(0, knots), np.append(0, values)
        first = max(int(np.searchsorted(knots, span[0], side="right")) - 1, 0)
        panel = "memories" if name in memories else "queues"
        curves.add(name, panel, np.maximum(knots[first:], span[0]), values[first:])
    return []


def _add_channels(curves: Curves, run: StoredRun, span: tuple[int, int], most_rows: int) -> list[str]:
    if not run.is_full or not run.has_table("dram"):
        return ["DRAM accesses were not recorded; a run with --trace full has them."]
    count = run.dataset("dram").count_rows(filter=within(span))
    if count > most_rows:
        edges = bin_edges(*span, GRID_BINS)
        for name, rates in bandwidth(run, edges).items():
            curves.add_amounts(name, "dram", edges, rates * np.diff(edges))
        return [f"DRAM bandwidth is a mean over {len(edges) - 1:,} stretches of time."]
    for name, (start, end, moved) in _accesses(run, span).items():
        knots = np.stack([start, end], axis=1).reshape(-1)
        values = np.stack([moved, np.zeros_like(moved)], axis=1).reshape(-1)
        if not len(knots) or knots[0] > span[0]:
            knots, values = np.append(span[0], knots), np.append(0, values)
        curves.add(name, "dram", knots, values)
    return []


def _accesses(run: StoredRun, span: tuple[int, int]) -> dict[str, tuple[IntArray, IntArray, IntArray]]:
    """Return start, end and bytes of the accesses of each channel; its bus serves one at a time."""
    numbers = {name: number for number, name in enumerate(run.channels)}
    columns = ["channel", "start_cycle", "end_cycle", "bytes"]
    parts = [np.zeros((len(columns), 0), np.int64)]
    parts += [
        np.stack([codes(batch["channel"], numbers), *(batch[name].to_numpy() for name in columns[1:])])
        for batch in column_batches(run, "dram", columns, within(span))
    ]
    rows = np.concatenate(parts, axis=1)
    return {name: tuple(rows[1:, rows[0] == number]) for name, number in numbers.items()}


def _natural(name: str) -> tuple[str, int]:
    """Order q_pea2 before q_pea10."""
    digits = re.search(r"\d+$", name)
    return (name[: digits.start()], int(digits[0])) if digits else (name, -1)
