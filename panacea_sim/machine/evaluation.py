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
_REFRESH, _TURNAROUND, _ROW = range(3)
_REASONS = len(GAP_REASONS)


class Core(NamedTuple):
    """Actors, steps and counters: the tables of the inner loop. Each has a row for each of its kind, see the columns.

    `wake` lists the actors that wait for each counter, `data` holds the arrays of the steps, `times` the events of the
    counters, `stack` the actors that may go on, its first entry being their number.
    """

    actors: IntArray
    steps: IntArray
    counters: IntArray
    components: IntArray
    wake: IntArray
    data: IntArray
    times: IntArray
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


FIRINGS, COMPONENT, FIRST_STEP, END_STEP, POSTS, TIME, FIRING, STEP, LISTED, ACTOR_WIDTH = range(10)
OP, WAITS_FOR, ADDS_TO, OFFSET, AMOUNT, STALLS_AT, STALLED, STEP_WIDTH = range(8)
TIMES_AT, WAKE_AT, WAKE_END, EVENTS, COUNTER_WIDTH = range(5)
PORT_OF, BUSY_CYCLES, HEAD, LAST_END, COMPONENT_WIDTH = range(5)
PORT_PRIORITY, FIRST_REQUEST, TAKER, PORT_WIDTH = range(4)
POSTED, OPEN_PARTS, READY, DATA_CYCLE, DATA_PART, DATA_CHANNEL, FIRST_STRETCH, STRETCHES, REQUEST_WIDTH = range(9)
PART_CHANNEL, PART_ADDRESS, PART_BYTES, PART_WRITE, PART_WIDTH = range(5)
(
    BANKED,
    STATE_AT,
    STATE_END,
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
            names[name] = numba.njit(cache=True)(copy)
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

_njit = numba.njit(cache=True)


@_njit
def evaluate(core: Core, streams: Streams, trace: Trace) -> int:
    """Go on until all actors are done (DONE) or nothing can move (STUCK).

    PAUSED says that a buffer is full, or that it is time to let Python see to signals.
    """
    for _ in range(_GRANTS):
        if not _settle(core, streams, trace) or trace.counts[ACCESSES] == len(trace.accesses):
            return PAUSED
        if not _grant(core, streams, trace):
            break
    else:
        return PAUSED
    actors = core.actors
    for actor in range(len(actors)):
        if actors[actor, FIRING] < actors[actor, FIRINGS]:
            return STUCK
    return DONE


@_njit
def _settle(core: Core, streams: Streams, trace: Trace) -> bool:  # noqa: C901, PLR0912, PLR0915  # the inner loop
    """Let every listed actor go on as far as it can; return False if a buffer of the trace wants emptying first.

    The tables are local variables and the steps are spelled out, because each use of a field of a tuple, and each call
    that passes one, would count references.
    """
    actors, steps, counters, components = core.actors, core.steps, core.counters, core.components
    wake, data, times, stack = core.wake, core.data, core.times, core.stack
    requests, ports, stalls = streams.requests, streams.ports, streams.stalls
    on, filled, rows = trace.on, trace.counts, trace.rows
    while stack[0]:
        if filled[ROWS] > len(rows) // 2:
            return False
        actor = stack[stack[0]]
        stack[0] -= 1
        actors[actor, LISTED] = 0
        component, posts = actors[actor, COMPONENT], actors[actor, POSTS]
        first, end = actors[actor, FIRST_STEP], actors[actor, END_STEP]
        cycle, firing, step = actors[actor, TIME], actors[actor, FIRING], actors[actor, STEP]
        known = True
        while firing < actors[actor, FIRINGS]:
            while step < end:
                op, offset, adds_to = steps[step, OP], steps[step, OFFSET], steps[step, ADDS_TO]
                value = data[offset + firing] if offset != UNIFORM else 1
                # The event that the step waits for, and how many it adds to its own counter.
                index, adds = _NONE, 0
                if op == _TAKE:
                    adds = value
                    if value:
                        index = counters[adds_to, EVENTS] + value - 1
                elif op == _GIVE:
                    adds = value
                    if value:
                        index = counters[adds_to, EVENTS] - steps[step, AMOUNT]
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
                elif op != _SERVE or adds_to >= 0:
                    adds = 1
                if index >= 0:
                    counter = steps[step, WAITS_FOR]
                    if counters[counter, EVENTS] <= index:
                        known = False
                        break
                    if op == _READY:
                        if requests[ports[components[component, PORT_OF], FIRST_REQUEST] + firing, OPEN_PARTS]:
                            known = False
                            break
                    else:
                        event = times[counters[counter, TIMES_AT] + index]
                        if op == _TAKE or op == _NEED:  # noqa: PLR1714, SIM109  # the same
                            event += steps[step, AMOUNT]
                        if event > cycle:
                            if firing == 0 and (op == _TAKE or op == _NEED):  # noqa: PLR1714, SIM109  # the same
                                components[component, HEAD] = event
                            elif posts:
                                # How much of it shows is known when the data of the request before was taken.
                                if op != _POST:
                                    place = steps[step, STALLS_AT] + firing
                                    stalls[place, 0] = cycle
                                    stalls[place, 1] = event
                            else:
                                steps[step, STALLED] += event - cycle
                                if on:
                                    _row(rows, filled, component, step, cycle, event, firing)
                            cycle = event
                if op == _POST:
                    _post(core, streams, component, cycle, firing)
                elif op == _READY:
                    cycle = _arrive(core, streams, trace, actor, cycle, firing)
                for _ in range(adds):
                    times[counters[adds_to, TIMES_AT] + counters[adds_to, EVENTS]] = cycle
                    counters[adds_to, EVENTS] += 1
                if adds:
                    for place in range(counters[adds_to, WAKE_AT], counters[adds_to, WAKE_END]):
                        other = wake[place]
                        if not actors[other, LISTED]:
                            actors[other, LISTED] = 1
                            stack[0] += 1
                            stack[stack[0]] = other
                if op == _SERVE:
                    components[component, BUSY_CYCLES] += value
                    if on:
                        if firing == 0:
                            _row(rows, filled, component, IDLE, 0, components[component, HEAD], _NONE)
                        _row(rows, filled, component, BUSY, cycle, cycle + value, firing)
                    cycle += value
                step += 1
            if not known:
                break
            if not posts:
                components[component, LAST_END] = cycle
            firing += 1
            step = first
        actors[actor, TIME], actors[actor, FIRING], actors[actor, STEP] = cycle, firing, step
    return True


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
def _post(core: Core, streams: Streams, component: int, cycle: int, firing: int) -> None:
    """Let the parts of a request join the queues of their channels."""
    port = core.components[component, PORT_OF]
    ports, requests, parts, part_at = streams.ports, streams.requests, streams.parts, streams.part_at
    channels, all_held = streams.channels, streams.held
    number = ports[port, FIRST_REQUEST] + firing
    requests[number, POSTED] = requests[number, READY] = requests[number, DATA_CYCLE] = cycle
    requests[number, DATA_PART] = _NONE
    first = part_at[number + port]
    for part in range(first, part_at[number + port + 1]):
        if not parts[part, PART_BYTES]:
            continue
        requests[number, OPEN_PARTS] += 1
        channel = parts[part, PART_CHANNEL]
        queue, held, queued = streams.queue[channel], all_held[channel], channels[channel, QUEUED]
        place = place_in_queue(queue, queued, cycle, port)
        for at in range(queued * WIDTH - 1, place * WIDTH - 1, -1):
            queue[at + WIDTH] = queue[at]
        for at in range(queued - 1, place - 1, -1):
            held[at + 1] = held[at]
        base = place * WIDTH
        queue[base + PRIORITY] = ports[port, PORT_PRIORITY]
        queue[base + REQUEST_CYCLE] = cycle
        queue[base + PORT] = port
        queue[base + ADDRESS] = parts[part, PART_ADDRESS]
        queue[base + SIZE_BYTES] = parts[part, PART_BYTES]
        queue[base + WRITE] = parts[part, PART_WRITE]
        held[place, HELD_REQUEST] = number
        held[place, HELD_PART] = part - first
        held[place, HELD_GRANTED] = held[place, HELD_READY] = 0
        channels[channel, QUEUED] = queued + 1


@_njit
def _arrive(core: Core, streams: Streams, trace: Trace, actor: int, before: int, firing: int) -> int:
    """Take the data of a request; account the stream's time since `before`, when it took the data of the last one."""
    actors, steps, components = core.actors, core.steps, core.components
    requests, stalls = streams.requests, streams.stalls
    component = actors[actor, COMPONENT]
    port = components[component, PORT_OF]
    request = streams.ports[port, FIRST_REQUEST] + firing
    if trace.on and firing == 0:
        _row(trace.rows, trace.counts, component, IDLE, 0, components[component, HEAD], _NONE)
    # What the posting side, the actor before, waited for shows from the moment when nothing was in flight.
    for step in range(actors[actor - 1, FIRST_STEP], actors[actor - 1, END_STEP] - 1):
        place = steps[step, STALLS_AT] + firing
        start, end = max(stalls[place, 0], before), stalls[place, 1]
        if end > start:
            steps[step, STALLED] += end - start
            if trace.on:
                _row(trace.rows, trace.counts, component, step, start, end, firing)
    at = max(requests[request, POSTED], before)
    cycle = int(max(requests[request, READY], before))
    if requests[request, DATA_CYCLE] > at:
        at = _account_wait(streams, trace, component, port, request, at)
    components[component, BUSY_CYCLES] += cycle - at
    if trace.on:
        _row(trace.rows, trace.counts, component, BUSY, at, cycle, firing)
    return cycle


@_njit
def _account_wait(
    streams: Streams, trace: Trace, component: int, port: int, request: int, at: int
) -> int:  # flat numbers
    """Split the wait of a request from `at` to its first data by what its channel did; return when it is over."""
    requests, ports = streams.requests, streams.ports
    channel, data_cycle = requests[request, DATA_CHANNEL], requests[request, DATA_CYCLE]
    past = streams.stretch[channel]
    firing = request - ports[port, FIRST_REQUEST]
    code, start = _NONE, at
    first = requests[request, FIRST_STRETCH]
    for number in range(first, first + requests[request, STRETCHES]):
        place = number % len(past)
        end = min(past[place, 1], data_cycle)
        if end <= at:
            continue
        if past[place, 2] != code:
            if trace.on and code != _NONE:
                _row(trace.rows, trace.counts, component, CONTENDED - code, start, at, firing)
            code, start = past[place, 2], at
        streams.waits[port, code] += end - at
        at = end
    if trace.on and code != _NONE:
        _row(trace.rows, trace.counts, component, CONTENDED - code, start, at, firing)
    return at


@_njit
def _grant(core: Core, streams: Streams, trace: Trace) -> bool:
    """Make the next decision of all channels; return whether there was one to make."""
    channels, queues, params = streams.channels, streams.queue, streams.params
    channel, cycle = _NONE, 0
    for each in range(len(channels)):
        if channels[each, QUEUED]:
            state = streams.device[channels[each, STATE_AT] : channels[each, STATE_END]]
            if channels[each, BANKED]:
                decision = banked_next_decision(params[each], state, queues[each, REQUEST_CYCLE])
            else:
                decision = ideal_next_decision(params[each], state, queues[each, REQUEST_CYCLE])
            if channel == _NONE or decision < cycle:
                channel, cycle = each, decision
    if channel == _NONE:
        return False
    queue, arrived = queues[channel], channels[channel, QUEUED]
    # Requests stand in the order of their cycles; those of later cycles are known too early.
    while queue[(arrived - 1) * WIDTH + REQUEST_CYCLE] > cycle:
        arrived -= 1
    state = streams.device[channels[channel, STATE_AT] : channels[channel, STATE_END]]
    own, out = params[channel], streams.out[channel]
    if channels[channel, BANKED]:
        place = banked_choose(own, state, cycle, queue, arrived)
        base = place * WIDTH
        banked_serve(own, state, cycle, queue[base + ADDRESS], queue[base + SIZE_BYTES], queue[base + WRITE], out)
    else:
        place = first_come_first_served(queue, arrived)
        base = place * WIDTH
        ideal_serve(own, state, cycle, queue[base + ADDRESS], queue[base + SIZE_BYTES], queue[base + WRITE], out)
    _account_grant(core, streams, trace, channel, place)
    if out[OUT_SIZE] < queue[base + SIZE_BYTES]:
        queue[base + ADDRESS] += out[OUT_SIZE]
        queue[base + SIZE_BYTES] -= out[OUT_SIZE]
    else:
        _finish_part(core, streams, channel, place)
    return True


@_njit
def _finish_part(core: Core, streams: Streams, channel: int, place: int) -> None:
    """Take a part that is granted whole out of the queue; with the last one of a request its data can be taken."""
    queue, held, requests = streams.queue[channel], streams.held[channel], streams.requests
    request, port = held[place, HELD_REQUEST], queue[place * WIDTH + PORT]
    requests[request, READY] = max(requests[request, READY], held[place, HELD_READY])
    streams.channels[channel, QUEUED] -= 1
    queued = streams.channels[channel, QUEUED]
    for at in range(place * WIDTH, queued * WIDTH):
        queue[at] = queue[at + WIDTH]
    for at in range(place, queued):
        held[at] = held[at + 1]
    requests[request, OPEN_PARTS] -= 1
    taker = streams.ports[port, TAKER]
    if not requests[request, OPEN_PARTS] and not core.actors[taker, LISTED]:
        core.actors[taker, LISTED] = 1
        core.stack[0] += 1
        core.stack[core.stack[0]] = taker


@_njit
def _stretch(streams: Streams, channel: int, start: int, end: int, code: int) -> None:
    """Add to the past of a channel."""
    if end > start:
        past = streams.stretch[channel]
        place = streams.channels[channel, STRETCH_COUNT] % len(past)
        past[place, 0], past[place, 1], past[place, 2] = start, end, code
        streams.channels[channel, STRETCH_COUNT] += 1


@_njit
def _account_grant(core: Core, streams: Streams, trace: Trace, channel: int, place: int) -> None:  # noqa: C901  # one account
    """Account what a channel does for a grant, before and during its data, and tell its request."""
    channels, out, queue, held = streams.channels, streams.out[channel], streams.queue[channel], streams.held[channel]
    base, ports, owner = place * WIDTH, len(streams.ports), len(core.components) + channel
    port, request = queue[base + PORT], held[place, HELD_REQUEST]
    last_end, start, end = channels[channel, CHANNEL_END], out[OUT_START], out[OUT_END]
    at = max(last_end, min(queue[REQUEST_CYCLE], start))
    idle = channels[channel, READ_BYTES] + channels[channel, WRITE_BYTES] == 0
    channels[channel, IDLE_CYCLES if idle else STARVED_CYCLES] += at - last_end
    if trace.on:
        _row(trace.rows, trace.counts, owner, IDLE if idle else STARVED, last_end, at, _NONE)
    codes = channel * (ports + _REASONS)
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
                streams.gaps[channel, port * _REASONS + reason] += until - at
                _stretch(streams, channel, at, until, codes + ports + reason)
                if trace.on:
                    code = CONTENDED - ((1 + reason) * ports + port)
                    _row(trace.rows, trace.counts, owner, code, at, until, request)
                at = until
    if not held[place, HELD_GRANTED]:
        held[place, HELD_GRANTED] = 1
        _note_first_data(streams, channel, place, start)
    held[place, HELD_READY] = max(held[place, HELD_READY], out[OUT_READY])
    _stretch(streams, channel, start, end, codes + port)
    streams.busy[channel, port] += end - start
    channels[channel, CHANNEL_END] = end
    channels[channel, READ_BYTES + queue[base + WRITE]] += out[OUT_SIZE]
    channels[channel, ROW_HITS] += out[OUT_ROW_HITS]
    channels[channel, ROW_MISSES] += out[OUT_ROW_MISSES]
    if trace.on:
        _row(trace.rows, trace.counts, owner, CONTENDED - port, start, end, request)
        access = trace.accesses[trace.counts[ACCESSES]]
        access[0], access[1], access[2], access[3] = channel, out[OUT_BANK], out[OUT_ROW_HIT], port
        access[4], access[5], access[6] = queue[base + REQUEST_CYCLE], start, end
        access[7], access[8] = out[OUT_SIZE], queue[base + WRITE]
        trace.counts[ACCESSES] += 1


@_njit
def _note_first_data(streams: Streams, channel: int, place: int, start: int) -> None:
    """Note when the first data of a part comes: the earliest part speaks for its request, of equal ones the lowest."""
    requests, past = streams.requests, streams.stretch[channel]
    request, part = streams.held[channel, place, HELD_REQUEST], streams.held[channel, place, HELD_PART]
    since = streams.queue[channel, place * WIDTH + REQUEST_CYCLE]
    known = requests[request, DATA_PART]
    if known != _NONE and (requests[request, DATA_CYCLE], known) <= (start, part):
        return
    requests[request, DATA_PART] = part
    requests[request, DATA_CYCLE] = start
    requests[request, DATA_CHANNEL] = channel
    count = streams.channels[channel, STRETCH_COUNT]
    first = count
    while first > max(0, count - len(past)) and past[(first - 1) % len(past), 1] > since:
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
