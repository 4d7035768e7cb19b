"""A run as a trace for Perfetto: slices, counters and arrows, and the critical path on the tracks.

Times are in ns: cycles / clock, rounded down, which is exact at 1 GHz.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    DebugAnnotation,
    Trace,
    TracePacket,
    TrackDescriptor,
    TrackEvent,
)

from panacea_sim.trace.bandwidth import bandwidth
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.column_batches import column_batches
from panacea_sim.trace.exporters.flows import Flows, drawn_rows, find_flows
from panacea_sim.trace.exporters.path_slices import NO_PATH, PathSlices, find_path_slices
from panacea_sim.trace.exporters.progress import Progress, silent
from panacea_sim.trace.exporters.protobuf_rows import (
    NOTHING,
    Pieces,
    double,
    fixed64,
    joined,
    message,
    number,
    only,
    to_bytes,
)
from panacea_sim.trace.schema import ACTIVITIES, QUEUES, State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import changes_within, chosen_window, within
from panacea_sim.units import IntArray, cycles_to_ns

__all__ = ["BANDWIDTH_BINS", "PATH_NAME", "SLICE_NAMES", "write_perfetto"]

BANDWIDTH_BINS = 4096
"""Steps of the counters of DRAM bandwidth over the time that is written."""

SLICE_NAMES: dict[State, str] = {
    state: state.value if state is State.BUSY else f"[{state.value}]" for state in State if state is not State.IDLE
}
"""What a slice is called. Idle time is none: it stays empty.

Perfetto chooses a colour by the hash of the name: `busy`, `blocked` and `contended` as such would all be green.
"""

PATH_NAME = "Critical path"
"""What a stretch of the critical path is called, inside the slice of its row; its colour differs from all of those."""

_SEQUENCE = 1
_ROWS_AT_ONCE = 8192
"""Rows that are made into packets at once, so that their bytes stay in the processor's cache."""

_TILE = ("m", "n", "k")
_TEXTS = ("layer", "cause", "cause_component")


def write_perfetto(
    run: StoredRun,
    path: Path,
    window: tuple[int, int] | None = None,
    progress: Progress = silent,
    critical_path: pa.Table | None = None,
) -> None:
    """Write the recorded cycles of a run, or those in `window`, as a gzipped protobuf trace.

    `critical_path` has the stretches of the path (find_path_slices), which are drawn on the tracks.

    Nothing is written before or after them: slices are cut there, because a viewer draws counters up to the end.
    Packets leave memory soon after they were made; only the arrows are held for the whole run (find_flows). `progress`
    is told of rows.
    Raises ConfigError if nothing was recorded there.
    """
    span = chosen_window(run, window)
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as stream:
        writer = _Writer(stream, run.heading.clock_hz)
        root = writer.group(run.name)
        _write_layers(writer, run, root, span)
        _write_activities(writer, run, root, span, progress, critical_path)
        _write_bandwidth(writer, run, root, span)
        _write_queues(writer, run, root, span)
        writer.flush()


class _Writer:
    """Packets of one sequence, with interned texts: the few that describe by the library, the many in rows."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, clock_hz: int) -> None:
        self.clock_hz = clock_hz
        self._stream = stream
        self._trace = Trace()
        self._tracks = 0
        self._interned: dict[str, dict[str, int]] = {}
        self._packet().sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED

    def group(self, name: str, parent: int = 0) -> int:
        """Return a new track that holds tracks in the order in which they are made."""
        return int(self._describe(name, parent).uuid)

    def counter(self, name: str, parent: int, unit: str) -> int:
        """Return a new counter track."""
        track = self._describe(name, parent)
        track.counter.unit_name = unit
        return int(track.uuid)

    def intern(self, kind: str, texts: Iterable[str]) -> list[int]:
        """Return the numbers that stand for texts: event_names, or names or string values of debug annotations."""
        known = self._interned.setdefault(kind, {})
        texts = list(texts)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            entries = getattr(self._packet().interned_data, kind)
            for text in new:
                known[text] = len(known) + 1
                if kind == "debug_annotation_string_values":
                    entries.add(iid=known[text], str=text.encode())
                else:
                    entries.add(iid=known[text], name=text)
        return [known[text] for text in texts]

    def event(self, track: int, time_ns: int, kind: int) -> Any:  # noqa: ANN401  # protobuf's classes have no types
        """Return a new event, to be filled in before the next call."""
        packet = self._packet()
        packet.timestamp = time_ns
        event = packet.track_event
        event.track_uuid = track
        event.type = kind
        return event

    def count(self, track: int, times_ns: IntArray, values: npt.NDArray[Any]) -> None:
        """Write the values of a counter, whole numbers or floating-point ones."""
        whole = values.dtype.kind == "i"
        value = (
            number(TrackEvent, "counter_value", values) if whole else double(TrackEvent, "double_counter_value", values)
        )
        kind = number(TrackEvent, "type", TrackEvent.TYPE_COUNTER)
        event = joined(kind, number(TrackEvent, "track_uuid", track), value)
        self.write(_packet(times_ns, event), len(values))

    def write(self, packets: Pieces, rows: int) -> None:
        """Write packets, some in each row, behind all that were made before."""
        self.flush()
        self._stream.write(to_bytes(packets, rows))

    def flush(self) -> None:
        """Write what was gathered: traces one after the other are one trace."""
        self._stream.write(self._trace.SerializeToString())
        self._trace = Trace()

    def _packet(self) -> Any:  # noqa: ANN401  # protobuf's classes have no types
        return self._trace.packet.add(
            trusted_packet_sequence_id=_SEQUENCE, sequence_flags=TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        )

    def _describe(self, name: str, parent: int) -> Any:  # noqa: ANN401  # protobuf's classes have no types
        self._tracks += 1
        track = self._packet().track_descriptor
        track.uuid = self._tracks
        track.name = name
        track.child_ordering = TrackDescriptor.EXPLICIT
        track.sibling_order_rank = self._tracks
        if parent:
            track.parent_uuid = parent
        return track


def _write_layers(writer: _Writer, run: StoredRun, root: int, span: tuple[int, int]) -> None:
    """Write each layer as a slice; Perfetto shows tracks of one name as one, and layers may overlap."""
    for layer in () if run.summary is None else run.summary.layers:
        cycles = np.clip([layer.start_cycle, layer.end_cycle], *span)
        if cycles[0] < cycles[1]:
            track = writer.group("layers", root)
            start_ns, end_ns = cycles_to_ns(cycles, writer.clock_hz).tolist()
            event = writer.event(track, start_ns, TrackEvent.TYPE_SLICE_BEGIN)
            event.name = layer.name
            writer.event(track, end_ns, TrackEvent.TYPE_SLICE_END)


@dataclass(frozen=True)
class _Marks:
    """What slices carry beside their own row: arrows, and the stretches of the critical path in them.

    `rows` is how many rows there are: the arrows of the path are numbered behind those that lead to a row.
    """

    flows: Flows
    path: PathSlices
    rows: int


def _write_activities(
    writer: _Writer,
    run: StoredRun,
    root: int,
    span: tuple[int, int],
    progress: Progress,
    critical_path: pa.Table | None,
) -> None:
    where = within(span) & (ds.field("state") != State.IDLE.value)
    groups = {section: writer.group(section, root) for section in dict.fromkeys(run.sections.values())}
    tracks = {name: writer.group(name, groups[section]) for name, section in run.sections.items()}
    drawn = drawn_rows(run, where)
    path = NO_PATH if critical_path is None else find_path_slices(run, drawn, span, critical_path)
    row, rows = 0, len(drawn.component)
    marks = _Marks(find_flows(drawn), path, rows)
    del drawn
    for batch in column_batches(run, "activities", run.dataset("activities").schema.names, where):
        progress(row, rows)
        for column in ("start_cycle", "end_cycle"):
            batch[column] = pa.array(np.clip(batch[column].to_numpy(), *span))
        _write_slices(writer, batch, tracks, marks, row)
        row += len(batch["state"])


def _write_slices(writer: _Writer, batch: dict[str, Any], tracks: dict[str, int], marks: _Marks, row: int) -> None:
    """Write the rows of a batch, the first of which is number `row` of all, a part of them at a time."""
    names = dict(zip(SLICE_NAMES, writer.intern("event_names", SLICE_NAMES.values()), strict=True))
    states = [State(name) for name in batch["state"].dictionary.to_pylist()]
    numbers = (*_TILE, "bytes", *(name for name in batch if name not in ACTIVITIES.names))
    iids = dict(zip((*numbers, *_TEXTS), writer.intern("debug_annotation_names", (*numbers, *_TEXTS)), strict=True))
    columns = {
        "track": _named(batch["component"], [tracks[name] for name in batch["component"].dictionary.to_pylist()]),
        "name": _named(batch["state"], [names.get(state, 0) for state in states]),
        "start_ns": cycles_to_ns(batch["start_cycle"].to_numpy(), writer.clock_hz),
        "end_ns": cycles_to_ns(batch["end_cycle"].to_numpy(), writer.clock_hz),
    }
    columns |= {name: batch[name].fill_null(0).to_numpy().astype(np.int64) for name in numbers}
    columns |= {name: _text_iids(writer, batch[name]) for name in _TEXTS}
    (path_name,) = writer.intern("event_names", [PATH_NAME])
    writer.flush()
    for first in range(0, len(columns["track"]), _ROWS_AT_ONCE):
        part = {name: values[first : first + _ROWS_AT_ONCE] for name, values in columns.items()}
        rows = len(part["track"])
        track = number(TrackEvent, "track_uuid", part["track"])
        begin, end = _slice(part, track, iids, marks.flows, row + first)
        inside = _path_slice(marks, track, path_name, row + first, rows, writer.clock_hz)
        writer.write(joined(begin, inside, end), rows)


def _slice(
    part: Mapping[str, IntArray], track: Pieces, iids: Mapping[str, int], flows: Flows, row: int
) -> tuple[Pieces, Pieces]:
    """Return the two packets of each slice; a value that says nothing is left out: no tile, no bytes, no text."""
    rows = len(part["track"])
    begin = [number(TrackEvent, "type", TrackEvent.TYPE_SLICE_BEGIN), track]
    begin.append(number(TrackEvent, "name_iid", part["name"]))
    for name, iid in iids.items():
        values, nothing = part[name], -1 if name in _TILE else 0
        present = values != nothing
        if present.any():
            key = number(DebugAnnotation, "name_iid", iid)
            kind = "string_value_iid" if name in _TEXTS else "int_value"
            value = number(DebugAnnotation, kind, np.where(present, values, 0))
            begin.append(only(message(TrackEvent, "debug_annotations", joined(key, value)), present))
    begin += [only(fixed64(TrackEvent, "flow_ids", stall + 1), present) for stall, present in flows.leaving(row, rows)]
    arriving = flows.arriving(row, rows)
    if arriving.any():
        own = np.arange(row + 1, row + rows + 1)
        begin.append(only(fixed64(TrackEvent, "terminating_flow_ids", own), arriving))
    end = (number(TrackEvent, "type", TrackEvent.TYPE_SLICE_END), track)
    return _packet(part["start_ns"], joined(*begin)), _packet(part["end_ns"], joined(*end))


def _path_slice(marks: _Marks, track: Pieces, name: int, row: int, rows: int, clock_hz: int) -> Pieces:
    """Return the two packets of the stretch of the critical path in each row that has one.

    Both ends of an arrow have its number in the same field: where two stretches begin in one ns, none of them must come
    first in the file.
    """
    stretch = marks.path.of_rows(row, rows)
    present = stretch["start_cycle"] >= 0
    if not present.any():
        return NOTHING
    times_ns = {name: cycles_to_ns(np.maximum(stretch[name], 0), clock_hz) for name in ("start_cycle", "end_cycle")}
    begin = [number(TrackEvent, "type", TrackEvent.TYPE_SLICE_BEGIN), track, number(TrackEvent, "name_iid", name)]
    for side in ("arriving", "leaving"):
        arrow = stretch[side]
        begin.append(only(fixed64(TrackEvent, "flow_ids", marks.rows + arrow), arrow > 0))
    end = (number(TrackEvent, "type", TrackEvent.TYPE_SLICE_END), track)
    packets = (_packet(times_ns["start_cycle"], joined(*begin)), _packet(times_ns["end_cycle"], joined(*end)))
    return only(joined(*packets), present)


def _packet(times_ns: IntArray, event: Pieces) -> Pieces:
    """Return the packet of an event in each row, as a part of a trace."""
    content = joined(
        number(TracePacket, "timestamp", times_ns),
        number(TracePacket, "trusted_packet_sequence_id", _SEQUENCE),
        number(TracePacket, "sequence_flags", TracePacket.SEQ_NEEDS_INCREMENTAL_STATE),
        message(TracePacket, "track_event", event),
    )
    return message(Trace, "packet", content)


def _write_bandwidth(writer: _Writer, run: StoredRun, root: int, span: tuple[int, int]) -> None:
    """Write mean bytes a cycle in each bin, at its beginning, where it changes; the last one lasts to the end."""
    if not run.is_full or not run.has_table("dram"):
        return
    edges = bin_edges(*span, BANDWIDTH_BINS)
    times_ns = cycles_to_ns(edges[:-1], writer.clock_hz)
    group = writer.group("DRAM bandwidth", root)
    for channel, values in bandwidth(run, edges).items():
        track = writer.counter(channel, group, "bytes/cycle")
        kept = np.diff(values, prepend=-1.0) != 0
        writer.count(track, times_ns[kept], values[kept])


def _write_queues(writer: _Writer, run: StoredRun, root: int, span: tuple[int, int]) -> None:
    if not run.has_table("queues"):
        return
    groups: dict[str, int] = {}
    tracks: dict[str, int] = {}
    for batch in column_batches(run, "queues", QUEUES.names, changes_within(run, span)):
        times_ns = cycles_to_ns(batch["cycle"].to_numpy(), writer.clock_hz)
        values = batch["occupancy"].to_numpy()
        indices = batch["queue"].indices.to_numpy()
        names = batch["queue"].dictionary.to_pylist()
        for index in np.unique(indices):
            name, kept = names[index], indices == index
            if name not in tracks:
                tracks[name] = _occupancy_track(writer, root, groups, name)
            writer.count(tracks[name], times_ns[kept], values[kept])


def _occupancy_track(writer: _Writer, root: int, groups: dict[str, int], name: str) -> int:
    """Return a new counter in the group of queues, or of memories, whose names are in capitals."""
    group, unit = ("memories", "bytes") if name.isupper() else ("queues", "tokens")
    if group not in groups:
        groups[group] = writer.group(group, root)
    return writer.counter(name, groups[group], unit)


def _named(column: Any, of_names: Sequence[int]) -> IntArray:  # noqa: ANN401  # pyarrow has no types
    return np.asarray(np.array(of_names, np.int64)[column.indices.to_numpy()])


def _text_iids(writer: _Writer, column: Any) -> IntArray:  # noqa: ANN401  # pyarrow has no types
    """Return the interned number of each text, 0 for an empty one."""
    names = column.dictionary.to_pylist()
    some = [name for name in names if name]
    iids = dict(zip(some, writer.intern("debug_annotation_string_values", some), strict=True))
    return _named(column, [iids.get(name, 0) for name in names])
