"""The log of a queue or memory: its occupancy at the end of each cycle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from panacea_sim.trace.log_columns import as_columns, constant
from panacea_sim.trace.recording import Recording
from panacea_sim.trace.schema import QUEUES
from panacea_sim.trace.spill import BatchList

__all__ = ["OccupancyLog"]


class OccupancyLog:
    """The end-of-cycle occupancy of a queue or memory: its high-water mark, and its changes if they are kept.

    `moves` takes a cycle for each token that goes in, and the bitwise complement of the cycle for each that goes out;
    `rows` takes cycle and change in bytes one after the other. A log uses one of the two. As with activities, the
    engine appends directly, in order of time, and calls `flush` now and then.
    """

    def __init__(self, recording: Recording, name: str) -> None:
        self.name = name
        self.moves: list[int] = []
        self.rows: list[int] = []
        self._recording = recording
        self._high_water = 0
        self._last = 0
        self._batches = recording.new_batches(name)

    def high_water(self) -> int:
        """Return the highest occupancy at the end of any cycle, when the run is over."""
        self.flush(over=True)
        return self._high_water

    def batches(self) -> BatchList:
        """Return the changes that were kept, in order, when the run is over."""
        self.flush(over=True)
        return self._batches

    def flush(self, *, over: bool = False) -> None:
        """Settle all cycles but the last, which may still change unless the run is over."""
        if self.moves:
            moves = as_columns(self.moves, 1)[0]
            cycle, change = np.where(moves < 0, ~moves, moves), np.where(moves < 0, -1, 1)
        else:
            cycle, change = as_columns(self.rows, 2)
        settled = len(cycle) if over else int(np.searchsorted(cycle, cycle[-1:].max(initial=0)))
        if settled:
            del self.moves[:settled]
            del self.rows[: 2 * settled]
            self._settle(cycle[:settled], change[:settled])

    def extend(self, cycle: np.ndarray, change: np.ndarray) -> None:
        """Add all changes of a run at once, in order of time."""
        if len(cycle):
            self._settle(cycle, change)

    def _settle(self, cycle: np.ndarray, change: np.ndarray) -> None:
        last_of_cycle = np.append(cycle[1:] != cycle[:-1], True)
        occupancy = (self._last + np.cumsum(change))[last_of_cycle]
        cycle = cycle[last_of_cycle]
        self._high_water = max(self._high_water, int(occupancy.max()))
        kept = np.diff(occupancy, prepend=self._last) != 0
        self._last = int(occupancy[-1])
        options = self._recording.options
        if options.window is not None:
            kept &= (cycle >= options.window[0]) & (cycle < options.window[1])
        if options.level == "full" and kept.any():
            columns = [constant(self.name, int(kept.sum())), cycle[kept], occupancy[kept]]
            self._batches.append(pa.record_batch(columns, schema=QUEUES))
