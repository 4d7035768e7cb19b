"""What the commands that read runs have in common: the run that they open, notes beside their answers, its damage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.commands.output import tell
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.trace.stored_run import StoredRun

__all__ = ["forget_opened_runs", "opened_run", "told_damage"]

_opened: list[StoredRun] = []
"""The run that the command reads."""


def opened_run(path: Path) -> StoredRun:
    """Return the run in a folder, after a note if it is partial; raises ConfigError if there is none."""
    from panacea_sim.trace.stored_run import open_run

    run = open_run(path)
    if run.is_partial:
        tell(f"{run.path} is partial: the trace ends where the run stopped")
    _opened.append(run)
    return run


def forget_opened_runs() -> None:
    """Let a command begin that has read nothing."""
    _opened.clear()


def told_damage(error: Exception) -> ConfigError:
    """Return what is wrong with the files of the run that the command reads; raises `error` if nothing explains it.

    Readers trust what a run has written. Where one of them fails, the fault is looked for in all of its files.
    """
    from panacea_sim.trace.damage import damage_of

    for run in _opened:
        found = damage_of(run)
        if found is not None:
            return found
    raise error
