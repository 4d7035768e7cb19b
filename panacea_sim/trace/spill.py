"""Lists of Arrow batches that wait on disk, so that a long run needs bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

__all__ = ["BatchList", "read_batches"]


class BatchList:
    """Batches of one schema, in order: in memory if `path` is None, otherwise in an Arrow stream at `path`."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._batches: list[pa.RecordBatch] = []
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def append(self, batch: pa.RecordBatch) -> None:
        """Add a batch at the end."""
        if self._path is None:
            self._batches.append(batch)
            return
        if self._writer is None:
            # Each batch has dictionaries of its own, which a stream, unlike an Arrow file, may replace.
            self._writer = pa.ipc.new_stream(self._path, batch.schema)
        self._writer.write_batch(batch)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return the batches in order; nothing can be added afterwards."""
        if self._path is None:
            yield from self._batches
            return
        yield from read_batches(self.close())

    def close(self) -> Path | None:
        """Finish the stream and return its path, None if it has no batches; nothing can be added afterwards."""
        if self._writer is None:
            return None
        self._writer.close()
        return self._path


def read_batches(path: Path | None) -> Iterator[pa.RecordBatch]:
    """Return the batches of a stream that a list of batches has written; None stands for none."""
    if path is not None:
        with pa.ipc.open_stream(path) as reader:
            yield from reader
