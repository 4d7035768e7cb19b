"""What the logs of one run share: what is kept of it, and where it waits until the tables are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.spill import BatchList

__all__ = ["CHUNK_ROWS", "Recording"]

CHUNK_ROWS = 16_384
"""What a log of a channel or of postings holds as Python objects before it is emptied."""


class Recording:
    """What all logs of one run share.

    The logs hold this and not their recorder: a circle of references would keep whole programs alive until the garbage
    collector comes, three gigabytes of them in a network of 192 layers.
    """

    def __init__(
        self,
        options: TraceOptions,
        layers: tuple[str, ...],
        spill_folder: Path | None,
        debug: Callable[..., object] | None,
    ) -> None:
        self.options = options
        self.layers = layers
        self.debug = debug
        self._spill_folder = spill_folder
        self._spills = 0

    def new_batches(self, name: str) -> BatchList:
        """Return an empty list of batches for the log of `name`."""
        if self._spill_folder is None:
            return BatchList(None)
        self._spills += 1
        return BatchList(self._spill_folder / f"{self._spills:04d}-{name}.arrow")
