"""The log of a channel's grants."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from panacea_sim.trace.log_columns import as_columns, constant, names
from panacea_sim.trace.recording import CHUNK_ROWS, Recording
from panacea_sim.trace.schema import DRAM, EXPLAINED_COLUMNS, EXPLAINED_FROM, GRANT_COLUMNS
from panacea_sim.trace.spill import BatchList

__all__ = ["AccessLog"]

_EXPLAINED = slice(EXPLAINED_FROM, EXPLAINED_FROM + EXPLAINED_COLUMNS)


class AccessLog:
    """What a channel did for each grant."""

    def __init__(self, recording: Recording, channel: str, ports: list[str]) -> None:
        self._recording = recording
        self._channel = channel
        self._ports = ports
        self._keep = recording.options.level == "full"
        self._kept: list[np.ndarray] = []  # what an explanation needs, grants in rows: see EXPLAINED_COLUMNS
        self._rows: list[int] = []
        self._batches = recording.new_batches(channel)

    def extend(self, rows: np.ndarray) -> None:
        """Add many grants at once, one in each row, which are copied."""
        self._write(rows.T.copy())

    def add(self, row: tuple[int, int, int, int, int, int, int, int, int, int]) -> None:
        """Add a grant: bank, row_hit, port number, its firing, request, start, end and ready cycle, bytes, write."""
        if self._keep or self._recording.explains:
            self._rows.extend(row)
            if len(self._rows) >= CHUNK_ROWS * GRANT_COLUMNS:
                self.flush()

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
            self._write(as_columns(self._rows, GRANT_COLUMNS))
            self._rows.clear()

    def _write(self, columns: np.ndarray) -> None:
        if self._recording.explains:
            self._kept.append(np.ascontiguousarray(columns[_EXPLAINED].T))
        if not self._keep:
            return
        if self._recording.options.window is not None:
            first, last = self._recording.options.window
            columns = columns[:, (columns[5] < last) & (columns[6] > first)]
        bank, row_hit, port, firing, request, start, end, ready, size_bytes, write = columns
        if not len(bank):
            return
        batch = [
            constant(self._channel, len(bank)),
            bank.astype(np.int32),
            row_hit.astype(bool),
            names(port, self._ports),
            request,
            start,
            end,
            size_bytes,
            write.astype(bool),
            firing,
            ready,
        ]
        self._batches.append(pa.record_batch(batch, schema=DRAM))
