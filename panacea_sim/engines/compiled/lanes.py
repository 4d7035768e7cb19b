"""Lanes: components side by side that do the same steps, as the PEAs do, so that one actor can stand for them all.

What is known about one lane of such a group is known about all of them at the same moment: they are fed and emptied
by one component each, in order, and only their service cycles differ.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Give, Take
from panacea_sim.units import IntArray

__all__ = ["LaneGroup", "find_lane_groups"]


@dataclass(frozen=True)
class LaneGroup:
    """Components `first` to `first + lanes - 1` of a description, with their queues in and out, lane by lane."""

    first: int
    lanes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def find_lane_groups(description: Description, keep_times: Collection[str]) -> list[LaneGroup]:
    """Return the lane groups of a description; what somebody waits for or wants the times of stays by itself."""
    single = {wait.component for component in description.components for wait in component.waits} | set(keep_times)
    numbered = enumerate(description.components)
    found = []
    for _, run in groupby(numbered, lambda each: _ends(description, each[1], single)):
        members = list(run)
        parts = [part for _, part in members]
        if len(parts) > 1 and _ends(description, parts[0], single) is not None and _is_group(description, parts):
            inputs = tuple(part.takes[0].queue for part in parts)
            found.append(LaneGroup(members[0][0], len(parts), inputs, tuple(part.gives[0].queue for part in parts)))
    return found


def _ends(description: Description, part: Component, single: Collection[str]) -> tuple[str, str, int, int] | None:
    """Return who feeds and who empties a component that can be a lane, its firings and gives; None if it cannot be."""
    others = (part.needs, part.waits, part.acquires, part.releases, part.puts)
    queues = {give.queue for give in part.gives}
    if part.service_cycles is None or any(others) or part.name in single or len(part.takes) != 1 or len(queues) != 1:
        return None
    feeder, emptier = description.producer[part.takes[0].queue], description.consumer[next(iter(queues))]
    if part.name in {feeder, emptier}:
        return None
    return feeder, emptier, part.firings, len(part.gives)


def _is_group(description: Description, parts: Sequence[Component]) -> bool:
    components = {part.name: part for part in description.components}
    inputs, outputs = [part.takes[0].queue for part in parts], [part.gives[0].queue for part in parts]
    feeder, emptier = components[description.producer[inputs[0]]], components[description.consumer[outputs[0]]]
    if emptier.posted:
        return False  # a stream accounts for its waiting only when the data of the request before is there
    fed = _in_order(feeder.gives, inputs)
    emptied = _in_order(emptier.takes, outputs)
    queues = {queue.name: queue for queue in description.queues}
    return (
        fed is not None
        and emptied is not None
        and _alike([queues[name] for name in inputs])
        and _alike([queues[name] for name in outputs])
        and _same_steps([fed, emptied, [part.takes[0].tokens for part in parts]])
        and _same_steps([[part.gives[place].tokens for part in parts] for place in range(len(parts[0].gives))])
    )


def _in_order(ends: Sequence[Take] | Sequence[Give], queues: list[str]) -> list[IntArray] | None:
    """Return the tokens of the queues at a component that serves each once, one directly behind the other."""
    names = [end.queue for end in ends]
    if queues[0] not in names or any(names.count(queue) > 1 for queue in queues):
        return None
    first = names.index(queues[0])
    if names[first : first + len(queues)] != queues:
        return None
    return [end.tokens for end in ends[first : first + len(queues)]]


def _alike(queues: list[Queue]) -> bool:
    return len({(queue.capacity, queue.latency_cycles) for queue in queues}) == 1


def _same_steps(steps: Sequence[Sequence[IntArray]]) -> bool:
    """Return whether all lanes move a token in the same firings, and never more than one."""
    return all(
        lanes[0].max(initial=0) <= 1 and all(each is lanes[0] or np.array_equal(each, lanes[0]) for each in lanes)
        for lanes in steps
    )
