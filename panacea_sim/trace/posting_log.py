"""The log of a DMA stream's postings: when each request was posted, and what delayed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.log_columns import as_columns, constant, names
from panacea_sim.trace.recording import CHUNK_ROWS, Recording
from panacea_sim.trace.schema import POSTINGS
from panacea_sim.trace.spill import BatchList

__all__ = ["Delay", "PostingLog"]

_WIDTH = 4


class Delay(NamedTuple):
    """A wait of a step: what for, and since which cycle."""

    kind: Kind
    since_cycle: int


class PostingLog:
    """The postings of one stream, in order, with the steps that delayed each of them."""

    def __init__(self, recording: Recording, component: str) -> None:
        self._recording = recording
        self._component = component
        self._keep = recording.options.level == "full"
        self.kinds: list[Kind | None] = [None]
        self._kept: list[np.ndarray] = []
        self._rows: list[int] = []
        self._batches = recording.new_batches(f"{component}-postings")

    def code(self, kind: Kind) -> int:
        """Return the number that stands for this kind of wait; 0 stands for none."""
        if kind not in self.kinds:
            self.kinds.append(kind)
        return self.kinds.index(kind)

    def add(self, firing: int, cycle: int, delays: Sequence[Delay]) -> None:
        """Add the posting of a firing in a cycle, with the steps that had to wait for it, one behind the other."""
        if self._keep or self._recording.explains:
            if not delays:
                self._rows.extend((firing, cycle, 0, cycle))
            for delay in delays:
                self._rows.extend((firing, cycle, self.code(delay.kind), delay.since_cycle))
            if len(self._rows) >= CHUNK_ROWS * _WIDTH:
                self.flush()

    def extend(self, columns: np.ndarray) -> None:
        """Add many postings at once: rows of firings, cycles, codes and since when each waited, [4, rows]."""
        if self._keep or self._recording.explains:
            self._write(columns)

    def batches(self) -> BatchList:
        """Return everything that was kept, in order."""
        self.flush()
        return self._batches

    def take_kept(self) -> list[np.ndarray]:
        """Return what an explanation needs, in order, and let go of it."""
        self.flush()
        kept, self._kept = self._kept, []
        return kept

    def flush(self) -> None:
        """Turn the rows into a batch, as far as they are kept."""
        if self._rows:
            self._write(as_columns(self._rows, _WIDTH))
            self._rows.clear()

    def _write(self, columns: np.ndarray) -> None:
        if self._recording.explains:
            self._kept.append(columns)
        if not self._keep:
            return
        window = self._recording.options.window
        if window is not None:
            columns = columns[:, (columns[1] >= window[0]) & (columns[1] < window[1])]
        firing, cycle, code, since = columns
        if not len(firing):
            return
        kinds = [
            ("", "", "") if kind is None else (kind.state.value, kind.cause, kind.cause_component)
            for kind in self.kinds
        ]
        batch = [
            constant(self._component, len(firing)),
            firing,
            cycle,
            *(names(code, list(texts)) for texts in zip(*kinds, strict=True)),
            since,
        ]
        self._batches.append(pa.record_batch(batch, schema=POSTINGS))
