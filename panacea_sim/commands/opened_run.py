"""What the commands that read runs have in common: the run that they open, and notes beside their answers."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.commands.output import tell
from panacea_sim.trace.stored_run import StoredRun, open_run

__all__ = ["opened_run"]


def opened_run(path: Path) -> StoredRun:
    """Return the run in a folder, after a note if it is partial; raises ConfigError if there is none."""
    run = open_run(path)
    if run.is_partial:
        tell(f"{run.path} is partial: the trace ends where the run stopped")
    return run
