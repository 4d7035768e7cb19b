"""The lock on the mark of a run folder: one process has it at a time, and only the file that was locked counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panacea_sim.trace.folder_lock import FolderLock, is_held_here

NEEDS_LOCKS = pytest.mark.skipif(sys.platform == "win32", reason="processes are not kept apart here")

_TAKE = """
import sys
from pathlib import Path
from panacea_sim.trace.folder_lock import FolderLock

sys.exit(FolderLock.take(Path(sys.argv[1])) is None)
"""


def _is_refused_elsewhere(mark: Path) -> bool:
    """Return whether another process does not get the lock."""
    code = subprocess.run([sys.executable, "-c", _TAKE, mark], check=False, timeout=60).returncode
    assert code in {0, 1}
    return code == 1


def _taken(mark: Path) -> FolderLock:
    lock = FolderLock.take(mark)
    assert lock is not None
    return lock


@NEEDS_LOCKS
def test_one_has_it_at_a_time(tmp_path: Path) -> None:
    """Neither this process nor another gets it again until it is released, also after somebody here has tried."""
    mark = tmp_path / "mark"
    lock = _taken(mark)
    assert is_held_here(mark)
    assert FolderLock.take(mark) is None
    assert _is_refused_elsewhere(mark)
    lock.release()
    lock.release()
    assert not is_held_here(mark)
    assert not _is_refused_elsewhere(mark)
    _taken(mark).release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_process_does_not_hold_it(tmp_path: Path) -> None:
    """A worker has a copy of all that its parent knows, but the lock is its parent's."""
    mark = tmp_path / "mark"
    lock = _taken(mark)
    child = os.fork()
    if child == 0:
        os._exit(2 * is_held_here(mark) + (FolderLock.take(mark) is not None))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_held_here(mark)
    lock.release()


@pytest.mark.parametrize("replaced", [False, True])
def test_it_is_on_the_file_that_was_locked(tmp_path: Path, replaced: bool) -> None:  # noqa: FBT001  # a case
    """Once the mark has moved, its name has no lock, whatever lies there now."""
    mark = tmp_path / "mark"
    lock = _taken(mark)
    assert lock.is_on()
    mark.rename(tmp_path / "moved")
    if replaced:
        mark.touch()
    assert not lock.is_on()
    assert not is_held_here(mark)
    assert is_held_here(tmp_path / "moved")
    (tmp_path / "moved").replace(mark)
    assert lock.is_on()
    lock.release()
