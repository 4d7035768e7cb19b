"""Bounded queues and token stores on bare SimPy events.

An operation that can complete at once schedules no event. Each queue and store has one producer and one consumer,
so at most one component waits at each end and the order of same-cycle events cannot change any time.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from panacea_sim.engines.reference.kernel import CycleEnvironment, Signal
from panacea_sim.trace.occupancy_log import OccupancyLog

__all__ = ["BoundedQueue", "TokenStore"]


class BoundedQueue:
    """A first-in first-out queue whose tokens can be taken `latency_cycles` after they were given.

    What is taken comes as a tuple of tokens. `log` gets every change that can outlast a cycle.
    """

    __slots__ = (
        "_blocked_token",
        "_capacity",
        "_env",
        "_latency_cycles",
        "_note",
        "_ready_cycles",
        "_room",
        "_supply",
        "_tokens",
        "_waiting_consumer",
        "_waiting_producer",
        "_wanted",
        "taken_tokens",
    )

    def __init__(self, env: CycleEnvironment, capacity: int, latency_cycles: int, log: OccupancyLog) -> None:
        self.taken_tokens = 0
        self._env = env
        self._capacity = capacity
        self._latency_cycles = latency_cycles
        self._note = log.moves.append
        self._tokens: deque[Any] = deque()
        self._ready_cycles: deque[int] = deque()
        self._room = Signal(env)
        self._supply = Signal(env)
        self._waiting_producer = False
        self._waiting_consumer = False
        self._blocked_token: Any = None
        self._wanted = 0

    @property
    def put_tokens(self) -> int:
        """All tokens that went in."""
        return self.taken_tokens + len(self._tokens)

    def try_put(self, token: object) -> bool:
        """Put the token if a slot is free; return whether it was."""
        tokens = self._tokens
        if self._waiting_consumer and self._wanted == 1:
            # The queue is empty and its consumer waits: without latency the token passes through within this cycle.
            if not self._latency_cycles:
                self._waiting_consumer = False
                self.taken_tokens += 1
                self._supply.fire((token,))
                return True
        elif len(tokens) >= self._capacity:
            return False
        self._admit(token)
        return True

    def wait_put(self, token: object) -> Signal:
        """Return the signal that fires when a slot became free and the token was put into it."""
        self._blocked_token = token
        self._waiting_producer = True
        return self._room.arm()

    def try_take(self, count: int) -> tuple[Any, ...] | None:
        """Take `count` tokens together if they can be taken now, otherwise none."""
        tokens = self._tokens
        if len(tokens) < count or (self._latency_cycles and self._ready_cycles[count - 1] > self._env.cycle):
            return None
        return self._take(count)

    def try_take_one(self, firing: int) -> tuple[Any, ...] | None:  # noqa: ARG002  # a step is called with its firing
        """Take one token if it can be taken now, otherwise none."""
        tokens = self._tokens
        if not tokens:
            return None
        if self._latency_cycles:
            return self.try_take(1)
        self.taken_tokens += 1
        token = tokens.popleft()
        if self._waiting_producer:
            # The blocked token takes the slot within this cycle: the occupancy stays.
            self._waiting_producer = False
            tokens.append(self._blocked_token)
            self._room.fire()
        else:
            self._note(~self._env.cycle)
        return (token,)

    def wait_take(self, count: int) -> Signal:
        """Return the signal that fires with `count` tokens when they could be taken."""
        supply = self._supply.arm()
        self._wanted = count
        if len(self._tokens) >= count:
            self._hand_over()
        else:
            self._waiting_consumer = True
        return supply

    def wait_take_one(self, firing: int) -> Signal:  # noqa: ARG002  # a step is called with its firing
        """Return the signal that fires with one token when it could be taken."""
        return self.wait_take(1)

    def _take(self, count: int) -> tuple[Any, ...]:
        tokens = self._tokens
        if self._latency_cycles:
            for _ in range(count):
                self._ready_cycles.popleft()
        taken = tuple([tokens.popleft() for _ in range(count)])
        self.taken_tokens += count
        for _ in range(count):
            self._note(~self._env.cycle)
        if self._waiting_producer:
            self._waiting_producer = False
            self._admit(self._blocked_token)
            self._room.fire()
        return taken

    def _admit(self, token: object) -> None:
        self._tokens.append(token)
        self._note(self._env.cycle)
        if self._latency_cycles:
            self._ready_cycles.append(self._env.cycle + self._latency_cycles)
        if self._waiting_consumer and len(self._tokens) >= self._wanted:
            self._waiting_consumer = False
            self._hand_over()

    def _hand_over(self) -> None:
        """Let the waiting consumer take its tokens when the last of them is ready."""
        if not self._latency_cycles:
            self._supply.fire(self._take(self._wanted))
            return
        ready = self._env.timeout(self._ready_cycles[self._wanted - 1] - self._env.cycle)
        ready.callbacks.append(lambda _: self._supply.fire(self._take(self._wanted)))


class TokenStore:
    """Tokens that stay, each with an index: token i can be seen `latency_cycles` after it was put."""

    def __init__(self, env: CycleEnvironment, latency_cycles: int) -> None:
        self._env = env
        self._latency_cycles = latency_cycles
        self._tokens: list[tuple[int, Any]] = []
        self._seen = Signal(env)
        self._waiting = False
        self._wanted = 0

    def put(self, token: object) -> None:
        """Add the next token; a store is never full."""
        self._tokens.append((self._env.cycle + self._latency_cycles, token))
        if self._waiting and len(self._tokens) > self._wanted:
            self._waiting = False
            self._seen.fire(None, self._latency_cycles)

    def has(self, index: int) -> bool:
        """Return whether the token can be seen now."""
        return index < len(self._tokens) and self._tokens[index][0] <= self._env.cycle

    def token(self, index: int) -> Any:  # noqa: ANN401  # a store carries what its producer puts
        """Return the token, which must be there."""
        return self._tokens[index][1]

    def wait(self, index: int) -> Signal:
        """Return the signal that fires when the token can be seen."""
        seen = self._seen.arm()
        if index < len(self._tokens):
            seen.fire(None, self._tokens[index][0] - self._env.cycle)
        else:
            self._waiting = True
            self._wanted = index
        return seen
