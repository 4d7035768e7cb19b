"""The compiled engine's inner loop: a lowered description evaluated by dependence, not by time.

Between grants of the channels an actor can go on as soon as the events that it waits for are known, whatever their
time. Only grants need an order: of all channels that with the least decision cycle goes first. A request that is not
known yet depends on a grant that is still to come, and has its effects later than that decision.
"""

from __future__ import annotations

from panacea_sim.engines.compiled.columns import (
    ACCESSES,
    BLOCKED_ON,
    DONE,
    FIRING,
    FIRINGS,
    NONE,
    PAUSED,
    READY_TO_GO,
    STUCK,
    Core,
    Streams,
    Trace,
)
from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.engines.compiled.firing import go_on
from panacea_sim.engines.compiled.grants import grant, is_full, next_channel

__all__ = ["evaluate"]

_GRANTS = 1 << 16
"""Grants between two visits to Python, a fraction of a second."""


@entry
def evaluate(core: Core, streams: Streams, trace: Trace) -> int:
    """Let every listed actor go on as far as it can, then make the next grant; until all are done or nothing can move.

    Returns DONE, STUCK, or PAUSED: a buffer is full, or it is time to let Python see to signals.
    """
    actors, stack = core.actors, core.stack
    for _ in range(_GRANTS):
        while stack[0]:
            actor = stack[stack[0]]
            stack[0] -= 1
            go_on(core, streams, trace, actor)
            if actors[actor, FIRING] < actors[actor, FIRINGS] and actors[actor, BLOCKED_ON] == READY_TO_GO:
                # The rows of the trace want emptying first.
                stack[0] += 1
                stack[stack[0]] = actor
                return PAUSED
        if is_full(trace) or trace.most[ACCESSES] == trace.accesses.shape[1]:
            return PAUSED
        channel = next_channel(streams)
        if channel == NONE:
            for actor in range(len(actors)):
                if actors[actor, FIRING] < actors[actor, FIRINGS]:
                    return STUCK
            return DONE
        grant(core, streams, trace, channel)
    return PAUSED
