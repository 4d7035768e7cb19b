"""A run as a value change dump, with a save file that shows it in GTKWave.

Times are in ps: cycles / clock, rounded down, which is exact if the period is a whole number of ps.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.dataset as ds
from vcd import VCDWriter
from vcd.gtkw import GTKWFlag, GTKWSave
from vcd.writer import Variable

from panacea_sim.trace.columns import column_batches
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import chosen_window, within, within_cycle
from panacea_sim.units import IntArray, cycles_to_ps

__all__ = ["NOT_RECORDED", "write_gtkw", "write_vcd"]

NOT_RECORDED = "not_recorded"
"""The state of a component in cycles of which the trace says nothing."""

_ROOT = "run"
_NOTHING = "-"


class _Change(NamedTuple):
    time_ps: int
    variable: int
    value: str | int


def write_vcd(run: StoredRun, path: Path, window: tuple[int, int] | None = None) -> None:
    """Write the rows of a run that overlap `window`, or all, as VCD, in bounded memory.

    Each component has the texts `state`, `tile` (layer:m,n,k) and `cause`, each queue and memory its occupancy. Raises
    ConfigError if nothing was recorded there.
    """
    span = chosen_window(run, window)
    occupancies = _occupancies(run)
    with path.open("w", encoding="ascii", errors="replace") as file, VCDWriter(file, "1 ps", "") as writer:
        variables: list[Variable[Any]] = []
        changes = []
        for component in run.sections:
            at = len(variables)
            for name in ("state", "tile", "cause"):
                scope = f"{_ROOT}.{run.sections[component]}.{component}"
                first = NOT_RECORDED if name == "state" else _NOTHING
                variables.append(writer.register_var(scope, name, "string", init=first))
            changes.append(_activities(run, component, at, within(None if window is None else span)))
        for name in occupancies:
            variables.append(writer.register_var(f"{_ROOT}.occupancy", name, "integer", size=64, init="x"))
            changes.append(_occupancy(run, name, len(variables) - 1, None if window is None else span))
        for change in heapq.merge(*changes):
            writer.change(variables[change.variable], change.time_ps, change.value)


def write_gtkw(run: StoredRun, path: Path, dump: Path, window: tuple[int, int] | None = None) -> None:
    """Write a save file that makes GTKWave show the states by section, then the occupancies, of `dump`."""
    sections: dict[str, list[str]] = {}
    for component, section in run.sections.items():
        sections.setdefault(section, []).append(component)
    first_ps = 0 if window is None else _ps(run, np.array(chosen_window(run, window)))[0]
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


def _activities(run: StoredRun, component: str, at: int, where: ds.Expression | None) -> Iterator[_Change]:
    """Return the changes of a component's state, tile and cause, which are the variables from `at` on."""
    own = ds.field("component") == component
    names = ["state", "layer", "m", "n", "k", "cause", "cause_component", "start_cycle", "end_cycle"]
    last_end_ps = 0
    for batch in column_batches(run, "activities", names, own if where is None else own & where):
        columns = {name: batch[name].to_pylist() for name in names[:-2]}
        starts_ps, ends_ps = (_ps(run, batch[name].to_numpy()) for name in names[-2:])
        rows = zip(*columns.values(), starts_ps, ends_ps, strict=True)
        for state, layer, m, n, k, cause, other, start_ps, end_ps in rows:
            if start_ps > last_end_ps:
                yield from _texts(last_end_ps, at, NOT_RECORDED, _NOTHING, _NOTHING)
            tile = f"{layer}:{m},{n},{k}" if layer else _NOTHING
            reason = f"{cause}({other})" if other and cause else cause or other or _NOTHING
            yield from _texts(start_ps, at, state, tile, reason)
            last_end_ps = end_ps
    if last_end_ps:
        yield from _texts(last_end_ps, at, NOT_RECORDED, _NOTHING, _NOTHING)


def _texts(time_ps: int, at: int, *values: str) -> Iterator[_Change]:
    for number, value in enumerate(values):
        yield _Change(time_ps, at + number, value)


def _occupancies(run: StoredRun) -> list[str]:
    """Return the queues and memories whose occupancy was recorded, in the order of the file."""
    found: dict[str, None] = {}
    if run.has_table("queues"):
        for batch in column_batches(run, "queues", ["queue"]):
            column = batch["queue"]
            names = column.dictionary.to_pylist()
            found |= dict.fromkeys(names[index] for index in column.indices.unique().to_pylist())
    return list(found)


def _occupancy(run: StoredRun, name: str, variable: int, window: tuple[int, int] | None) -> Iterator[_Change]:
    own, where = ds.field("queue") == name, within_cycle(window)
    for batch in column_batches(run, "queues", ["cycle", "occupancy"], own if where is None else own & where):
        for time_ps, occupancy in zip(_ps(run, batch["cycle"].to_numpy()), batch["occupancy"].to_pylist(), strict=True):
            yield _Change(time_ps, variable, occupancy)


def _ps(run: StoredRun, cycles: IntArray) -> list[int]:
    return cycles_to_ps(cycles, run.summary["clock_hz"]).tolist()  # type: ignore[no-any-return]
