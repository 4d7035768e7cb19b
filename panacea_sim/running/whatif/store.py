"""Where what-if results are kept: one record a rerun, each written whole, and whatif.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from panacea_sim.analysis.whatif import WHATIF_FILE, WhatIf, stored_whatif
from panacea_sim.errors import ConfigError
from panacea_sim.running.whatif.base import Base
from panacea_sim.running.whatif.reruns import Record
from panacea_sim.trace.folder_lock import FolderLock
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.writing import writing

__all__ = ["WHATIF_MARK", "WhatIfStore", "opened_store"]

WHATIF_MARK = ".panacea-whatif"
"""The file that marks a folder of what-if results outside of a run."""

_RECORDS = "reruns"
_BUSY = "a folder that no other whatif is writing"


@contextmanager
def opened_store(base: Base, out: Path | None) -> Iterator[WhatIfStore]:
    """Give the store of a base, its run folder or `out`, which nobody else writes until the end of the block.

    Raises ConfigError for a folder that is somebody else's, or cannot be written.
    """
    is_own = out is None or out.resolve() == base.folder.resolve()
    folder = base.folder if out is None else out
    mark = base.mark if is_own else None
    with writing(folder):
        if mark is None:
            _check_ours(folder)
            folder.mkdir(parents=True, exist_ok=True)
            mark = folder / WHATIF_MARK
        lock = FolderLock.take(mark)
    if lock is None:
        hint = "Wait until it has ended, or choose another --out"
        raise ConfigError("--out", f"{str(folder)!r}, which another process is writing", _BUSY, hint)
    try:
        with writing(folder):
            (folder / _RECORDS).mkdir(parents=True, exist_ok=True)
        yield WhatIfStore(folder, lock)
    finally:
        lock.release()


class WhatIfStore:
    """The records of a folder, as long as it is ours."""

    def __init__(self, folder: Path, lock: FolderLock) -> None:
        self.folder = folder
        self._lock = lock

    @property
    def results(self) -> Path:
        """The file with all rows."""
        return self.folder / WHATIF_FILE

    def count(self) -> int:
        """Return how many reruns are kept."""
        return sum(1 for _ in (self.folder / _RECORDS).glob("[!.]*.json"))

    def record(self, key: str) -> Record | None:
        """Return what was kept of a rerun; None if nothing readable was."""
        try:
            return Record.from_json(json.loads(self._path(key).read_text(encoding="utf-8")))
        except (OSError, LookupError, TypeError, ValueError):
            return None

    def keep(self, key: str, record: Record) -> None:
        """Keep what a rerun gave, if it holds on other computers too."""
        if record.lasting:
            self._write(self._path(key), record.to_json())

    def write_results(self, found: WhatIf) -> None:
        """Write whatif.json, with what earlier calls have found from the same base."""
        try:
            earlier = stored_whatif(self.folder)
        except ConfigError:  # of another version: it is replaced
            earlier = None
        self._write(self.results, found.with_earlier(earlier).to_json())

    def _path(self, key: str) -> Path:
        return self.folder / _RECORDS / f"{key}.json"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        if not self._lock.is_on():
            found = f"{str(self.folder)!r}, which was removed or replaced meanwhile"
            raise ConfigError("--out", found, "a folder that stays until whatif has ended", "Start it again")
        with writing(path), new_file(path, force=True) as beside:
            beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _check_ours(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / WHATIF_MARK).is_file():
        found = f"{str(folder)!r}, which holds no what-if results"
        raise ConfigError("--out", found, "a new folder, or one of an earlier whatif", "Choose another --out")
    if folder.exists() and not folder.is_dir():
        raise ConfigError("--out", f"the file {str(folder)!r}", "a folder", "Choose another --out")
