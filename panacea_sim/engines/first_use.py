"""Who wants to know that the compiled engine has to be compiled: it takes long, and says nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["told_of_compiling", "will_compile"]

_listeners: list[Callable[[], None]] = []


@contextmanager
def told_of_compiling(listener: Callable[[], None]) -> Iterator[None]:
    """Call `listener` the first time that something has to be compiled within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        if listener in _listeners:
            _listeners.remove(listener)


def will_compile() -> None:
    """Tell who wants to know that nothing was kept of an earlier compilation."""
    while _listeners:
        _listeners.pop()()
