"""The folder of a study that is read: which runs it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from panacea_sim.trace.run_place import PARTIAL
from panacea_sim.trace.stored_run import read_summary

__all__ = ["StudyFolders", "study_folders"]


@dataclass(frozen=True)
class StudyFolders:
    """The folders of a study's runs, in their order, whole or partial; and the names of those that are not there."""

    present: tuple[Path, ...]
    absent: tuple[str, ...]


def study_folders(path: Path) -> StudyFolders | None:
    """Return the runs of the study in a folder, None for a folder without one; NAME may stand for NAME.partial.

    Raises ConfigError for a summary.json that cannot be read.
    """
    if not path.exists() and (partial := path.with_name(path.name + PARTIAL)).is_dir():
        path = partial
    if not (path / "summary.json").is_file():
        return None
    content = read_summary(path / "summary.json")
    named = content.get("runs")
    if "study" not in content or not isinstance(named, dict):
        return None
    found = {str(name): _present(path / str(name)) for name in named}
    return StudyFolders(
        tuple(folder for folder in found.values() if folder is not None),
        tuple(name for name, folder in found.items() if folder is None),
    )


def _present(path: Path) -> Path | None:
    return next((folder for folder in (path, path.with_name(path.name + PARTIAL)) if folder.is_dir()), None)
