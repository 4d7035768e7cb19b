"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from panacea_sim.errors import ConfigError

__all__ = ["check_new_file", "new_file"]


def check_new_file(path: Path, *, force: bool) -> None:
    """Raise ConfigError if `path` cannot become a file: it exists and `force` does not hold, or has no folder."""
    if path.is_dir():
        raise ConfigError("--out", f"the folder {str(path)!r}", "a file")
    if path.exists() and not force:
        raise ConfigError("--out", f"the existing file {str(path)!r}", "a new file", "Use --force to replace it")
    if not path.parent.is_dir():
        raise ConfigError("--out", f"{str(path)!r}, whose folder does not exist", "a file in an existing folder")


@contextmanager
def new_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Give the path of a file to write beside `path`, which takes that name at the end; after an error it is gone.

    Raises ConfigError where check_new_file does, and if the file cannot be written.
    """
    check_new_file(path, force=force)
    beside = path.with_name(f".{path.name}.new")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise ConfigError("--out", f"{path}: {error.strerror or error}", "a file that can be written") from error
    finally:
        beside.unlink(missing_ok=True)
