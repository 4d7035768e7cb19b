"""The log of a run: one JSON object a line, for what people want to follow and machines to search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from panacea_sim.choices import LogLevel
from panacea_sim.trace.writing import writing

__all__ = ["LogLevel", "open_log"]


class _File:
    """A log file whose errors are those of a run folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
            self._file: TextIO = path.open("w", encoding="utf-8")

    def write(self, text: str) -> None:
        """Write text; raises ConfigError if the disk does not take it."""
        with writing(self._path):
            self._file.write(text)

    def flush(self) -> None:
        """Let readers see what was written; raises ConfigError if the disk does not take it."""
        with writing(self._path):
            self._file.flush()

    def close(self) -> None:
        """Close the file; what the disk has not taken is not tried again."""
        with suppress(OSError):
            self._file.close()


@contextmanager
def open_log(path: Path | None, level: LogLevel) -> Iterator[FilteringBoundLogger]:
    """Give a logger that writes to a new file at `path`, or nowhere if it is None.

    Raises ConfigError, as does the logger, if the file cannot be written.
    """
    file = None if path is None else _File(path)
    try:
        yield structlog.wrap_logger(
            structlog.ReturnLogger() if file is None else structlog.WriteLogger(cast("TextIO", file)),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        )
    finally:
        if file is not None:
            file.close()
