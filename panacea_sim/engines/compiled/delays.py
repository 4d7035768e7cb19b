"""What delayed first inputs and postings, found after they were evaluated in the times that the tables hold."""

from __future__ import annotations

import numpy as np

from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.lowering import Lowered, LoweredStep, Op
from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.posting_log import Delay, PostingLog
from panacea_sim.trace.schema import SLOT, State
from panacea_sim.units import IntArray

__all__ = ["first_delay", "posting_columns"]


def first_delay(lowered: Lowered, core: col.Core, number: int, lane: int = 0) -> Delay | None:
    """Return what an actor, or one of its lanes, waited for last before its first firing; None if it did not wait."""
    actor, first_step = lowered.actors[number], int(core.actors[number, col.FIRST_STEP])
    cycle, last = 0, None
    if not actor.firings:
        return None
    for place, step in enumerate(actor.steps, first_step):
        if step.op not in {Op.TAKE, Op.NEED}:
            continue
        # A single component goes through the lanes beside it one by one.
        for each in (lane,) if actor.lanes > 1 else range(step.fan):
            event_cycle = _first_event(core, place, step, each)
            if event_cycle > cycle:
                last = Delay(_kind(step, each), cycle)
                cycle = event_cycle
    return last


def _first_event(core: col.Core, place: int, step: LoweredStep, lane: int) -> int:
    """Return when the input of a step is there for the first firing, 0 if it needs none."""
    value = int(core.data[core.steps[place, col.OFFSET]]) if core.steps[place, col.OFFSET] >= 0 else 1
    index = value - 1 if step.op is Op.TAKE else value
    if index < 0:
        return 0
    return int(core.times[core.counters[step.waits_for, col.TIMES_AT] + index * step.fan + lane]) + step.amount


def _kind(step: LoweredStep, lane: int = 0) -> Kind:
    return Kind(step.state, *step.causes[lane])


def posting_columns(
    lowered: Lowered, core: col.Core, streams: col.Streams, number: int, log: PostingLog
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return of each posting of a stream, whose actor `number` posts: firing, cycle, code in `log`, since when."""
    actor, name = lowered.actors[number], lowered.description.components[lowered.actors[number].component].name
    first = int(streams.ports[core.components[actor.component, col.PORT_OF], col.SLOTS_AT])
    cycle = streams.requests[first : first + actor.firings, col.POSTED]
    # Until when the steps before the slot took: they began with the posting before.
    until, since, code = np.append(0, cycle)[:-1], cycle.copy(), np.zeros(len(cycle), np.int64)
    delay = first_delay(lowered, core, number)
    if delay is not None:
        until[0], since[0] = core.components[actor.component, col.HEAD], delay.since_cycle
        code[0] = log.code(delay.kind)
    for place, step in enumerate(actor.steps[:-1], int(core.actors[number, col.FIRST_STEP])):
        at = int(core.steps[place, col.STALLS_AT])
        start, end = streams.stalls[at : at + actor.firings].T
        late = end > start
        until[late], since[late], code[late] = end[late], start[late], log.code(_kind(step))
    late = cycle > until
    since[late], code[late] = until[late], log.code(Kind(State.BLOCKED, SLOT, name))
    return np.arange(len(cycle)), cycle, code, since
