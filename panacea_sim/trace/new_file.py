"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from panacea_sim.errors import ConfigError

__all__ = ["check_new_file", "new_file", "new_files"]


def check_new_file(path: Path, *, force: bool, option: str = "--out") -> None:
    """Raise ConfigError if `path` cannot become a file: it exists and `force` does not hold, or has no folder.

    `option` is the one that gave the path, which the message names.
    """
    if path.is_dir():
        raise ConfigError(option, f"the folder {str(path)!r}", "a file")
    if path.exists() and not force:
        raise ConfigError(option, f"the existing file {str(path)!r}", "a new file", "Use --force to replace it")
    if not path.parent.is_dir():
        raise ConfigError(option, f"{str(path)!r}, whose folder does not exist", "a file in an existing folder")


@contextmanager
def new_file(path: Path, *, force: bool, option: str = "--out") -> Iterator[Path]:
    """Give the path of a file to write beside `path`, which takes that name at the end; after an error it is gone.

    Raises ConfigError where check_new_file does, and if the file cannot be written.
    """
    with new_files([path], force=force, option=option) as (beside,):
        yield beside


@contextmanager
def new_files(paths: Sequence[Path], *, force: bool, option: str = "--out") -> Iterator[list[Path]]:
    """Give paths as new_file does, of files that belong together: they take their names when all are written."""
    for path in paths:
        check_new_file(path, force=force, option=option)
    besides = [path.with_name(f".{path.name}.new") for path in paths]
    try:
        yield besides
        for path, beside in zip(paths, besides, strict=True):
            beside.replace(path)
    except OSError as error:
        if error.errno is None:  # pyarrow's word for a damaged table that was read meanwhile
            raise
        names = ", ".join(map(str, paths))
        raise ConfigError(option, f"{names}: {error.strerror or error}", "a file that can be written") from error
    finally:
        for beside in besides:
            beside.unlink(missing_ok=True)
