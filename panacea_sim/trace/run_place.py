"""Where a run folder may go: what is in its place, and which runs would be lost with that."""

from __future__ import annotations

import json
import os
from itertools import dropwhile
from pathlib import Path

from panacea_sim.errors import ConfigError
from panacea_sim.trace.folder_lock import FolderLock, is_held_here
from panacea_sim.trace.writing import writing

__all__ = ["PARTIAL", "RUN_MARK", "busy", "check_partial", "check_place", "check_run_folder", "named", "partial_of"]

PARTIAL = ".partial"
"""What the name of a run folder that is not complete ends with."""

RUN_MARK = ".panacea-run"
"""The file that every run folder has from the start: a folder without it is never replaced or removed."""

_OTHER_OUT = "Choose another --out"
_OR_OTHER = "choose another --out"


def check_run_folder(target: Path, *, force: bool) -> None:
    """Raise ConfigError if RunFolder would refuse a target now: so that it is known before long work."""
    target = named(target)
    partial = partial_of(target)
    with writing(target):
        check_place(target, force=force)
        if not os.path.lexists(partial):
            return
        check_partial(partial)
        if (partial / RUN_MARK).exists():
            lock = FolderLock.take(partial / RUN_MARK)
            if lock is None:
                raise busy(partial)
            lock.release()


def named(target: Path) -> Path:
    """Return the path with the name of the folder at its end; raises ConfigError for one that cannot be a run's."""
    if target.name in {"", ".."}:
        target = target.resolve()
    # Below a folder that is not there, the system knows no ".."; those at the beginning are left to be read.
    if ".." in dropwhile("..".__eq__, target.parts):
        target = target.parent.resolve() / target.name
    if not target.name or "\0" in str(target):
        raise ConfigError("--out", f"{str(target)!r}", "a folder with a name", _OTHER_OUT)
    if target.name.lower().endswith(PARTIAL):
        found = f"{str(target)!r}, as folders of runs are called that are not complete"
        raise ConfigError("--out", found, f"a folder whose name does not end with {PARTIAL}", _OTHER_OUT)
    return target


def partial_of(target: Path) -> Path:
    """Return the folder in which a run is written until it is complete, of a target that is `named`."""
    return target.with_name(target.name + PARTIAL)


def check_place(target: Path, *, force: bool) -> None:
    """Raise ConfigError if a complete run cannot take the place of what is at `target`, if anything is."""
    above = target.parent.resolve()
    for folder in (above, *above.parents):
        _check_enclosing(target, folder)
    if target.is_symlink():
        raise _linked(target)
    if not target.exists():
        return
    _check_ours(target)
    if not force:
        found = f"the existing folder {str(target)!r}"
        raise ConfigError("--out", found, "a new folder", "Use --force to replace it")
    _check_no_other_runs(target)


def check_partial(partial: Path) -> None:
    """Raise ConfigError if what is at `partial` is not left over from a run, or has other runs in it."""
    if partial.is_symlink():
        raise _linked(partial)
    # A folder that is empty has just been made, or its run has been killed before it did more.
    if not partial.is_dir() or any(partial.iterdir()):
        _check_ours(partial)
        _check_no_other_runs(partial)


def busy(partial: Path) -> ConfigError:
    """Return what to tell where another run is writing."""
    found = f"{str(partial)!r}, which another run is writing"
    return ConfigError("--out", found, "a folder that no run is writing", f"Wait until it has ended, or {_OR_OTHER}")


def _check_enclosing(target: Path, folder: Path) -> None:
    """Refuse a place in a run that is not complete, unless it is a study of this process that writes its own runs."""
    mark = folder / RUN_MARK
    if folder.name.endswith(PARTIAL) and mark.is_file() and not is_held_here(mark):
        found = f"{str(target)!r}, in the folder of a run that is not complete"
        raise ConfigError("--out", found, "a folder outside of it", _OTHER_OUT)


def _linked(path: Path) -> ConfigError:
    found = f"{str(path)!r}, a symbolic link to {str(path.readlink())!r}"
    hint = f"Remove the link, or {_OR_OTHER}"
    return ConfigError("--out", found, "a folder that is no link", hint)


def _check_ours(path: Path) -> None:
    if not path.is_dir():
        raise ConfigError("--out", f"the file {str(path)!r}, which is no run folder", "a folder", _OTHER_OUT)
    if not (path / RUN_MARK).is_file():
        found = f"{str(path)!r}, which is no run folder"
        raise ConfigError("--out", found, "a new folder or an earlier run", _OTHER_OUT)


def _check_no_other_runs(folder: Path) -> None:
    others = _other_runs(folder)
    if not others:
        return
    more = f" and {len(others) - 1} more" if others[1:] else ""
    found = f"{str(folder)!r}, in which other runs lie: {str(others[0])!r}{more}"
    hint = f"Move them elsewhere, or {_OR_OTHER}"
    raise ConfigError("--out", found, "a run folder with no runs in it but those of its own study", hint)


def _other_runs(folder: Path) -> list[Path]:
    """Return the runs that lie in a run folder, at any depth, without those that are its study's."""
    own = {folder, *(folder / name for name in _study_runs(folder))}
    return sorted(path for path in _marked(folder) if path not in own)


def _marked(folder: Path) -> list[Path]:
    """Return the run folders in a folder, itself included; raises OSError where it cannot be looked into."""

    def fail(error: OSError) -> None:
        raise error

    return [Path(top) for top, _, files in os.walk(folder, onerror=fail) if RUN_MARK in files]


def _study_runs(folder: Path) -> set[str]:
    """Return the folders of the runs that a study's summary.json names; of a partial study also unfinished ones."""
    try:
        content = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    runs = content.get("runs") if isinstance(content, dict) and "study" in content else None
    names = set(runs) if isinstance(runs, dict) else set()
    return names | {name + PARTIAL for name in names} if folder.name.endswith(PARTIAL) else names
