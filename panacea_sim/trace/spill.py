"""Lists of Arrow batches that wait on disk, so that a long run needs bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from panacea_sim.trace.writing import unwritable

__all__ = ["BatchList", "Spilling", "read_batches"]


@dataclass
class Spilling:
    """Whether batches still go to disk: not when they are about to be read."""

    is_on: bool = True


class BatchList:
    """Batches of one schema, in order, to be read once: in an Arrow stream at `path`, or in memory if that is None.

    Batches that come while `spilling` is not on stay in memory too.
    """

    def __init__(self, path: Path | None, spilling: Spilling | None = None) -> None:
        self._path = path
        self._spilling = spilling or Spilling()
        self._batches: list[pa.RecordBatch] = []
        self._stream: _Stream | None = None

    def append(self, batch: pa.RecordBatch) -> None:
        """Add a batch at the end; raises ConfigError if the disk does not take it, and keeps it in memory then."""
        # Behind one that the disk did not take, all must stay in memory: the order counts.
        if self._path is None or not self._spilling.is_on or self._batches:
            self._batches.append(batch)
            return
        try:
            # Each batch has dictionaries of its own, which a stream, unlike an Arrow file, may replace.
            self._stream = self._stream or _Stream(self._path, batch.schema)
            self._stream.write(batch)
        except OSError as error:
            self._batches.append(batch)
            raise unwritable(error, self._path) from error

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Return the batches in order, whose file then goes; nothing can be added afterwards."""
        if self._stream is not None and self._stream.close():
            yield from read_batches(self._path)
        yield from self._batches

    def close(self) -> Path | None:
        """Finish the stream and return its path, None if it has no batches; nothing can be added afterwards."""
        return self._path if self._stream is not None and self._stream.close() else None


class _Stream:
    """An Arrow stream on disk that ends with the last whole batch, whatever the disk does not take."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._file = pa.OSFile(str(path), "wb")
        self._whole_bytes = 0
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._schema = schema

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch; raises OSError, and leaves the batches before it."""
        try:
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._file, self._schema)
            self._writer.write_batch(batch)
            self._whole_bytes = self._file.tell()
        except OSError:
            self._file.close()
            # A file that has gone, or another kind of file, stays as it is.
            with suppress(OSError):
                os.truncate(self._path, self._whole_bytes)
            raise

    def close(self) -> bool:
        """Finish the file and return whether it has batches."""
        # Without the mark of its end, which needs room, a stream ends with the file.
        if not self._file.closed:
            self._file.close()
        return self._whole_bytes > 0


def read_batches(path: Path | None) -> Iterator[pa.RecordBatch]:
    """Return the batches of a stream that a list of batches has written, and remove it; None stands for none.

    Its room on the disk is free for what becomes of the batches.
    """
    if path is not None:
        with pa.ipc.open_stream(path) as reader:
            yield from reader
        path.unlink()
