"""Interrupts that wait: they come, once, when what must not be left half done is done."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from panacea_sim.trace.held_interrupts import held_interrupts


class _StoppedError(Exception):
    """What the handler of these tests raises."""


@pytest.fixture(autouse=True)
def _with_handlers() -> Iterator[None]:
    def stop(number: int, _: FrameType | None) -> None:
        raise _StoppedError(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "sent", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGTERM, signal.SIGINT], [signal.SIGINT] * 3]
)
def test_a_signal_comes_at_the_end(sent: list[signal.Signals]) -> None:
    """The first of the signals reaches its handler when the block has ended, which is not interrupted."""
    done = []
    with pytest.raises(_StoppedError, match=str(int(sent[0]))), held_interrupts():  # noqa: PT012  # the end raises
        for number in sent:
            signal.raise_signal(number)
        done.append("all")
    assert done == ["all"]
    with pytest.raises(_StoppedError):
        signal.raise_signal(signal.SIGINT)


def test_blocks_may_lie_in_each_other() -> None:
    """The signal waits for the outermost one."""
    done = []
    with pytest.raises(_StoppedError), held_interrupts():  # noqa: PT012  # the end raises
        with held_interrupts():
            signal.raise_signal(signal.SIGINT)
        done.append("outer")
    assert done == ["outer"]


def test_an_error_goes_on_where_no_signal_came() -> None:
    """What the block raises reaches the caller, and the handlers are back."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), held_interrupts():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_change_nothing() -> None:
    """Only the main thread may have handlers, and only it is interrupted."""
    found = []

    def look() -> None:
        with held_interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


_UNHANDLED = """
import signal
from panacea_sim.trace.held_interrupts import held_interrupts
with held_interrupts():
    signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the exit codes are those of POSIX")
def test_a_signal_without_a_handler_does_what_it_does() -> None:
    """SIGTERM ends a program that has said nothing about it, at once."""
    assert subprocess.run([sys.executable, "-c", _UNHANDLED], check=False, timeout=60).returncode == -signal.SIGTERM
