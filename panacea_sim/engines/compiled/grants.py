"""Requests and grants in the compiled engine: posting, deciding, accounting, and taking the data.

Compiled by numba. The timing of devices is that of banked_timing.py and ideal_timing.py, the order that of arbiter.py.
"""

from __future__ import annotations

from collections.abc import Callable

from panacea_sim.engines.compiled.columns import (
    ACCESSES,
    BANKED,
    BLOCKED_INDEX,
    BLOCKED_ON,
    BUSY,
    BUSY_CYCLES,
    CHANNEL_END,
    COMPONENT,
    CONTENDED,
    DATA_CHANNEL,
    DATA_CYCLE,
    DATA_PART,
    DECISION,
    END_STEP,
    END_STRETCH,
    FIRST_REQUEST,
    FIRST_STEP,
    HELD_GRANTED,
    HELD_PART,
    HELD_READY,
    HELD_REQUEST,
    HELD_WIDTH,
    IDLE,
    IDLE_CYCLES,
    NONE,
    OPEN_PARTS,
    PART_ADDRESS,
    PART_BYTES,
    PART_CHANNEL,
    PART_WRITE,
    PORT_OF,
    PORT_PRIORITY,
    POSTED,
    QUEUE_AT,
    QUEUED,
    READ_BYTES,
    READY,
    READY_TO_GO,
    ROW_HITS,
    ROW_MISSES,
    ROWS,
    SLOT,
    SLOT_MASK,
    SLOTS_AT,
    STALLS_AT,
    STARVED,
    STARVED_CYCLES,
    STATE_SIZE,
    STRETCH_COUNT,
    STRETCHES_KEPT,
    TAKER,
    WAITS_FOR_DATA,
    WRITE_BYTES,
    Core,
    Streams,
    Trace,
)
from panacea_sim.engines.compiled.compilation import compiled_functions, inner
from panacea_sim.memory import arbiter, banked_timing, ideal_timing
from panacea_sim.memory.arbiter import ADDRESS, PORT, PRIORITY, REQUEST_CYCLE, SIZE_BYTES, WIDTH, WRITE
from panacea_sim.memory.params import (
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
from panacea_sim.trace.schema import EXPLAINED_FROM, GAP_REASONS
from panacea_sim.units import IntArray

__all__ = ["add_row", "arrive", "grant", "is_full", "keep_services", "next_channel", "post"]

_REFRESH, _TURNAROUND, _ROW = range(3)
_REASONS = len(GAP_REASONS)

_arbiter = compiled_functions(arbiter, {})
_shared = {name: _arbiter[name] for name in ("first_come_first_served", "keep_order")}
_banked = compiled_functions(banked_timing, _shared)
_ideal = compiled_functions(ideal_timing, {})

place_in_queue: Callable[..., int] = _arbiter["place_in_queue"]
first_come_first_served: Callable[..., int] = _arbiter["first_come_first_served"]
banked_next_decision: Callable[..., int] = _banked["next_decision"]
banked_choose: Callable[..., int] = _banked["choose"]
banked_serve: Callable[..., None] = _banked["serve"]
ideal_next_decision: Callable[..., int] = _ideal["next_decision"]
ideal_serve: Callable[..., None] = _ideal["serve"]


@inner
def is_full(trace: Trace) -> bool:
    """Return whether rows want more room: the other half of a buffer may be filled before the next look."""
    return bool(trace.most[ROWS] > trace.rows.shape[1] // 2)


@inner
def add_row(
    trace: Trace, owner: int, code: int, start: int, end: int, firing: int
) -> None:  # an owner and four columns
    """Add a row to what is recorded, unless it is empty."""
    if end <= start:
        return
    if not trace.whole:
        _keep_row(trace, owner, code, start, end)
        return
    row = trace.row_counts[owner]
    rows = trace.rows[owner]
    rows[row, 0] = code
    rows[row, 1] = start
    rows[row, 2] = end
    rows[row, 3] = firing
    trace.row_counts[owner] = row + 1
    trace.most[ROWS] = max(trace.most[ROWS], row + 1)


@inner
def _keep_row(trace: Trace, owner: int, code: int, start: int, end: int) -> None:
    """Add a row to the region of an owner, behind one for the services before it."""
    keep_services(trace, owner, start)
    place = trace.kept_next[owner]
    trace.kept_code[place], trace.kept_end[place] = code, end
    trace.kept_next[owner] = place + 1
    if place >= trace.kept_limit[owner]:
        trace.most[ROWS] = trace.rows.shape[1]


@inner
def keep_services(trace: Trace, owner: int, until: int) -> None:
    """Add a row for the services since the last one of an owner, if it serves and there are any."""
    place = trace.kept_next[owner]
    if trace.kept_serves[owner] and until > trace.kept_end[place - 1]:
        trace.kept_code[place], trace.kept_end[place] = BUSY, until
        trace.kept_next[owner] = place + 1


@inner
def post(streams: Streams, port: int, cycle: int, firing: int) -> None:
    """Let the parts of a request join the queues of their channels."""
    ports, requests, part_at, parts = streams.ports, streams.requests, streams.part_at, streams.parts
    channels, all_queues, all_held = streams.channels, streams.queue, streams.held
    number = ports[port, FIRST_REQUEST] + firing
    slot = ports[port, SLOTS_AT] + (firing & ports[port, SLOT_MASK])
    requests[slot, POSTED] = requests[slot, READY] = requests[slot, DATA_CYCLE] = cycle
    requests[slot, DATA_PART] = NONE
    request = streams.request_of[number]
    first = part_at[request]
    for part in range(first, part_at[request + 1]):
        if not parts[part, PART_BYTES]:
            continue
        requests[slot, OPEN_PARTS] += 1
        channel = parts[part, PART_CHANNEL]
        queued = channels[channel, QUEUED]
        if (channels[channel, QUEUE_AT] + queued + 1) * WIDTH > all_queues.shape[1]:
            _back_to_the_start(channels[channel], all_queues[channel], all_held[channel])
        queue = all_queues[channel, channels[channel, QUEUE_AT] * WIDTH :]
        held = all_held[channel, channels[channel, QUEUE_AT] * HELD_WIDTH :]
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
        channels[channel, DECISION] = NONE


@inner
def _back_to_the_start(channel: IntArray, queue: IntArray, held: IntArray) -> None:
    """Move a queue to the start of its array."""
    at, queued = channel[QUEUE_AT], channel[QUEUED]
    for place in range(queued * WIDTH):
        queue[place] = queue[at * WIDTH + place]
    for place in range(queued * HELD_WIDTH):
        held[place] = held[at * HELD_WIDTH + place]
    channel[QUEUE_AT] = 0


@inner
def arrive(core: Core, streams: Streams, trace: Trace, actor: int, before: int, firing: int) -> int:  # noqa: C901  # the accounting of a request in one piece
    """Take the data of a request; account the stream's time since `before`, when it took the data of the last one."""
    actors, steps, components, stalled = core.actors, core.steps, core.components, core.stalled
    ports, requests, stalls, waits, on = streams.ports, streams.requests, streams.stalls, streams.waits, trace.on
    component = actors[actor, COMPONENT]
    port = components[component, PORT_OF]
    mask = ports[port, SLOT_MASK]
    request = ports[port, SLOTS_AT] + (firing & mask)
    # What the posting side, the actor before, waited for shows from the moment when nothing was in flight.
    for step in range(actors[actor - 1, FIRST_STEP], actors[actor - 1, END_STEP] - 1):
        place = steps[step, STALLS_AT] + (firing & mask)
        start, end = max(stalls[place, 0], before), stalls[place, 1]
        if mask >= 0:
            stalls[place, 1] = 0  # another firing takes the place
        if end > start:
            slot = steps[step, SLOT]
            stalled[slot] += end - start
            if on:
                add_row(trace, component, slot, start, end, firing)
    at = max(requests[request, POSTED], before)
    cycle = int(max(requests[request, READY], before))
    data_cycle = requests[request, DATA_CYCLE]
    if data_cycle > at:
        # Split the wait until the first data by what the channel did.
        past = streams.stretch[requests[request, DATA_CHANNEL]]
        code, start = NONE, at
        end_stretch = requests[request, END_STRETCH]
        first = end_stretch
        while first > max(0, end_stretch - STRETCHES_KEPT) and past[(first - 1) % STRETCHES_KEPT, 1] > at:
            first -= 1
        for number in range(first, end_stretch):
            place = number % STRETCHES_KEPT
            end = min(past[place, 1], data_cycle)
            if past[place, 2] != code:
                if on and code != NONE:
                    add_row(trace, component, CONTENDED - code, start, at, firing)
                code, start = past[place, 2], at
            waits[port, code] += end - at
            at = end
        if on and code != NONE:
            add_row(trace, component, CONTENDED - code, start, at, firing)
    components[component, BUSY_CYCLES] += cycle - at
    if on:
        add_row(trace, component, BUSY, at, cycle, firing)
    return cycle


@inner
def next_channel(streams: Streams) -> int:
    """Return the channel that decides first, the lowest of equal ones; it remembers when. -1 if nothing is asked."""
    channels, params, device = streams.channels, streams.params, streams.device
    channel, cycle = NONE, 0
    for each in range(len(channels)):
        if channels[each, QUEUED]:
            decision = channels[each, DECISION]
            if decision == NONE:
                request_cycle = streams.queue[each, channels[each, QUEUE_AT] * WIDTH + REQUEST_CYCLE]
                if channels[each, BANKED]:
                    decision = banked_next_decision(params[each], device[each], request_cycle)
                else:
                    decision = ideal_next_decision(params[each], device[each], request_cycle)
                channels[each, DECISION] = decision
            if channel == NONE or decision < cycle:
                channel, cycle = each, decision
    return channel


@inner
def grant(core: Core, streams: Streams, trace: Trace, channel: int) -> None:  # noqa: C901, PLR0912, PLR0915  # a decision in one piece
    """Make the decision of a channel, account what it does before and during the data, and tell the request."""
    actors, stack, channels, requests, ports = (
        core.actors,
        core.stack,
        streams.channels,
        streams.requests,
        streams.ports,
    )
    queue = streams.queue[channel, channels[channel, QUEUE_AT] * WIDTH :]
    held = streams.held[channel, channels[channel, QUEUE_AT] * HELD_WIDTH :]
    params, device = streams.params[channel], streams.device[channel, : channels[channel, STATE_SIZE]]
    out, past, gaps, busy, on = streams.out[channel], streams.stretch[channel], streams.gaps, streams.busy, trace.on
    cycle, arrived = channels[channel, DECISION], channels[channel, QUEUED]
    channels[channel, DECISION] = NONE
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
    port_count, owner = len(ports), len(core.components) + channel
    port, held_at = queue[base + PORT], place * HELD_WIDTH
    number = held[held_at + HELD_REQUEST]
    firing = number - ports[port, FIRST_REQUEST]
    request = ports[port, SLOTS_AT] + (firing & ports[port, SLOT_MASK])
    last_end, start, end = channels[channel, CHANNEL_END], out[OUT_START], out[OUT_END]
    at = max(last_end, min(queue[REQUEST_CYCLE], start))
    idle = channels[channel, READ_BYTES] + channels[channel, WRITE_BYTES] == 0
    channels[channel, IDLE_CYCLES if idle else STARVED_CYCLES] += at - last_end
    if on:
        add_row(trace, owner, IDLE if idle else STARVED, last_end, at, NONE)
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
                    add_row(trace, owner, CONTENDED - ((1 + reason) * port_count + port), at, until, number)
                at = until
    if not held[held_at + HELD_GRANTED]:
        held[held_at + HELD_GRANTED] = 1
        _note_first_data(requests, stretches, request, held[held_at + HELD_PART], channel, start)
    held[held_at + HELD_READY] = max(held[held_at + HELD_READY], out[OUT_READY])
    channels[channel, STRETCH_COUNT] = _stretch(past, stretches, start, end, codes + port)
    busy[channel, port] += end - start
    channels[channel, CHANNEL_END] = end
    channels[channel, READ_BYTES + queue[base + WRITE]] += out[OUT_SIZE]
    channels[channel, ROW_HITS] += out[OUT_ROW_HITS]
    channels[channel, ROW_MISSES] += out[OUT_ROW_MISSES]
    if on:
        if trace.whole:
            add_row(trace, owner, CONTENDED - port, start, end, number)
        accesses = trace.access_counts[channel]
        access, first = trace.accesses[channel, accesses], 0
        if trace.whole:
            first = EXPLAINED_FROM
            access[0], access[1] = out[OUT_BANK], out[OUT_ROW_HIT]
            access[8], access[9] = out[OUT_SIZE], queue[base + WRITE]
        access[first], access[first + 1], access[first + 2] = port, firing, queue[base + REQUEST_CYCLE]
        access[first + 3], access[first + 4], access[first + 5] = start, end, out[OUT_READY]
        trace.access_counts[channel] = accesses + 1
        trace.most[ACCESSES] = max(trace.most[ACCESSES], accesses + 1)
    if out[OUT_SIZE] < queue[base + SIZE_BYTES]:
        queue[base + ADDRESS] += out[OUT_SIZE]
        queue[base + SIZE_BYTES] -= out[OUT_SIZE]
        return
    # A part that is granted whole leaves the queue; with the last one of a request its data can be taken.
    requests[request, READY] = max(requests[request, READY], held[held_at + HELD_READY])
    # Those before it are few and move up; the queue begins one place later.
    for moved in range(base - 1, -1, -1):
        queue[moved + WIDTH] = queue[moved]
    for moved in range(held_at - 1, -1, -1):
        held[moved + HELD_WIDTH] = held[moved]
    channels[channel, QUEUED] -= 1
    channels[channel, QUEUE_AT] += 1
    requests[request, OPEN_PARTS] -= 1
    if not requests[request, OPEN_PARTS]:
        taker = ports[port, TAKER]
        if actors[taker, BLOCKED_ON] == WAITS_FOR_DATA and actors[taker, BLOCKED_INDEX] == firing:
            actors[taker, BLOCKED_ON] = READY_TO_GO
            stack[0] += 1
            stack[stack[0]] = taker


@inner
def _stretch(past: IntArray, count: int, start: int, end: int, code: int) -> int:
    """Add to the past of a channel, if it is not empty, and return how many stretches there were."""
    if end > start:
        place = count % STRETCHES_KEPT
        past[place, 0], past[place, 1], past[place, 2] = start, end, code
        return count + 1
    return count


@inner
def _note_first_data(requests: IntArray, stretches: int, request: int, part: int, channel: int, start: int) -> None:
    """Note when the first data of a part comes: the earliest part speaks for its request, of equal ones the lowest."""
    known = requests[request, DATA_PART]
    if known != NONE:
        known_cycle = requests[request, DATA_CYCLE]
        if known_cycle < start or (known_cycle == start and known <= part):
            return
    requests[request, DATA_PART] = part
    requests[request, DATA_CYCLE] = start
    requests[request, DATA_CHANNEL] = channel
    requests[request, END_STRETCH] = stretches
