"""What an explanation needs, out of recorded tables: the same as a recorder keeps, found by time alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from panacea_sim.description.topology import Topology
from panacea_sim.explanation.records import Binding, Postings, Records, Services, binding, joined_grants, joined_rows
from panacea_sim.trace.activity_log import KeptRows, Kind
from panacea_sim.trace.kept_run import RunGrants
from panacea_sim.trace.schema import State
from panacea_sim.units import IntArray

__all__ = ["TABLES_NEEDED", "activity_columns", "table_records"]

TABLES_NEEDED = ("activities", "postings", "dram")
"""The tables that an explanation is made of."""


def activity_columns(topology: Topology) -> list[str]:
    """Return the columns of the activities that an explanation is made of: times, causes, and limited actions."""
    limited = [name for part in topology.components for name, count in part.actions.items() if count]
    known = ("component", "state", "start_cycle", "end_cycle", "cause", "cause_component")
    return list(dict.fromkeys([*known, *limited]))


def table_records(topology: Topology, cycles: tuple[int, int], tables: Mapping[str, pa.Table]) -> Records:
    """Return what the TABLES_NEEDED say of the cycles from the first to before the second.

    Rows that reach beyond these cycles must be there as they are; cycles count from the first of them.
    """
    activities = _Columns(tables["activities"])
    postings, dram = _Columns(tables["postings"]), _Columns(tables["dram"])
    names = (*(part.name for part in topology.components), *topology.channels)
    rows_of, actions = activities.places("component", names), {part.name: part.actions for part in topology.components}
    kinds, code = _kinds(activities, ("state", "cause", "cause_component"))
    start, end = activities.numbers("start_cycle") - cycles[0], activities.numbers("end_cycle") - cycles[0]

    def causes(component: str, row: IntArray) -> Binding:
        limited = [(name, count) for name, count in actions[component].items() if count]
        return binding([(name, count, activities.numbers(name)[row]) for name, count in limited], len(row))

    own_kinds, starts, rows, services = [], [], [], {}
    for name, place in rows_of.items():
        known, own = np.unique(code[place], return_inverse=True)
        mine = [kinds[each] for each in known.tolist()]
        served = place[np.array([kind.state is State.BUSY for kind in mine], np.bool_)[own]]
        own_kinds.append(mine)
        starts.append(int(start[place[0]]) if len(place) else 0)
        rows.append([KeptRows(own.astype(np.int32), end[place])])
        services[name] = Services(end[served] - start[served], served)
    return Records(
        topology,
        (0, cycles[1] - cycles[0]),
        joined_rows(own_kinds, starts, rows),
        services,
        _postings(topology, cycles[0], postings, dram),
        _grants(topology, cycles[0], dram),
        np.arange(len(topology.components)),
        causes,
    )


class _Columns:
    """The columns of a table as arrays."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.unify_dictionaries().combine_chunks()

    def numbers(self, name: str) -> IntArray:
        numbers: IntArray = self._table.column(name).to_numpy().astype(np.int64)
        return numbers

    def codes(self, name: str) -> tuple[IntArray, list[str]]:
        """Return a column of names as numbers, and the names."""
        column = self._table.column(name).combine_chunks()
        if not isinstance(column, pa.DictionaryArray):
            column = column.dictionary_encode()
        codes: IntArray = column.indices.to_numpy().astype(np.int64)
        return codes, column.dictionary.to_pylist()

    def places(self, name: str, wanted: Sequence[str]) -> dict[str, IntArray]:
        """Return the rows that have each of the wanted names, in order."""
        codes, names = self.codes(name)
        in_order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[in_order], np.arange(len(names) + 1))
        known = {each: in_order[bounds[number] : bounds[number + 1]] for number, each in enumerate(names)}
        return {each: known.get(each, np.zeros(0, np.int64)) for each in wanted}


def _kinds(columns: _Columns, names: tuple[str, str, str]) -> tuple[list[Kind], IntArray]:
    """Return the kinds of the rows and which each row has."""
    (state, states), (cause, causes), (other, others) = (columns.codes(name) for name in names)
    both = (state * max(len(causes), 1) + cause) * max(len(others), 1) + other
    known, code = np.unique(both, return_inverse=True)
    rest, other = np.divmod(known, max(len(others), 1))
    state, cause = np.divmod(rest, max(len(causes), 1))
    kinds = [
        Kind(State(states[a]), causes[b], others[c]) if states[a] else Kind(State.IDLE)
        for a, b, c in zip(state.tolist(), cause.tolist(), other.tolist(), strict=True)
    ]
    return kinds, code.reshape(-1)


def _postings(topology: Topology, offset_cycles: int, columns: _Columns, dram: _Columns) -> dict[str, Postings]:
    kinds, code = _kinds(columns, ("state", "cause", "cause_component"))
    delays = [None if kind.state is State.IDLE else kind for kind in kinds]
    firing = columns.numbers("firing")
    cycle, since = columns.numbers("cycle") - offset_cycles, columns.numbers("since_cycle") - offset_cycles
    names = [part.name for part in topology.components]
    # In a window a stream may have moved what it has posted before.
    posted, moved = columns.places("component", names), dram.places("port", names)
    moved_firing = dram.numbers("firing")
    return {
        name: Postings(
            delays,
            1 + max(int(firing[place].max(initial=-1)), int(moved_firing[moved[name]].max(initial=-1))),
            firing[place],
            cycle[place],
            code[place],
            since[place],
        )
        for name, place in posted.items()
        if len(place) or len(moved[name])
    }


def _grants(topology: Topology, offset_cycles: int, columns: _Columns) -> RunGrants:
    """Return the grants of all channels; ports are components by number."""
    names = [part.name for part in topology.components]
    codes, ports = columns.codes("port")
    port = np.array([names.index(each) if each in names else -1 for each in ports], np.int64)[codes]
    cycles = [columns.numbers(f"{name}_cycle") - offset_cycles for name in ("request", "start", "end", "ready")]
    rows = np.stack([port, columns.numbers("firing"), *cycles], axis=1)
    return joined_grants([[rows[place]] for place in columns.places("channel", topology.channels).values()])
