"""Workers that die: which tasks are suspected of it, and which of them are given up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from panacea_sim.exploring.chunks import Chunk
from panacea_sim.exploring.evaluate import Task
from panacea_sim.exploring.record import Record

__all__ = ["Suspects"]

_MOST_DEATHS = 3


class Suspects:
    """Tasks that were on a worker when it died, and how often a worker has died with nothing else on it.

    They are sent again one by one, each alone on a worker, so that no innocent task is given up.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Task, int]] = deque()
        self._deaths: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many wait to be sent again."""
        return len(self._waiting)

    def suspect(self, chunk: Chunk, *, alone: bool) -> Record | None:
        """Suspect the tasks of a chunk whose worker has died; return the record of one that is given up."""
        if alone and len(chunk.tasks) == 1:
            key = chunk.tasks[0].key
            self._deaths[key] += 1
            if self._deaths[key] >= _MOST_DEATHS:
                error = f"its worker died {_MOST_DEATHS} times, with nothing else on it. Perhaps memory ran out"
                return Record.failed(key, error, lasting=False)
        self._waiting.extend((task, chunk.attempt + 1) for task in chunk.tasks)
        return None

    def next_chunks(self, workers: Iterable[str]) -> list[Chunk]:
        """Return one task for each of some workers that have nothing to do, as long as there are any."""
        found = []
        for worker in workers:
            if self._waiting:
                task, attempt = self._waiting.popleft()
                found.append(Chunk((task,), attempt, worker))
        return found
