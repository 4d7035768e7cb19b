"""Interrupts: SIGINT and SIGTERM end every command with one message and exit code 130, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from panacea_sim.errors import PanaceaError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = [
    "INTERRUPTED",
    "answered",
    "is_asked_to_stop",
    "it_is_too_late_to_stop",
    "stopped_text",
    "telling",
    "telling_what_is_kept",
]

INTERRUPTED = 130
"""The exit code after an interrupt."""

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_NOTHING = "nothing was written"
_LOST_S = 0.01


class _Stopped(KeyboardInterrupt):
    """An interrupt that knows what it has left."""

    def __init__(self, kept: str) -> None:
        super().__init__()
        self.kept = kept


class _Answer:
    """The answer of this process: whether it has been asked to stop, and whether it still can."""

    def __init__(self) -> None:
        self.asked = False
        self.too_late = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Let what is being done unwind, once: an interrupt in the middle of that would leave things half done."""
        if not self.asked and not self.too_late:
            self.asked = True
            raise KeyboardInterrupt

    def again(self, found: UnraisableHookArgs) -> None:
        """Interrupt once more where an interrupt came in a place from which nothing can be raised."""
        if not isinstance(found.exc_value, KeyboardInterrupt):
            sys.__unraisablehook__(found)
            return
        self.asked = False
        # From another thread, because this place is one of those.
        threading.Timer(_LOST_S, os.kill, [os.getpid(), signal.SIGINT]).start()


_answer = _Answer()


@contextmanager
def answered(handlers: frozenset[object]) -> Iterator[None]:
    """Answer signals by unwinding with a KeyboardInterrupt; those with other handlers than these are somebody else's.

    Signals can be handled in the main thread only; elsewhere nothing changes.
    """
    global _answer  # noqa: PLW0603  # a process has one
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    ours = [number for number in _NUMBERS if before[number] in handlers]
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    _answer = _Answer()
    hook, sys.unraisablehook = sys.unraisablehook, _answer.again
    for number in ours:
        signal.signal(number, _answer.stop)
    try:
        yield
    finally:
        _answer.too_late = True
        for number in ours:
            signal.signal(number, before[number])
        sys.unraisablehook = hook


def is_asked_to_stop() -> bool:
    """Return whether a signal has come, whatever has become of the exception that it raised."""
    return _answer.asked


def it_is_too_late_to_stop() -> None:
    """Let signals pass from now on: what was asked for is about to appear, and all that is left is to say so."""
    _answer.too_late = True


@contextmanager
def telling_what_is_kept(complete: Path, partial: Path) -> Iterator[None]:
    """Let an interrupt tell which of two folders has appeared meanwhile: the complete one, or the partial one."""
    before = {path: _state(path) for path in (complete, partial)}
    try:
        yield
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) and not is_asked_to_stop():
            raise
        raise _Stopped(_kept(complete, partial, before) + _also_told(error)) from error


@contextmanager
def telling(kept: Callable[[], str]) -> Iterator[None]:
    """Let an interrupt tell what is kept of what was under way."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) and not is_asked_to_stop():
            raise
        raise _Stopped(kept() + _also_told(error)) from error


def _kept(complete: Path, partial: Path, before: dict[Path, object]) -> str:
    changed = [path for path in (partial, complete) if _state(path) not in {None, before[path]}]
    if not changed:
        return _NOTHING
    return f"what was recorded is in {partial}" if changed[0] == partial else f"the run is complete in {complete}"


def _also_told(error: BaseException) -> str:
    """Return what else there is to tell: what could not be kept, and how much of a study is whole."""
    found = [str(error)] if isinstance(error, PanaceaError) else []
    return "".join(f"\n{text}" for text in [*found, *getattr(error, "__notes__", ())])


def _state(path: Path) -> object:
    """Return what tells a folder from one that was there before; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def stopped_text(error: BaseException) -> str:
    """Return the message about the error with which a command has ended after an interrupt."""
    return f"interrupted: {error.kept if isinstance(error, _Stopped) else _NOTHING}"
