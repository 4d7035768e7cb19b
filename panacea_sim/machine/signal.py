"""Events that are used again and again: SimPy's own are made anew for each use, which costs more than the use."""

from __future__ import annotations

import simpy
from simpy.events import NORMAL

__all__ = ["LATE", "Signal"]

LATE = NORMAL + 1
"""The SimPy priority of arbitration: after every ordinary event of a cycle, so that all its requests are seen."""


class Signal(simpy.Event):
    """An event for one waiting process, which may wait for it again after it has fired."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok = True

    def arm(self) -> Signal:
        """Make ready to be waited for, and to be fired later by somebody else."""
        self.callbacks = []
        return self

    def fire(self, value: object = None, delay_cycles: int = 0) -> None:
        """Wake the waiting process `delay_cycles` from now, in the order of ordinary events."""
        self._value = value
        self.env.schedule(self, NORMAL, delay_cycles)

    def after(self, delay_cycles: int) -> Signal:
        """Return the signal, ready to be waited for, which fires `delay_cycles` from now."""
        self.callbacks = []
        self.env.schedule(self, NORMAL, delay_cycles)
        return self

    def late(self, delay_cycles: int) -> Signal:
        """Return the signal, which fires after the ordinary events of the cycle `delay_cycles` from now."""
        self.callbacks = []
        self.env.schedule(self, LATE, delay_cycles)
        return self
