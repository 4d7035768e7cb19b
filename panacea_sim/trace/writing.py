"""What the system says while a run is written, as one message for people."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panacea_sim.errors import ConfigError

__all__ = ["unwritable", "writing"]

_RECORD_LESS = "record less with --trace stalls or --trace off"
_HINTS = {
    errno.ENOSPC: f"Make room there, choose another --out, or {_RECORD_LESS}",
    errno.EDQUOT: f"Make room there, choose another --out, or {_RECORD_LESS}",
    errno.EFBIG: f"Raise the limit on the size of a file (ulimit -f), or {_RECORD_LESS}",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the path where the system does not let it be written; raises ConfigError for --out."""
    try:
        yield
    except OSError as error:
        raise unwritable(error, path) from error


def unwritable(error: OSError, *paths: Path) -> ConfigError:
    """Return what to tell about paths of a run that cannot be written."""
    # Arrow gives the number of the error, and a text of its own around what the system says.
    reason = os.strerror(error.errno) if error.errno else str(error)
    hint = _HINTS.get(error.errno or 0, "Choose another --out")
    found = f"{', '.join(repr(str(path)) for path in paths)} ({reason})"
    return ConfigError("--out", found, "a folder that can be written", hint)
