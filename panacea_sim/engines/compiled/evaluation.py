"""The compiled engine's inner loop: a lowered description evaluated by dependence, not by time.

Between grants of the channels an actor can go on as soon as the events that it waits for are known, whatever their
time. Only grants need an order: of all channels that with the least decision cycle goes first. A request that is not
known yet depends on a grant that is still to come, and has its effects later than that decision.
"""

from __future__ import annotations

from panacea_sim.engines.compiled.columns import (
    ACCESSES,
    ADDS_TO,
    AMOUNT,
    BLOCKED_INDEX,
    BLOCKED_ON,
    BUSY,
    COMPONENT,
    DONE,
    END_STEP,
    FAN,
    FIRING,
    FIRINGS,
    FIRST_REQUEST,
    FIRST_STEP,
    HEAD,
    HELD_WIDTH,
    IDLE,
    KEPT,
    LANE_AT,
    LANES,
    LAST_END,
    NONE,
    OFFSET,
    OP,
    OPEN_PARTS,
    PAUSED,
    PORT_OF,
    POSTS,
    QUEUE_AT,
    READY_TO_GO,
    ROWS,
    SLOT,
    STALLS_AT,
    STATE_SIZE,
    STEP,
    STUCK,
    TIME,
    TIMES_AT,
    WAITS_FOR,
    WAITS_FOR_DATA,
    WAKE_AT,
    WAKE_END,
    Core,
    Streams,
    Trace,
)
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.engines.compiled.grants import add_row, arrive, grant, next_channel, post
from panacea_sim.engines.compiled.lowering import Op
from panacea_sim.memory.arbiter import WIDTH
from panacea_sim.units import IntArray

__all__ = ["evaluate", "high_water"]

_GRANTS = 1 << 16
"""Grants between two visits to Python, a fraction of a second."""


_TAKE, _NEED, _WAIT, _ACQUIRE, _SERVE, _POST, _READY, _RELEASE, _PUT, _GIVE, _END = (int(op) for op in Op)


@entry
def evaluate(core: Core, streams: Streams, trace: Trace) -> int:  # noqa: C901, PLR0912, PLR0915  # the inner loop
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
            firings, blocked_on, blocked_index = actors[actor, FIRINGS], READY_TO_GO, NONE
            while firing < firings and filled[ROWS] <= room:
                while step < end:
                    op, waits_for, adds_to = steps[step, OP], steps[step, WAITS_FOR], steps[step, ADDS_TO]
                    offset, fan = steps[step, OFFSET], steps[step, FAN]
                    value = data[offset + firing] if offset >= 0 and op != _SERVE else 1
                    # The event that the step waits for, and how many it adds to its own counter.
                    index, adds = NONE, 0
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
                    latency = steps[step, AMOUNT] if op == _TAKE or op == _NEED else 0  # noqa: PLR1714, SIM109  # the same
                    event_at = NONE
                    if index >= 0:
                        if events[waits_for] <= index:
                            blocked_on, blocked_index = waits_for, index
                            break
                        if op == _READY:
                            if requests[ports[components[component, PORT_OF], FIRST_REQUEST] + firing, OPEN_PARTS]:
                                blocked_on, blocked_index = WAITS_FOR_DATA, firing
                                break
                        else:
                            event_at = counters[waits_for, TIMES_AT] + index * fan
                    mark_at = NONE
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
                                                add_row(rows, filled, component, slot + lane, cycle, event, firing)
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
                                        add_row(rows, filled, owner, IDLE, 0, components[owner, HEAD], NONE)
                                    add_row(rows, filled, owner, BUSY, start, start + data[served_at + lane], firing)
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
                                            add_row(rows, filled, component + lane, slot + lane, now, event, firing)
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
                                    add_row(rows, filled, component, slot, cycle, event, firing)
                            cycle = event
                        if op == _POST:
                            port = components[component, PORT_OF]
                            post(ports, requests, part_at, parts, channels, queue, held, port, cycle, firing)
                        elif op == _READY:
                            cycle = arrive(
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
                                    add_row(rows, filled, component, IDLE, 0, components[component, HEAD], NONE)
                                add_row(rows, filled, component, BUSY, cycle, cycle + service, firing)
                            cycle += service
                    if adds:
                        count = events[adds_to] + adds
                        events[adds_to] = count
                        for place in range(counters[adds_to, WAKE_AT], counters[adds_to, WAKE_END]):
                            other = wake[place]
                            if actors[other, BLOCKED_ON] == adds_to and actors[other, BLOCKED_INDEX] < count:
                                actors[other, BLOCKED_ON] = READY_TO_GO
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
            if firing < firings and blocked_on == READY_TO_GO:
                # The rows of the trace want emptying first.
                stack[0] += 1
                stack[stack[0]] = actor
                return PAUSED
        if filled[ACCESSES] == len(accesses):
            return PAUSED
        channel = next_channel(channels, queue, params, device)
        if channel == NONE:
            for actor in range(len(actors)):
                if actors[actor, FIRING] < actors[actor, FIRINGS]:
                    return STUCK
            return DONE
        grant(
            channels,
            queue[channel, channels[channel, QUEUE_AT] * WIDTH :],
            held[channel, channels[channel, QUEUE_AT] * HELD_WIDTH :],
            params[channel],
            device[channel, : channels[channel, STATE_SIZE]],
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


@entry
def high_water(put: IntArray, taken: IntArray, capacity: int) -> int:
    """Return the highest occupancy of a queue at the end of any cycle, from the times of its tokens."""
    highest, gone = 0, 0
    for index in range(len(put)):
        while gone < len(taken) and taken[gone] <= put[index]:
            gone += 1
        highest = max(highest, index + 1 - gone)
        if highest == capacity:
            break
    return highest
