"""Temporary folders that go when nobody holds them any more."""

from __future__ import annotations

import weakref
from pathlib import Path

from panacea_sim.running.temporary import temporary_folder

__all__ = ["OwnFolder"]


class OwnFolder:
    """A temporary folder that is removed when this object is collected or closed, or when the process ends.

    Only a process that is killed leaves it. Raises ConfigError if there can be none.
    """

    def __init__(self) -> None:
        folder = temporary_folder()
        self.path = Path(folder.name)
        self._remove = weakref.finalize(self, folder.cleanup)

    @property
    def is_closed(self) -> bool:
        """Whether the folder is gone."""
        return not self._remove.alive

    def close(self) -> None:
        """Remove the folder now; a second time nothing happens."""
        self._remove()
