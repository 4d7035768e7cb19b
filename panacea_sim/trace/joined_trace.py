"""The trace of runs that follow each other: the spilled batches of each, with their cycles put behind those before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panacea_sim.mapping.labels import NO_TILE
from panacea_sim.trace.log_columns import widened
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import ACTIVITIES, TABLES, State, with_actions
from panacea_sim.trace.spill import read_batches

__all__ = ["JoinedTrace", "TracePart"]

_CYCLES = frozenset({"cycle", "start_cycle", "end_cycle", "request_cycle", "ready_cycle", "since_cycle"})


@dataclass(frozen=True)
class TracePart:
    """What one run has recorded: for each table the names of its logs in order, with their files (None: no rows).

    `activities` are the columns of that table.
    """

    makespan_cycles: int
    files: Mapping[str, Mapping[str, Path | None]]
    activities: pa.Schema

    @classmethod
    def of(cls, recorder: Recorder, makespan_cycles: int) -> TracePart:
        """Return what a recorder with a spill folder has written, when the run is over."""
        files = {table: recorder.spilled(table) for table in TABLES}
        return cls(makespan_cycles, files, recorder.schema("activities"))


class JoinedTrace:
    """Several traces as one, in the order of the file: each component through all runs, then the next one."""

    def __init__(self, options: TraceOptions, parts: Sequence[TracePart]) -> None:
        self.options = options
        self._parts = parts
        # Layers may differ in what their components do; all have the columns of all.
        self._activities = with_actions(column for part in parts for column in part.activities)

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a table."""
        return self._activities if table == "activities" else TABLES[table]

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """Return the rows of a table in the order of the file; their files go with it."""
        names = max((part.files[table] for part in self._parts), key=len, default={})
        for name in names:
            offset_cycles = 0
            for part in self._parts:
                if name in part.files[table]:
                    for batch in read_batches(part.files[table][name]):
                        yield widened(_shifted(batch, offset_cycles), self.schema(table))
                elif table == "activities":
                    yield from self._idle(name, offset_cycles, offset_cycles + part.makespan_cycles)
                offset_cycles += part.makespan_cycles

    def _idle(self, component: str, start_cycle: int, end_cycle: int) -> Iterator[pa.RecordBatch]:
        """Return the row of a component that a run does without, if such rows are kept."""
        window = self.options.window
        if not self.options.keeps(State.IDLE) or (window and not (start_cycle < window[1] and end_cycle > window[0])):
            return
        schema = self._activities
        row = dict.fromkeys(schema.names, "") | dict.fromkeys(("m", "n", "k"), NO_TILE)
        row |= {"component": component, "state": State.IDLE.value}
        row |= dict.fromkeys(("bytes", *schema.names[len(ACTIVITIES) :]), 0)
        row |= {"start_cycle": start_cycle, "end_cycle": end_cycle}
        yield pa.RecordBatch.from_pylist([row], schema)


def _shifted(batch: pa.RecordBatch, offset_cycles: int) -> pa.RecordBatch:
    columns = [
        pc.add(column, np.int64(offset_cycles)) if name in _CYCLES else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.record_batch(columns, schema=batch.schema)
