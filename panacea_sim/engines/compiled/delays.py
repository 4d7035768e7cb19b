"""What delayed first inputs and postings, found after they were evaluated in the times that the tables hold."""

from __future__ import annotations

import numpy as np

from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.engines.compiled.lowering import Lowered, LoweredStep, Op
from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.posting_log import Delay, PostingLog
from panacea_sim.trace.schema import SLOT, State
from panacea_sim.units import IntArray

__all__ = ["first_delays", "posting_columns"]


def first_delays(lowered: Lowered, core: col.Core, number: int, lane: int = 0) -> list[Delay]:
    """Return what an actor, or one of its lanes, waited for before its first firing, one behind the other."""
    actor, first_step = lowered.actors[number], int(core.actors[number, col.FIRST_STEP])
    delays = list[Delay]()
    for place, step in enumerate(actor.steps, first_step):
        if step.op in {Op.TAKE, Op.NEED}:
            # A single component goes through the lanes beside it one by one.
            for each in (lane,) if actor.lanes > 1 else range(step.fan):
                since, until = core.heads[core.steps[place, col.SLOT] + each].tolist()
                if until > since:
                    delays.append(Delay(_kind(step, each), since))
    return delays


def _kind(step: LoweredStep, lane: int = 0) -> Kind:
    return Kind(step.state, *step.causes[lane])


def posting_columns(lowered: Lowered, core: col.Core, streams: col.Streams, number: int, log: PostingLog) -> IntArray:
    """Return the postings of a stream, whose actor `number` posts, as `PostingLog.extend` takes them."""
    actor, name = lowered.actors[number], lowered.description.components[lowered.actors[number].component].name
    first = int(streams.ports[core.components[actor.component, col.PORT_OF], col.SLOTS_AT])
    requests = streams.requests[first : first + actor.firings]
    first_step, steps = int(core.actors[number, col.FIRST_STEP]), actor.steps[:-1]
    heads = np.array([(log.code(kind), since) for kind, since in first_delays(lowered, core, number)], np.int64)
    codes = [*(log.code(_kind(step)) for step in steps), log.code(Kind(State.BLOCKED, SLOT, name))]
    stalls_at = core.steps[first_step : first_step + len(steps), col.STALLS_AT].copy()
    columns = np.empty((4, len(heads) + actor.firings * len(codes)), np.int64)
    head_end = int(core.components[actor.component, col.HEAD])
    count = _fill(
        requests, streams.stalls, stalls_at, np.array(codes, np.int64), heads.reshape(-1, 2), head_end, columns
    )
    return columns[:, :count]


@entry
def _fill(  # requests and their stalls, and what to fill
    requests: IntArray,
    stalls: IntArray,
    stalls_at: IntArray,
    codes: IntArray,
    heads: IntArray,
    head_end: int,
    columns: IntArray,
) -> int:
    """Fill in what delayed each posting, one step behind the other, and return how many columns that are.

    The last of `codes` is that of a slot. `heads` are code and start of what the first posting waited for before all
    else, until `head_end`.
    """
    count, until = 0, head_end
    for firing in range(len(requests)):
        cycle, first = requests[firing, col.POSTED], count
        if firing == 0:
            for head in range(len(heads)):
                columns[2, count], columns[3, count] = heads[head, 0], heads[head, 1]
                count += 1
        for step in range(len(stalls_at)):
            start, end = stalls[stalls_at[step] + firing, 0], stalls[stalls_at[step] + firing, 1]
            if end > start:
                columns[2, count], columns[3, count] = codes[step], start
                count += 1
                until = end
        # The slot came last; where nothing had to be waited for, no code says so.
        if cycle > until:
            columns[2, count], columns[3, count] = codes[len(stalls_at)], until
            count += 1
        elif count == first:
            columns[2, count], columns[3, count] = 0, cycle
            count += 1
        for column in range(first, count):
            columns[0, column], columns[1, column] = firing, cycle
        until = cycle
    return count
