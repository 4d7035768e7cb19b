"""A run as a value change dump, with a save file that shows it in GTKWave.

Times are in ps: cycles / clock, rounded down, which is exact if the period is a whole number of ps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from vcd import VCDWriter
from vcd.gtkw import GTKWFlag, GTKWSave
from vcd.writer import Variable

from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.schema import QUEUES
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import changes_within, chosen_window, within
from panacea_sim.units import IntArray, ceil_div, cycles_to_ps

__all__ = ["NOT_RECORDED", "write_gtkw", "write_vcd"]

NOT_RECORDED = "not_recorded"
"""The state of a component in cycles of which the trace says nothing."""

_ROOT = "run"
_NOTHING = "-"
_ROWS = 200_000
"""About how many rows are in a stretch."""


def write_vcd(run: StoredRun, path: Path, window: tuple[int, int] | None = None) -> None:
    """Write the recorded cycles of a run, or those in `window`, as VCD.

    Each component has the texts `state`, `tile` (layer:m,n,k) and `cause`, each queue and memory its occupancy. Behind
    them nothing is known. The time is written in stretches, which need as much memory as their own rows.
    Raises ConfigError if nothing was recorded in `window`.
    """
    span = chosen_window(run, window)
    queues = _occupancies(run)
    with path.open("w", encoding="ascii", errors="replace") as file, VCDWriter(file, "1 ps", "") as writer:
        components = [_texts(writer, component, section) for component, section in run.sections.items()]
        integers = [writer.register_var(f"{_ROOT}.occupancy", name, "integer", size=64) for name in queues]
        rows = pq.read_metadata(run.path / "activities.parquet").num_rows
        edges = bin_edges(*span, max(ceil_div(rows, _ROWS), 1))
        # Rows reach beyond the span on both sides; times are half open, and the last end is the edge itself.
        edges[0], edges[-1] = 0, run.end_cycle + 1
        for first, last in pairwise(edges.tolist()):
            changes = [_activities(run, (first, last), span)]
            if queues:
                changes.append(_occupancy(run, queues, (first, last), span))
            _write(writer, changes, components, integers, run.heading.clock_hz)
        if span[1] < run.end_cycle:
            end_ps = int(cycles_to_ps(np.array(span), run.heading.clock_hz)[1])
            for integer in integers:
                writer.change(integer, end_ps, "x")


def write_gtkw(run: StoredRun, path: Path, dump: Path, window: tuple[int, int] | None = None) -> None:
    """Write a save file that makes GTKWave show the states by section, then the occupancies, of `dump`."""
    sections: dict[str, list[str]] = {}
    for component, section in run.sections.items():
        sections.setdefault(section, []).append(component)
    first_ps = 0 if window is None else int(cycles_to_ps(np.array(chosen_window(run, window)), run.heading.clock_hz)[0])
    with path.open("w", encoding="utf-8") as file:
        save = GTKWSave(file)
        save.dumpfile(str(dump.resolve()))
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


@dataclass(frozen=True)
class _Changes:
    """Changes in one stretch of time: cycle, what changes (a component, or a queue), and its values."""

    cycle: IntArray
    subject: IntArray
    values: Sequence[tuple[str, ...] | int]


def _texts(writer: VCDWriter, component: str, section: str) -> tuple[Variable[Any], ...]:
    scope = f"{_ROOT}.{section}.{component}"
    first = {"state": NOT_RECORDED, "tile": _NOTHING, "cause": _NOTHING}
    return tuple(writer.register_var(scope, name, "string", init=value) for name, value in first.items())


def _write(
    writer: VCDWriter,
    changes: Sequence[_Changes],
    components: Sequence[tuple[Variable[Any], ...]],
    integers: Sequence[Variable[Any]],
    clock_hz: int,
) -> None:
    """Write changes in the order of time."""
    cycles = np.concatenate([part.cycle for part in changes])
    order = np.argsort(cycles, kind="stable")
    times_ps = cycles_to_ps(cycles[order], clock_hz).tolist()
    subjects = np.concatenate([part.subject for part in changes])[order].tolist()
    values = [value for part in changes for value in part.values]
    for time_ps, subject, at in zip(times_ps, subjects, order.tolist(), strict=True):
        value = values[at]
        if isinstance(value, int):
            writer.change(integers[subject], time_ps, value)
        else:
            for variable, text in zip(components[subject], value, strict=True):
                writer.change(variable, time_ps, text)


def _activities(run: StoredRun, stretch: tuple[int, int], span: tuple[int, int]) -> _Changes:
    """Return what begins in a stretch of time, and what ends without a successor; what is not in `span` is cut off."""
    numbers = {name: number for number, name in enumerate(run.sections)}
    inside = _in("start_cycle", stretch) | _in("end_cycle", stretch)
    names = ["component", "state", "layer", "m", "n", "k", "cause", "cause_component", "start_cycle", "end_cycle"]
    starts, ends, subjects = [], [], []
    values: list[tuple[str, str, str]] = []
    for batch in column_batches(run, "activities", names, inside & within(span)):
        subjects.append(codes(batch["component"], numbers))
        starts.append(batch["start_cycle"].to_numpy())
        ends.append(batch["end_cycle"].to_numpy())
        values += _values(*(batch[name].to_pylist() for name in names[1:-2]))
    if not values:
        return _Changes(np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    start, end, subject = np.concatenate(starts), np.concatenate(ends), np.concatenate(subjects)
    begins = np.flatnonzero((start >= stretch[0]) & (start < stretch[1]))
    followed = np.isin(end * len(numbers) + subject, start * len(numbers) + subject)
    stops = np.flatnonzero((end >= stretch[0]) & (end < stretch[1]) & ~followed)
    return _Changes(
        np.clip(np.concatenate([start[begins], end[stops]]), *span),
        np.concatenate([subject[begins], subject[stops]]),
        [*(values[index] for index in begins.tolist()), *[(NOT_RECORDED, _NOTHING, _NOTHING)] * len(stops)],
    )


def _values(*columns: list[Any]) -> Iterator[tuple[str, str, str]]:
    """Return the texts of state, tile and cause of rows."""
    for state, layer, m, n, k, cause, other in zip(*columns, strict=True):
        tile = f"{layer}:{m},{n},{k}" if layer else _NOTHING
        yield state, tile, f"{cause}({other})" if cause and other else cause or other or _NOTHING


def _occupancies(run: StoredRun) -> list[str]:
    """Return the queues and memories whose occupancy was recorded, in the order of the file."""
    found: dict[str, None] = {}
    if run.has_table("queues"):
        for batch in column_batches(run, "queues", ["queue"]):
            column = batch["queue"]
            names = column.dictionary.to_pylist()
            found |= dict.fromkeys(names[index] for index in column.indices.unique().to_pylist())
    return list(found)


def _occupancy(run: StoredRun, queues: Sequence[str], stretch: tuple[int, int], span: tuple[int, int]) -> _Changes:
    numbers = {name: number for number, name in enumerate(queues)}
    inside = _in("cycle", stretch) & changes_within(run, span)
    cycles, subjects = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    values: list[int] = []
    for batch in column_batches(run, "queues", QUEUES.names, inside):
        cycles.append(batch["cycle"].to_numpy())
        subjects.append(codes(batch["queue"], numbers))
        values += batch["occupancy"].to_pylist()
    return _Changes(np.concatenate(cycles), np.concatenate(subjects), values)


def _in(column: str, stretch: tuple[int, int]) -> ds.Expression:
    return (ds.field(column) >= stretch[0]) & (ds.field(column) < stretch[1])
