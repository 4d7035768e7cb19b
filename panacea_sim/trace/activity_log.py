"""The log of a component's or channel's time: intervals from the engines, and the rows they become.

A log keeps plain Python rows and turns them into Arrow batches when a chunk is full, so that a long run needs bounded
memory once the batches go to disk (spill.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from panacea_sim.description.actions import Action
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.trace.log_columns import as_columns, constant, names, widened
from panacea_sim.trace.recording import Recording
from panacea_sim.trace.schema import State, action_column, with_actions
from panacea_sim.trace.spill import BatchList

__all__ = ["NO_FIRING", "ActivityLog", "KeptRows", "Kind"]

NO_FIRING = -1
"""The firing of a row that belongs to none: idle time."""


@dataclass(frozen=True)
class Kind:
    """What an interval is: a state with its cause and the component at the other end."""

    state: State
    cause: str = ""
    cause_component: str = ""


class KeptRows(NamedTuple):
    """Intervals that an explanation needs, each from the end of the one before: codes and end cycles.

    Services with no cycle between them may be one interval; those of a channel may lack its transfers.
    """

    code: np.ndarray
    end_cycle: np.ndarray


class ActivityLog:
    """The intervals of one component, in order of time, and their totals.

    `rows` takes code, start cycle, end cycle and firing one after the other, where `code` stands for a kind of
    interval. `services` takes firing and start cycle of those that last as long as `service_cycles` says. The engine
    appends to both directly, because this is the hottest place of a traced run, and calls `flush` now and then. An
    interval of zero length leaves no trace.
    """

    def __init__(
        self,
        recording: Recording,
        component: str,
        labels: TileLabels,
        size_bytes: np.ndarray | None,
        service_cycles: np.ndarray | None,
        actions: Sequence[Action],
    ) -> None:
        self.component = component
        self.kinds: list[Kind] = []
        self.rows: list[int] = []
        self.services: list[int] = []
        self._recording = recording
        self._labels = labels
        self._size_bytes = size_bytes
        self._service_cycles = service_cycles
        self._actions = actions
        self._schema = with_actions(action_column(action.name, action.unit) for action in actions)
        recording.declare(actions)
        self._codes: dict[tuple[State, str, str], int] = {}
        self._totals_cycles = np.zeros(0, np.int64)
        self._batches = recording.new_batches(component)
        self._kept: list[KeptRows] = []

    def code(self, state: State, cause: str = "", cause_component: str = "") -> int:
        """Return the number that stands for this kind of interval."""
        key = (state, cause, cause_component)
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self.kinds)
            self.kinds.append(Kind(*key))
        return code

    def extend(self, code: np.ndarray, start: np.ndarray, end: np.ndarray, firing: np.ndarray) -> None:
        """Add many intervals at once, in order of time."""
        self.flush()
        self._keep(code, start, end, firing)

    def totals_cycles(self) -> list[int]:
        """Return the cycles of each kind of interval so far, in order of their codes, whatever is kept of the rows."""
        self.flush()
        return [*self._totals_cycles.tolist(), *[0] * (len(self.kinds) - len(self._totals_cycles))]

    def batches(self) -> BatchList:
        """Return everything that was kept, in order."""
        self.flush()
        return self._batches

    def take_kept(self) -> list[KeptRows]:
        """Return what an explanation needs, in order, and let go of it."""
        self.flush()
        kept, self._kept = self._kept, []
        return kept

    def flush(self) -> None:
        """Turn the rows into totals and, as far as they are kept, into a batch."""
        if not self.rows and not self.services:
            return
        self._keep(*self._take_rows())

    def _keep(self, code: np.ndarray, start: np.ndarray, end: np.ndarray, firing: np.ndarray) -> None:
        totals = np.bincount(code, end - start, len(self.kinds)).astype(np.int64)
        totals[: len(self._totals_cycles)] += self._totals_cycles
        self._totals_cycles = totals
        options = self._recording.options
        if self._recording.explains:
            some = end > start
            self._kept.append(KeptRows(code[some].astype(np.int32), end[some]))
        kept = np.array([options.keeps(kind.state) for kind in self.kinds])[code] & (end > start)
        if options.window is not None:
            kept &= (start < options.window[1]) & (end > options.window[0])
        if kept.any():
            batch = self._batch(code[kept], start[kept], end[kept], firing[kept])
            self._batches.append(batch)
            if self._recording.debug is not None:
                for row in widened(batch, self._recording.activities).to_pylist():
                    self._recording.debug("activity", **row)

    def _take_rows(self) -> np.ndarray:
        """Return all rows and services as columns in order of time, and empty both lists."""
        rows = as_columns(self.rows, 4)
        self.rows.clear()
        if self.services:
            firing, start = as_columns(self.services, 2)
            self.services.clear()
            assert self._service_cycles is not None
            end = start + self._service_cycles[firing]
            busy = np.full(len(start), self.code(State.BUSY))
            rows = np.concatenate([rows, [busy, start, end, firing]], axis=1)
            rows = rows[:, np.lexsort((rows[2], rows[1]))]
        return rows

    def _batch(self, code: np.ndarray, start: np.ndarray, end: np.ndarray, firing: np.ndarray) -> pa.RecordBatch:
        some = firing >= 0
        busy = np.array([kind.state is State.BUSY for kind in self.kinds])[code]
        labelled = some if len(self._labels.m) else np.zeros_like(some)
        layer, m, n, k = (_pick(column, firing, labelled, NO_TILE) for column in _columns(self._labels))
        served = some & busy
        moved = np.zeros(len(code), np.int64)
        if self._size_bytes is not None:
            moved = _pick(self._size_bytes, firing, served, 0)
        amounts = np.zeros((len(self._actions), len(code)), np.int64)
        for row, action in zip(amounts, self._actions, strict=True):
            row[served] = action.amounts(firing[served])
        layers = ["", *self._recording.layers]
        columns = [
            constant(self.component, len(code)),
            names(code, [kind.state.value for kind in self.kinds]),
            start,
            end,
            names(layer + 1, layers),
            m.astype(np.int32),
            n.astype(np.int32),
            k.astype(np.int32),
            names(code, [kind.cause for kind in self.kinds]),
            names(code, [kind.cause_component for kind in self.kinds]),
            moved,
            *amounts,
        ]
        return pa.record_batch(columns, schema=self._schema)


def _columns(labels: TileLabels) -> tuple[np.ndarray, ...]:
    return labels.layer, labels.m, labels.n, labels.k


def _pick(column: np.ndarray, firing: np.ndarray, some: np.ndarray, otherwise: int) -> np.ndarray:
    picked = np.full(len(firing), otherwise, np.int64)
    picked[some] = column[firing[some]]
    return picked
