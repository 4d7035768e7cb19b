"""Processes of a dask cluster on this computer, and of commands that use it; all are gone at the end of a block."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["command", "processes_below", "scheduler", "wait_for", "worker"]

_SECONDS = 120
_ALONE = ("--host", "127.0.0.1", "--no-dashboard")


def wait_for(done: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something holds; fail if the process ends before, or it takes too long."""
    deadline = time.monotonic() + _SECONDS
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Give a command of panacea-sim that runs in a process of its own."""
    with _process("panacea_sim", *arguments) as process:
        yield process


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give a scheduler on the loopback interface and its address."""
    file = folder / "scheduler.json"
    arguments = (*_ALONE, "--port", "0", "--scheduler-file", str(file))
    with _process("distributed.cli.dask_scheduler", *arguments) as process:
        wait_for(file.exists, process)
        wait_for(lambda: file.read_text("utf-8").endswith("}"), process)
        yield process, json.loads(file.read_text("utf-8"))["address"]


@contextmanager
def worker(address: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a worker of a scheduler, without a nanny: nobody starts it again."""
    arguments = (*_ALONE, "--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--local-directory", str(folder))
    with _process("distributed.cli.dask_worker", address, *arguments) as process:
        yield process


def processes_below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the worker processes that a command has started, without those that have just ended."""
    return [each for each in psutil.Process(process.pid).children(recursive=True) if _is_worker(each)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "--multiprocessing-fork" in process.cmdline()
    except psutil.Error:
        return False


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=_SECONDS)
