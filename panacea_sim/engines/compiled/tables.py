"""The tables of the compiled engine, filled for one run of a lowered description."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from panacea_sim.description.steps import Requests
from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.kept_rows import Room, explained_trace, new_trace
from panacea_sim.engines.compiled.lowering import Lowered, ring_room
from panacea_sim.engines.compiled.structure import Structure
from panacea_sim.memory.arbiter import WIDTH
from panacea_sim.memory.params import OUT
from panacea_sim.trace.schema import GAP_REASONS, GRANT_COLUMNS
from panacea_sim.units import IntArray, signed_type

__all__ = ["core_tables", "stream_tables", "trace_buffers"]

_OWNER_ROWS, _CHANNEL_ACCESSES = 1 << 13, 1 << 13
"""Rows of a component or channel, and grants of a channel, that there is room for before Python has to be asked."""

_USUAL_ROWS, _USUAL_CHANNEL_ROWS, _USUAL_ACCESSES, _USUAL_POSTINGS = 6, 3, 1.5, 1.25
"""Rows of a firing and, of a channel, of a part of a request; accesses of a part, and postings of a firing."""

_NO_RING = np.iinfo(np.int64).max
"""The room of a counter of which all times are kept that somebody wants."""

_QUEUE_ROOM = 8
"""How often the longest queue of a channel has room in its array, along which it moves before it is copied back."""


class _Blank(NamedTuple):
    """The tables of a structure without the numbers of a run, to be copied.

    `wake` is that of Core, and `in_order` its first stack. Of each counter `lanes` holds the lanes, `kept` whether its
    times are wanted, and `ring` how many of them a ring keeps. The last two are the sizes of arrays.
    """

    actors: IntArray
    steps: IntArray
    counters: IntArray
    components: IntArray
    wake: IntArray
    in_order: IntArray
    lanes: IntArray
    kept: IntArray
    ring: IntArray
    lane_cycles: int
    stalls: int


@lru_cache(maxsize=64)
def _blank(structure: Structure) -> _Blank:
    actors, counters, wiring = structure.actors, structure.counters, structure.wiring
    first_step = _starts([len(actor.steps) for actor in actors])
    rows = np.zeros((len(actors), col.ACTOR_WIDTH), np.int64)
    rows[:, col.COMPONENT] = [actor.component for actor in actors]
    rows[:, col.FIRST_STEP] = rows[:, col.STEP] = first_step[:-1]
    rows[:, col.END_STEP] = first_step[1:]
    rows[:, col.POSTS] = structure.posts
    rows[:, col.BLOCKED_ON] = -1
    lane_at = _starts([actor.lanes if actor.lanes > 1 else 0 for actor in actors])
    rows[:, col.LANES] = [actor.lanes for actor in actors]
    rows[:, col.LANE_AT] = lane_at[:-1]
    wake_at = _starts([len(each.wakes) for each in counters])
    table = np.zeros((len(counters), col.COUNTER_WIDTH), np.int64)
    table[:, col.KEPT] = [each.kept for each in counters]
    table[:, col.OTHER_END] = [each.other_end for each in counters]
    table[:, col.OPEN_LANES] = [each.lanes * (each.other_end >= 0) for each in counters]
    table[:, col.CAPACITY] = [each.capacity for each in counters]
    table[:, col.HIGH_AT] = highs_at(structure)
    table[:, col.WAKE_AT], table[:, col.WAKE_END] = wake_at[:-1], wake_at[1:]
    components = np.zeros((len(wiring.parts), col.COMPONENT_WIDTH), np.int64)
    components[:, col.PORT_OF] = [wiring.port_of.get(name, -1) for name in wiring.names]
    return _Blank(
        rows,
        _steps(structure),
        table,
        components,
        np.array([actor for each in counters for actor in sorted(each.wakes)], np.int64),
        # The first actor is on top.
        np.array([len(actors), *range(len(actors) - 1, -1, -1)], np.int64),
        np.array([each.lanes for each in counters], np.int64),
        table[:, col.KEPT].copy(),
        np.array([ring_room(each.capacity) if each.other_end >= 0 else _NO_RING for each in counters], np.int64),
        int(lane_at[-1]),
        len(structure.slots),
    )


def core_tables(lowered: Lowered) -> col.Core:
    """Return actors, steps, counters and components before the first cycle."""
    blank, sizes = _blank(lowered.structure), np.array(lowered.sizes, np.int64)
    actors, steps, counters = blank.actors.copy(), blank.steps.copy(), blank.counters.copy()
    actors[:, col.FIRINGS] = [actor.firings for actor in lowered.actors]
    steps[:, col.OFFSET], steps[:, col.PACKED] = lowered.offsets, lowered.packed
    steps[:, col.STALLS_AT] = _starts(_stall_sizes(lowered))[:-1]
    # Nobody waits for more than the last tokens of a queue, as many as it holds.
    room = sizes * blank.kept if lowered.whole_queues else np.minimum(sizes * blank.kept, blank.ring)
    times_at = _starts(room * blank.lanes)
    counters[:, col.TIMES_AT] = times_at[:-1]
    # Where all events are kept, no bit of their numbers is masked.
    counters[:, col.EVENT_MASK] = np.where(room < sizes, room - 1, -1)
    return col.Core(
        actors,
        steps,
        counters,
        np.zeros(len(counters), np.int64),
        blank.components.copy(),
        blank.wake.copy(),
        lowered.arrays.joined(),
        np.zeros(times_at[-1], np.int64),
        np.zeros(blank.lanes.sum(), np.int64),
        np.zeros(blank.lane_cycles, np.int64),
        np.zeros(blank.stalls, np.int64),
        np.zeros((blank.stalls, 2), np.int64),
        blank.in_order.copy(),
    )


def highs_at(structure: Structure) -> IntArray:
    """Return where in `highs` the queue of each counter stands, its first lane; both ends of a queue share a place."""
    own = _starts([each.lanes for each in structure.counters])[:-1]
    return np.array([own[max(number, each.other_end)] for number, each in enumerate(structure.counters)], np.int64)


def stream_tables(lowered: Lowered) -> col.Streams:
    """Return requests, channels and devices before the first cycle."""
    description = lowered.description
    components = {part.name: part for part in description.components}
    ported = [components[port.component] for port in description.ports]
    requests = [part.requests for part in ported if part.requests is not None]
    first_request = _starts([part.firings for part in ported])
    part_base = _starts([len(each.channel) for each in requests])
    request_base = _starts([len(each.offsets) for each in requests])
    room_of, names = _slot_rooms(lowered), [part.name for part in description.components]
    rooms = [room_of[names.index(part.name)] for part in ported]
    slots_at = _starts(rooms)
    part_at = _joined([each.offsets + base for each, base in zip(requests, part_base[:-1], strict=True)])
    parts = np.stack(
        [
            _joined([each.channel for each in requests]),
            _joined([each.address for each in requests]),
            _joined([each.size_bytes for each in requests]),
            _joined([each.write for each in requests]),
        ],
        axis=1,
    )
    takers = {
        actor.component: number
        for number, (actor, posts) in enumerate(zip(lowered.actors, lowered.structure.posts, strict=True))
        if not posts
    }
    ports = np.zeros((len(ported), col.PORT_WIDTH), np.int64)
    ports[:, col.PORT_PRIORITY] = [port.priority for port in description.ports]
    ports[:, col.FIRST_REQUEST] = first_request[:-1]
    ports[:, col.SLOTS_AT] = slots_at[:-1]
    ports[:, col.SLOT_MASK] = [
        room - 1 if room < part.firings // lowered.runs else -1 for room, part in zip(rooms, ported, strict=True)
    ]
    ports[:, col.TAKER] = [takers[names.index(part.name)] for part in ported]
    # Parts of one firing may go to one channel, so a queue may have to hold them all.
    waiting = 1 + sum(port.outstanding for port in description.ports) * int(np.diff(part_at).max(initial=1))
    flat = [channel.device.flat() for channel in description.channels]
    channels = np.zeros((len(flat), col.CHANNEL_WIDTH), np.int64)
    channels[:, col.BANKED] = [each.banked for each in flat]
    channels[:, col.STATE_SIZE] = [len(each.state) for each in flat]
    channels[:, col.DECISION] = -1
    reasons = len(GAP_REASONS)
    return col.Streams(
        ports,
        np.zeros((slots_at[-1], col.REQUEST_WIDTH), np.int64),
        _joined_requests(requests, request_base),
        part_at,
        parts,
        np.zeros((sum(_stall_sizes(lowered)), 2), np.int64),
        channels,
        np.zeros((len(flat), _QUEUE_ROOM * waiting * WIDTH), np.int64),
        np.zeros((len(flat), _QUEUE_ROOM * waiting * col.HELD_WIDTH), np.int64),
        _padded([each.params for each in flat]),
        _padded([each.state for each in flat]),
        np.zeros((len(flat), OUT), np.int64),
        np.zeros((len(flat), col.STRETCHES_KEPT, 3), np.int64),
        np.zeros((len(flat), len(ported)), np.int64),
        np.zeros((len(flat), len(ported) * reasons), np.int64),
        np.zeros((len(ported), len(flat) * (len(ported) + reasons)), np.int64),
    )


def trace_buffers(lowered: Lowered, *, records: bool, whole: bool) -> col.Trace:
    """Return room for what is recorded, as a whole trace or for an explanation, and next to none without either."""
    parts, channels = lowered.description.components, len(lowered.description.channels)
    ports = len(lowered.description.ports)
    serves = [not part.posted for part in parts] + [False] * channels
    if records and not whole:
        return explained_trace(serves, channels, ports, _usual_room(lowered))
    none = np.zeros(len(serves), np.int64)
    if not whole:
        return new_trace(serves, channels, ports, Room(none, 2, 0, 1))._replace(on=0)
    # A buffer that is half full is emptied before the next firing, which may fill the other half.
    of_a_firing = _rows_of_a_firing(lowered)
    rows = np.empty((len(serves), 2 * max(_OWNER_ROWS, of_a_firing), col.ROW_WIDTH), np.int64)
    accesses = np.empty((channels, _CHANNEL_ACCESSES, GRANT_COLUMNS), np.int64)
    trace = new_trace(serves, channels, ports, Room(none, 2, _OWNER_ROWS, of_a_firing))
    return trace._replace(whole=1, rows=rows, accesses=accesses)


def _usual_room(lowered: Lowered) -> Room:
    """Return room for what runs usually record for an explanation; those that record more are given more."""
    parts, channels = lowered.description.components, lowered.description.channels
    firings = np.array([part.firings for part in parts], np.int64)
    asked = sum([int(part.requests.times_posted().sum()) for part in parts if part.requests is not None])
    of_channel = asked // max(len(channels), 1)
    rows = np.concatenate([_USUAL_ROWS * firings, np.full(len(channels), _USUAL_CHANNEL_ROWS * of_channel)])
    postings = int(_USUAL_POSTINGS * max([part.firings for part in parts if part.posted], default=0))
    return Room(
        _OWNER_ROWS + rows,
        _CHANNEL_ACCESSES + int(_USUAL_ACCESSES * of_channel),
        _OWNER_ROWS + postings,
        _rows_of_a_firing(lowered),
    )


def _rows_of_a_firing(lowered: Lowered) -> int:
    """Return how many rows a firing may add to those of one owner, at most."""
    # With the services before it each step may add two, and behind the last one there may be more of them.
    steps = max((sum(2 * step.fan for step in actor.steps) for actor in lowered.actors), default=1)
    return 1 + col.STRETCHES_KEPT + steps


def _steps(structure: Structure) -> IntArray:
    steps = structure.steps
    rows = np.zeros((len(steps), col.STEP_WIDTH), np.int64)
    rows[:, col.OP] = [step.op for step in steps]
    rows[:, col.WAITS_FOR] = [step.waits_for for step in steps]
    rows[:, col.ADDS_TO] = [step.adds_to for step in steps]
    rows[:, col.AMOUNT] = [step.amount for step in steps]
    rows[:, col.SLOT] = _starts([len(step.causes) for step in steps])[:-1]
    rows[:, col.FAN] = [step.fan for step in steps]
    return rows


def _stall_sizes(lowered: Lowered) -> list[int]:
    """Return how many stalls each step has to keep: one for each firing of a stream's posting side that has a slot."""
    rooms = _slot_rooms(lowered)
    return [
        rooms[actor.component] * posts
        for actor, posts in zip(lowered.actors, lowered.structure.posts, strict=True)
        for _ in actor.steps
    ]


def _slot_rooms(lowered: Lowered) -> dict[int, int]:
    """Return how many firings of each component are remembered: of a stream those in flight and the next."""
    outstanding = {port.component: port.outstanding for port in lowered.description.ports}
    return {
        number: part.firings
        if part.name not in outstanding
        else min(part.firings // lowered.runs, ring_room(outstanding[part.name] + 1))
        for number, part in enumerate(lowered.description.components)
    }


def _joined_requests(requests: Sequence[Requests], base: IntArray) -> IntArray:
    """Return the request that each firing of each port posts, by its number among those of all ports."""
    # 32 bits are always enough for what fits a memory of today; another width would be compiled anew.
    width = signed_type(max(int(base[-1]), np.iinfo(np.int32).max))
    joined: IntArray = np.empty(sum(each.firings for each in requests), width)
    first = 0
    for each, start in zip(requests, base.tolist(), strict=False):
        end = first + each.firings
        joined[first:end] = np.arange(each.firings) if each.request is None else each.request
        joined[first:end] += start
        first = end
    return joined


def _padded(rows: Sequence[Sequence[int]]) -> IntArray:
    """Return rows of different lengths as one array."""
    padded = np.zeros((len(rows), max((len(row) for row in rows), default=1)), np.int64)
    for mine, row in zip(padded, rows, strict=True):
        mine[: len(row)] = row
    return padded


def _starts(lengths: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _joined(arrays: Sequence[IntArray]) -> IntArray:
    return np.concatenate([*arrays, np.zeros(0, np.int64)]).astype(np.int64)
