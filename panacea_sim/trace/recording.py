"""What the logs of one run share: what is kept of it, and where it waits until the tables are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from panacea_sim.description.actions import Action
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import action_column, with_actions
from panacea_sim.trace.spill import BatchList, Spilling

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
        *,
        explains: bool,
    ) -> None:
        self.options = options
        self.explains = explains
        self.layers = layers
        self.debug = debug
        self._spill_folder = spill_folder
        self._spills = 0
        self._spilling = Spilling()
        self._actions: dict[str, pa.Field] = {}
        self._activities: pa.Schema | None = None

    @property
    def activities(self) -> pa.Schema:
        """The columns of activities; complete when all logs are open."""
        if self._activities is None:
            self._activities = with_actions(self._actions.values())
        return self._activities

    def declare(self, actions: Sequence[Action]) -> None:
        """Let activities have a column for each of these actions."""
        for action in actions:
            self._actions.setdefault(action.name, action_column(action.name, action.unit))
        self._activities = None

    def new_batches(self, name: str) -> BatchList:
        """Return an empty list of batches for the log of `name`."""
        if self._spill_folder is None:
            return BatchList(None)
        self._spills += 1
        return BatchList(self._spill_folder / f"{self._spills:04d}-{name}.arrow", self._spilling)

    def stop_spilling(self) -> None:
        """Keep what still comes in memory: it is about to be read, and the disk may be full."""
        self._spilling.is_on = False
