"""Threads for compiled code, which runs side by side because it lets go of the interpreter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import parent_process

__all__ = ["Threads", "opened_threads"]


class Threads:
    """So many threads, to do the shares of one piece of work; open them with `opened_threads`."""

    def __init__(self, count: int, pool: ThreadPoolExecutor | None) -> None:
        self.count = count
        self._pool = pool

    def run(self, work: Callable[[int], None]) -> None:
        """Call `work` with the number of each thread, and wait for all of them; raises what one of them raises."""
        if self._pool is None:
            work(0)
            return
        for done in [self._pool.submit(work, number) for number in range(self.count)]:
            done.result()


@contextmanager
def opened_threads() -> Iterator[Threads]:
    """Give a thread for each core; one alone in a worker process, beside which others work."""
    count = 1 if parent_process() is not None else _cores()
    if count == 1:
        yield Threads(1, None)
        return
    with ThreadPoolExecutor(count) as pool:
        yield Threads(count, pool)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
