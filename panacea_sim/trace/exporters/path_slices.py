"""The critical path on the tracks of the components: a slice for each stretch, inside that of its row, and arrows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from panacea_sim.errors import InvariantError
from panacea_sim.trace.exporters.flows import DrawnRows
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import IntArray

__all__ = ["NO_PATH", "PathSlices", "find_path_slices"]


@dataclass(frozen=True)
class PathSlices:
    """Stretches of a critical path in the order of the rows in which they lie, at most one in each.

    `arriving` and `leaving` number the arrows that lead to a stretch and from it, from 1 on, 0 where there is none: an
    arrow leads on where the path changes its track. Latencies are no stretches here: nobody has them on a track.
    """

    row: IntArray
    start_cycle: IntArray
    end_cycle: IntArray
    arriving: IntArray
    leaving: IntArray

    def of_rows(self, first_row: int, rows: int) -> dict[str, IntArray]:
        """Return starts, ends and arrows for each of `rows` rows; a row without a stretch starts and ends in -1."""
        first, last = np.searchsorted(self.row, [first_row, first_row + rows])
        at = self.row[first:last] - first_row
        found = {name: np.full(rows, -1) for name in ("start_cycle", "end_cycle")}
        found |= {name: np.zeros(rows, np.int64) for name in ("arriving", "leaving")}
        for name, values in found.items():
            values[at] = getattr(self, name)[first:last]
        return found


_NOTHING = np.zeros(0, np.int64)

NO_PATH = PathSlices(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
"""What there is where no path is known."""


def find_path_slices(run: StoredRun, rows: DrawnRows, span: tuple[int, int], path: pa.Table) -> PathSlices:
    """Return the stretches of a critical path between two cycles.

    `path` has `start_cycle`, `end_cycle`, `component`, `kind` and `cause` of each stretch, in order of time: services
    lie on the component, transfers on the channel that is their cause, reasons of a device on its channel. Raises
    InvariantError for a stretch that lies in no row.
    """
    path = path.filter((pc.field("start_cycle") < span[1]) & (pc.field("end_cycle") > span[0]))
    path = path.filter(pc.field("kind") != "latency")
    start, end = (path.column(name).to_numpy() for name in ("start_cycle", "end_cycle"))
    track = _tracks(run, path)
    row = np.full(len(track), -1)
    for number in np.unique(track).tolist():
        own, mine = np.flatnonzero(rows.component == number), track == number
        found = np.searchsorted(rows.end_cycle[own], end[mine])
        if not len(own) or found.max(initial=0) >= len(own) or (rows.start_cycle[own[found]] > start[mine]).any():
            raise InvariantError(f"the critical path lies on {list(run.sections)[number]} where nothing was recorded")
        row[mine] = own[found]
    # An arrow leaves the last stretch before a change and arrives at the first one after it.
    changes = np.flatnonzero(np.diff(track)) + 1
    arriving, leaving = np.zeros(len(track), np.int64), np.zeros(len(track), np.int64)
    arriving[changes] = leaving[changes - 1] = np.arange(1, len(changes) + 1)
    order = np.argsort(row)
    start, end = np.clip(start, *span), np.clip(end, *span)
    return PathSlices(row[order], start[order], end[order], arriving[order], leaving[order])


def _tracks(run: StoredRun, path: pa.Table) -> npt.NDArray[np.int64]:
    """Return the number of the component or channel on whose track each stretch lies."""
    numbers = {name: number for number, name in enumerate(run.sections)}
    names = pc.if_else(pc.equal(path.column("kind"), "transfer"), path.column("cause"), path.column("component"))
    names = names.combine_chunks().dictionary_encode() if len(path) else pa.array([], pa.string()).dictionary_encode()
    of_names = np.array([numbers[name] for name in names.dictionary.to_pylist()], np.int64)
    return np.asarray(of_names[names.indices.to_numpy()]) if len(path) else of_names
