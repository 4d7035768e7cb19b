"""The recorder: what happened in a run, in one log for each component, queue, channel and stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from panacea_sim.description.actions import Action
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.trace.access_log import AccessLog
from panacea_sim.trace.activity_log import ActivityLog
from panacea_sim.trace.kept_run import KeptRun
from panacea_sim.trace.log_columns import widened
from panacea_sim.trace.occupancy_log import OccupancyLog
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.posting_log import PostingLog
from panacea_sim.trace.recording import Recording
from panacea_sim.trace.schema import TABLES

__all__ = ["Recorder"]

_Log = ActivityLog | OccupancyLog | AccessLog | PostingLog


class Recorder:
    """All logs of one run.

    `layers` are the names that the layer numbers of the labels stand for. With `spill_folder`, full chunks wait on
    disk until the tables are read; without it they stay in memory. `debug`, a logger's method, is called for every
    interval that is kept; they come in chunks of one component, each with its cycles. With `explains` the logs hold on
    to all that an explanation needs, whatever goes into the tables; an engine may keep rows and grants
    by itself, all in one.
    """

    def __init__(
        self,
        options: TraceOptions | None = None,
        layers: tuple[str, ...] = (),
        spill_folder: Path | None = None,
        debug: Callable[..., object] | None = None,
        *,
        explains: bool = False,
    ) -> None:
        self.activities: dict[str, ActivityLog] = {}
        self.occupancies: dict[str, OccupancyLog] = {}
        self.accesses: dict[str, AccessLog] = {}
        self.postings: dict[str, PostingLog] = {}
        self.kept: KeptRun | None = None
        self._recording = Recording(options or TraceOptions(), layers, spill_folder, debug, explains=explains)

    @property
    def options(self) -> TraceOptions:
        """What is kept."""
        return self._recording.options

    @property
    def explains(self) -> bool:
        """Whether the logs hold on to what an explanation needs."""
        return self._recording.explains

    def activity_log(
        self,
        component: str,
        labels: TileLabels | None,
        size_bytes: np.ndarray | None = None,
        service_cycles: np.ndarray | None = None,
        actions: Sequence[Action] = (),
    ) -> ActivityLog:
        """Return the new log of a component; `labels`, `size_bytes` and `service_cycles` are indexed by firing.

        `actions` become columns.
        """
        log = ActivityLog(self._recording, component, labels or TileLabels.none(0), size_bytes, service_cycles, actions)
        return self.activities.setdefault(component, log)

    def occupancy_log(self, name: str) -> OccupancyLog:
        """Return the new log of a queue or memory."""
        return self.occupancies.setdefault(name, OccupancyLog(self._recording, name))

    def access_log(self, channel: str, ports: list[str]) -> AccessLog:
        """Return the new log of a channel with these ports."""
        return self.accesses.setdefault(channel, AccessLog(self._recording, channel, ports))

    def posting_log(self, component: str) -> PostingLog:
        """Return the new log of what a stream posts."""
        return self.postings.setdefault(component, PostingLog(self._recording, component))

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a table."""
        return self._recording.activities if table == "activities" else TABLES[table]

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """Return the rows of a table in the order of the file; those that wait on disk go with it."""
        self._recording.stop_spilling()
        for log in self._logs(table).values():
            for batch in log.batches():
                yield widened(batch, self.schema(table))

    def spilled(self, table: str) -> dict[str, Path | None]:
        """Finish all logs of a table and return their files by name, None where nothing was kept."""
        return {name: log.batches().close() for name, log in self._logs(table).items()}

    def table(self, table: str) -> pa.Table:
        """Return a whole table in memory, for small runs and tests."""
        return pa.Table.from_batches(self.batches(table), self.schema(table))

    def _logs(self, table: str) -> Mapping[str, _Log]:
        logs: dict[str, Mapping[str, _Log]] = {
            "activities": self.activities,
            "queues": self.occupancies,
            "dram": self.accesses,
            "postings": self.postings,
        }
        return logs[table]
