"""Layers that run each alone, one by one or in processes side by side (schedule "barrier")."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path

from panacea_sim.analysis.accounting import check_conservation
from panacea_sim.analysis.summary import SummaryParts, summarize_parts
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import CacheWarning, PanaceaError
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.prepare import planned_alone, work_of
from panacea_sim.trace.joined_trace import TracePart
from panacea_sim.trace.options import NO_TRACE, TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.layer import Layer

__all__ = ["LayerOutcome", "LayerRun", "LayerTask", "WorkerError", "run_layer", "run_layers"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of options in glibc's malloc.h."""

_KEPT_BYTES = 2**31 - 1
"""Blocks and free tops below this stay with the process; glibc before 2.35 refuses so much, and is left as it is."""


_LOST_WORKER = (
    "a worker process ended before its layer was done. Perhaps memory ran out: try --workers 1. A script of your own "
    "must run things below `if __name__ == '__main__':` only, because each process imports it"
)


class WorkerError(PanaceaError):
    """A worker process has ended without a word, for example because the system ran out of memory."""


@dataclass(frozen=True, eq=False)
class LayerTask:
    """A layer to run alone. `known` are the keys of layers that need not run again; `spill_folder` takes its trace."""

    layer: Layer
    hardware: Hardware
    values: bool
    engine: ChosenEngine
    known: frozenset[bytes] = frozenset()
    trace: TraceOptions = NO_TRACE
    spill_folder: Path | None = None


@dataclass(frozen=True, eq=False)
class LayerOutcome:
    """What a layer gave when it ran alone, small enough to go from process to process."""

    result: EngineResult
    parts: SummaryParts
    trace: TracePart | None


@dataclass(frozen=True, eq=False)
class LayerRun:
    """The key of a layer, and its outcome: None if its key was known.

    Layers with equal keys on one machine take the same cycles: masks, sizes and bytes of the outputs are the same.
    """

    key: bytes
    outcome: LayerOutcome | None


def run_layers(
    count: int,
    workers: int,
    task_of: Callable[[int], LayerTask],
    note: Callable[[int, LayerRun], None],
    watch: Callable[[int, int], None],
    engine: ChosenEngine = "reference",
) -> None:
    """Run the tasks of `count` layers in up to `workers` processes, or in this one if that is 1.

    `task_of` is asked for a task when its turn comes, in order; `note` hears of each run as soon as it is over, and
    `watch`, of layers in this process, of each output tile. If the tasks want the compiled engine, it is compiled once,
    here. Raises what a layer raises, and WorkerError; then, as after an interrupt, no process is left.
    """
    if min(workers, count) == 1:
        for number in range(count):
            note(number, run_layer(task_of(number), partial(watch, number)))
        return
    with _pool(min(workers, count)) as pool:
        if engine == "compiled":
            _load_compiled_meanwhile(pool, min(workers, count))
        running: dict[Future[LayerRun], int] = {}
        numbers = iter(range(count))
        while True:
            # No more than run at once: a task that comes late knows more, and holds no memory until then.
            for number in islice(numbers, workers - len(running)):
                with _interrupts_held():
                    running[pool.submit(run_layer, task_of(number))] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                note(running.pop(future), future.result())


def _load_compiled_meanwhile(pool: ProcessPoolExecutor, workers: int) -> None:
    """Compile the engine, or load it, while the processes start: each of them would compile it otherwise."""
    from panacea_sim.engines.compiled.engine import load_compiled  # noqa: PLC0415  # takes a while and need not be installed

    with _interrupts_held():
        for _ in range(workers):
            pool.submit(int)  # starts a process
    load_compiled()


def run_layer(task: LayerTask, watch: Callable[[int], None] | None = None) -> LayerRun:
    """Plan, describe, run and check one layer, unless its key is known; `watch` hears of output tiles done.

    Raises MappingError, DeadlockError and InvariantError.
    """
    work = work_of(task.layer, task.hardware, values=task.values)
    key = work.key()
    if key in task.known:
        return LayerRun(key, None)
    prepared = planned_alone(task.layer, work, task.hardware, task.engine, values=task.values)
    recorder = Recorder(task.trace, (task.layer.name,), task.spill_folder)
    result = prepared.run(task.engine, recorder, watch)
    check_conservation(prepared.description, result)
    values = prepared.values
    parts = summarize_parts(
        prepared.program,
        prepared.description,
        result,
        exact=None if values is None else values.exact(),
        accumulators=None if values is None else values.accumulators,
    )
    trace = None if task.spill_folder is None else TracePart.of(recorder, result.makespan_cycles)
    return LayerRun(key, LayerOutcome(replace(result, times={}), parts, trace))


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
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
            raise WorkerError(_LOST_WORKER) from error
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
    """Leave interrupts and warnings to the parent, end with it, and keep memory that is free for the next layer.

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
