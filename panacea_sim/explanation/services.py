"""The services of a critical path one by one: the walk takes those behind each other in one step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from panacea_sim.errors import InvariantError
from panacea_sim.explanation.compilation import entry
from panacea_sim.explanation.events import Events
from panacea_sim.explanation.records import Records
from panacea_sim.explanation.row_kinds import SERVES, WHAT
from panacea_sim.explanation.walk import CROSSING, ORDER, SERVICE
from panacea_sim.units import IntArray

__all__ = ["Served", "served", "single_services"]


class Served(NamedTuple):
    """The services of one component, by number, on a path, in order of time.

    Each is of the segment at `place` of those that were asked for and takes `cycles`; `reference` leads to its actions.
    """

    owner: int
    place: IntArray
    cycles: IntArray
    reference: IntArray


def served(records: Records, events: Events, segments: IntArray) -> Iterator[Served]:
    """Return what each component serves in segments of services: rows of events, with start and end, last ones first.

    Raises InvariantError where a component serves for other cycles than its services take.
    """
    owners = np.searchsorted(events.rows_at, segments[:, 0], side="right") - 1
    for owner in np.flatnonzero(np.bincount(owners, minlength=1)).tolist():
        name = records.owners[owner]
        places, services = np.flatnonzero(owners == owner)[::-1], records.services[name]
        found = np.empty((2, len(places)), np.int64)
        cycles = np.ascontiguousarray(services.cycles, np.int64)
        if not _located(events, owner, cycles, segments[places], found):
            raise InvariantError(f"{name} serves for other cycles than its services take")
        first, counts = found
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        among = services.taking(np.repeat(first, counts) + within)
        yield Served(owner, np.repeat(places, counts), services.cycles[among], services.references(among))


def single_services(records: Records, events: Events, segments: IntArray) -> tuple[IntArray, list[Served]]:
    """Return the segments of a path that take time with one for each service, and what each component serves.

    `segments` come last ones first, as the walk gives them, those that are returned in order of time; the places of
    what is served are among these. Raises InvariantError as `served` does.
    """
    segments = segments[(segments[:, 0] != CROSSING) & (segments[:, 0] != ORDER)]
    is_service = np.flatnonzero(segments[:, 0] == SERVICE)
    found = list(served(records, events, segments[is_service, 1:]))
    counts = np.ones(len(segments), np.int64)
    counts[is_service] = 0
    for each in found:
        counts += np.bincount(is_service[each.place], minlength=len(segments))
    # Single ones in order of time: the last segment is the first.
    behind = np.cumsum(counts[::-1])[::-1]
    single = np.repeat(segments[::-1], counts[::-1], axis=0)
    placed = []
    for each in found:
        segment = is_service[each.place]
        first = np.searchsorted(-segment, -segment)  # of the same segment
        place = behind[segment] - counts[segment] + np.arange(len(segment)) - first
        ends = np.concatenate([[0], np.cumsum(each.cycles)])
        end = segments[segment, 2] + ends[1:] - ends[first]
        single[place, 2], single[place, 3] = end - each.cycles, end
        placed.append(each._replace(place=place))
    return single, placed


@entry
def _located(events: Events, owner: int, cycles: IntArray, asked: IntArray, found: IntArray) -> bool:
    """Find for each segment the first of its services, of those that take cycles, and how many there are.

    `asked` are segments of one owner in order of time, each of the services of a row that end by the segment's end.
    Return whether services fill all rows of services as far as the last one asked for.
    """
    service = taking = place = 0
    now = events.starts[owner]
    for row in range(events.rows_at[owner], events.rows_behind[owner]):
        if place == len(asked):
            break
        end = events.row_end[row]
        if events.kinds[events.row_kind[row], WHAT] == SERVES:
            is_asked, first = row == asked[place, 0], taking
            fits = not is_asked
            while now < end and service < len(cycles):
                if cycles[service] > 0:
                    now += cycles[service]
                    taking += 1
                    if is_asked and now == asked[place, 2]:
                        found[0, place], found[1, place] = first, taking - first
                        fits = True
                service += 1
            if now != end or not fits:
                return False
            if is_asked:
                place += 1
        now = end
    return place == len(asked)
