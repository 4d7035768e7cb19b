"""What the commands that read runs have in common: the run that they open, and what they say of what they wrote."""

from __future__ import annotations

import sys
from pathlib import Path

from panacea_sim.trace.stored_run import StoredRun, open_run

__all__ = ["note", "opened_run", "print_written"]


def opened_run(path: Path) -> StoredRun:
    """Return the run in a folder, after a note if it is partial; raises ConfigError if there is none."""
    run = open_run(path)
    if run.is_partial:
        note(f"{run.path} is partial: the trace ends where the run stopped")
    return run


def print_written(*paths: Path) -> None:
    """Print the files that a command has written, one a line and nothing else, for people and scripts."""
    for path in paths:
        print(path)  # noqa: T201  # rich might wrap it


def note(text: str) -> None:
    """Print a line to standard error: standard output holds the answer and nothing else."""
    print(text, file=sys.stderr)  # noqa: T201  # rich might wrap it
