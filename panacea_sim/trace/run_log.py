"""The log of a run: one JSON object a line, for what people want to follow and machines to search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import structlog
from structlog.typing import FilteringBoundLogger

from panacea_sim.choices import LogLevel

__all__ = ["LogLevel", "open_log"]


@contextmanager
def open_log(path: Path | None, level: LogLevel) -> Iterator[FilteringBoundLogger]:
    """Give a logger that writes to a new file at `path`, or nowhere if it is None."""
    with path.open("w", encoding="utf-8", buffering=1) if path else nullcontext() as file:
        yield structlog.wrap_logger(
            structlog.ReturnLogger() if file is None else structlog.WriteLogger(file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        )
