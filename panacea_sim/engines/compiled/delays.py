"""What delayed first inputs and postings, in words."""

from __future__ import annotations

import numpy as np

from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.lowering import Lowered, LoweredStep, Op
from panacea_sim.trace.activity_log import Kind
from panacea_sim.trace.posting_log import Delay, PostingLog
from panacea_sim.trace.schema import SLOT, State
from panacea_sim.units import IntArray

__all__ = ["first_delays", "posting_codes"]


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


def posting_codes(lowered: Lowered, core: col.Core, number: int, log: PostingLog) -> IntArray:
    """Return the codes in the log of a stream for those of the trace, from WANTED_SLOT on; actor `number` posts."""
    actor, first_step = lowered.actors[number], int(core.actors[number, col.FIRST_STEP])
    codes = np.zeros(len(lowered.structure.slots) - col.WANTED_SLOT, np.int64)
    for place, step in enumerate(actor.steps, first_step):
        slot = int(core.steps[place, col.SLOT]) - col.WANTED_SLOT
        codes[slot : slot + len(step.causes)] = [log.code(_kind(step, lane)) for lane in range(len(step.causes))]
    codes[0] = log.code(Kind(State.BLOCKED, SLOT, lowered.description.components[actor.component].name))
    return codes
