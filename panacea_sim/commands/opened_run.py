"""What the commands that read runs have in common: the run that they open, notes beside their answers, its damage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.commands.output import tell
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.trace.stored_run import StoredRun

__all__ = ["forget_opened_runs", "opened_run", "opened_runs", "told_damage"]

_opened: list[StoredRun] = []
"""The runs that the command reads."""


def opened_run(path: Path) -> StoredRun:
    """Return the run in a folder, after a note if it is partial; raises ConfigError if there is none."""
    from panacea_sim.trace.stored_run import open_run

    run = open_run(path)
    if run.is_partial:
        tell(f"{run.path} is partial: the trace ends where the run stopped")
    _opened.append(run)
    return run


def opened_runs(paths: Iterable[Path]) -> list[StoredRun]:
    """Return the runs in folders, each as `opened_run` does, and of the folder of a study all that are there."""
    from panacea_sim.trace.stored_study import study_folders

    runs = []
    for path in paths:
        study = study_folders(path)
        folders = (path,) if study is None or not study.present else study.present
        if study is not None and study.present and study.absent:
            tell(f"{path}: not there: {', '.join(study.absent)}")
        runs += [opened_run(folder) for folder in folders]
    return runs


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
