"""A run as a value change dump, with a save file that shows it in GTKWave.

Times are in ps: cycles / clock, rounded down, which is exact if the period is a whole number of ps. Lines are made in
columns of text, many at a time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from vcd import VCDWriter
from vcd.gtkw import GTKWFlag, GTKWSave
from vcd.writer import Variable

from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.exporters.progress import Progress, silent
from panacea_sim.trace.schema import QUEUES
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import changes_within, chosen_window, within
from panacea_sim.units import IntArray, ceil_div, cycles_to_ps

__all__ = ["NOT_RECORDED", "write_gtkw", "write_vcd"]

NOT_RECORDED = "not_recorded"
"""The state of a component in cycles of which the trace says nothing."""

_ROOT = "run"
_NOTHING = "-"
_KINDS = ("state", "tile", "cause")
"""The texts of a component, in the order of its variables."""

_ROWS = 500_000
"""About how many rows are in a stretch: a longer one needs more memory, a shorter one lets the file be read again."""

_WAVE_PIXELS = 900
"""The width of the waves in a window of the size that the save file asks for, less a margin."""

_ZOOM_PIXELS = 200
"""GTKWave's zoom is minus the binary logarithm of the ticks in so many pixels."""

_ESCAPES = {number: f"\\x{number:02x}" for number in (*range(33), 127)}
_ESCAPES |= {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r", ord("\\"): "\\\\"}
"""What would end a text for its reader; letters outside ASCII stay as they are, in UTF-8."""


def write_vcd(run: StoredRun, path: Path, window: tuple[int, int] | None = None, progress: Progress = silent) -> None:
    """Write the recorded cycles of a run, or those in `window`, as VCD.

    Each component has the texts `state`, `tile` (layer:m,n,k) and `cause`, each queue and memory its occupancy. Behind
    them nothing is known. The time is written in stretches, which need as much memory as their own rows; `progress` is
    told of them. Raises ConfigError if nothing was recorded in `window`.
    """
    span = chosen_window(run, window)
    queues = _occupancies(run)
    activities, occupancies = _Activities(run, span), _Occupancies(run, queues, span)
    rows = run.dataset("activities").count_rows(filter=within(span))
    edges = bin_edges(*span, max(ceil_div(rows, _ROWS), 1))
    # Rows reach beyond the span on both sides; times are half open, and the last end is the edge itself.
    edges[0], edges[-1] = 0, run.end_cycle + 1
    with path.open("wb") as file:
        lines = _Lines(file, _header(file, run, queues))
        for done, stretch in enumerate(pairwise(edges.tolist())):
            progress(done, len(edges) - 1)
            lines.write([*activities.changes(stretch), *occupancies.changes(stretch)], run.heading.clock_hz)
        if span[1] < run.end_cycle:
            lines.write([occupancies.end()], run.heading.clock_hz)


def write_gtkw(run: StoredRun, path: Path, dump: Path, window: tuple[int, int] | None = None) -> None:
    """Write a save file that makes GTKWave show states by section, then occupancies, of `dump`, zoomed to fit."""
    sections: dict[str, list[str]] = {}
    for component, section in run.sections.items():
        sections.setdefault(section, []).append(component)
    span_ps = cycles_to_ps(np.array(chosen_window(run, window)), run.heading.clock_hz).tolist()
    # A dump that is not of a window begins at 0, whatever was recorded.
    first_ps, last_ps = (0 if window is None else span_ps[0]), span_ps[1]
    with path.open("w", encoding="utf-8") as file:
        save = GTKWSave(file)
        save.dumpfile(str(dump.resolve()))
        save.size(1400, 800)
        save.zoom_markers(-math.log2(max(last_ps - first_ps, 1) / _WAVE_PIXELS * _ZOOM_PIXELS))
        save.timestart(first_ps)
        save.signals_width(180)
        for section, components in sections.items():
            with save.group(section):
                for component in components:
                    for name in ("state", "tile", "cause"):
                        save.trace(
                            f"{_ROOT}.{section}.{component}.{name}", alias=f"{component} {name}", datafmt="ascii"
                        )
        with save.group("occupancy"):
            for name in _occupancies(run):
                save.trace(f"{_ROOT}.occupancy.{name}", alias=name, datafmt="dec", extraflags=GTKWFlag.analog_step)


def _occupancies(run: StoredRun) -> list[str]:
    """Return the queues and memories whose occupancy was recorded, in the order of the file."""
    found: dict[str, None] = {}
    if run.has_table("queues"):
        for batch in column_batches(run, "queues", ["queue"]):
            column = batch["queue"]
            names = column.dictionary.to_pylist()
            found |= dict.fromkeys(names[index] for index in column.indices.unique().to_pylist())
    return list(found)


def _header(file: IO[bytes], run: StoredRun, queues: Sequence[str]) -> list[str]:
    """Write all variables with their first values and return the short names that stand for them in changes.

    They are those of each component in turn, then those of the queues.
    """
    text = io.StringIO()
    with VCDWriter(text, "1 ps", "") as writer:
        first = dict(zip(_KINDS, (NOT_RECORDED, _NOTHING, _NOTHING), strict=True))
        variables: list[Variable[Any]] = [
            writer.register_var(f"{_ROOT}.{section}.{component}", kind, "string", init=value)
            for component, section in run.sections.items()
            for kind, value in first.items()
        ]
        variables += [writer.register_var(f"{_ROOT}.occupancy", name, "integer", size=64) for name in queues]
    file.write(text.getvalue().encode())
    return [variable.ident for variable in variables]


class _Changes(NamedTuple):
    """Changes of variables, those of each one in the order of time; texts lack the variable and the end of the line."""

    cycle: IntArray
    variable: IntArray
    text: pa.StringArray


class _Lines:
    """The lines of changes, below a header that ends with time 0."""

    def __init__(self, file: IO[bytes], identifiers: Sequence[str]) -> None:
        self._file = file
        self._ends = pa.array([f" {each}\n" for each in identifiers], pa.string())
        self._last_ps = 0

    def write(self, parts: Sequence[_Changes], clock_hz: int) -> None:
        """Write changes, none of them before one that was written, in the order of time."""
        cycle = np.concatenate([part.cycle for part in parts])
        if not len(cycle):
            return
        order = np.argsort(cycle, kind="stable")
        times_ps = cycles_to_ps(cycle[order], clock_hz)
        begins = np.diff(times_ps, prepend=self._last_ps) > 0
        self._last_ps = int(times_ps[-1])
        times = pc.binary_join_element_wise("#", pa.array(times_ps[begins]).cast(pa.string()), "\n", "")
        times = pa.concat_arrays([pa.array([""]), times]).take(pa.array(np.where(begins, np.cumsum(begins), 0)))
        texts = pa.concat_arrays([part.text for part in parts]).take(pa.array(order))
        ends = self._ends.take(pa.array(np.concatenate([part.variable for part in parts])[order]))
        self._file.write(pc.binary_join_element_wise(times, texts, ends, "").buffers()[2])


class _Activities:
    """What components do: state, layer, m, n, k, cause and its other end, as numbers; `names` knows those of texts."""

    def __init__(self, run: StoredRun, span: tuple[int, int]) -> None:
        self._run = run
        self._span = span
        self._components = {name: number for number, name in enumerate(run.sections)}
        self._names = {"": 0, NOT_RECORDED: 1}
        self._unknown = np.array([1, 0, -1, -1, -1, 0, 0])
        self._last = np.tile(self._unknown, (len(run.sections), 1))

    def changes(self, stretch: tuple[int, int]) -> list[_Changes]:
        """Return what begins in a stretch of time, or ends without a successor; what is not in the span is cut off."""
        cycle, subject, values = self._read(stretch)
        before = np.empty_like(values)
        by_subject = np.argsort(subject, kind="stable")
        first = np.flatnonzero(np.diff(subject[by_subject], prepend=-1))
        before[by_subject[1:]] = values[by_subject[:-1]]
        before[by_subject[first]] = self._last[subject[by_subject[first]]]
        last = by_subject[np.append(first[1:], len(by_subject))[: len(first)] - 1]
        self._last[subject[last]] = values[last]
        differs = values != before
        found = []
        for kind, (columns, texts) in enumerate(
            ((slice(0, 1), self._states), (slice(1, 5), self._tiles), (slice(5, 7), self._causes))
        ):
            changed = np.flatnonzero(differs[:, columns].any(axis=1))
            variable = subject[changed] * len(_KINDS) + kind
            found.append(_Changes(cycle[changed], variable, texts(values[changed, columns])))
        return found

    def _read(self, stretch: tuple[int, int]) -> tuple[IntArray, IntArray, IntArray]:
        """Return cycle, component and values of what comes in a stretch, in the order of time."""
        names = ["component", "start_cycle", "end_cycle", "state", "layer", "m", "n", "k", "cause", "cause_component"]
        inside = _in("start_cycle", stretch) | _in("end_cycle", stretch)
        parts = [np.zeros((0, len(names)), np.int64)]
        for batch in column_batches(self._run, "activities", names, inside & within(self._span)):
            columns = [codes(batch["component"], self._components)]
            columns += [self._numbers(batch[name]) for name in names[1:]]
            parts.append(np.stack(columns, axis=1))
        rows = np.concatenate(parts)
        subject, start, end = rows[:, 0], rows[:, 1], rows[:, 2]
        count = len(self._components)
        begins = np.flatnonzero((start >= stretch[0]) & (start < stretch[1]))
        followed = np.isin(end * count + subject, start * count + subject)
        stops = np.flatnonzero((end >= stretch[0]) & (end < stretch[1]) & ~followed)
        cycle = np.clip(np.concatenate([start[begins], end[stops]]), *self._span)
        order = np.argsort(cycle, kind="stable")
        values = np.concatenate([rows[begins, 3:], np.tile(self._unknown, (len(stops), 1))])[order]
        values[values[:, 1] == 0, 2:5] = -1  # without a layer there is no tile
        return cycle[order], np.concatenate([subject[begins], subject[stops]])[order], values

    def _numbers(self, column: Any) -> IntArray:  # noqa: ANN401  # pyarrow has no types
        if not pa.types.is_dictionary(column.type):
            return np.asarray(column.to_numpy(), np.int64)
        known = self._names
        of_names = [known.setdefault(name, len(known)) for name in column.dictionary.to_pylist()]
        return np.asarray(np.array(of_names, np.int64)[column.indices.to_numpy()])

    def _of_names(self) -> pa.StringArray:
        return pa.array(["s" + name.translate(_ESCAPES) for name in self._names], pa.string())

    def _states(self, values: IntArray) -> pa.StringArray:
        return self._of_names().take(pa.array(values[:, 0]))

    def _tiles(self, values: IntArray) -> pa.StringArray:
        layers = self._of_names().take(pa.array(values[:, 0]))
        m, n, k = (pa.array(values[:, at]).cast(pa.string()) for at in range(1, 4))
        tiles = pc.binary_join_element_wise(layers, pc.binary_join_element_wise(m, n, k, ","), ":")
        return pc.if_else(pa.array(values[:, 0] == 0), f"s{_NOTHING}", tiles)

    def _causes(self, values: IntArray) -> pa.StringArray:
        texts, pairs = list(self._names), values[:, 0] * len(self._names) + values[:, 1]
        found, place = np.unique(pairs, return_inverse=True)
        lines = []
        for cause, other in ((texts[pair // len(texts)], texts[pair % len(texts)]) for pair in found.tolist()):
            line = f"{cause}({other})" if cause and other else cause or other or _NOTHING
            lines.append("s" + line.translate(_ESCAPES))
        return pa.array(lines, pa.string()).take(pa.array(place))


class _Occupancies:
    """The occupancies of queues and memories, whose variables come behind those of the components."""

    def __init__(self, run: StoredRun, queues: Sequence[str], span: tuple[int, int]) -> None:
        self._run = run
        self._span = span
        self._queues = {name: number for number, name in enumerate(queues)}
        self._first = len(_KINDS) * len(run.sections)
        self._changed = np.zeros(len(queues), bool)

    def changes(self, stretch: tuple[int, int]) -> list[_Changes]:
        """Return the changes in a stretch of time."""
        found = []
        inside = _in("cycle", stretch) & changes_within(self._run, self._span)
        for batch in column_batches(self._run, "queues", QUEUES.names, inside) if self._queues else ():
            queue = codes(batch["queue"], self._queues)
            self._changed[queue] = True
            values, place = np.unique(batch["occupancy"].to_numpy(), return_inverse=True)
            texts = pa.array([f"b{value:b}" for value in values.tolist()], pa.string())
            found.append(_Changes(batch["cycle"].to_numpy(), self._first + queue, texts.take(pa.array(place))))
        return found

    def end(self) -> _Changes:
        """Return the changes to the unknown where the span ends."""
        queue = np.flatnonzero(self._changed)
        cycle = np.full(len(queue), self._span[1])
        return _Changes(cycle, self._first + queue, pa.array(["bx"] * len(queue), pa.string()))


def _in(column: str, stretch: tuple[int, int]) -> ds.Expression:
    return (ds.field(column) >= stretch[0]) & (ds.field(column) < stretch[1])
