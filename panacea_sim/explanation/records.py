"""What an explanation is made of: rows of time, postings and grants, from a recorder or from recorded tables alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from panacea_sim.description.description import Description
from panacea_sim.description.topology import Topology, topology_of
from panacea_sim.trace.activity_log import KeptRows, Kind
from panacea_sim.trace.kept_run import KeptRun, RunGrants, RunRows
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import EXPLAINED_COLUMNS
from panacea_sim.units import IntArray, ceil_div

__all__ = [
    "Binding",
    "Postings",
    "Records",
    "Services",
    "binding",
    "joined_grants",
    "joined_rows",
    "recorder_records",
]


@dataclass(frozen=True, eq=False)
class Services:
    """The services of a component, in order: the cycles of each, and its number in a table, None for its firing.

    Those of no cycles are in no row.
    """

    cycles: IntArray
    number: IntArray | None = None

    def taking(self, places: IntArray) -> IntArray:
        """Return the places of services among all, given those among the ones that take cycles."""
        return places if self.cycles.all() else np.flatnonzero(self.cycles)[places]

    def references(self, places: IntArray) -> IntArray:
        """Return what leads to the actions of services at places."""
        return places if self.number is None else self.number[places]


@dataclass(frozen=True, eq=False)
class Postings:
    """What a stream posted: a row for each step that delayed a posting, or one of code 0, of which `kinds` has None.

    `firings` are so many that every firing that posted or was granted something is before them.
    """

    kinds: Sequence[Kind | None]
    firings: int
    firing: IntArray
    cycle: IntArray
    code: IntArray
    since_cycle: IntArray


class Binding(NamedTuple):
    """Names of actions, and for each of some rows the number of the one that made it as long as it is."""

    names: tuple[str, ...]
    number: IntArray


@dataclass(frozen=True, eq=False)
class Records:
    """What was recorded of a machine in the cycles from the first of `cycles` to before the second.

    `rows` are those of components and channels, whose services are `services`, `postings` those of streams. `grants`
    are those of channels; `port_component` says which component of the topology each of their ports is. `causes`
    returns which of its limited actions made some rows of a component as long as they are; see `binding`. `let_go` is
    that of KeptRun.
    """

    topology: Topology
    cycles: tuple[int, int]
    rows: RunRows
    services: Mapping[str, Services]
    postings: Mapping[str, Postings]
    grants: RunGrants
    port_component: IntArray
    causes: Callable[[str, IntArray], Binding]
    let_go: Callable[[], None] = lambda: None

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """The names of the components, then of the channels, in the machine's order."""
        return (*(part.name for part in self.topology.components), *self.topology.channels)


def recorder_records(description: Description, recorder: Recorder, makespan_cycles: int) -> Records:
    """Return what a recorder that explains has kept of a run; the recorder lets go of it."""
    topology = topology_of(description)
    names = [part.name for part in description.components]
    port = np.array([names.index(each.component) for each in description.ports], np.int64)
    actions = {part.name: [each for each in part.actions if each.per_cycle] for part in description.components}

    def causes(component: str, firing: IntArray) -> Binding:
        mine = actions[component]
        return binding([(each.name, each.per_cycle, each.amounts(firing)) for each in mine], len(firing))

    none = np.zeros(0, np.int64)
    services = {
        part.name: Services(none if part.service_cycles is None else part.service_cycles)
        for part in description.components
    }
    kept = recorder.kept or _logged(recorder, (*names, *topology.channels), topology.channels)
    recorder.kept = None
    return Records(
        topology,
        (0, makespan_cycles),
        kept.rows,
        services,
        {name: _taken_postings(recorder, name) for name in recorder.postings},
        kept.grants,
        port,
        causes,
        kept.let_go,
    )


def binding(actions: Sequence[tuple[str, int, IntArray]], rows: int) -> Binding:
    """Return for each of so many rows the action that needs most cycles, without its unit; of equal ones the first.

    `actions` are name, how many a cycle, and amounts [rows]. The number is 0, that of no name, where there are not at
    least two actions, or where a row has none of them.
    """
    names = ("", *(name.rpartition("_")[0] for name, _, _ in actions))
    if len(actions) <= 1:
        return Binding(names, np.zeros(rows, np.int64))
    number, most = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    for place, (_, per_cycle, amounts) in enumerate(actions, 1):
        cycles = ceil_div(amounts, per_cycle)
        number[cycles > most] = place
        most = np.maximum(most, cycles)
    return Binding(names, number)


def joined_grants(parts: Sequence[Sequence[IntArray]]) -> RunGrants:
    """Return the grants of all channels, from rows of each in parts; see RunGrants for the columns."""
    counts = [sum(map(len, each)) for each in parts]
    behind = np.cumsum(counts, dtype=np.int64)
    empty = np.zeros((0, EXPLAINED_COLUMNS), np.int64)
    return RunGrants(behind - counts, behind, np.concatenate([empty, *(part for each in parts for part in each)]))


def joined_rows(kinds: Sequence[Sequence[Kind]], starts: Sequence[int], parts: Sequence[Sequence[KeptRows]]) -> RunRows:
    """Return the rows of all owners, from kinds, first cycle and rows, in parts, of each of them."""
    first_kind = np.cumsum([0, *map(len, kinds)])
    behind = np.cumsum([sum(len(part.code) for part in each) for each in parts], dtype=np.int64)
    each_part = [part for each in parts for part in each]
    return RunRows(
        [(owner, kind) for owner, each in enumerate(kinds) for kind in each],
        np.array(starts, np.int64),
        np.concatenate([[0], behind[:-1]]),
        behind,
        np.concatenate(
            [
                np.zeros(0, np.int32),
                *(part.code + first_kind[owner] for owner, each in enumerate(parts) for part in each),
            ],
            dtype=np.int32,
        ),
        np.concatenate([np.zeros(0, np.int64), *(part.end_cycle for part in each_part)]),
    )


def _logged(recorder: Recorder, owners: Sequence[str], channels: Sequence[str]) -> KeptRun:
    """Return the rows and grants that the logs of a recorder hold on to; they let go of them."""
    logs, accesses = [recorder.activities[name] for name in owners], [recorder.accesses[name] for name in channels]
    rows = joined_rows([log.kinds for log in logs], [0] * len(logs), [log.take_kept() for log in logs])
    return KeptRun(rows, joined_grants([log.take_kept() for log in accesses]), lambda: None)


def _taken_postings(recorder: Recorder, name: str) -> Postings:
    log = recorder.postings[name]
    parts = log.take_kept()
    columns = parts[0] if len(parts) == 1 else np.concatenate([np.zeros((4, 0), np.int64), *parts], axis=1)
    return Postings(log.kinds, 1 + int(columns[0].max(initial=-1)), *columns)
