"""Bounded queues and token stores on bare SimPy events.

An operation that can complete at once schedules no event. Each queue and store has one producer and one consumer,
so at most one component waits at each end and the order of same-cycle events cannot change any time.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import simpy

from panacea_sim.trace.recorder import OccupancyLog

__all__ = ["BoundedQueue", "TokenStore"]


def fire_at(env: simpy.Environment, event: simpy.Event, cycle: int) -> None:
    """Let `event` succeed in `cycle`, which is now or later."""
    if cycle == env.now:
        event.succeed()
    else:
        env.timeout(cycle - env.now).callbacks.append(lambda _: event.succeed())


class BoundedQueue:
    """A first-in first-out queue whose tokens can be taken `latency_cycles` after they were given."""

    def __init__(self, env: simpy.Environment, capacity: int, latency_cycles: int, log: OccupancyLog) -> None:
        self.put_tokens = 0
        self.taken_tokens = 0
        self._env = env
        self._capacity = capacity
        self._latency_cycles = latency_cycles
        self._log = log
        self._tokens: deque[tuple[int, Any]] = deque()
        self._blocked_token: Any = None
        self._producer: simpy.Event | None = None
        self._consumer: simpy.Event | None = None
        self._wanted = 0

    def try_put(self, token: object) -> bool:
        """Put the token if a slot is free; return whether it was."""
        if len(self._tokens) >= self._capacity:
            return False
        self._admit(token)
        return True

    def wait_put(self, token: object) -> simpy.Event:
        """Return the event that fires when a slot became free and the token was put into it."""
        self._blocked_token = token
        self._producer = simpy.Event(self._env)
        return self._producer

    def can_take(self, count: int) -> bool:
        """Return whether `count` tokens can be taken now."""
        tokens = self._tokens
        return len(tokens) >= count and tokens[count - 1][0] <= self._env.now

    def take(self, count: int) -> list[Any]:
        """Take `count` tokens, which must be there."""
        tokens = self._tokens
        taken = [tokens.popleft()[1] for _ in range(count)]
        self.taken_tokens += count
        producer = self._producer
        if producer is not None:
            self._producer = None
            self._admit(self._blocked_token)
            self._blocked_token = None
            producer.succeed()
        else:
            self._log.set(self._env.now, len(tokens))
        return taken

    def wait_take(self, count: int) -> simpy.Event:
        """Return the event that fires when `count` tokens can be taken."""
        event = simpy.Event(self._env)
        if len(self._tokens) >= count:
            fire_at(self._env, event, self._tokens[count - 1][0])
        else:
            self._consumer = event
            self._wanted = count
        return event

    def _admit(self, token: object) -> None:
        now = self._env.now
        self._tokens.append((now + self._latency_cycles, token))
        self.put_tokens += 1
        self._log.set(now, len(self._tokens))
        consumer = self._consumer
        if consumer is not None and len(self._tokens) >= self._wanted:
            self._consumer = None
            fire_at(self._env, consumer, now + self._latency_cycles)


class TokenStore:
    """Tokens that stay, each with an index: token i can be seen `latency_cycles` after it was put."""

    def __init__(self, env: simpy.Environment, latency_cycles: int) -> None:
        self._env = env
        self._latency_cycles = latency_cycles
        self._tokens: list[tuple[int, Any]] = []
        self._waiting: simpy.Event | None = None
        self._wanted = 0

    def put(self, token: object) -> None:
        """Add the next token; a store is never full."""
        now = self._env.now
        self._tokens.append((now + self._latency_cycles, token))
        if self._waiting is not None and len(self._tokens) > self._wanted:
            waiting, self._waiting = self._waiting, None
            fire_at(self._env, waiting, now + self._latency_cycles)

    def has(self, index: int) -> bool:
        """Return whether the token can be seen now."""
        return index < len(self._tokens) and self._tokens[index][0] <= self._env.now

    def token(self, index: int) -> Any:  # noqa: ANN401  # a store carries what its producer puts
        """Return the token, which must be there."""
        return self._tokens[index][1]

    def wait(self, index: int) -> simpy.Event:
        """Return the event that fires when the token can be seen."""
        event = simpy.Event(self._env)
        if index < len(self._tokens):
            fire_at(self._env, event, self._tokens[index][0])
        else:
            self._waiting = event
            self._wanted = index
        return event
