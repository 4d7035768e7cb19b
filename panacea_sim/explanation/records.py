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
from panacea_sim.trace.recorder import Recorder
from panacea_sim.units import IntArray, ceil_div

__all__ = ["Binding", "Grants", "Postings", "Records", "Rows", "Services", "binding", "recorder_records"]


@dataclass(frozen=True, eq=False)
class Services:
    """The services of a component, in order: the cycles of each, and its number in a table, None for its firing.

    Those of no cycles are in no row.
    """

    cycles: IntArray
    number: IntArray | None = None

    def references(self, places: IntArray, taking_cycles: int) -> IntArray:
        """Return what leads to the actions of services, given by their places among those so many that take cycles."""
        found = places if taking_cycles == len(self.cycles) else np.flatnonzero(self.cycles)[places]
        return found if self.number is None else self.number[found]


@dataclass(frozen=True, eq=False)
class Rows:
    """The time of a component or channel, without gaps: each row goes on from the end of the one before.

    The code of a row says which of `kinds` it is; the first begins in `start_cycle`. The rows stand in `parts`, one
    behind the other. Services with no cycle between them may be one row: `services` has each of them. Transfers of a
    channel may have no rows: its grants tell.
    """

    kinds: Sequence[Kind]
    start_cycle: int
    parts: Sequence[KeptRows]
    services: Services

    def __len__(self) -> int:
        """Return how many rows there are."""
        return sum(len(part.code) for part in self.parts)


@dataclass(frozen=True, eq=False)
class Postings:
    """What a stream posted: a row for each step that delayed a posting, or one of code 0, of which `kinds` has None."""

    kinds: Sequence[Kind | None]
    firing: IntArray
    cycle: IntArray
    code: IntArray
    since_cycle: IntArray


@dataclass(frozen=True, eq=False)
class Grants:
    """What a channel granted, in order of time.

    `parts`, one behind the other, have a row for each grant: port, firing, and the cycles of its request, its start,
    its end and of when its data is ready. `components` says which of the topology each port is.
    """

    parts: Sequence[IntArray]
    components: IntArray

    def __len__(self) -> int:
        """Return how many grants there are."""
        return sum(len(part) for part in self.parts)

    @cached_property
    def firing(self) -> IntArray:
        """The firing of its port for which each grant was."""
        return np.concatenate([np.zeros(0, np.int64), *(part[:, 1] for part in self.parts)])


class Binding(NamedTuple):
    """Names of actions, and for each of some rows the number of the one that made it as long as it is."""

    names: tuple[str, ...]
    number: IntArray


@dataclass(frozen=True, eq=False)
class Records:
    """What was recorded of a machine in the cycles from the first of `cycles` to before the second.

    `rows` has those of components and channels, `postings` those of streams, `grants` those of channels. `causes`
    returns which of its limited actions made some rows of a component as long as they are; see `binding`.
    """

    topology: Topology
    cycles: tuple[int, int]
    rows: Mapping[str, Rows]
    postings: Mapping[str, Postings]
    grants: Mapping[str, Grants]
    causes: Callable[[str, IntArray], Binding]

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

    services = {part.name: part.service_cycles for part in description.components}
    rows = {name: _taken_rows(recorder, name, services.get(name)) for name in (*names, *topology.channels)}
    return Records(
        topology,
        (0, makespan_cycles),
        rows,
        {name: _taken_postings(recorder, name) for name in recorder.postings},
        {name: _taken_grants(recorder, name, port) for name in topology.channels},
        causes,
    )


def binding(actions: Sequence[tuple[str, int, IntArray]], rows: int) -> Binding:
    """Return for each of so many rows the action that needs most cycles, without its unit; of equal ones the first.

    `actions` are name, how many a cycle, and amounts [rows]. The number is 0, that of no name, where there are not at
    least two actions, or where a row has none of them.
    """
    names = ("", *(name.rpartition("_")[0] for name, _, _ in actions))
    if len(actions) <= 1:
        return Binding(names, np.zeros(rows, np.int64))
    cycles = np.stack([ceil_div(amounts, per_cycle) for _, per_cycle, amounts in actions])
    return Binding(names, np.where(cycles.max(0) == 0, 0, cycles.argmax(0) + 1))


def _taken_rows(recorder: Recorder, name: str, service_cycles: IntArray | None) -> Rows:
    log = recorder.activities[name]
    log.flush()
    parts = tuple(log.kept)
    log.kept.clear()
    return Rows(log.kinds, 0, parts, Services(np.zeros(0, np.int64) if service_cycles is None else service_cycles))


def _taken_postings(recorder: Recorder, name: str) -> Postings:
    log = recorder.postings[name]
    log.flush()
    columns = np.concatenate([np.zeros((4, 0), np.int64), *log.kept], axis=1)
    log.kept.clear()
    return Postings(log.kinds, *columns)


def _taken_grants(recorder: Recorder, name: str, components: IntArray) -> Grants:
    log = recorder.accesses[name]
    log.flush()
    parts = tuple(log.kept)
    log.kept.clear()
    return Grants(parts, components)
