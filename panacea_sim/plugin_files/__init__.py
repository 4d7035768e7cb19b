"""Python files of users as modules of this package, whose names say where the files are and what is in them.

A module `panacea_sim.plugin_files.PATH_DIGEST` is the file whose path PATH spells. So a worker process that is sent an
object of such a module imports it by its name alone, as pickle does, and refuses a file that has another text by then.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from panacea_sim.errors import ConfigError

__all__ = ["file_digest", "imported_file"]

_PREFIX = f"{__name__}."
_names: dict[str, str] = {}
"""The module of each file that was imported: a process has one text of a file."""


def imported_file(path: Path) -> ModuleType:
    """Return the module of a file, which is imported once in a process; raises whatever the file raises."""
    file = str(path.resolve())
    name = _names.get(file)
    if name is None:
        name = f"{_PREFIX}{file.encode().hex()}_{_digest(path.read_bytes())}"
    return importlib.import_module(name)


def file_digest(module: str) -> str | None:
    """Return a digest of the text that was imported as this module; None if it is no file of a user."""
    return module.rpartition("_")[2] if module.startswith(_PREFIX) else None


def _digest(source: bytes) -> str:
    return hashlib.blake2b(source, digest_size=32).hexdigest()


class _Loader(SourceFileLoader):
    """Compiles a file as it stands: kept bytecode could be that of an earlier text."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file; raises ConfigError if it is not the one that the name says."""
        source = self.get_data(self.path)
        if _digest(source) != file_digest(fullname):
            hint = "Begin the run again, or put the file back"
            raise ConfigError(self.path, "another text than the run began with", "the same text until it ends", hint)
        return self.source_to_code(source, self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the file; what failed is tried again when it is asked for again."""
        super().exec_module(module)
        _names[self.path] = module.__name__


class _Finder(MetaPathFinder):
    """Finds the file that the name of a module spells."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # what Python asks with
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return where the module is; None for all that are no file of a user."""
        if not fullname.startswith(_PREFIX):
            return None
        try:
            file = bytes.fromhex(fullname.removeprefix(_PREFIX).partition("_")[0]).decode()
        except ValueError:
            return None
        return spec_from_file_location(fullname, file, loader=_Loader(fullname, file))


sys.meta_path.append(_Finder())
