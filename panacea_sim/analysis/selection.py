"""Which rows of a trace are asked for: names, globs, cycles and tiles, checked against the run."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import reduce
from operator import and_, or_
from typing import Literal

import pyarrow.dataset as ds

from panacea_sim.analysis.names import (
    AXES,
    Tile,
    cause_names,
    check_tile,
    component_names,
    layer_names,
    queue_names,
)
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.trace.options import OPEN_END, window_text
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import check_recorded

__all__ = [
    "STALL",
    "Selection",
    "Table",
    "Tile",
    "at_work",
    "joined_names",
    "parse_tile",
    "recorded",
    "row_filter",
    "selected_components",
    "why_nothing",
]

Table = Literal["activities", "queues", "dram"]

STALL = "stall"
"""What stands for all states of a component that waits in the middle of its work."""

_STALLS = (State.STARVED, State.BLOCKED, State.CONTENDED, State.WAITING)
_MOST_TILES = 2**31 - 1
"""The greatest number that the columns of a tile can hold."""

_COMPONENT_COLUMNS = {"activities": ("component",), "queues": ("queue",), "dram": ("channel", "port")}
_FIRST_AND_LAST = {
    "activities": ("start_cycle", "end_cycle"),
    "queues": ("cycle", "cycle"),
    "dram": ("start_cycle", "end_cycle"),
}


@dataclass(frozen=True)
class Selection:
    """Which rows of a run's tables are asked for; the default is all.

    A row must match one entry of every tuple that is not empty. Entries of `components`, `states`, `causes` and
    `layers` may be globs (`pea*`); the state "stall" stands for starved, blocked, contended and waiting. A tile
    coordinate must be equal, so that 3 does not find the -1 of a row to which it does not apply. `from_cycle` and
    `to_cycle` (exclusive) take every row that overlaps the cycles between them.

    `components` are those of activities; of queues the queue or memory, of DRAM accesses the channel or the port.
    States, causes, layers and the tile are known of activities only.
    """

    components: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    tile: Tile = (None, None, None)
    from_cycle: int | None = None
    to_cycle: int | None = None


def at_work(selection: Selection) -> Selection:
    """Return the selection without idle time, before the first and after the last work, unless it names states."""
    return selection if selection.states else replace(selection, states=(State.BUSY, STALL))


def selected_components(run: StoredRun, selection: Selection) -> list[str]:
    """Return the components and channels that a selection of activities names: all if it names none."""
    known = component_names(run)
    return _matching("component", selection.components, known) if selection.components else known


def joined_names(run: StoredRun, selection: Selection) -> dict[str, str]:
    """Return one name for those of each group of which the selection has several, and for their queues likewise."""
    short, components = run.short_names, set(component_names(run))

    def is_chosen(name: str) -> bool:
        patterns = selection.components if name in components else selection.causes
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    chosen = [name for name in short if is_chosen(name)]
    members = Counter(short[name] for name in chosen)
    return {name: short[name] for name in chosen if members[short[name]] > 1}


def parse_tile(text: str) -> Tile:
    """Return the tile that "m,n,k" names, where a part may be `*`; raises ConfigError for any other text."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != len(AXES) or not all(part == "*" or (part.isascii() and part.isdecimal()) for part in parts):
        raise ConfigError("tile", repr(text), "m,n,k, each a whole number or *", "For example 3,*,0")
    if any(len(part.lstrip("0")) > len(str(_MOST_TILES)) for part in parts):
        raise ConfigError("tile", reprlib.repr(text), f"numbers up to {_MOST_TILES}", "Tiles are counted from 0")
    m, n, k = (None if part == "*" else int(part.lstrip("0") or 0) for part in parts)
    if max(m or 0, n or 0, k or 0) > _MOST_TILES:
        raise ConfigError("tile", repr(text), f"numbers up to {_MOST_TILES}", "Tiles are counted from 0")
    return m, n, k


def recorded(run: StoredRun, table: Table) -> ds.Dataset:
    """Return a table of the run as a dataset; raises ConfigError if it was not recorded, or has no row."""
    dataset = run.dataset(table)
    check_recorded(run)
    if not dataset.count_rows():
        hint = "Run again with --trace full and without --window, or one in which something happens"
        raise ConfigError(f"{run.path}", f"no row in {table}.parquet", "a trace that holds something", hint)
    return dataset


def row_filter(run: StoredRun, dataset: ds.Dataset, table: Table, selection: Selection) -> ds.Expression:
    """Return the selection as a condition on rows.

    Raises ConfigError for names that the run does not have, with the nearest one, for a tile that no layer of the
    selection has, for what the table does not know, for an empty range of cycles, and for one outside of the
    recorded cycles.
    """
    return _all(_conditions(run, dataset, table, selection).values())


def why_nothing(run: StoredRun, table: Table, selection: Selection) -> str:
    """Return why no row matches the selection, which row_filter accepts: what was not recorded, or which part."""
    dataset = recorded(run, table)
    states = _states(selection)
    if states and not set(states) & set(run.recorded_states):
        return f"--trace {run.level} did not record {' and '.join(states)}"
    window = f"; only --window {window_text(run.window)} was recorded" if run.window else ""
    conditions = _conditions(run, dataset, table, selection)
    never = [what for what, condition in conditions.items() if not dataset.count_rows(filter=condition)]
    has = " or ".join(never) or " and ".join(conditions)
    return f"no row of {table} has {has}{window}"


def _conditions(run: StoredRun, dataset: ds.Dataset, table: Table, selection: Selection) -> dict[str, ds.Expression]:
    """Return the parts of a selection: in words, and as conditions on rows."""
    found = {}
    if selection.components:
        field = "component" if table != "queues" else "queue"
        known = component_names(run) if table != "queues" else queue_names(run, dataset)
        names = _matching(field, selection.components, known)
        columns = [ds.field(column).isin(names) for column in _COMPONENT_COLUMNS[table]]
        found[f"the {field} {' or '.join(selection.components)}"] = reduce(or_, columns)
    if table == "activities":
        found |= _activity_conditions(run, dataset, selection)
    elif selection.states or selection.causes or selection.layers or any(part is not None for part in selection.tile):
        raise ConfigError(
            f"{table}", "a state, cause, layer or tile", "components and cycles", "Only activities have them"
        )
    return found | _cycle_conditions(run, table, selection)


def _activity_conditions(run: StoredRun, dataset: ds.Dataset, selection: Selection) -> dict[str, ds.Expression]:
    found, layers = {}, layer_names(run)
    if selection.states:
        found[f"the state {' or '.join(selection.states)}"] = ds.field("state").isin(_states(selection))
    if selection.causes:
        causes = _matching("cause", selection.causes, cause_names(run, dataset))
        found[f"the cause {' or '.join(selection.causes)}"] = ds.field("cause").isin(causes)
    if selection.layers:
        layers = _matching("layer", selection.layers, layers)
        found[f"the layer {' or '.join(selection.layers)}"] = ds.field("layer").isin(layers)
    check_tile(run, selection.tile, layers)
    parts = [ds.field(axis) == part for axis, part in zip(AXES, selection.tile, strict=True) if part is not None]
    if parts:
        found[f"the tile {','.join('*' if part is None else str(part) for part in selection.tile)}"] = _all(parts)
    return found


def _states(selection: Selection) -> list[str]:
    states = [state for name in selection.states for state in (_STALLS if name == STALL else (name,))]
    return _matching("state", states, list(State), also=(STALL,))


def _cycle_conditions(run: StoredRun, table: Table, selection: Selection) -> dict[str, ds.Expression]:
    begin, end = selection.from_cycle, selection.to_cycle
    if begin is None and end is None:
        return {}
    first_cycle, last_cycle = run.recorded_cycles
    text = f"{'the first' if begin is None else begin} to {'the last' if end is None else end}"
    if begin is not None and end is not None and begin >= end:
        raise ConfigError("cycles", f"the empty range {text}", "A to B with A < B")
    if (begin is not None and begin >= last_cycle) or (end is not None and end <= first_cycle):
        raise ConfigError("cycles", text, f"what overlaps the recorded cycles {first_cycle} to {last_cycle}")
    first, last = (ds.field(column) for column in _FIRST_AND_LAST[table])
    parts = []
    if begin is not None:
        # A change has no length: it is there in its own cycle.
        parts.append(last >= begin if table == "queues" else last > begin)
    if end is not None:
        parts.append(first < min(end, OPEN_END))
    return {f"the cycles {text}": _all(parts)}


def _all(conditions: Iterable[ds.Expression]) -> ds.Expression:
    return reduce(and_, conditions, ds.scalar(True))


def _matching(field: str, patterns: Iterable[str], known: Iterable[str], also: tuple[str, ...] = ()) -> list[str]:
    """Return the known names that match a pattern; raises ConfigError for a pattern that matches none."""
    names = [str(name) for name in known]
    matched: dict[str, None] = {}
    for pattern in patterns:
        found = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            accepted = ", ".join([*names, *also]) or "nothing: the trace names none"
            raise ConfigError(field, repr(str(pattern)), f"one of {accepted}", nearest_name(pattern, [*names, *also]))
        matched.update(dict.fromkeys(found))
    return list(matched)
