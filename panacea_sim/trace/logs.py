"""The logs of a run, one for each component, queue and channel: rows from the engines, and the columns they become.

A log keeps plain Python rows and turns them into Arrow batches when a chunk is full, so that a long run needs bounded
memory once the batches go to disk (spill.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from panacea_sim.description.actions import Action
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import ACTIVITIES, DRAM, OPERATORS, QUEUES, State
from panacea_sim.trace.spill import BatchList

__all__ = ["CHUNK_ROWS", "NO_FIRING", "AccessLog", "ActivityLog", "OccupancyLog", "Setting"]

CHUNK_ROWS = 16_384
"""What a channel's logs hold as Python objects before they are emptied."""

_ACCESS_WIDTH = 8

NO_FIRING = -1
"""The firing of a row that belongs to none: idle time."""


@dataclass(frozen=True)
class Kind:
    """What an interval is: a state with its cause and the component at the other end."""

    state: State
    cause: str = ""
    cause_component: str = ""


class Setting:
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


class ActivityLog:
    """The intervals of one component, in order of time, and their totals.

    `rows` takes code, start cycle, end cycle and firing one after the other, where `code` stands for a kind of
    interval. `services` takes firing and start cycle of those that last as long as `service_cycles` says. The engine
    appends to both directly, because this is the hottest place of a traced run, and calls `flush` now and then. An
    interval of zero length leaves no trace.
    """

    def __init__(
        self,
        setting: Setting,
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
        self._setting = setting
        self._labels = labels
        self._size_bytes = size_bytes
        self._service_cycles = service_cycles
        self._actions = {action.name: action for action in actions}
        self._codes: dict[tuple[State, str, str], int] = {}
        self._totals_cycles = np.zeros(0, np.int64)
        self._batches = setting.new_batches(component)

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

    def flush(self) -> None:
        """Turn the rows into totals and, as far as they are kept, into a batch."""
        if not self.rows and not self.services:
            return
        self._keep(*self._take_rows())

    def _keep(self, code: np.ndarray, start: np.ndarray, end: np.ndarray, firing: np.ndarray) -> None:
        totals = np.bincount(code, end - start, len(self.kinds)).astype(np.int64)
        totals[: len(self._totals_cycles)] += self._totals_cycles
        self._totals_cycles = totals
        options = self._setting.options
        kept = np.array([options.keeps(kind.state) for kind in self.kinds])[code] & (end > start)
        if options.window is not None:
            kept &= (start < options.window[1]) & (end > options.window[0])
        if kept.any():
            batch = self._batch(code[kept], start[kept], end[kept], firing[kept])
            self._batches.append(batch)
            if self._setting.debug is not None:
                for row in batch.to_pylist():
                    self._setting.debug("activity", **row)

    def _take_rows(self) -> np.ndarray:
        """Return all rows and services as columns in order of time, and empty both lists."""
        rows = _as_columns(self.rows, 4)
        self.rows.clear()
        if self.services:
            firing, start = _as_columns(self.services, 2)
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
        steps = np.zeros((len(OPERATORS), len(code)), np.int32)
        for row, operator in zip(steps, OPERATORS, strict=True):
            if (action := self._actions.get(f"{operator}_steps")) is not None:
                row[served] = action.amounts(firing[served])
        layers = ["", *self._setting.layers]
        columns = [
            _constant(self.component, len(code)),
            _names(code, [kind.state.value for kind in self.kinds]),
            start,
            end,
            _names(layer + 1, layers),
            m.astype(np.int32),
            n.astype(np.int32),
            k.astype(np.int32),
            _names(code, [kind.cause for kind in self.kinds]),
            _names(code, [kind.cause_component for kind in self.kinds]),
            moved,
            *steps,
        ]
        return pa.record_batch(columns, schema=ACTIVITIES)


class OccupancyLog:
    """The end-of-cycle occupancy of a queue or memory: its high-water mark, and its changes if they are kept.

    `moves` takes a cycle for each token that goes in, and the bitwise complement of the cycle for each that goes out;
    `rows` takes cycle and change in bytes one after the other. A log uses one of the two. As with activities, the
    engine appends directly, in order of time, and calls `flush` now and then.
    """

    def __init__(self, setting: Setting, name: str) -> None:
        self.name = name
        self.moves: list[int] = []
        self.rows: list[int] = []
        self._setting = setting
        self._high_water = 0
        self._last = 0
        self._batches = setting.new_batches(name)

    def high_water(self) -> int:
        """Return the highest occupancy at the end of any cycle, when the run is over."""
        self.flush(over=True)
        return self._high_water

    def batches(self) -> BatchList:
        """Return the changes that were kept, in order, when the run is over."""
        self.flush(over=True)
        return self._batches

    def flush(self, *, over: bool = False) -> None:
        """Settle all cycles but the last, which may still change unless the run is over."""
        if self.moves:
            moves = _as_columns(self.moves, 1)[0]
            cycle, change = np.where(moves < 0, ~moves, moves), np.where(moves < 0, -1, 1)
        else:
            cycle, change = _as_columns(self.rows, 2)
        settled = len(cycle) if over else int(np.searchsorted(cycle, cycle[-1:].max(initial=0)))
        if settled:
            del self.moves[:settled]
            del self.rows[: 2 * settled]
            self._settle(cycle[:settled], change[:settled])

    def extend(self, cycle: np.ndarray, change: np.ndarray) -> None:
        """Add all changes of a run at once, in order of time."""
        if len(cycle):
            self._settle(cycle, change)

    def _settle(self, cycle: np.ndarray, change: np.ndarray) -> None:
        last_of_cycle = np.append(cycle[1:] != cycle[:-1], True)
        occupancy = (self._last + np.cumsum(change))[last_of_cycle]
        cycle = cycle[last_of_cycle]
        self._high_water = max(self._high_water, int(occupancy.max()))
        kept = np.diff(occupancy, prepend=self._last) != 0
        self._last = int(occupancy[-1])
        options = self._setting.options
        if options.window is not None:
            kept &= (cycle >= options.window[0]) & (cycle < options.window[1])
        if options.level == "full" and kept.any():
            columns = [_constant(self.name, int(kept.sum())), cycle[kept], occupancy[kept]]
            self._batches.append(pa.record_batch(columns, schema=QUEUES))


class AccessLog:
    """What a channel did for each grant."""

    def __init__(self, setting: Setting, channel: str, ports: list[str]) -> None:
        self._setting = setting
        self._channel = channel
        self._ports = ports
        self._keep = setting.options.level == "full"
        self._rows: list[int] = []
        self._batches = setting.new_batches(channel)

    def extend(self, rows: np.ndarray) -> None:
        """Add many grants at once, one in each row."""
        if self._keep:
            self._write(rows.T)

    def add(self, row: tuple[int, int, int, int, int, int, int, int]) -> None:
        """Add a grant: bank, row_hit, port number, request, start and end cycle, bytes, write."""
        if self._keep:
            self._rows.extend(row)
            if len(self._rows) >= CHUNK_ROWS * _ACCESS_WIDTH:
                self._flush()

    def batches(self) -> BatchList:
        """Return everything that was kept, in order."""
        self._flush()
        return self._batches

    def _flush(self) -> None:
        if self._rows:
            self._write(_as_columns(self._rows, _ACCESS_WIDTH))
            self._rows.clear()

    def _write(self, columns: np.ndarray) -> None:
        if self._setting.options.window is not None:
            first, last = self._setting.options.window
            columns = columns[:, (columns[4] < last) & (columns[5] > first)]
        bank, row_hit, port, request, start, end, size_bytes, write = columns
        if not len(bank):
            return
        batch = [
            _constant(self._channel, len(bank)),
            bank.astype(np.int32),
            row_hit.astype(bool),
            _names(port, self._ports),
            request,
            start,
            end,
            size_bytes,
            write.astype(bool),
        ]
        self._batches.append(pa.record_batch(batch, schema=DRAM))


def _as_columns(rows: list[int], width: int) -> np.ndarray:
    """Return flat rows as `width` columns; the detour over an array is three times faster than numpy's own."""
    return np.frombuffer(array("q", rows), np.int64).reshape(-1, width).T


def _columns(labels: TileLabels) -> tuple[np.ndarray, ...]:
    return labels.layer, labels.m, labels.n, labels.k


def _pick(column: np.ndarray, firing: np.ndarray, some: np.ndarray, otherwise: int) -> np.ndarray:
    picked = np.full(len(firing), otherwise, np.int64)
    picked[some] = column[firing[some]]
    return picked


def _names(codes: np.ndarray, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(names, pa.string()))


def _constant(name: str, length: int) -> pa.DictionaryArray:
    return _names(np.zeros(length, np.int32), [name])
