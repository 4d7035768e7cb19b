"""The steps of a firing, each bound to the queue, store, memory or component that it touches.

A step that can wait is two functions of the firing: one that does it if it can be done in this cycle, and one that
returns the signal which fires when it has been done. Where every firing takes or gives one token, and no values travel,
these are the queue's own methods, so that the hot path has no layer in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import simpy

from panacea_sim.engines.reference.kernel import CycleEnvironment, Signal
from panacea_sim.engines.reference.memory import ByteMemory
from panacea_sim.engines.reference.queue import BoundedQueue, TokenStore
from panacea_sim.units import IntArray

__all__ = ["BoundStep", "FiringCounter", "Inputs", "Outputs", "acquire_step", "graph_step"]


class BoundStep(NamedTuple):
    """One step of a firing that may have to wait.

    `try_now` does the step and returns something true, or returns something false; `wait` is for the latter case.
    `code` is the kind of stall while the step waits.
    """

    try_now: Callable[[int], object]
    wait: Callable[[int], Signal]
    code: int


class FiringCounter:
    """Counts the firings that a component has ended, and wakes those who wait for one."""

    def __init__(self, env: CycleEnvironment) -> None:
        self.ended = 0
        self.waiting: list[tuple[int, Signal]] = []
        self._env = env

    def wake(self) -> None:
        """Wake those who have waited for the firings ended so far."""
        due = [signal for firings, signal in self.waiting if firings <= self.ended]
        self.waiting = [entry for entry in self.waiting if entry[0] > self.ended]
        for signal in due:
            signal.fire()

    def reached(self, firings: int) -> Signal:
        """Return the signal that fires when so many firings have ended."""
        signal = Signal(self._env).arm()
        self.waiting.append((firings, signal))
        return signal


def graph_step(counter: FiringCounter, firings: IntArray, code: int) -> BoundStep:
    """Return the step that waits until another component has ended what the dataflow graph asks for."""
    wanted: list[int] = firings.tolist()
    return BoundStep(
        lambda firing: counter.ended >= wanted[firing], lambda firing: counter.reached(wanted[firing]), code
    )


def acquire_step(memory: ByteMemory, size_bytes: IntArray, code: int) -> BoundStep:
    """Return the step that acquires space in a memory."""
    sizes: list[int] = size_bytes.tolist()
    return BoundStep(
        lambda firing: memory.try_acquire(sizes[firing]), lambda firing: memory.wait_acquire(sizes[firing]), code
    )


@dataclass
class Inputs:
    """The inputs of a component: its steps, and with values on the tokens that they brought.

    `tokens` has one tuple for each step, in order.
    """

    values: bool
    steps: list[BoundStep] = field(default_factory=list)
    tokens: list[tuple[Any, ...]] = field(default_factory=list)

    def add_take(self, queue: BoundedQueue, counts: IntArray, code: int) -> None:
        """Add the step that takes the tokens which one queue owes to a firing, together."""
        if not self.values and (counts == 1).all():
            self.steps.append(BoundStep(queue.try_take_one, queue.wait_take_one, code))
            return
        place = len(self.tokens)
        self.tokens.append(())
        tokens = self.tokens
        wanted: list[int] = counts.tolist()

        def keep(event: simpy.Event) -> None:
            tokens[place] = event.value or ()

        def try_now(firing: int) -> bool:
            taken: tuple[Any, ...] | None = queue.try_take(wanted[firing]) if wanted[firing] else ()
            if taken is None:
                return False
            tokens[place] = taken
            return True

        def wait(firing: int) -> Signal:
            supply = queue.wait_take(wanted[firing])
            supply.callbacks.append(keep)
            return supply

        self.steps.append(BoundStep(try_now, wait, code))

    def add_need(self, store: TokenStore, index: IntArray, code: int) -> None:
        """Add the step that waits for a token of a store, which stays there."""
        place = len(self.tokens)
        self.tokens.append(())
        indices: list[int] = index.tolist()

        def keep(firing: int) -> None:
            self.tokens[place] = (store.token(indices[firing]),)

        def try_now(firing: int) -> bool:
            if indices[firing] < 0:
                self.tokens[place] = ()
            elif store.has(indices[firing]):
                keep(firing)
            else:
                return False
            return True

        def wait(firing: int) -> Signal:
            seen = store.wait(indices[firing])
            seen.callbacks.append(lambda _: keep(firing))
            return seen

        self.steps.append(BoundStep(try_now, wait, code))


@dataclass
class Outputs:
    """The outputs of a component: what ends a firing without waiting, and the gives that may block.

    `gives_at` says for each firing whether it gives anything; it has an entry for each of them from the start.

    With values on, `tokens` holds one token for each put and give, in order, before `endings` run.
    """

    values: bool
    endings: list[Callable[[int], None]] = field(default_factory=list)
    gives: list[BoundStep] = field(default_factory=list)
    gives_at: list[bool] = field(default_factory=list)
    tokens: list[Any] = field(default_factory=list)

    def add_release(self, memory: ByteMemory, size_bytes: IntArray) -> None:
        """Add the release of space in a memory."""
        sizes: list[int] = size_bytes.tolist()
        self.endings.append(lambda firing: memory.release(sizes[firing]))

    def add_put(self, store: TokenStore) -> None:
        """Add the put of each firing's token into a store."""
        place = self._new_place()
        self.endings.append(lambda _: store.put(self.tokens[place]))

    def add_give(self, queue: BoundedQueue, counts: IntArray, code: int) -> None:
        """Add the step that gives a token to a queue, where the firing has one to give."""
        place = self._new_place()
        self.gives_at = (np.array(self.gives_at, np.bool_) | (counts > 0)).tolist()
        if not self.values and (counts == 1).all():
            self.gives.append(BoundStep(queue.try_put, queue.wait_put, code))
            return
        given: list[int] = counts.tolist()
        tokens = self.tokens
        self.gives.append(
            BoundStep(
                lambda firing: not given[firing] or queue.try_put(tokens[place]),
                lambda _: queue.wait_put(tokens[place]),
                code,
            )
        )

    def _new_place(self) -> int:
        self.tokens.append(None)
        return len(self.tokens) - 1
