"""Who writes a run folder: a lock on the file that marks it, which ends with its owner, however that ends."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["FolderLock", "is_held_here"]

_Key = tuple[int, int]

_guard = threading.Lock()
_held: dict[_Key, int] = {}
"""Device and inode of the marks that are locked, with the process: the system's locks tell processes apart only."""


class FolderLock:
    """The lock on a mark, from `take` to `release`.

    It is a lock of the process: a worker does not inherit it, and the system frees it even after a kill. Where the
    system or the file system has no such locks, only the runs of one process are kept apart.
    """

    def __init__(self, mark: Path, descriptor: int) -> None:
        self._mark = mark
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self._key = status.st_dev, status.st_ino

    @classmethod
    def take(cls, mark: Path) -> FolderLock | None:
        """Return the lock on a mark, which is made if there is none; None if somebody holds it. Raises OSError."""
        with _guard:
            # Closing a file frees all locks that this process has on it, so what it holds must not be opened again.
            if is_held_here(mark):
                return None
            descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
            if not _is_locked_now(descriptor):
                os.close(descriptor)
                return None
            lock = cls(mark, descriptor)
            _held[lock._key] = os.getpid()
            return lock

    def is_on(self) -> bool:
        """Return whether the mark is still the one that was locked, and has not been moved, removed or replaced."""
        return _key(self._mark) == self._key

    def release(self) -> None:
        """Let others have it."""
        with _guard:
            if _held.pop(self._key, None) is not None:
                os.close(self._descriptor)


def is_held_here(mark: Path) -> bool:
    """Return whether this process holds the lock on a mark; a process that was forked from the owner does not."""
    key = _key(mark)
    return key is not None and _held.get(key) == os.getpid()


def _key(mark: Path) -> _Key | None:
    try:
        status = os.lstat(mark)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_locked_now(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True
