"""SimPy for whole cycles: an environment that counts them as integers, and events that are used again and again."""

from __future__ import annotations

from collections.abc import Generator
from heapq import heappop, heappush
from typing import Any, TypeAlias

import simpy
from simpy.events import NORMAL, EventPriority

__all__ = ["CycleEnvironment", "CycleProcess", "Signal", "Waits"]

_LATE = EventPriority(NORMAL + 1)
"""The SimPy priority of arbitration: after every ordinary event of a cycle, so that all its requests are seen."""

Waits: TypeAlias = Generator["Signal", Any, None]
"""What a process is made of: it gives the signals that it waits for, one after the other."""


class CycleEnvironment(simpy.Environment):
    """A SimPy environment whose time is the whole number `cycle`.

    `cycle` equals `now`, but is a plain attribute: reading the time is the most frequent thing that processes do.
    `agenda` is SimPy's heap of (cycle, priority, ticket, event), to which signals push themselves without detours.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cycle = 0
        self.agenda = self._queue
        self.ticket = self._eid

    def run_to_end(self) -> None:
        """Process events, in SimPy's order, until none is left; raises what a process raises, unchanged."""
        agenda = self.agenda
        while agenda:
            self._now, _, _, event = heappop(agenda)
            self.cycle = self._now  # type: ignore[assignment]  # every delay is a whole number
            callbacks = event.callbacks
            event.callbacks = None  # type: ignore[assignment]  # SimPy's mark of a processed event
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):  # noqa: SLF001  # as simpy.Environment.step does
                raise event._value  # noqa: SLF001  # the same


class CycleProcess(simpy.Process):
    """A SimPy process that waits for signals only, which never fail: resuming it needs no more than this."""

    def _resume(self, event: simpy.Event) -> None:
        try:
            # A signal without callbacks has fired before: the process goes on at once.
            while event.callbacks is None:
                event = self._generator.send(event._value)  # noqa: SLF001  # as simpy.Process does
        except StopIteration:
            self._ok = True
            self._value = None
            self.env.schedule(self)
        else:
            event.callbacks.append(self._resume)


class Signal(simpy.Event):
    """An event for one waiting process, which may wait for it again after it has fired.

    SimPy's own events are made anew for each use, which costs more than the use.
    """

    def __init__(self, env: CycleEnvironment) -> None:
        super().__init__(env)
        self._ok = True
        self._env = env

    def arm(self) -> Signal:
        """Make ready to be waited for, and to be fired later by somebody else."""
        self.callbacks = []
        return self

    def fire(self, value: object = None, delay_cycles: int = 0) -> None:
        """Wake the waiting process `delay_cycles` from now, in the order of ordinary events."""
        self._value = value
        env = self._env
        heappush(env.agenda, (env.cycle + delay_cycles, NORMAL, next(env.ticket), self))

    def after(self, delay_cycles: int) -> Signal:
        """Return the signal, ready to be waited for, which fires `delay_cycles` from now."""
        self.callbacks = []
        env = self._env
        heappush(env.agenda, (env.cycle + delay_cycles, NORMAL, next(env.ticket), self))
        return self

    def fire_late(self, delay_cycles: int) -> None:
        """Wake the waiting process `delay_cycles` from now, after the ordinary events of that cycle."""
        env = self._env
        heappush(env.agenda, (env.cycle + delay_cycles, _LATE, next(env.ticket), self))

    def late(self, delay_cycles: int) -> Signal:
        """Return the signal, which fires after the ordinary events of the cycle `delay_cycles` from now."""
        self.callbacks = []
        self.fire_late(delay_cycles)
        return self
