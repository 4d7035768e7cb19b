"""Where tasks run: in this process one after the other, or in several side by side."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeVar

from panacea_sim.errors import CacheWarning, PanaceaError

__all__ = ["Executor", "ProcessPool", "SerialExecutor", "WorkerError", "opened_executor"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of options in glibc's malloc.h."""

_KEPT_BYTES = 2**31 - 1
"""Blocks and free tops below this stay with the process; glibc before 2.35 refuses so much, and is left as it is."""

_LOST_WORKER = (
    "a worker process ended before its {work} was done. Perhaps memory ran out: try --workers 1. A script of your own "
    "must run things below `if __name__ == '__main__':` only, because each process imports it"
)

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerError(PanaceaError):
    """A worker process has ended without a word, for example because the system ran out of memory."""


class Executor(Protocol):
    """Runs a function on many tasks. `is_local` says that it does so in this process, so that tasks may talk to it."""

    is_local: bool

    def results(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        """Return the results as they come, each with the number of its task.

        `tasks` is asked for the next one when its turn comes, in order: a task that comes late knows more, and holds no
        memory until then. Raises what the function raises.
        """
        ...


class SerialExecutor:
    """Runs tasks one after the other in this process."""

    is_local = True

    def results(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        """Return the results in the order of the tasks, each with its number."""
        for number, task in enumerate(tasks):
            yield number, function(task)


class ProcessPool:
    """Runs tasks in `workers` processes; open one with `opened_executor`. Functions and tasks must be picklable."""

    is_local = False

    def __init__(self, pool: ProcessPoolExecutor, workers: int) -> None:
        self._pool = pool
        self._workers = workers

    def results(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[int, Result]]:
        """Return the results in the order in which they are ready, each with the number of its task."""
        running: dict[Future[Result], int] = {}
        numbered = enumerate(tasks)
        while True:
            for _ in range(self._workers - len(running)):
                with _interrupts_held():
                    for number, task in islice(numbered, 1):
                        running[self._pool.submit(function, task)] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()

    def start(self) -> None:
        """Start all processes, without waiting for them."""
        with _interrupts_held():
            for _ in range(self._workers):
                self._pool.submit(int)


@contextmanager
def opened_executor(
    workers: int, *, work: str = "task", meanwhile: Callable[[], object] | None = None
) -> Iterator[Executor]:
    """Give an executor with so many processes, or this one if that is 1; at the end none of them is left.

    `meanwhile` is called while the processes start: it does here, once, what each of them would do otherwise. `work`
    names a task in the message of the WorkerError that is raised when a process ends without a word.
    """
    if workers == 1:
        yield SerialExecutor()
        return
    with _process_pool(workers, work) as pool:
        executor = ProcessPool(pool, workers)
        if meanwhile is not None:
            executor.start()
            meanwhile()
        yield executor


@contextmanager
def _process_pool(workers: int, work: str) -> Iterator[ProcessPoolExecutor]:
    # Forking a process that has threads, as Arrow's, may hang the child; a fresh one is the same on all systems.
    before = set(active_children())
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
    try:
        yield pool
    except BaseException as error:
        for process in set(active_children()) - before:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise WorkerError(_LOST_WORKER.format(work=work)) from error
        raise
    pool.shutdown()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let an interrupt wait, and new processes inherit that: it is the parent that ends them, also while they start."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Leave interrupts and warnings to the parent, end with it, and keep memory that is free for the next task.

    A C library gives large blocks back to the system and faults every page in anew: a quarter of the time of a network
    on a virtual machine. Of others than GNU's it is not known how to stop them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", CacheWarning)
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None and set_option(_M_MMAP_THRESHOLD, _KEPT_BYTES):
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _end_with(parent: BaseProcess) -> None:
    """End this process when its parent has: a parent that is killed cannot tell it."""
    parent.join()
    os._exit(1)
