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
from panacea_sim.machine.lowering import UNIFORM, Op
from panacea_sim.units import IntArray

__all__ = [
    "ACCESS_WIDTH",
    "BUSY",
    "CONTENDED",
    "FULL",
    "IDLE",
    "REASONS",
    "ROW_WIDTH",
    "STARVED",
    "STUCK",
    "Machine",
    "Run",
    "evaluate",
    "high_water",
]

REASONS = ("refresh", "turnaround", "row", "latency")
"""Why a channel has no data although requests wait, in the order in which they apply."""

DONE, FULL, STUCK = range(3)
"""How `evaluate` ends: all actors are done, a buffer of rows wants emptying, or nothing can move."""

ROW_WIDTH = 5
"""A row of the trace: owner (component, or channel after all of them), code, start, end, firing."""

ACCESS_WIDTH = 9
"""A grant: channel, bank, row hit, port, request cycle, start, end, bytes, write."""

BUSY, IDLE, STARVED = -1, -2, -3
"""Codes of rows; a code >= 0 is the number of the step that stalls."""

CONTENDED = -10
"""From here down: for a stream CONTENDED - (channel * (ports + reasons) + port or ports + reason) says what it waits for;
for a channel CONTENDED - port says whose data it moves, and CONTENDED - ((1 + reason) * ports + port) what holds it up.
"""

_TAKE, _NEED, _WAIT, _ACQUIRE, _SERVE, _POST, _READY, _RELEASE, _PUT, _GIVE, _END = (int(op) for op in Op)
_NONE = -1


class Machine(NamedTuple):
    """What never changes in a run: actors, steps, counters, requests and devices, as flat arrays."""

    firings: IntArray
    component: IntArray
    step_at: IntArray
    op: IntArray
    waits_for: IntArray
    adds_to: IntArray
    offset: IntArray
    amount: IntArray
    data: IntArray
    times_at: IntArray
    wake_at: IntArray
    wake: IntArray
    port: IntArray
    issuer: IntArray
    taker: IntArray
    priority: IntArray
    request_at: IntArray
    part_at: IntArray
    part_channel: IntArray
    part_address: IntArray
    part_bytes: IntArray
    part_write: IntArray
    stall_at: IntArray
    kind: IntArray
    params: IntArray
    state_at: IntArray
    traced: int


class Run(NamedTuple):
    """What changes: where every actor stands, the times of all events, the channels' queues, and the accounts."""

    times: IntArray
    events: IntArray
    time: IntArray
    firing: IntArray
    step: IntArray
    listed: IntArray
    stack: IntArray
    cells: IntArray
    busy: IntArray
    head: IntArray
    last_end: IntArray
    stall: IntArray
    post: IntArray
    open_parts: IntArray
    ready: IntArray
    data_cycle: IntArray
    data_part: IntArray
    data_channel: IntArray
    first_stretch: IntArray
    stretches: IntArray
    stall_start: IntArray
    stall_end: IntArray
    queue: IntArray
    queued: IntArray
    queued_part: IntArray
    device: IntArray
    out: IntArray
    stretch: IntArray
    stretch_count: IntArray
    channel_busy: IntArray
    channel_gap: IntArray
    channel_free: IntArray
    channel_end: IntArray
    channel_moved: IntArray
    contended: IntArray
    rows: IntArray
    accesses: IntArray


TOP, ROWS, ACCESSES = range(3)
"""What the cells of a run count: actors on the stack, rows and accesses in the buffers."""


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
def evaluate(machine: Machine, run: Run) -> int:
    """Go on until all actors are done (DONE), a buffer is full (FULL) or nothing can move (STUCK)."""
    while True:
        while run.cells[TOP]:
            if run.cells[ROWS] > len(run.rows) // 2 or run.cells[ACCESSES] > len(run.accesses) // 2:
                return FULL
            run.cells[TOP] -= 1
            actor = run.stack[run.cells[TOP]]
            run.listed[actor] = 0
            _advance(machine, run, actor)
        if not _grant(machine, run):
            break
    for actor in range(len(machine.firings)):
        if run.firing[actor] < machine.firings[actor]:
            return STUCK
    return DONE


@_njit
def _list(run: Run, actor: int) -> None:
    if not run.listed[actor]:
        run.listed[actor] = 1
        run.stack[run.cells[TOP]] = actor
        run.cells[TOP] += 1


@_njit
def _mark(machine: Machine, run: Run, counter: int, cycle: int) -> None:
    """Add an event to a counter and list the actors that may wait for it."""
    run.times[machine.times_at[counter] + run.events[counter]] = cycle
    run.events[counter] += 1
    for place in range(machine.wake_at[counter], machine.wake_at[counter + 1]):
        _list(run, machine.wake[place])


@_njit
def _row(machine: Machine, run: Run, owner: int, code: int, start: int, end: int, firing: int) -> None:
    if machine.traced and end > start:
        row = run.rows[run.cells[ROWS]]
        row[0], row[1], row[2], row[3], row[4] = owner, code, start, end, firing
        run.cells[ROWS] += 1


@_njit
def _awaited(machine: Machine, run: Run, step: int, firing: int) -> int:
    """Return the index of the event that a step of this firing waits for, -1 for none."""
    op, offset = machine.op[step], machine.offset[step]
    if op == _TAKE:
        tokens = 1 if offset == UNIFORM else machine.data[offset + firing]
        return run.events[machine.adds_to[step]] + tokens - 1 if tokens else _NONE
    if op == _GIVE:
        if offset != UNIFORM and not machine.data[offset + firing]:
            return _NONE
        return run.events[machine.adds_to[step]] - machine.amount[step]
    if op == _POST:
        return firing - machine.amount[step]
    if op == _READY:
        return firing
    if op in (_NEED, _WAIT, _ACQUIRE):
        return machine.data[offset + firing]
    return _NONE


@_njit
def _advance(machine: Machine, run: Run, actor: int) -> None:
    """Let an actor go on until it is done or waits for an event that is not known."""
    component = machine.component[actor]
    first, end = machine.step_at[actor], machine.step_at[actor + 1]
    issues = machine.issuer[actor]
    cycle, firing, step = run.time[actor], run.firing[actor], run.step[actor]
    known = True
    while firing < machine.firings[actor]:
        while step < end:
            op = machine.op[step]
            index = _awaited(machine, run, step, firing)
            if index >= 0:
                counter = machine.waits_for[step]
                if run.events[counter] <= index:
                    known = False
                    break
                if op == _READY:
                    if run.open_parts[machine.request_at[machine.port[component]] + firing]:
                        known = False
                        break
                else:
                    event = run.times[machine.times_at[counter] + index]
                    if op in (_TAKE, _NEED):
                        event += machine.amount[step]
                    if event > cycle:
                        _stall(machine, run, component, issues, step, cycle, event, firing)
                        cycle = event
            cycle = _do(machine, run, actor, component, step, cycle, firing)
            step += 1
        if not known:
            break
        if not issues:
            run.last_end[component] = cycle
        firing += 1
        step = first
    run.time[actor], run.firing[actor], run.step[actor] = cycle, firing, step


@_njit
def _stall(
    machine: Machine, run: Run, component: int, issues: int, step: int, start: int, end: int, firing: int
) -> None:
    """Account a wait of a step; that of a stream's posting side is kept until it is known what of it shows."""
    op = machine.op[step]
    if op == _POST:
        return
    if firing == 0 and op in (_TAKE, _NEED):
        run.head[component] = end
        return
    if issues:
        place = machine.stall_at[step] + firing
        run.stall_start[place] = start
        run.stall_end[place] = end
        return
    run.stall[step] += end - start
    _row(machine, run, component, step, start, end, firing)


@_njit
def _do(machine: Machine, run: Run, actor: int, component: int, step: int, cycle: int, firing: int) -> int:
    """Do a step whose wait is over in `cycle`; return the cycle in which it ends."""
    op, offset = machine.op[step], machine.offset[step]
    if op == _SERVE:
        if machine.adds_to[step] >= 0:
            _mark(machine, run, machine.adds_to[step], cycle)
        if firing == 0:
            _row(machine, run, component, IDLE, 0, run.head[component], _NONE)
        service = machine.data[offset + firing]
        run.busy[component] += service
        _row(machine, run, component, BUSY, cycle, cycle + service, firing)
        return cycle + service
    if op == _TAKE or op == _GIVE:
        tokens = 1 if offset == UNIFORM else machine.data[offset + firing]
        for _ in range(tokens):
            _mark(machine, run, machine.adds_to[step], cycle)
    elif op == _RELEASE:
        if machine.data[offset + firing]:
            _mark(machine, run, machine.adds_to[step], cycle)
    elif op in (_PUT, _END, _ACQUIRE):
        _mark(machine, run, machine.adds_to[step], cycle)
    elif op == _POST:
        _post(machine, run, component, cycle, firing)
        _mark(machine, run, machine.adds_to[step], cycle)
    elif op == _READY:
        return _arrive(machine, run, actor, component, cycle, firing)
    return cycle


@_njit
def _post(machine: Machine, run: Run, component: int, cycle: int, firing: int) -> None:
    """Let the parts of a request join the queues of their channels."""
    port = machine.port[component]
    request = machine.request_at[port] + firing
    run.post[request] = run.ready[request] = run.data_cycle[request] = cycle
    run.data_part[request] = _NONE
    first = machine.part_at[request + port]
    for part in range(first, machine.part_at[request + port + 1]):
        if not machine.part_bytes[part]:
            continue
        run.open_parts[request] += 1
        channel = machine.part_channel[part]
        queue, queued = run.queue[channel], run.queued[channel]
        place = place_in_queue(queue, queued, cycle, port)
        for at in range(queued * WIDTH - 1, place * WIDTH - 1, -1):
            queue[at + WIDTH] = queue[at]
        for at in range(queued - 1, place - 1, -1):
            run.queued_part[channel, at + 1] = run.queued_part[channel, at]
        base = place * WIDTH
        queue[base + PRIORITY] = machine.priority[port]
        queue[base + REQUEST_CYCLE] = cycle
        queue[base + PORT] = port
        queue[base + ADDRESS] = machine.part_address[part]
        queue[base + SIZE_BYTES] = machine.part_bytes[part]
        queue[base + WRITE] = machine.part_write[part]
        held = run.queued_part[channel, place]
        held[0], held[1], held[2], held[3] = request, part - first, 0, 0
        run.queued[channel] = queued + 1


@_njit
def _arrive(machine: Machine, run: Run, actor: int, component: int, before: int, firing: int) -> int:
    """Take the data of a request and account the stream's time since `before`, when it took the data of the last one."""
    port = machine.port[component]
    request = machine.request_at[port] + firing
    # What the posting side waited for shows from the moment when nothing was in flight.
    poster = actor - 1
    if firing == 0:
        _row(machine, run, component, IDLE, 0, run.head[component], _NONE)
    for step in range(machine.step_at[poster], machine.step_at[poster + 1] - 1):
        place = machine.stall_at[step] + firing
        start, end = max(run.stall_start[place], before), run.stall_end[place]
        if end > start:
            run.stall[step] += end - start
            _row(machine, run, component, step, start, end, firing)
    at = max(run.post[request], before)
    data_cycle, cycle = run.data_cycle[request], max(run.ready[request], before)
    if data_cycle > at:
        at = _account_wait(machine, run, component, port, request, firing, at)
    run.busy[component] += cycle - at
    _row(machine, run, component, BUSY, at, cycle, firing)
    return cycle


@_njit
def _account_wait(machine: Machine, run: Run, component: int, port: int, request: int, firing: int, at: int) -> int:
    """Split the wait of a request from `at` to its first data by what its channel did; return when it is over."""
    channel, data_cycle = run.data_channel[request], run.data_cycle[request]
    size = run.stretch.shape[1]
    code, start = _NONE, at
    for number in range(run.first_stretch[request], run.first_stretch[request] + run.stretches[request]):
        stretch = run.stretch[channel, number % size]
        end = min(stretch[1], data_cycle)
        if end <= at:
            continue
        if stretch[2] != code:
            if code != _NONE:
                _row(machine, run, component, CONTENDED - code, start, at, firing)
            code, start = stretch[2], at
        run.contended[port, code] += end - at
        at = end
    if code != _NONE:
        _row(machine, run, component, CONTENDED - code, start, at, firing)
    return at


@_njit
def _next_decision(machine: Machine, run: Run, channel: int, earliest: int) -> int:
    state = run.device[machine.state_at[channel] : machine.state_at[channel + 1]]
    if machine.kind[channel]:
        return banked_next_decision(machine.params[channel], state, earliest)
    return ideal_next_decision(machine.params[channel], state, earliest)


@_njit
def _grant(machine: Machine, run: Run) -> bool:
    """Make the next decision of all channels; return whether there was one to make."""
    channel, cycle = _NONE, 0
    for each in range(len(run.queued)):
        if run.queued[each]:
            decision = _next_decision(machine, run, each, run.queue[each, REQUEST_CYCLE])
            if channel == _NONE or decision < cycle:
                channel, cycle = each, decision
    if channel == _NONE:
        return False
    queue, arrived = run.queue[channel], run.queued[channel]
    # Requests stand in the order of their cycles; those of later cycles are known too early.
    while queue[(arrived - 1) * WIDTH + REQUEST_CYCLE] > cycle:
        arrived -= 1
    state = run.device[machine.state_at[channel] : machine.state_at[channel + 1]]
    params, out = machine.params[channel], run.out[channel]
    if machine.kind[channel]:
        place = banked_choose(params, state, cycle, queue, arrived)
        base = place * WIDTH
        banked_serve(params, state, cycle, queue[base + ADDRESS], queue[base + SIZE_BYTES], queue[base + WRITE], out)
    else:
        place = first_come_first_served(queue, arrived)
        base = place * WIDTH
        ideal_serve(params, state, cycle, queue[base + ADDRESS], queue[base + SIZE_BYTES], queue[base + WRITE], out)
    _account_grant(machine, run, channel, place, queue[REQUEST_CYCLE])
    if out[OUT_SIZE] < queue[base + SIZE_BYTES]:
        queue[base + ADDRESS] += out[OUT_SIZE]
        queue[base + SIZE_BYTES] -= out[OUT_SIZE]
    else:
        _finish_part(machine, run, channel, place)
    return True


@_njit
def _finish_part(machine: Machine, run: Run, channel: int, place: int) -> None:
    """Take a part that is granted whole out of the queue; with the last one of a request its data can be taken."""
    queue, held = run.queue[channel], run.queued_part[channel]
    request, ready = held[place, 0], held[place, 3]
    port = queue[place * WIDTH + PORT]
    run.queued[channel] -= 1
    for at in range(place * WIDTH, run.queued[channel] * WIDTH):
        queue[at] = queue[at + WIDTH]
    for at in range(place, run.queued[channel]):
        held[at] = held[at + 1]
    run.ready[request] = max(run.ready[request], ready)
    run.open_parts[request] -= 1
    if not run.open_parts[request]:
        _list(run, machine.taker[port])


@_njit
def _stretch(run: Run, channel: int, start: int, end: int, code: int) -> None:
    if end > start:
        stretch = run.stretch[channel, run.stretch_count[channel] % run.stretch.shape[1]]
        stretch[0], stretch[1], stretch[2] = start, end, code
        run.stretch_count[channel] += 1


@_njit
def _account_grant(machine: Machine, run: Run, channel: int, place: int, earliest: int) -> None:
    """Account what a channel does for a grant, before and during its data, and tell its request."""
    out, queue, held = run.out[channel], run.queue[channel], run.queued_part[channel, place]
    base, ports = place * WIDTH, len(machine.priority)
    port, request = queue[base + PORT], held[0]
    owner = len(run.busy) + channel
    firing = request
    last_end, start, end = run.channel_end[channel], out[OUT_START], out[OUT_END]
    at = max(last_end, min(earliest, start))
    first_data = not (run.channel_moved[channel, 0] or run.channel_moved[channel, 1])
    run.channel_free[channel, 0 if first_data else 1] += at - last_end
    _row(machine, run, owner, IDLE if first_data else STARVED, last_end, at, _NONE)
    codes = channel * (ports + len(REASONS))
    if at < start:
        row_until = max(at, min(out[OUT_ROW_UNTIL], start))
        for reason in range(len(REASONS)):
            until = start
            if reason == 0:
                until = min(out[OUT_REFRESH_UNTIL], row_until)
            elif reason == 1:
                until = min(out[OUT_TURNAROUND_UNTIL], row_until)
            elif reason == 2:
                until = row_until
            if until > at:
                run.channel_gap[channel, port * len(REASONS) + reason] += until - at
                code = codes + ports + reason
                _stretch(run, channel, at, until, code)
                _row(machine, run, owner, CONTENDED - ((1 + reason) * ports + port), at, until, firing)
                at = until
    if not held[2]:
        held[2] = 1
        _note_first_data(run, channel, request, held[1], queue[base + REQUEST_CYCLE], start)
    held[3] = max(held[3], out[OUT_READY])
    _stretch(run, channel, start, end, codes + port)
    run.channel_busy[channel, port] += end - start
    _row(machine, run, owner, CONTENDED - port, start, end, firing)
    run.channel_end[channel] = end
    write = queue[base + WRITE]
    run.channel_moved[channel, write] += out[OUT_SIZE]
    run.channel_moved[channel, 2] += out[OUT_ROW_HITS]
    run.channel_moved[channel, 3] += out[OUT_ROW_MISSES]
    if machine.traced:
        access = run.accesses[run.cells[ACCESSES]]
        access[0], access[1], access[2], access[3] = channel, out[OUT_BANK], out[OUT_ROW_HIT], port
        access[4], access[5], access[6] = queue[base + REQUEST_CYCLE], start, end
        access[7], access[8] = out[OUT_SIZE], write
        run.cells[ACCESSES] += 1


@_njit
def _note_first_data(run: Run, channel: int, request: int, part: int, since: int, start: int) -> None:
    """Note when the first data of a part comes: the earliest part speaks for its request, of equal ones the lowest."""
    known = run.data_part[request]
    if known != _NONE and (run.data_cycle[request], known) <= (start, part):
        return
    run.data_part[request] = part
    run.data_cycle[request] = start
    run.data_channel[request] = channel
    size, count = run.stretch.shape[1], run.stretch_count[channel]
    first = count
    while first > 0 and first > count - size and run.stretch[channel, (first - 1) % size, 1] > since:
        first -= 1
    run.first_stretch[request] = first
    run.stretches[request] = count - first


@_njit
def high_water(put: IntArray, taken: IntArray) -> int:
    """Return the highest occupancy of a queue at the end of any cycle, from the times of its tokens."""
    highest, gone = 0, 0
    for index in range(len(put)):
        while gone < len(taken) and taken[gone] <= put[index]:
            gone += 1
        highest = max(highest, index + 1 - gone)
    return highest
