"""The steps of a firing, each bound to the queue, store, memory or component that it touches.

Every step has the same two doors: `try_now` does it if it can be done in this cycle, and `wait` returns the event that
fires when it has been done. `code` is the kind of stall while it waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import simpy

from panacea_sim.machine.memory import ByteMemory
from panacea_sim.machine.queue import BoundedQueue, TokenStore
from panacea_sim.units import IntArray

__all__ = [
    "AcquireStep",
    "FiringCounter",
    "GiveStep",
    "GraphStep",
    "InputStep",
    "NeedStep",
    "PutStep",
    "ReleaseStep",
    "Step",
    "TakeStep",
]


class Step(Protocol):
    """One step of a firing."""

    code: int

    def try_now(self, firing: int) -> bool:
        """Do the step if it can be done now; return whether it was."""
        ...

    def wait(self, firing: int) -> simpy.Event:
        """Return the event that fires when the step has been done; only after `try_now` said no."""
        ...


class InputStep(Step, Protocol):
    """A step that brings tokens."""

    def tokens(self, firing: int) -> list[Any]:
        """Return the tokens that the step brought, in order."""
        ...


class FiringCounter:
    """Counts the firings that a component has ended, and wakes those who wait for one."""

    def __init__(self, env: simpy.Environment) -> None:
        self.ended = 0
        self._env = env
        self._waiting: list[tuple[int, simpy.Event]] = []

    def count(self) -> None:
        """Note the end of a firing."""
        self.ended += 1
        if self._waiting:
            due = [event for firings, event in self._waiting if firings <= self.ended]
            self._waiting = [entry for entry in self._waiting if entry[0] > self.ended]
            for event in due:
                event.succeed()

    def reached(self, firings: int) -> simpy.Event:
        """Return the event that fires when so many firings have ended."""
        event = simpy.Event(self._env)
        self._waiting.append((firings, event))
        return event


class TakeStep:
    """Takes the tokens that one queue owes to a firing, together."""

    def __init__(self, queue: BoundedQueue, counts: IntArray, code: int) -> None:
        self.code = code
        self._queue = queue
        self._counts: list[int] = counts.tolist()
        self._tokens: list[Any] = []

    def try_now(self, firing: int) -> bool:
        count = self._counts[firing]
        if not count:
            self._tokens = []
            return True
        if self._queue.can_take(count):
            self._tokens = self._queue.take(count)
            return True
        return False

    def wait(self, firing: int) -> simpy.Event:
        count = self._counts[firing]
        event = self._queue.wait_take(count)
        event.callbacks.append(lambda _: self._take(count))
        return event

    def tokens(self, firing: int) -> list[Any]:  # noqa: ARG002  # the tokens of this firing are the last ones taken
        return self._tokens

    def _take(self, count: int) -> None:
        self._tokens = self._queue.take(count)


class NeedStep:
    """Waits for a token of a store, which stays there."""

    def __init__(self, store: TokenStore, index: IntArray, code: int) -> None:
        self.code = code
        self._store = store
        self._index: list[int] = index.tolist()

    def try_now(self, firing: int) -> bool:
        index = self._index[firing]
        return index < 0 or self._store.has(index)

    def wait(self, firing: int) -> simpy.Event:
        return self._store.wait(self._index[firing])

    def tokens(self, firing: int) -> list[Any]:
        index = self._index[firing]
        return [] if index < 0 else [self._store.token(index)]


class GraphStep:
    """Waits until another component has ended the firings that the dataflow graph asks for."""

    def __init__(self, counter: FiringCounter, firings: IntArray, code: int) -> None:
        self.code = code
        self._counter = counter
        self._firings: list[int] = firings.tolist()

    def try_now(self, firing: int) -> bool:
        return self._counter.ended >= self._firings[firing]

    def wait(self, firing: int) -> simpy.Event:
        return self._counter.reached(self._firings[firing])


class AcquireStep:
    """Acquires space in a memory."""

    def __init__(self, memory: ByteMemory, size_bytes: IntArray, code: int) -> None:
        self.code = code
        self._memory = memory
        self._size_bytes: list[int] = size_bytes.tolist()

    def try_now(self, firing: int) -> bool:
        return self._memory.try_acquire(self._size_bytes[firing])

    def wait(self, firing: int) -> simpy.Event:
        return self._memory.wait_acquire(self._size_bytes[firing])


class ReleaseStep:
    """Releases space in a memory; it never waits."""

    def __init__(self, memory: ByteMemory, size_bytes: IntArray) -> None:
        self._memory = memory
        self._size_bytes: list[int] = size_bytes.tolist()

    def do(self, firing: int) -> None:
        """Release the space of this firing."""
        self._memory.release(self._size_bytes[firing])


class PutStep:
    """Puts the token of each firing into a store; it never waits."""

    def __init__(self, store: TokenStore) -> None:
        self.token: object = None
        self._store = store

    def do(self, firing: int) -> None:  # noqa: ARG002  # a store counts by itself
        """Put the token."""
        self._store.put(self.token)


class GiveStep:
    """Gives a token to a queue, where the firing has one to give."""

    def __init__(self, queue: BoundedQueue, counts: IntArray, code: int) -> None:
        self.code = code
        self.token: object = None
        self._queue = queue
        self._counts: Sequence[int] = counts.tolist()

    def try_now(self, firing: int) -> bool:
        return not self._counts[firing] or self._queue.try_put(self.token)

    def wait(self, firing: int) -> simpy.Event:  # noqa: ARG002  # only a firing that gives can wait
        return self._queue.wait_put(self.token)
