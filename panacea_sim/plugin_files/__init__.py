"""Python files of users as modules of this package, whose names say where the files are.

A module `panacea_sim.plugin_files.NAME` is the file whose path NAME spells. So a worker process that is sent an object
of such a module imports it by its name alone, as pickle does.
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

__all__ = ["file_digest", "imported_file"]

_PREFIX = f"{__name__}."
_digests: dict[str, str] = {}


def imported_file(path: Path) -> ModuleType:
    """Return the module of a file, which is imported once in a process; raises whatever the file raises."""
    return importlib.import_module(_PREFIX + str(path.resolve()).encode().hex())


def file_digest(module: str) -> str | None:
    """Return a digest of the file that was imported as this module; None if no file was."""
    return _digests.get(module)


class _Loader(SourceFileLoader):
    """Compiles a file as it stands: kept bytecode could be that of an earlier text."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file, and remember what it was made of."""
        source = self.get_data(self.path)
        _digests[fullname] = hashlib.blake2b(source, digest_size=32).hexdigest()
        return self.source_to_code(source, self.path)


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
            file = bytes.fromhex(fullname.removeprefix(_PREFIX)).decode()
        except ValueError:
            return None
        return spec_from_file_location(fullname, file, loader=_Loader(fullname, file))


sys.meta_path.append(_Finder())
