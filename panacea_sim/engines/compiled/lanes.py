"""Lanes: components side by side that do the same steps, as the PEAs do, so that one actor can stand for them all.

What is known about one lane of such a group is known about all of them at the same moment: they are fed and emptied
by one component each, in order, and only their service cycles differ.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.wiring import PartWiring, Wiring
from panacea_sim.units import IntArray

__all__ = ["LaneGroup", "find_lane_groups"]


@dataclass(frozen=True)
class LaneGroup:
    """Components `first` to `first + lanes - 1` of a description, with their queues in and out, lane by lane."""

    first: int
    lanes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class _Candidate:
    """Components that are lanes if they move the same tokens.

    `fed` and `emptied` are component and place of the gives and takes beside the first lane, `gives` those of a lane.
    """

    group: LaneGroup
    fed: tuple[int, int]
    emptied: tuple[int, int]
    gives: int


def find_lane_groups(description: Description, keep_times: Collection[str]) -> list[LaneGroup]:
    """Return the lane groups of a description; what somebody waits for or wants the times of stays by itself."""
    parts = description.components
    alike = tuple([before.firings == part.firings for before, part in pairwise(parts)])
    found = _candidates(description.wiring, frozenset(keep_times), alike)
    return [each.group for each in found if _move_together(parts, each)]


@lru_cache(maxsize=64)
def _candidates(wiring: Wiring, keep_times: frozenset[str], alike: tuple[bool, ...]) -> tuple[_Candidate, ...]:
    """Return what can be lanes by the wiring; `alike` says which components fire as often as the one before."""
    single = {awaited for part in wiring.parts for awaited in part.waits} | keep_times
    ends = [_ends(wiring, part, single) for part in wiring.parts]
    firsts = [0, *(n for n in range(1, len(ends)) if ends[n] != ends[n - 1] or not alike[n - 1]), len(ends)]
    runs = [(first, end) for first, end in pairwise(firsts) if end - first > 1 and ends[first] is not None]
    found = (_candidate(wiring, first, wiring.parts[first:end]) for first, end in runs)
    return tuple(each for each in found if each is not None)


def _ends(wiring: Wiring, part: PartWiring, single: Collection[str]) -> tuple[str, str, int] | None:
    """Return who feeds and who empties a component that can be a lane, and its gives; None if it cannot be."""
    others = (part.needs, part.waits, part.acquires, part.releases, part.puts)
    if part.posted or any(others) or part.name in single or len(part.takes) != 1 or len(set(part.gives)) != 1:
        return None
    feeder, emptier = wiring.producer[part.takes[0]], wiring.consumer[part.gives[0]]
    return None if part.name in {feeder, emptier} else (feeder, emptier, len(part.gives))


def _candidate(wiring: Wiring, first: int, parts: Sequence[PartWiring]) -> _Candidate | None:
    inputs, outputs = tuple(part.takes[0] for part in parts), tuple(part.gives[0] for part in parts)
    feeder, emptier = wiring.number[wiring.producer[inputs[0]]], wiring.number[wiring.consumer[outputs[0]]]
    if wiring.parts[emptier].posted:
        return None  # a stream accounts for its waiting only when the data of the request before is there
    fed, emptied = _in_order(wiring.parts[feeder].gives, inputs), _in_order(wiring.parts[emptier].takes, outputs)
    if fed is None or emptied is None or not (_alike(wiring, inputs) and _alike(wiring, outputs)):
        return None
    group = LaneGroup(first, len(parts), inputs, outputs)
    return _Candidate(group, (feeder, fed), (emptier, emptied), len(parts[0].gives))


def _in_order(names: Sequence[str], queues: Sequence[str]) -> int | None:
    """Return where a component serves the first of the queues, if it serves each once, one behind the other."""
    if queues[0] not in names or any(names.count(queue) > 1 for queue in queues):
        return None
    first = names.index(queues[0])
    return first if tuple(names[first : first + len(queues)]) == tuple(queues) else None


def _alike(wiring: Wiring, names: Sequence[str]) -> bool:
    return len({(queue.capacity, queue.latency_cycles) for queue in wiring.queues if queue.name in names}) == 1


def _move_together(parts: Sequence[Component], candidate: _Candidate) -> bool:
    """Return whether all lanes move a token in the same firings, and never more than one."""
    lanes = candidate.group.lanes
    members = parts[candidate.group.first : candidate.group.first + lanes]
    (feeder, fed), (emptier, emptied) = candidate.fed, candidate.emptied
    moved: list[list[IntArray]] = [
        [give.tokens for give in parts[feeder].gives[fed : fed + lanes]],
        [take.tokens for take in parts[emptier].takes[emptied : emptied + lanes]],
        [part.takes[0].tokens for part in members],
        *([part.gives[place].tokens for part in members] for place in range(candidate.gives)),
    ]
    return all(
        each[0].max(initial=0) <= 1 and all(tokens is each[0] or np.array_equal(tokens, each[0]) for tokens in each)
        for each in moved
    )
