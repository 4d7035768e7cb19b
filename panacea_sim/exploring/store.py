"""The folder of a sweep: one record a point, each written whole and never changed, and the tables at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.record import Record
from panacea_sim.trace.folder_lock import FolderLock
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.writing import writing

__all__ = ["SEARCH_STEM", "SWEEP_FILE", "SWEEP_MARK", "Store", "is_sweep_folder", "opened_store", "read_store"]

SWEEP_MARK = ".panacea-sweep"
"""The file that marks the folder of a sweep."""

SWEEP_FILE = "sweep.json"

SEARCH_STEM = "optimize_"
"""What the names of the files of a search begin with, beside those of a sweep."""

_RECORDS = "points"


def is_sweep_folder(folder: Path) -> bool:
    """Return whether a folder is that of a sweep."""
    return (folder / SWEEP_MARK).is_file()


@contextmanager
def opened_store(folder: Path) -> Iterator[Store]:
    """Give the store in a folder, new or of an earlier sweep, which nobody else writes until the end of the block.

    A new one in which nothing is kept goes again where the block fails. Raises ConfigError for a folder that is
    somebody else's, or cannot be written.
    """
    is_new = not folder.exists()
    with writing(folder):
        _check_ours(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock.take(folder / SWEEP_MARK)
    if lock is None:
        hint = "Wait until it has ended, or choose another --out"
        found = f"{str(folder)!r}, which another process is writing"
        raise ConfigError("--out", found, "a folder that no other sweep is writing", hint)
    try:
        with writing(folder):
            (folder / _RECORDS).mkdir(exist_ok=True)
        yield Store(folder, lock)
    except BaseException:
        if is_new and lock.is_on():
            _remove_unused(folder)
        raise
    finally:
        lock.release()


def _remove_unused(folder: Path) -> None:
    """Remove the folder of a sweep if nothing is in it but what makes it one."""
    if {path.name for path in folder.iterdir()} == {SWEEP_MARK, _RECORDS} and not any((folder / _RECORDS).iterdir()):
        (folder / _RECORDS).rmdir()
        (folder / SWEEP_MARK).unlink()
        folder.rmdir()


def read_store(folder: Path) -> Store:
    """Return the store of a folder for reading; raises ConfigError if it is none of a sweep."""
    if not is_sweep_folder(folder):
        raise ConfigError("sweep", f"{str(folder)!r}", f"the folder of a sweep, which has a {SWEEP_MARK}")
    return Store(folder, None)


class Store:
    """The records in a folder, by key; without a lock it is only read."""

    def __init__(self, folder: Path, lock: FolderLock | None) -> None:
        self.folder = folder
        self._lock = lock

    def keys(self) -> set[str]:
        """Return the keys of all records."""
        return {path.stem for path in (self.folder / _RECORDS).glob("[!.]*.json")}

    def record(self, key: str) -> Record | None:
        """Return what was kept under a key; None if nothing readable was."""
        try:
            found = Record.from_bytes(self._path(key).read_bytes())
        except (OSError, LookupError, TypeError, ValueError):
            return None
        return found if found.key == key else None

    def records(self) -> Iterator[Record]:
        """Return all records, by key."""
        for key in sorted(self.keys()):
            found = self.record(key)
            if found is not None:
                yield found

    def put(self, record: Record) -> None:
        """Keep a record, if it holds on other computers too; one that is there already stays as it is."""
        if record.lasting and record.key and self.record(record.key) is None:
            self.write(
                self._path(record.key).relative_to(self.folder), lambda path: path.write_bytes(record.to_bytes())
            )

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file beside the records."""
        self.write(Path(name), lambda path: path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8"))

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a JSON file beside the records; raises ConfigError if it cannot be read."""
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            hint = "Start the sweep once more: its points are kept"
            raise ConfigError(str(path), "no readable JSON", "the file that a sweep has written", hint) from error
        if not isinstance(content, dict):
            raise ConfigError(str(path), type(content).__name__, "the file that a sweep has written")
        return content

    def write(self, name: Path, write: Callable[[Path], object]) -> None:
        """Let a file appear whole or not at all, in place of an earlier one."""
        path = self.folder / name
        if self._lock is None or not self._lock.is_on():
            found = f"{str(self.folder)!r}, which was removed or replaced meanwhile"
            raise ConfigError("--out", found, "a folder that stays until the sweep has ended", "Start it again")
        with writing(path), new_file(path, force=True) as beside:
            write(beside)

    def _path(self, key: str) -> Path:
        return self.folder / _RECORDS / f"{key}.json"


def _check_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError("--out", f"the file {str(folder)!r}", "a folder", "Choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not is_sweep_folder(folder):
        found = f"{str(folder)!r}, which holds no sweep"
        raise ConfigError("--out", found, "a new folder, or that of an earlier sweep", "Choose another --out")
