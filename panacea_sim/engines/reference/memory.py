"""On-chip memory regions limited in bytes."""

from __future__ import annotations

from panacea_sim.engines.reference.kernel import CycleEnvironment, Signal
from panacea_sim.trace.occupancy_log import OccupancyLog

__all__ = ["ByteMemory"]


class ByteMemory:
    """A region that one component acquires from, in order, and one component releases to.

    Space released in a cycle can be used in the same cycle.
    """

    def __init__(self, env: CycleEnvironment, capacity_bytes: int, log: OccupancyLog) -> None:
        self.acquired_bytes = 0
        self.released_bytes = 0
        self.capacity_bytes = capacity_bytes
        self._env = env
        self._note_change = log.rows.extend
        self._room = Signal(env)
        self._waiting = False
        self._wanted_bytes = 0

    def try_acquire(self, size_bytes: int) -> bool:
        """Take the space if it is free; return whether it was."""
        if size_bytes > self.free_bytes:
            return False
        self._acquire(size_bytes)
        return True

    def wait_acquire(self, size_bytes: int) -> Signal:
        """Return the signal that fires when the space became free and was taken."""
        self._waiting = True
        self._wanted_bytes = size_bytes
        return self._room.arm()

    def release(self, size_bytes: int) -> None:
        """Give space back."""
        if not size_bytes:
            return
        self.released_bytes += size_bytes
        self._note_change((self._env.cycle, -size_bytes))
        if self._waiting and self._wanted_bytes <= self.free_bytes:
            self._waiting = False
            self._acquire(self._wanted_bytes)
            self._room.fire()

    @property
    def free_bytes(self) -> int:
        """The bytes that nobody holds."""
        return self.capacity_bytes - self.acquired_bytes + self.released_bytes

    def _acquire(self, size_bytes: int) -> None:
        if size_bytes:
            self.acquired_bytes += size_bytes
            self._note_change((self._env.cycle, size_bytes))
