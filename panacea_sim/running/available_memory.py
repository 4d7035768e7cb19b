"""How much memory this process may have: what the system has left, and what its control groups allow."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

from panacea_sim.units import KIB

__all__ = ["available_bytes", "lately_available_bytes", "processes_that_fit"]

_MOMENTS_PER_SECOND = 10


def processes_that_fit(workers: int, needed_bytes: int) -> int:
    """Return in how many processes, up to `workers` and at least in one, there is room for so much in each."""
    available = available_bytes()
    return workers if available is None else max(1, min(workers, available // needed_bytes))


def lately_available_bytes() -> int | None:
    """Return `available_bytes` as it was at most a tenth of a second ago: asking takes as long as a small layer."""
    return _available_in(int(time.monotonic() * _MOMENTS_PER_SECOND))


@lru_cache(maxsize=1)
def _available_in(moment: int) -> int | None:  # noqa: ARG001  # it is the key
    return available_bytes()


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return the least of the memory that the system has available and that each control group leaves.

    What this process has already is part of it. None where the system does not say. `root` is the folder in which /proc
    and /sys lie. What a group holds of files counts as free, since the system drops it before a process ends.
    """
    found = [_system_bytes(root), *(_group_bytes(folder) for folder in _groups(root))]
    known = [each for each in found if each is not None]
    return min(known) + _own_bytes(root) if known else None


def _own_bytes(root: Path) -> int:
    return _figures(root / "proc/self/status").get("VmRSS:", 0) * KIB


def _system_bytes(root: Path) -> int | None:
    kib = _figures(root / "proc/meminfo").get("MemAvailable:")
    return None if kib is None else kib * KIB


def _groups(root: Path) -> list[Path]:
    """Return the folders of the memory groups of this process and of those around them, of both versions."""
    folders = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in {"", "memory"}:
            continue
        top = root / "sys/fs/cgroup" / controllers
        # In a container the path may be that outside of it, and then only the top is there.
        inner = top / path.lstrip("/")
        folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(top)]
    return folders


def _group_bytes(folder: Path) -> int | None:
    """Return what a control group leaves; None if it has no limit, or is none."""
    for limit, used, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, taken = _text(folder / limit).strip(), _text(folder / used).strip()
        if most.isdecimal() and taken.isdecimal():
            dropped = _figures(folder / "memory.stat").get(files, 0)
            return max(0, int(most) - max(0, int(taken) - dropped))
    return None


def _figures(path: Path) -> dict[str, int]:
    """Return the lines of a file that begin with a name and a whole number."""
    lines = [line.split() for line in _text(path).splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
