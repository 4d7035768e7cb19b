"""Chunks of tasks: as many as a worker does in about half a second, because a dask task itself costs milliseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from panacea_sim.exploring.evaluate import Task

__all__ = ["Chunk", "Waiting"]

_SECONDS = 0.5
_MOST_TASKS = 500


@dataclass(frozen=True)
class Chunk:
    """Tasks that one worker does one after the other; `attempt` counts how often they have been sent before.

    `worker` is the address of the only one that may do it, None: any.
    """

    tasks: tuple[Task, ...]
    attempt: int = 0
    worker: str | None = None


class Waiting:
    """Tasks that wait to be sent, and what is known of how long they take."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = deque(tasks)
        self._done_tasks = 0
        self._done_seconds = 0.0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._tasks)

    def took(self, tasks: int, seconds: float) -> None:
        """Learn how long so many tasks have taken; what is long past counts less."""
        self._done_tasks = self._done_tasks // 2 + tasks
        self._done_seconds = self._done_seconds / 2 + seconds

    def next_chunk(self, workers: int) -> Chunk:
        """Return the next tasks: one as long as nothing is known, few at the end, so that all workers end together."""
        size = 1
        if self._done_tasks:
            mean = max(self._done_seconds / self._done_tasks, _SECONDS / _MOST_TASKS)
            size = max(1, min(int(_SECONDS / mean), -(-len(self._tasks) // (2 * workers))))
        return Chunk(tuple(self._tasks.popleft() for _ in range(min(size, len(self._tasks)))))
