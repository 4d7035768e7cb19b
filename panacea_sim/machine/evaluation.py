"""The compiled engine's inner loops: a lowered description evaluated by dependence, not by time.

Between grants of the channels an actor can go on as soon as the events that it waits for are known, whatever their
time. Only grants need an order: of all channels that with the least decision cycle goes first. A request that is not
known yet depends on a grant that is still to come, and has its effects later than that decision.

Everything here is compiled by numba; the timing of devices is that of dram_timing.py and ideal_timing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numba

from panacea_sim.machine import arbiter, dram_timing, ideal_timing
from panacea_sim.machine.arbiter import ADDRESS, PORT, PRIORITY, REQUEST_CYCLE, SIZE_BYTES, WIDTH, WRITE
from panacea_sim.machine.dram_params import (
    OUT_BANK,
    OUT_END,
    OUT_READY,
    OUT_REFRESH_UNTIL,
    OUT_ROW_HIT,
    OUT_ROW_HITS,
    OUT_ROW_MISSES,
    OUT_ROW_UNTIL,
    OUT_SIZE,
    OUT_START,
    OUT_TURNAROUND_UNTIL,
)
from panacea_sim.machine.dram_requests import GAP_REASONS
from panacea_sim.machine.lowering import UNIFORM, Op
from panacea_sim.units import IntArray

__all__ = [
    "BUSY",
    "CONTENDED",
    "IDLE",
    "PAUSED",
    "STARVED",
    "STRETCHES_KEPT",
    "STUCK",
    "Core",
    "Streams",
    "Trace",
    "evaluate",
    "high_water",
]

DONE, PAUSED, STUCK = range(3)
"""How `evaluate` ends: all actors are done, it wants to be called again, or nothing can move."""

_GRANTS = 1 << 16
"""Grants between two visits to Python, a fraction of a second."""

ROW_WIDTH = 5
"""A row of the trace: owner (component, or channel after all of them), code, start, end, firing."""

ACCESS_WIDTH = 9
"""A grant: channel, bank, row hit, port, request cycle, start, end, bytes, write."""

BUSY, IDLE, STARVED = -1, -2, -3
"""Codes of rows; a code >= 0 is the number of the step that stalls."""

CONTENDED = -10
"""From here down: for a stream CONTENDED - (channel * (ports + reasons) + port or ports + reason) says what it waits
for; for a channel CONTENDED - port says whose data it moves, and CONTENDED - ((1 + reason) * ports + port) what holds
it up.
"""

_TAKE, _NEED, _WAIT, _ACQUIRE, _SERVE, _POST, _READY, _RELEASE, _PUT, _GIVE, _END = (int(op) for op in Op)
_NONE = -1
_READY_TO_GO, _WAITS_FOR_DATA = -1, -2
"""What an actor is blocked on, apart from counters."""

_REFRESH, _TURNAROUND, _ROW = range(3)
_REASONS = len(GAP_REASONS)
STRETCHES_KEPT = 1 << 12
"""What a channel remembers of its past: far more stretches than requests can wait for at once."""


class Core(NamedTuple):
    """Actors, steps and counters: the tables of the inner loop. Each has a row for each of its kind, see the columns.

    `events` counts those of each counter so far and `times` holds them. `wake` lists the actors that wait for each
    counter, `data` holds the arrays of the steps, `lane_cycle` the cycle of each lane of an actor, `stalled` the cycles
    of each stall, and `stack` the actors that may go on, its first entry being their number.
    """

    actors: IntArray
    steps: IntArray
    counters: IntArray
    events: IntArray
    components: IntArray
    wake: IntArray
    data: IntArray
    times: IntArray
    lane_cycle: IntArray
    stalled: IntArray
    stack: IntArray


class Streams(NamedTuple):
    """Requests, channels and devices: the tables of posting, granting and taking.

    `part_at` says where the parts of each request begin, one entry more for each port. `stalls` holds what posting
    sides waited for, start and end for each firing. `queue` and `held` are the waiting parts of each channel,
    `stretch` its past, `gaps` and `busy` its cycles by port, `waits` the cycles for which each port was contended.
    """

    ports: IntArray
    requests: IntArray
    part_at: IntArray
    parts: IntArray
    stalls: IntArray
    channels: IntArray
    queue: IntArray
    held: IntArray
    params: IntArray
    device: IntArray
    out: IntArray
    stretch: IntArray
    busy: IntArray
    gaps: IntArray
    waits: IntArray


class Trace(NamedTuple):
    """Buffers of the trace: rows and accesses, and how many of each there are. `on` is 0 or 1."""

    on: int
    counts: IntArray
    rows: IntArray
    accesses: IntArray


(
    FIRINGS,
    COMPONENT,
    FIRST_STEP,
    END_STEP,
    POSTS,
    TIME,
    FIRING,
    STEP,
    BLOCKED_ON,
    BLOCKED_INDEX,
    LANES,
    LANE_AT,
    ACTOR_WIDTH,
) = range(13)
OP, WAITS_FOR, ADDS_TO, OFFSET, AMOUNT, STALLS_AT, SLOT, FAN, STEP_WIDTH = range(9)
TIMES_AT, WAKE_AT, WAKE_END, KEPT, COUNTER_WIDTH = range(5)
PORT_OF, BUSY_CYCLES, HEAD, LAST_END, COMPONENT_WIDTH = range(5)
PORT_PRIORITY, FIRST_REQUEST, TAKER, PORT_WIDTH = range(4)
POSTED, OPEN_PARTS, READY, DATA_CYCLE, DATA_PART, DATA_CHANNEL, FIRST_STRETCH, STRETCHES, REQUEST_WIDTH = range(9)
PART_CHANNEL, PART_ADDRESS, PART_BYTES, PART_WRITE, PART_WIDTH = range(5)
(
    BANKED,
    STATE_SIZE,
    DECISION,
    QUEUED,
    STRETCH_COUNT,
    CHANNEL_END,
    IDLE_CYCLES,
    STARVED_CYCLES,
    READ_BYTES,
    WRITE_BYTES,
    ROW_HITS,
    ROW_MISSES,
    CHANNEL_WIDTH,
) = range(13)
HELD_REQUEST, HELD_PART, HELD_GRANTED, HELD_READY, HELD_WIDTH = range(5)
ROWS, ACCESSES = range(2)


def _compiled(module: ModuleType, shared: dict[str, Any]) -> dict[str, Any]:
    """Return the names of a module with its functions compiled, calls among them included.

    The functions stay plain Python for the reference engine, so they cannot be decorated where they stand.
    """
    names = dict(vars(module)) | shared
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            copy = FunctionType(value.__code__, names, name, value.__defaults__, value.__closure__)
            copy.__module__ = module.__name__
            copy.__qualname__ = name
            names[name] = numba.njit(cache=True, error_model="numpy")(copy)
    return names


_arbiter = _compiled(arbiter, {})
_shared = {"first_come_first_served": _arbiter["first_come_first_served"]}
_banked = _compiled(dram_timing, _shared)
_ideal = _compiled(ideal_timing, {})

place_in_queue: Callable[..., int] = _arbiter["place_in_queue"]
first_come_first_served: Callable[..., int] = _arbiter["first_come_first_served"]
banked_next_decision: Callable[..., int] = _banked["next_decision"]
banked_choose: Callable[..., int] = _banked["choose"]
banked_serve: Callable[..., None] = _banked["serve"]
ideal_next_decision: Callable[..., int] = _ideal["next_decision"]
ideal_serve: Callable[..., None] = _ideal["serve"]

_njit = numba.njit(cache=True, error_model="numpy")


@_njit
def evaluate(core: Core, streams: Streams, trace: Trace) -> int:  # noqa: C901, PLR0911, PLR0912, PLR0914, PLR0915  # the inner loop
    """Let every listed actor go on as far as it can, then make the next grant; until all are done or nothing can move.

    Returns DONE, STUCK, or PAUSED: a buffer is full, or it is time to let Python see to signals. The tables are local
    variables and the steps are spelled out, because each use of a field of a tuple would count references.
    """
    actors, steps, counters, events, components = core.actors, core.steps, core.counters, core.events, core.components
    wake, data, times, lane_cycle, stalled = core.wake, core.data, core.times, core.lane_cycle, core.stalled
    stack = core.stack
    ports, requests, part_at, parts, stalls = (
        streams.ports,
        streams.requests,
        streams.part_at,
        streams.parts,
        streams.stalls,
    )
    channels, queue, held, params, device = (
        streams.channels,
        streams.queue,
        streams.held,
        streams.params,
        streams.device,
    )
    out, past, busy, gaps, waits = streams.out, streams.stretch, streams.busy, streams.gaps, streams.waits
    on, filled, rows, accesses = trace.on, trace.counts, trace.rows, trace.accesses
    room = len(rows) // 2
    for _ in range(_GRANTS):
        while stack[0]:
            actor = stack[stack[0]]
            stack[0] -= 1
            component, posts, lanes = actors[actor, COMPONENT], actors[actor, POSTS], actors[actor, LANES]
            first, end, lane_at = actors[actor, FIRST_STEP], actors[actor, END_STEP], actors[actor, LANE_AT]
            cycle, firing, step = actors[actor, TIME], actors[actor, FIRING], actors[actor, STEP]
            firings, blocked_on, blocked_index = actors[actor, FIRINGS], _READY_TO_GO, _NONE
            while firing < firings and filled[ROWS] <= room:
                while step < end:
                    op, waits_for, adds_to = steps[step, OP], steps[step, WAITS_FOR], steps[step, ADDS_TO]
                    offset, fan = steps[step, OFFSET], steps[step, FAN]
                    value = data[offset + firing] if offset >= 0 and op != _SERVE else 1
                    # The event that the step waits for, and how many it adds to its own counter.
                    index, adds = _NONE, 0
                    if op == _TAKE:
                        adds = value
                        if value:
                            index = events[adds_to] + value - 1
                    elif op == _GIVE:
                        adds = value
                        if value:
                            index = events[adds_to] - steps[step, AMOUNT]
                    elif op == _NEED or op == _WAIT:  # noqa: PLR1714, SIM109  # numba would build a tuple
                        index = value
                    elif op == _ACQUIRE:
                        index, adds = value, 1
                    elif op == _RELEASE:
                        adds = 1 if value else 0
                    elif op == _POST:
                        index, adds = firing - steps[step, AMOUNT], 1
                    elif op == _READY:
                        index = firing
                    elif adds_to >= 0:
                        adds = 1
                    latency = steps[step, AMOUNT] if op == _TAKE or op == _NEED else 0  # noqa: PLR1714  # the same
                    event_at = _NONE
                    if index >= 0:
                        if events[waits_for] <= index:
                            blocked_on, blocked_index = waits_for, index
                            break
                        if op == _READY:
                            if requests[ports[components[component, PORT_OF], FIRST_REQUEST] + firing, OPEN_PARTS]:
                                blocked_on, blocked_index = _WAITS_FOR_DATA, firing
                                break
                        else:
                            event_at = counters[waits_for, TIMES_AT] + index * fan
                    mark_at = _NONE
                    if adds and counters[adds_to, KEPT]:
                        mark_at = counters[adds_to, TIMES_AT] + events[adds_to] * fan
                    if fan > 1:
                        head = firing == 0 and op == _TAKE
                        slot = steps[step, SLOT]
                        if lanes == 1:
                            if adds:
                                for lane in range(fan):
                                    if event_at >= 0 and times[event_at + lane] + latency > cycle:
                                        event = times[event_at + lane] + latency
                                        if head:
                                            components[component, HEAD] = event
                                        else:
                                            stalled[slot + lane] += event - cycle
                                            if on:
                                                _row(rows, filled, component, slot + lane, cycle, event, firing)
                                        cycle = event
                                    times[mark_at + lane] = cycle
                        elif op == _SERVE:
                            served_at = offset + firing * fan
                            for lane in range(fan):
                                start = lane_cycle[lane_at + lane]
                                lane_cycle[lane_at + lane] = start + data[served_at + lane]
                                if on:
                                    owner = component + lane
                                    if firing == 0:
                                        _row(rows, filled, owner, IDLE, 0, components[owner, HEAD], _NONE)
                                    _row(rows, filled, owner, BUSY, start, start + data[served_at + lane], firing)
                        elif adds and (event_at >= 0 or mark_at >= 0):
                            for lane in range(fan):
                                now = lane_cycle[lane_at + lane]
                                if event_at >= 0 and times[event_at + lane] + latency > now:
                                    event = times[event_at + lane] + latency
                                    if head:
                                        components[component + lane, HEAD] = event
                                    else:
                                        stalled[slot + lane] += event - now
                                        if on:
                                            _row(rows, filled, component + lane, slot + lane, now, event, firing)
                                    now = event
                                    lane_cycle[lane_at + lane] = now
                                if mark_at >= 0:
                                    times[mark_at + lane] = now
                    else:
                        if event_at >= 0 and times[event_at] + latency > cycle:
                            event = times[event_at] + latency
                            if firing == 0 and (op == _TAKE or op == _NEED):  # noqa: PLR1714, SIM109  # the same
                                components[component, HEAD] = event
                            elif posts:
                                # How much of it shows is known when the data of the request before was taken.
                                if op != _POST:
                                    place = steps[step, STALLS_AT] + firing
                                    stalls[place, 0] = cycle
                                    stalls[place, 1] = event
                            else:
                                slot = steps[step, SLOT]
                                stalled[slot] += event - cycle
                                if on:
                                    _row(rows, filled, component, slot, cycle, event, firing)
                            cycle = event
                        if op == _POST:
                            port = components[component, PORT_OF]
                            _post(ports, requests, part_at, parts, channels, queue, held, port, cycle, firing)
                        elif op == _READY:
                            cycle = _arrive(
                                actors,
                                steps,
                                components,
                                ports,
                                requests,
                                stalls,
                                past,
                                waits,
                                stalled,
                                on,
                                rows,
                                filled,
                                actor,
                                cycle,
                                firing,
                            )
                        if mark_at >= 0:
                            for place in range(mark_at, mark_at + adds):
                                times[place] = cycle
                        if op == _SERVE:
                            service = data[offset + firing]
                            if on:
                                if firing == 0:
                                    _row(rows, filled, component, IDLE, 0, components[component, HEAD], _NONE)
                                _row(rows, filled, component, BUSY, cycle, cycle + service, firing)
                            cycle += service
                    if adds:
                        count = events[adds_to] + adds
                        events[adds_to] = count
                        for place in range(counters[adds_to, WAKE_AT], counters[adds_to, WAKE_END]):
                            other = wake[place]
                            if actors[other, BLOCKED_ON] == adds_to and actors[other, BLOCKED_INDEX] < count:
                                actors[other, BLOCKED_ON] = _READY_TO_GO
                                stack[0] += 1
                                stack[stack[0]] = other
                    step += 1
                if step < end:
                    break
                firing += 1
                step = first
            actors[actor, TIME], actors[actor, FIRING], actors[actor, STEP] = cycle, firing, step
            actors[actor, BLOCKED_ON], actors[actor, BLOCKED_INDEX] = blocked_on, blocked_index
            if lanes > 1:
                for lane in range(lanes):
                    components[component + lane, LAST_END] = lane_cycle[lane_at + lane]
            elif not posts:
                components[component, LAST_END] = cycle
            if firing < firings and blocked_on == _READY_TO_GO:
                # The rows of the trace want emptying first.
                stack[0] += 1
                stack[stack[0]] = actor
                return PAUSED
        if filled[ACCESSES] == len(accesses):
            return PAUSED
        channel = _next_channel(channels, queue, params, device)
        if channel == _NONE:
            for actor in range(len(actors)):
                if actors[actor, FIRING] < actors[actor, FIRINGS]:
                    return STUCK
            return DONE
        _grant(
            channels,
            queue[channel],
            held[channel],
            params[channel],
            device[channel],
            out[channel],
            past[channel],
            requests,
            ports,
            gaps,
            busy,
            on,
            rows,
            filled,
            accesses,
            len(components),
            channel,
            actors,
            stack,
        )
    return PAUSED


@_njit
def _row(  # flat numbers, because this is called for every row of the trace
    rows: IntArray, filled: IntArray, owner: int, code: int, start: int, end: int, firing: int
) -> None:
    if end > start:
        row = filled[ROWS]
        rows[row, 0] = owner
        rows[row, 1] = code
        rows[row, 2] = start
        rows[row, 3] = end
        rows[row, 4] = firing
        filled[ROWS] += 1


@_njit
def _post(  # noqa: PLR0913, PLR0917  # arrays by themselves, see `evaluate`
    ports: IntArray,
    requests: IntArray,
    part_at: IntArray,
    parts: IntArray,
    channels: IntArray,
    all_queues: IntArray,
    all_held: IntArray,
    port: int,
    cycle: int,
    firing: int,
) -> None:
    """Let the parts of a request join the queues of their channels."""
    number = ports[port, FIRST_REQUEST] + firing
    requests[number, POSTED] = requests[number, READY] = requests[number, DATA_CYCLE] = cycle
    requests[number, DATA_PART] = _NONE
    first = part_at[number + port]
    for part in range(first, part_at[number + port + 1]):
        if not parts[part, PART_BYTES]:
            continue
        requests[number, OPEN_PARTS] += 1
        channel = parts[part, PART_CHANNEL]
        queue, held, queued = all_queues[channel], all_held[channel], channels[channel, QUEUED]
        place = place_in_queue(queue, queued, cycle, port)
        for at in range(queued * WIDTH - 1, place * WIDTH - 1, -1):
            queue[at + WIDTH] = queue[at]
        for at in range(queued * HELD_WIDTH - 1, place * HELD_WIDTH - 1, -1):
            held[at + HELD_WIDTH] = held[at]
        base = place * WIDTH
        queue[base + PRIORITY] = ports[port, PORT_PRIORITY]
        queue[base + REQUEST_CYCLE] = cycle
        queue[base + PORT] = port
        queue[base + ADDRESS] = parts[part, PART_ADDRESS]
        queue[base + SIZE_BYTES] = parts[part, PART_BYTES]
        queue[base + WRITE] = parts[part, PART_WRITE]
        base = place * HELD_WIDTH
        held[base + HELD_REQUEST] = number
        held[base + HELD_PART] = part - first
        held[base + HELD_GRANTED] = held[base + HELD_READY] = 0
        channels[channel, QUEUED] = queued + 1
        channels[channel, DECISION] = _NONE


@_njit
def _arrive(  # noqa: PLR0913, PLR0917  # arrays by themselves, see `evaluate`
    actors: IntArray,
    steps: IntArray,
    components: IntArray,
    ports: IntArray,
    requests: IntArray,
    stalls: IntArray,
    all_pasts: IntArray,
    waits: IntArray,
    stalled: IntArray,
    on: int,
    rows: IntArray,
    filled: IntArray,
    actor: int,
    before: int,
    firing: int,
) -> int:
    """Take the data of a request; account the stream's time since `before`, when it took the data of the last one."""
    component = actors[actor, COMPONENT]
    port = components[component, PORT_OF]
    request = ports[port, FIRST_REQUEST] + firing
    if on and firing == 0:
        _row(rows, filled, component, IDLE, 0, components[component, HEAD], _NONE)
    # What the posting side, the actor before, waited for shows from the moment when nothing was in flight.
    for step in range(actors[actor - 1, FIRST_STEP], actors[actor - 1, END_STEP] - 1):
        place = steps[step, STALLS_AT] + firing
        start, end = max(stalls[place, 0], before), stalls[place, 1]
        if end > start:
            slot = steps[step, SLOT]
            stalled[slot] += end - start
            if on:
                _row(rows, filled, component, slot, start, end, firing)
    at = max(requests[request, POSTED], before)
    cycle = int(max(requests[request, READY], before))
    data_cycle = requests[request, DATA_CYCLE]
    if data_cycle > at:
        # Split the wait until the first data by what the channel did.
        past = all_pasts[requests[request, DATA_CHANNEL]]
        code, start = _NONE, at
        stretch = requests[request, FIRST_STRETCH]
        for number in range(stretch, stretch + requests[request, STRETCHES]):
            place = number % STRETCHES_KEPT
            end = min(past[place, 1], data_cycle)
            if end <= at:
                continue
            if past[place, 2] != code:
                if on and code != _NONE:
                    _row(rows, filled, component, CONTENDED - code, start, at, firing)
                code, start = past[place, 2], at
            waits[port, code] += end - at
            at = end
        if on and code != _NONE:
            _row(rows, filled, component, CONTENDED - code, start, at, firing)
    components[component, BUSY_CYCLES] += cycle - at
    if on:
        _row(rows, filled, component, BUSY, at, cycle, firing)
    return cycle


@_njit
def _next_channel(channels: IntArray, queue: IntArray, params: IntArray, device: IntArray) -> int:
    """Return the channel that decides first, the lowest of equal ones; it remembers when. -1 if nothing is asked."""
    channel, cycle = _NONE, 0
    for each in range(len(channels)):
        if channels[each, QUEUED]:
            decision = channels[each, DECISION]
            if decision == _NONE:
                if channels[each, BANKED]:
                    decision = banked_next_decision(params[each], device[each], queue[each, REQUEST_CYCLE])
                else:
                    decision = ideal_next_decision(params[each], device[each], queue[each, REQUEST_CYCLE])
                channels[each, DECISION] = decision
            if channel == _NONE or decision < cycle:
                channel, cycle = each, decision
    return channel


@_njit
def _grant(  # noqa: C901, PLR0912, PLR0913, PLR0914, PLR0915, PLR0917  # arrays by themselves, see `evaluate`
    channels: IntArray,
    queue: IntArray,
    held: IntArray,
    params: IntArray,
    device: IntArray,
    out: IntArray,
    past: IntArray,
    requests: IntArray,
    ports: IntArray,
    gaps: IntArray,
    busy: IntArray,
    on: int,
    rows: IntArray,
    filled: IntArray,
    accesses: IntArray,
    first_owner: int,
    channel: int,
    actors: IntArray,
    stack: IntArray,
) -> None:
    """Make the decision of a channel; account what it does for the grant, before and during its data; tell the request."""
    cycle, arrived = channels[channel, DECISION], channels[channel, QUEUED]
    channels[channel, DECISION] = _NONE
    # Requests stand in the order of their cycles; those of later cycles are known too early.
    while queue[(arrived - 1) * WIDTH + REQUEST_CYCLE] > cycle:
        arrived -= 1
    if channels[channel, BANKED]:
        place = banked_choose(params, device, cycle, queue, arrived)
        base = place * WIDTH
        banked_serve(params, device, cycle, queue[base + ADDRESS], queue[base + SIZE_BYTES], queue[base + WRITE], out)
    else:
        place = first_come_first_served(queue, arrived)
        base = place * WIDTH
        ideal_serve(params, device, cycle, queue[base + ADDRESS], queue[base + SIZE_BYTES], queue[base + WRITE], out)
    port_count, owner = len(ports), first_owner + channel
    port, held_at = queue[base + PORT], place * HELD_WIDTH
    request = held[held_at + HELD_REQUEST]
    last_end, start, end = channels[channel, CHANNEL_END], out[OUT_START], out[OUT_END]
    at = max(last_end, min(queue[REQUEST_CYCLE], start))
    idle = channels[channel, READ_BYTES] + channels[channel, WRITE_BYTES] == 0
    channels[channel, IDLE_CYCLES if idle else STARVED_CYCLES] += at - last_end
    if on:
        _row(rows, filled, owner, IDLE if idle else STARVED, last_end, at, _NONE)
    codes = channel * (port_count + _REASONS)
    stretches = channels[channel, STRETCH_COUNT]
    if at < start:
        row_until = max(at, min(out[OUT_ROW_UNTIL], start))
        for reason in range(_REASONS):
            until = start
            if reason == _REFRESH:
                until = min(out[OUT_REFRESH_UNTIL], row_until)
            elif reason == _TURNAROUND:
                until = min(out[OUT_TURNAROUND_UNTIL], row_until)
            elif reason == _ROW:
                until = row_until
            if until > at:
                gaps[channel, port * _REASONS + reason] += until - at
                stretches = _stretch(past, stretches, at, until, codes + port_count + reason)
                if on:
                    _row(rows, filled, owner, CONTENDED - ((1 + reason) * port_count + port), at, until, request)
                at = until
    if not held[held_at + HELD_GRANTED]:
        held[held_at + HELD_GRANTED] = 1
        _note_first_data(
            requests, past, stretches, request, held[held_at + HELD_PART], queue[base + REQUEST_CYCLE], channel, start
        )
    held[held_at + HELD_READY] = max(held[held_at + HELD_READY], out[OUT_READY])
    channels[channel, STRETCH_COUNT] = _stretch(past, stretches, start, end, codes + port)
    busy[channel, port] += end - start
    channels[channel, CHANNEL_END] = end
    channels[channel, READ_BYTES + queue[base + WRITE]] += out[OUT_SIZE]
    channels[channel, ROW_HITS] += out[OUT_ROW_HITS]
    channels[channel, ROW_MISSES] += out[OUT_ROW_MISSES]
    if on:
        _row(rows, filled, owner, CONTENDED - port, start, end, request)
        access = accesses[filled[ACCESSES]]
        access[0], access[1], access[2], access[3] = channel, out[OUT_BANK], out[OUT_ROW_HIT], port
        access[4], access[5], access[6] = queue[base + REQUEST_CYCLE], start, end
        access[7], access[8] = out[OUT_SIZE], queue[base + WRITE]
        filled[ACCESSES] += 1
    if out[OUT_SIZE] < queue[base + SIZE_BYTES]:
        queue[base + ADDRESS] += out[OUT_SIZE]
        queue[base + SIZE_BYTES] -= out[OUT_SIZE]
        return
    # A part that is granted whole leaves the queue; with the last one of a request its data can be taken.
    requests[request, READY] = max(requests[request, READY], held[held_at + HELD_READY])
    queued = channels[channel, QUEUED] - 1
    channels[channel, QUEUED] = queued
    for moved in range(base, queued * WIDTH):
        queue[moved] = queue[moved + WIDTH]
    for moved in range(held_at, queued * HELD_WIDTH):
        held[moved] = held[moved + HELD_WIDTH]
    requests[request, OPEN_PARTS] -= 1
    if not requests[request, OPEN_PARTS]:
        taker = ports[port, TAKER]
        waited_for = ports[port, FIRST_REQUEST] + actors[taker, BLOCKED_INDEX]
        if actors[taker, BLOCKED_ON] == _WAITS_FOR_DATA and waited_for == request:
            actors[taker, BLOCKED_ON] = _READY_TO_GO
            stack[0] += 1
            stack[stack[0]] = taker


@_njit
def _stretch(past: IntArray, count: int, start: int, end: int, code: int) -> int:
    """Add to the past of a channel, if it is not empty, and return how many stretches there were."""
    if end > start:
        place = count % STRETCHES_KEPT
        past[place, 0], past[place, 1], past[place, 2] = start, end, code
        return count + 1
    return count


@_njit
def _note_first_data(  # noqa: PLR0913, PLR0917  # arrays by themselves, see `evaluate`
    requests: IntArray,
    past: IntArray,
    count: int,
    request: int,
    part: int,
    since: int,
    channel: int,
    start: int,
) -> None:
    """Note when the first data of a part comes: the earliest part speaks for its request, of equal ones the lowest."""
    known = requests[request, DATA_PART]
    if known != _NONE:
        known_cycle = requests[request, DATA_CYCLE]
        if known_cycle < start or (known_cycle == start and known <= part):
            return
    requests[request, DATA_PART] = part
    requests[request, DATA_CYCLE] = start
    requests[request, DATA_CHANNEL] = channel
    first = count
    while first > max(0, count - STRETCHES_KEPT) and past[(first - 1) % STRETCHES_KEPT, 1] > since:
        first -= 1
    requests[request, FIRST_STRETCH] = first
    requests[request, STRETCHES] = count - first


@_njit
def high_water(put: IntArray, taken: IntArray) -> int:
    """Return the highest occupancy of a queue at the end of any cycle, from the times of its tokens."""
    highest, gone = 0, 0
    for index in range(len(put)):
        while gone < len(taken) and taken[gone] <= put[index]:
            gone += 1
        highest = max(highest, index + 1 - gone)
    return highest
