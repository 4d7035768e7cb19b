"""What the commands that read runs have in common: the run that they open, and notes beside their answers."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.commands.output import tell
from panacea_sim.errors import ConfigError
from panacea_sim.trace.stored_run import StoredRun, open_run

__all__ = ["opened_run", "told_damage"]

_opened: list[StoredRun] = []
"""The run that the command in this process reads."""


def opened_run(path: Path) -> StoredRun:
    """Return the run in a folder, after a note if it is partial; raises ConfigError if there is none."""
    run = open_run(path)
    if run.is_partial:
        tell(f"{run.path} is partial: the trace ends where the run stopped")
    _opened[:] = [run]
    return run


def told_damage(error: Exception) -> ConfigError:
    """Return what is wrong with the files of the run that was opened last; raises `error` if that does not explain it.

    Readers trust what a run has written. Where one of them fails, the fault is looked for in all of its files.
    """
    from panacea_sim.trace.damage import damage_of

    found = damage_of(_opened.pop()) if _opened else None
    if found is None:
        raise error
    return found
