"""What delayed first inputs and postings, found after they were evaluated in the times that the tables hold."""

from __future__ import annotations

import numpy as np

from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.lowering import Lowered, LoweredStep, Op
from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.posting_log import Delay, PostingLog
from panacea_sim.trace.schema import SLOT, State
from panacea_sim.units import IntArray

__all__ = ["first_delays", "posting_columns"]


def first_delays(lowered: Lowered, core: col.Core, number: int, lane: int = 0) -> list[Delay]:
    """Return what an actor, or one of its lanes, waited for before its first firing, one behind the other."""
    actor, first_step = lowered.actors[number], int(core.actors[number, col.FIRST_STEP])
    cycle, delays = 0, list[Delay]()
    if not actor.firings:
        return delays
    for place, step in enumerate(actor.steps, first_step):
        if step.op not in {Op.TAKE, Op.NEED}:
            continue
        # A single component goes through the lanes beside it one by one.
        for each in (lane,) if actor.lanes > 1 else range(step.fan):
            event_cycle = _first_event(core, place, step, each)
            if event_cycle > cycle:
                delays.append(Delay(_kind(step, each), cycle))
                cycle = event_cycle
    return delays


def _first_event(core: col.Core, place: int, step: LoweredStep, lane: int) -> int:
    """Return when the input of a step is there for the first firing, 0 if it needs none."""
    value = int(core.data[core.steps[place, col.OFFSET]]) if core.steps[place, col.OFFSET] >= 0 else 1
    index = value - 1 if step.op is Op.TAKE else value
    if index < 0:
        return 0
    return int(core.times[core.counters[step.waits_for, col.TIMES_AT] + index * step.fan + lane]) + step.amount


def _kind(step: LoweredStep, lane: int = 0) -> Kind:
    return Kind(step.state, *step.causes[lane])


def posting_columns(lowered: Lowered, core: col.Core, streams: col.Streams, number: int, log: PostingLog) -> IntArray:
    """Return the postings of a stream, whose actor `number` posts, as `PostingLog.extend` takes them."""
    actor, name = lowered.actors[number], lowered.description.components[lowered.actors[number].component].name
    first = int(streams.ports[core.components[actor.component, col.PORT_OF], col.SLOTS_AT])
    cycle = streams.requests[first : first + actor.firings, col.POSTED]
    # Until when the steps before the slot took: they began with the posting before.
    until = np.append(0, cycle)[:-1]
    delays = [
        (np.zeros(1, np.int64), log.code(kind), np.array([since]))
        for kind, since in first_delays(lowered, core, number)
    ]
    if len(until):
        until[0] = core.components[actor.component, col.HEAD]
    for place, step in enumerate(actor.steps[:-1], int(core.actors[number, col.FIRST_STEP])):
        at = int(core.steps[place, col.STALLS_AT])
        start, end = streams.stalls[at : at + actor.firings].T
        late = np.flatnonzero(end > start)
        until[late] = end[late]
        delays.append((late, log.code(_kind(step)), start[late]))
    late = np.flatnonzero(cycle > until)
    delays.append((late, log.code(Kind(State.BLOCKED, SLOT, name)), until[late]))
    at_once = np.ones(len(cycle), np.bool_)
    for firing, _, _ in delays:
        at_once[firing] = False
    undelayed = np.flatnonzero(at_once)
    delays.append((undelayed, 0, cycle[undelayed]))
    firing, since = (np.concatenate([each[column] for each in delays]) for column in (0, 2))
    code = np.repeat([each[1] for each in delays], [len(each[0]) for each in delays])
    # Each step comes behind those before it, so that the delays of a firing are in order of time.
    in_order = np.argsort(firing, kind="stable")
    return np.stack([firing, cycle[firing], code, since])[:, in_order]
