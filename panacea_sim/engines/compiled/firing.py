"""How an actor of the compiled engine goes on: the steps of its firings, as far as what they wait for is known.

Compiled by numba into the inner loop (evaluation.py).
"""

from __future__ import annotations

from typing import NamedTuple

from panacea_sim.engines.compiled.columns import (
    ADDS_TO,
    AMOUNT,
    AT_ONCE,
    BLOCKED_INDEX,
    BLOCKED_ON,
    BUSY,
    CAPACITY,
    COMPONENT,
    DATA_CYCLE,
    END_STEP,
    EVENT_MASK,
    FAN,
    FIRING,
    FIRINGS,
    FIRST_STEP,
    HEAD,
    HIGH_AT,
    KEPT,
    LANE_AT,
    LANES,
    LAST_END,
    NONE,
    OFFSET,
    OP,
    OPEN_LANES,
    OPEN_PARTS,
    OTHER_END,
    PACKED,
    PACKED_BITS,
    PORT_OF,
    POSTED,
    POSTS,
    READY_TO_GO,
    ROWS,
    SLOT,
    SLOT_MASK,
    SLOTS_AT,
    STALLS_AT,
    STEP,
    TIME,
    TIMES_AT,
    WAITS_FOR,
    WAITS_FOR_DATA,
    WAKE_AT,
    WAKE_END,
    WANTED_SLOT,
    Core,
    Streams,
    Trace,
)
from panacea_sim.engines.compiled.compilation import inner
from panacea_sim.engines.compiled.grants import add_row, arrive, is_full, keep_services, post
from panacea_sim.engines.compiled.lowering import Op

__all__ = ["go_on"]

_TAKE, _NEED, _WAIT, _ACQUIRE, _SERVE, _POST, _READY, _RELEASE, _PUT, _GIVE, _END = (int(op) for op in Op)


_PACKED = (1 << PACKED_BITS) - 1


class Turn(NamedTuple):
    """A step that an actor can do now in a firing.

    `event_at` and `mark_at` say where in `times` the event stands that it waits for and where its own first one goes,
    of the first lane (NONE: no such); `adds` is how many it adds to its own counter.
    """

    actor: int
    step: int
    op: int
    firing: int
    event_at: int
    mark_at: int
    adds: int


@inner
def go_on(core: Core, streams: Streams, trace: Trace, actor: int) -> None:  # noqa: C901, PLR0912  # the inner loop
    """Let an actor take its steps until it is done, has to wait, or the trace wants emptying before its next firing."""
    actors, steps, counters = core.actors, core.steps, core.counters
    first, end, firings = actors[actor, FIRST_STEP], actors[actor, END_STEP], actors[actor, FIRINGS]
    cycle, firing, step = actors[actor, TIME], actors[actor, FIRING], actors[actor, STEP]
    blocked_on, blocked_index = READY_TO_GO, NONE
    while firing < firings and not is_full(trace):
        while step < end:
            op, waits_for, adds_to = steps[step, OP], steps[step, WAITS_FOR], steps[step, ADDS_TO]
            index, adds = _event(core, step, op, firing)
            if index >= 0:
                if core.events[waits_for] <= index:
                    blocked_on, blocked_index = waits_for, index
                    break
                if op == _READY and _has_open_parts(core, streams, actor, firing):
                    blocked_on, blocked_index = WAITS_FOR_DATA, firing
                    break
            event_at = mark_at = NONE
            if index >= 0 and op != _READY:
                event_at = counters[waits_for, TIMES_AT] + (index & counters[waits_for, EVENT_MASK]) * steps[step, FAN]
            if adds and counters[adds_to, KEPT]:
                event = core.events[adds_to] & counters[adds_to, EVENT_MASK]
                mark_at = counters[adds_to, TIMES_AT] + event * steps[step, FAN]
            turn = Turn(actor, step, op, firing, event_at, mark_at, adds)
            if steps[step, FAN] == 1:
                cycle = _do_one(core, streams, trace, turn, cycle)
            elif actors[actor, LANES] > 1:
                if op == _SERVE:
                    _serve_lanes(core, trace, turn)
                elif index >= 0 or mark_at >= 0:
                    _move_lanes(core, trace, turn)
            elif adds:
                cycle = _do_beside_lanes(core, trace, turn, cycle)
            if adds:
                if counters[adds_to, OPEN_LANES] > 0:
                    _note_high(core, turn, adds_to)
                _add_events(core, adds_to, adds)
            step += 1
        if step < end:
            break
        firing += 1
        step = first
    actors[actor, TIME], actors[actor, FIRING], actors[actor, STEP] = cycle, firing, step
    actors[actor, BLOCKED_ON], actors[actor, BLOCKED_INDEX] = blocked_on, blocked_index
    if firing == firings:
        _note_end(core, trace, actor, cycle)


@inner
def _event(core: Core, step: int, op: int, firing: int) -> tuple[int, int]:  # noqa: C901  # a line for each kind of step
    """Return the index of the event that a step waits for, NONE for none, and how many it adds to its own counter."""
    steps, events = core.steps, core.events
    adds_to, offset, amount = steps[step, ADDS_TO], steps[step, OFFSET], steps[step, AMOUNT]
    value = core.data[offset + firing] if offset >= 0 and op != _SERVE else 1
    index, adds = NONE, 0
    if op == _TAKE:
        adds = value
        if value:
            index = events[adds_to] + value - 1
    elif op == _GIVE:
        adds = value
        if value:
            index = events[adds_to] - amount
    elif op == _NEED or op == _WAIT:  # noqa: PLR1714, SIM109  # numba would build a tuple
        index = value
    elif op == _ACQUIRE:
        index, adds = value, 1
    elif op == _RELEASE:
        adds = 1 if value else 0
    elif op == _POST:
        index, adds = firing - amount, 1
    elif op == _READY:
        index, adds = firing, 1 if adds_to >= 0 else 0
    elif adds_to >= 0:
        adds = 1
    return index, adds


@inner
def _has_open_parts(core: Core, streams: Streams, actor: int, firing: int) -> bool:
    """Return whether parts of a stream's request are still to be granted."""
    return bool(streams.requests[_slot(core, streams, actor, firing), OPEN_PARTS])


@inner
def _slot(core: Core, streams: Streams, actor: int, firing: int) -> int:
    """Return where a firing of a stream stands among the requests."""
    port = core.components[core.actors[actor, COMPONENT], PORT_OF]
    slot: int = streams.ports[port, SLOTS_AT] + (firing & streams.ports[port, SLOT_MASK])
    return slot


@inner
def _latency(core: Core, turn: Turn) -> int:
    """Return how long after its event the step can be done."""
    latency: int = core.steps[turn.step, AMOUNT] if turn.op == _TAKE or turn.op == _NEED else 0  # noqa: PLR1714  # numba would build a tuple
    return latency


@inner
def _do_one(core: Core, streams: Streams, trace: Trace, turn: Turn, cycle: int) -> int:
    """Do the step of a single component and return the cycle at which it is over."""
    component, firing, times = core.actors[turn.actor, COMPONENT], turn.firing, core.times
    if turn.event_at >= 0:
        event = times[turn.event_at] + _latency(core, turn)
        if event > cycle:
            _note_wait(core, streams, trace, turn, cycle, event)
            cycle = event
    if turn.op == _READY:
        if turn.mark_at >= 0:
            times[turn.mark_at] = streams.requests[_slot(core, streams, turn.actor, firing), DATA_CYCLE]
        arrived: int = arrive(core, streams, trace, turn.actor, cycle, firing)
        return arrived
    if turn.op == _POST:
        _note_posting(core, streams, trace, turn, cycle)
        post(streams, core.components[component, PORT_OF], cycle, firing)
    if turn.mark_at >= 0:
        times[turn.mark_at] = cycle
        if turn.adds > 1:
            _mark_others(core, turn, cycle)
    if turn.op == _SERVE:
        end = cycle + core.data[core.steps[turn.step, OFFSET] + firing]
        if trace.whole:
            add_row(trace, component, BUSY, cycle, end, firing)
        cycle = end
    return cycle


@inner
def _mark_others(core: Core, turn: Turn, cycle: int) -> None:
    """Note the time of all events of a step but the first, which may go round in the ring of its counter."""
    counter = core.steps[turn.step, ADDS_TO]
    at, mask = core.counters[counter, TIMES_AT], core.counters[counter, EVENT_MASK]
    for event in range(core.events[counter] + 1, core.events[counter] + turn.adds):
        core.times[at + (event & mask)] = cycle


@inner
def _note_high(core: Core, turn: Turn, counter: int) -> None:
    """Note how full the ends of cycles have found a queue, from the events that a step is about to add.

    A token that is put in a cycle finds those there that are taken in later ones. Of each pair of tokens the event that
    is evaluated last sees to it; both ends grow with time, so only those that would raise the mark are looked at.
    """
    counters, times, highs, fan = core.counters, core.times, core.highs, core.steps[turn.step, FAN]
    at, mask = counters[counter, TIMES_AT], counters[counter, EVENT_MASK]
    other, high_at, capacity = counters[counter, OTHER_END], counters[counter, HIGH_AT], counters[counter, CAPACITY]
    other_at, other_mask, known = counters[other, TIMES_AT], counters[other, EVENT_MASK], core.events[other]
    first = core.events[counter]
    for lane in range(fan):
        high = highs[high_at + lane]
        if high == capacity:
            continue
        for event in range(first, first + turn.adds):
            cycle = times[at + (event & mask) * fan + lane]
            if turn.op == _GIVE:
                taken = min(event - high, known - 1)
                while taken >= 0 and times[other_at + (taken & other_mask) * fan + lane] > cycle:
                    high = event + 1 - taken
                    taken -= 1
            else:
                put = event + high
                while put < known and times[other_at + (put & other_mask) * fan + lane] < cycle:
                    high = put + 1 - event
                    put += 1
        highs[high_at + lane] = high
        if high == capacity:
            # A queue that has been full needs no more looking at.
            counters[counter, OPEN_LANES] -= 1
            counters[other, OPEN_LANES] -= 1


@inner
def _note_wait(core: Core, streams: Streams, trace: Trace, turn: Turn, cycle: int, event: int) -> None:
    """Account the time from `cycle` to `event` that a step waits."""
    component = core.actors[turn.actor, COMPONENT]
    if turn.firing == 0 and (turn.op == _TAKE or turn.op == _NEED):  # noqa: PLR1714  # the same
        _note_head(core, trace, component, core.steps[turn.step, SLOT], cycle, event)
    elif core.actors[turn.actor, POSTS]:
        # How much of it shows is known when the data of the request before was taken.
        if turn.op != _POST:
            mask = streams.ports[core.components[component, PORT_OF], SLOT_MASK]
            place = core.steps[turn.step, STALLS_AT] + (turn.firing & mask)
            streams.stalls[place, 0] = cycle
            streams.stalls[place, 1] = event
    else:
        _note_stall(core, trace, component, core.steps[turn.step, SLOT], cycle, event, turn.firing)


@inner
def _note_posting(core: Core, streams: Streams, trace: Trace, turn: Turn, cycle: int) -> None:
    """Note what delayed a posting, one step behind the other: first inputs, each step before, a slot in the end."""
    if not trace.on:
        return
    steps, stalls, component = core.steps, streams.stalls, core.actors[turn.actor, COMPONENT]
    port, place = core.components[component, PORT_OF], _slot(core, streams, turn.actor, turn.firing)
    place -= streams.ports[port, SLOTS_AT]
    first = trace.posting_counts[port]
    if turn.firing == 0:
        until = core.components[component, HEAD]
        _note_first_inputs(core, trace, turn, port, cycle)
    else:
        until = streams.requests[_slot(core, streams, turn.actor, turn.firing - 1), POSTED]
    for step in range(core.actors[turn.actor, FIRST_STEP], turn.step):
        at = steps[step, STALLS_AT] + place
        if stalls[at, 1] > stalls[at, 0]:
            _add_posting(trace, port, turn.firing, cycle, steps[step, SLOT], stalls[at, 0])
            until = stalls[at, 1]
    if cycle > until:
        _add_posting(trace, port, turn.firing, cycle, WANTED_SLOT, until)
    elif trace.posting_counts[port] == first:
        _add_posting(trace, port, turn.firing, cycle, AT_ONCE, cycle)


@inner
def _note_first_inputs(core: Core, trace: Trace, turn: Turn, port: int, cycle: int) -> None:
    """Note that the first posting of a stream waited for its first inputs."""
    steps, heads = core.steps, core.heads
    for step in range(core.actors[turn.actor, FIRST_STEP], turn.step):
        if steps[step, OP] == _TAKE or steps[step, OP] == _NEED:  # numba would build a tuple
            for slot in range(steps[step, SLOT], steps[step, SLOT] + steps[step, FAN]):
                if heads[slot, 1] > heads[slot, 0]:
                    _add_posting(trace, port, 0, cycle, slot, heads[slot, 0])


@inner
def _add_posting(  # a port and four columns
    trace: Trace, port: int, firing: int, cycle: int, code: int, since: int
) -> None:
    row = trace.posting_counts[port]
    posting = trace.postings[port, row]
    posting[0], posting[1], posting[2], posting[3] = firing, cycle, code, since
    trace.posting_counts[port] = row + 1
    if row >= trace.postings.shape[1] - trace.kept_margin:
        trace.most[ROWS] = trace.rows.shape[1]


@inner
def _note_head(  # a component and its wait
    core: Core, trace: Trace, component: int, slot: int, start: int, end: int
) -> None:
    """Note a wait for one of the first inputs of a component, which comes before all its rows."""
    core.components[component, HEAD] = end
    if trace.on and not trace.whole:
        trace.kept_end[trace.kept_next[component] - 1] = end
    core.heads[slot, 0], core.heads[slot, 1] = start, end


@inner
def _note_stall(  # a row of the trace has five columns
    core: Core, trace: Trace, owner: int, slot: int, start: int, end: int, firing: int
) -> None:
    core.stalled[slot] += end - start
    if trace.on:
        add_row(trace, owner, slot, start, end, firing)


@inner
def _do_beside_lanes(core: Core, trace: Trace, turn: Turn, cycle: int) -> int:
    """Feed or empty the lanes from one component, one after the other, and return the last cycle."""
    component, slot, latency = core.actors[turn.actor, COMPONENT], core.steps[turn.step, SLOT], _latency(core, turn)
    times, is_head = core.times, turn.firing == 0 and turn.op == _TAKE
    for lane in range(core.steps[turn.step, FAN]):
        if turn.event_at >= 0 and times[turn.event_at + lane] + latency > cycle:
            event = times[turn.event_at + lane] + latency
            if is_head:
                _note_head(core, trace, component, slot + lane, cycle, event)
            else:
                _note_stall(core, trace, component, slot + lane, cycle, event, turn.firing)
            cycle = event
        times[turn.mark_at + lane] = cycle
    return cycle


@inner
def _move_lanes(core: Core, trace: Trace, turn: Turn) -> None:
    """Let all lanes of an actor wait for their events, each from its own cycle, and note when they go on."""
    component, at, step = core.actors[turn.actor, COMPONENT], core.actors[turn.actor, LANE_AT], turn.step
    slot, latency, times, lane_cycle = core.steps[step, SLOT], _latency(core, turn), core.times, core.lane_cycle
    is_head = turn.firing == 0 and turn.op == _TAKE
    for lane in range(core.steps[step, FAN]):
        now = lane_cycle[at + lane]
        if turn.event_at >= 0 and times[turn.event_at + lane] + latency > now:
            event = times[turn.event_at + lane] + latency
            if is_head:
                _note_head(core, trace, component + lane, slot + lane, now, event)
            else:
                _note_stall(core, trace, component + lane, slot + lane, now, event, turn.firing)
            lane_cycle[at + lane] = now = event
        if turn.mark_at >= 0:
            times[turn.mark_at + lane] = now


@inner
def _serve_lanes(core: Core, trace: Trace, turn: Turn) -> None:
    """Let all lanes of an actor serve, each for its own cycles; nobody wants to know when a lane starts."""
    component, at, fan = (
        core.actors[turn.actor, COMPONENT],
        core.actors[turn.actor, LANE_AT],
        core.steps[turn.step, FAN],
    )
    packed, lane_cycle = core.steps[turn.step, PACKED], core.lane_cycle
    service_at = core.steps[turn.step, OFFSET] + turn.firing * ((fan + packed) >> packed)
    for lane in range(fan):
        word = core.data[service_at + (lane >> packed)]
        if packed:
            word = (word >> ((lane & 1) * PACKED_BITS)) & _PACKED
        now = lane_cycle[at + lane]
        lane_cycle[at + lane] = now + word
        if trace.whole:
            add_row(trace, component + lane, BUSY, now, now + word, turn.firing)


@inner
def _add_events(core: Core, counter: int, adds: int) -> None:
    """Count events, and let the actors go on that have waited for them."""
    actors, counters, stack = core.actors, core.counters, core.stack
    count = core.events[counter] + adds
    core.events[counter] = count
    for place in range(counters[counter, WAKE_AT], counters[counter, WAKE_END]):
        other = core.wake[place]
        if actors[other, BLOCKED_ON] == counter and actors[other, BLOCKED_INDEX] < count:
            actors[other, BLOCKED_ON] = READY_TO_GO
            stack[0] += 1
            stack[stack[0]] = other


@inner
def _note_end(core: Core, trace: Trace, actor: int, cycle: int) -> None:
    """Note until when the components of an actor have come."""
    component, lanes, at = core.actors[actor, COMPONENT], core.actors[actor, LANES], core.actors[actor, LANE_AT]
    if core.actors[actor, POSTS]:
        return
    for lane in range(lanes):
        end = core.lane_cycle[at + lane] if lanes > 1 else cycle
        core.components[component + lane, LAST_END] = end
        if trace.on and not trace.whole:
            keep_services(trace, component + lane, end)
