"""A description lowered to flat integer arrays: the numbers of all steps, for actors and counters of a structure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from panacea_sim.description.description import Description
from panacea_sim.engines.compiled.lanes import find_lane_groups
from panacea_sim.engines.compiled.step_arrays import UNIFORM, StepArrays
from panacea_sim.engines.compiled.structure import Counter, LoweredStep, Op, Source, Structure, structure_of
from panacea_sim.units import IntArray, narrow

__all__ = ["Actor", "Lowered", "LoweredStep", "Op", "lower", "ring_room"]


class Actor(NamedTuple):
    """One of the actors: its component (by number, the first one of its lanes), its firings and its steps."""

    component: int
    firings: int
    steps: tuple[LoweredStep, ...]
    lanes: int


@dataclass(frozen=True, eq=False)
class Lowered:
    """The lowered description.

    `arrays` are those of the steps, of which `offsets` tells where each begins and `packed` whether two lanes share a
    word; `sizes` counts the events of each counter. Of queues only those times are kept for which somebody may still
    wait, unless `whole_queues` wants all of them.

    Firings may be those of several `runs`, as many of each, one behind the other. Then actors and counters are those of
    one run; the words of each step begin `strides` further on for each run, and refer to nothing beyond it.
    """

    description: Description
    structure: Structure
    whole_queues: bool
    actors: list[Actor]
    arrays: StepArrays
    offsets: list[int]
    packed: list[bool]
    sizes: list[int]
    strides: list[int]
    runs: int = 1

    @property
    def counters(self) -> list[Counter]:
        """The counters."""
        return self.structure.counters

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Names such as "put:QUEUE", with the number of a counter and the lane in it."""
        return self.structure.places


def lower(
    description: Description,
    keep_times: Collection[str] = (),
    *,
    whole_queues: bool = False,
    runs: int = 1,
) -> Lowered:
    """Return the lowered form of a description; the components in `keep_times` get a counter "started:NAME".

    With several `runs` each component must fire as often in each of them.
    """
    groups = find_lane_groups(description, keep_times)
    structure = structure_of(description.wiring, frozenset(keep_times), tuple(groups))
    parts, arrays = description.components, StepArrays()
    fires = [part.firings // runs for part in parts]
    actors = [Actor(each.component, fires[each.component], each.steps, each.lanes) for each in structure.actors]
    stored = [_stored(description, arrays, step, runs) for step in structure.steps]
    sizes = [
        sum([_events(description, arrays, each, runs) for each in counter.sized_by]) for counter in structure.counters
    ]
    offsets, packed = [offset for offset, _ in stored], [is_packed for _, is_packed in stored]
    firings = [actor.firings for actor in actors for _ in actor.steps]
    strides = [_words(*each) for each in zip(structure.steps, firings, stored, strict=True)]
    return Lowered(
        description,
        structure,
        whole_queues,
        actors,
        arrays,
        offsets,
        packed,
        sizes,
        strides,
        runs,
    )


def ring_room(most: int) -> int:
    """Return how many places a ring has in which `most` events are remembered."""
    return 1 << (most - 1).bit_length()


def _words(step: LoweredStep, firings: int, stored: tuple[int, bool]) -> int:
    """Return the words that a step has in so many firings."""
    offset, packed = stored
    lanes = step.fan if step.op is Op.SERVE else 1
    return 0 if offset == UNIFORM else firings * ((lanes + packed) >> packed)


def _stored(description: Description, arrays: StepArrays, step: LoweredStep, runs: int) -> tuple[int, bool]:
    """Store the numbers of a step; return where they begin, and whether they are packed."""
    source = step.source
    if source is None:
        return UNIFORM, False
    if source.op is Op.SERVE:
        lanes = description.components[source.component : source.component + step.fan]
        return arrays.side_by_side([lane.service_cycles for lane in lanes if lane.service_cycles is not None])
    if source.op in _TOKENS:
        return arrays.offset(_tokens(description, source)), False
    return arrays.stored(_numbers(description, source, runs)), False


_TOKENS = (Op.TAKE, Op.GIVE)
"""Steps that move tokens of a queue, nearly all of them one token in each firing."""


def _tokens(description: Description, source: Source) -> IntArray:
    """Return the tokens that each firing takes or gives."""
    component = description.components[source.component]
    return (component.takes if source.op is Op.TAKE else component.gives)[source.place].tokens


def _numbers(description: Description, source: Source, runs: int) -> IntArray:
    """Return what each firing needs, waits for or releases, or the release that makes room for what it acquires."""
    component, place = description.components[source.component], source.place
    if source.op is Op.NEED:
        need = component.needs[place]
        return _of_its_run(description, need.index, description.producer[need.store], runs)
    if source.op is Op.WAIT:
        wait = component.waits[place]
        return _of_its_run(description, narrow(wait.firings - 1), wait.component, runs)
    if source.op is Op.RELEASE:
        return component.releases[place].size_bytes
    acquire = component.acquires[place]
    return _releases_awaited(description, acquire.memory, acquire.size_bytes, runs)


def _of_its_run(description: Description, index: IntArray, component: str, runs: int) -> IntArray:
    """Return indices of firings of a component as those in their own run; negative ones stand for nothing."""
    if runs == 1:
        return index
    firings = description.components[description.wiring.number[component]].firings // runs
    by_run = index.reshape(runs, -1)
    return np.where(by_run < 0, by_run, by_run - np.arange(runs)[:, None] * firings).ravel()


def _events(description: Description, arrays: StepArrays, source: Source, runs: int) -> int:
    """Return how many events the numbers at a source make, in the run with the most."""
    component = description.components[source.component]
    if source.op is Op.RELEASE:
        some = component.releases[source.place].size_bytes > 0
        return int(np.count_nonzero(some.reshape(runs, -1), 1).max(initial=0))
    if source.op is Op.END:
        return component.firings // runs
    tokens = _tokens(description, source)
    return component.firings // runs if arrays.offset(tokens) == UNIFORM else _most_of_a_run(tokens, runs)


def _most_of_a_run(counts: np.ndarray, runs: int) -> int:
    return int(counts.sum() if runs == 1 else counts.reshape(runs, -1).sum(1).max(initial=0))


def _releases_awaited(description: Description, memory: str, acquired_bytes: IntArray, runs: int) -> IntArray:
    """Return the release that makes room for each acquisition: -1 for none, one too many where none is enough."""
    wiring = description.wiring
    releaser = description.components[wiring.number[wiring.producer[memory]]]
    released_bytes = next(each.size_bytes for each in releaser.releases if each.memory == memory)
    capacity_bytes = next(each.capacity_bytes for each in wiring.memories if each.name == memory)
    if runs > 1:
        return _awaited_by_run(acquired_bytes, released_bytes, capacity_bytes, runs)
    short_bytes = np.cumsum(acquired_bytes) - capacity_bytes
    index = narrow(np.searchsorted(np.cumsum(released_bytes[released_bytes > 0]), short_bytes))
    # An acquisition of nothing waits for nothing, whatever is held.
    index[(short_bytes <= 0) | (acquired_bytes == 0)] = -1
    return index


def _awaited_by_run(acquired_bytes: IntArray, released_bytes: IntArray, capacity_bytes: int, runs: int) -> IntArray:
    """Return the same for several runs: their bytes are put so far apart that one search does for all of them."""
    acquired, released = acquired_bytes.reshape(runs, -1), released_bytes.reshape(runs, -1)
    taken, back, some = np.cumsum(acquired, 1), np.cumsum(released, 1), released > 0
    apart = np.arange(runs)[:, None] * (max(int(taken.max(initial=0)), int(back.max(initial=0))) + capacity_bytes + 1)
    before = np.cumsum(np.count_nonzero(some, 1)) - np.count_nonzero(some, 1)
    short = taken - capacity_bytes
    index = np.searchsorted((back + apart)[some], short + apart) - before[:, None]
    index[(short <= 0) | (acquired == 0)] = -1
    return narrow(index.ravel())
