"""Files that a command writes: whole or not at all, and their names on standard output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panacea_sim.commands.interrupts import it_is_too_late_to_stop
from panacea_sim.trace.new_file import new_files

__all__ = ["print_written", "written"]


@contextmanager
def written(*paths: Path, force: bool, option: str = "--out") -> Iterator[list[Path]]:
    """Give paths to write as new_files does, and let no interrupt come between files that take their names.

    Raises ConfigError where new_files does.
    """
    with new_files(paths, force=force, option=option) as besides:
        yield besides
        it_is_too_late_to_stop()


def print_written(*paths: Path) -> None:
    """Print the files that a command has written, one a line and nothing else, for people and scripts."""
    for path in paths:
        print(path)  # noqa: T201  # rich might wrap it
