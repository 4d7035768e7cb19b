"""Executors: tasks of any kind, in this process or in several."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from multiprocessing import active_children

import pytest

from panacea_sim.running.processes import WorkerError, opened_executor


def test_one_worker_is_this_process() -> None:
    """With one worker, tasks run here, one after the other, in order."""
    with opened_executor(1) as executor:
        assert executor.is_local
        assert list(executor.results(math.factorial, [3, 1, 4])) == [(0, 6), (1, 1), (2, 24)]
        assert list(executor.results(_own_process, [None])) == [(0, os.getpid())]


def _own_process(_: None) -> int:
    return os.getpid()


def test_a_task_is_asked_for_when_its_turn_comes() -> None:
    """A task may depend on the results before it."""
    seen: list[int] = []

    def tasks() -> Iterator[int]:
        for _ in range(4):
            yield sum(seen)

    with opened_executor(1) as executor:
        for _, result in executor.results(lambda task: task + 1, tasks()):
            seen.append(result)
    assert seen == [1, 2, 4, 8]


@pytest.mark.slow
def test_one_pool_serves_different_tasks() -> None:
    """A pool runs one list of tasks after another, of any function, no more at once than it has processes."""
    asked: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(5):
            asked.append(number)
            yield number

    with opened_executor(2, meanwhile=lambda: asked.append(-1)) as executor:
        assert not executor.is_local
        results = executor.results(math.factorial, tasks())
        next(results)
        assert asked == [-1, 0, 1]
        assert max(results) == (4, 24)
        assert {pid for _, pid in executor.results(_own_process, [None] * 3)}.isdisjoint({os.getpid()})
    assert active_children() == []


@pytest.mark.slow
def test_what_a_task_raises_ends_the_pool() -> None:
    """The error of a task comes out of the results, and no process is left, whatever still runs."""
    with pytest.raises(ValueError, match="sleep length must be non-negative"), opened_executor(2) as executor:
        list(executor.results(time.sleep, [-1, 60]))
    assert active_children() == []


@pytest.mark.slow
def test_a_lost_worker_is_named_by_its_work() -> None:
    """The message says what kind of task was lost."""
    message = "a worker process ended before its point was done"
    with pytest.raises(WorkerError, match=message), opened_executor(2, work="point") as executor:
        list(executor.results(os._exit, [1, 1]))
