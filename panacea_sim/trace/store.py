"""The run folder: it appears complete or not at all."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.yaml_file import write_mapping
from panacea_sim.trace.folder_lock import FolderLock
from panacea_sim.trace.held_interrupts import held_interrupts
from panacea_sim.trace.joined_trace import JoinedTrace
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.run_place import PARTIAL, RUN_MARK, busy, check_partial, check_place, named, partial_of
from panacea_sim.trace.schema import TABLES
from panacea_sim.trace.writing import unwritable, writing

__all__ = ["PARTIAL", "RUN_MARK", "RunFolder"]

_ROW_GROUP_ROWS = 131_072
_SPILL = "spill"
_REPLACED = ".replaced"

_Trace: TypeAlias = Recorder | JoinedTrace


class RunFolder:
    """A run folder while it is written: `path` is NAME.partial until `complete` renames it to NAME.

    It is this run's own until the end of the `with` block, or until it is complete: another run of that name is refused
    meanwhile. What a run that has ended has left under NAME.partial is replaced. Raises ConfigError where
    check_run_folder does, and if the folder cannot be written.
    """

    def __init__(self, target: Path, *, force: bool = False) -> None:
        self.target = named(target)
        self.path = partial_of(self.target)
        self._force = force
        self._pending: Callable[[], _Trace] | None = None
        with writing(target):
            self._lock = self._taken()

    def __enter__(self) -> Self:
        """Return the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is still to be written, and let other runs have the name."""
        try:
            self._write_pending()
        finally:
            self._drop_spill()
            self._lock.release()

    def make_spill_folder(self) -> Path:
        """Return a new folder where a recorder keeps chunks until the tables are written."""
        folder = self.path / _SPILL
        with self._written(folder):
            folder.mkdir()
        return folder

    def write_yaml(self, name: str, content: dict[str, Any]) -> None:
        """Write a YAML file into the folder."""
        path = self.path / name
        with self._written(path), path.open("w", encoding="utf-8") as file:
            write_mapping(content, file)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file into the folder; after an interrupt it is whole, as it was or as it is to be."""
        path = self.path / name
        with self._written(path), new_file(path, force=True) as beside, beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table that was not recorded."""
        path = self.path / f"{name}.parquet"
        with self._written(path):
            pq.write_table(table, path, compression="zstd")

    def copy(self, source: Path) -> None:
        """Copy a file or a folder of another run into the folder, under its name."""
        path = self.path / source.name
        with self._written(path):
            if source.is_dir():
                shutil.copytree(source, path)
            else:
                shutil.copyfile(source, path)

    @contextmanager
    def tables_of(self, trace: Callable[[], _Trace]) -> Iterator[None]:
        """Write the recorded tables as Parquet when the block ends, however that is, and drop the spilled chunks.

        An interrupt meanwhile comes when they are written. A table that cannot be written is left out.
        """
        self._pending = trace
        try:
            yield
        except BaseException as error:
            # It came first, and may be the cause.
            try:
                self._write_pending()
            except ConfigError as lost:
                error.add_note(str(lost))
            raise
        self._write_pending()

    def complete(self) -> None:
        """Give the folder its name; a run folder of that name, which `force` has allowed, goes when that is done.

        Raises ConfigError if the name cannot be taken: both are left then, the earlier run and NAME.partial.
        """
        with self._written(self.target):
            if os.path.lexists(self.target):
                check_place(self.target, force=self._force)
                with held_interrupts():
                    self._replace()
            else:
                self.path.rename(self.target)
        self._lock.release()

    def is_left(self) -> bool:
        """Return whether NAME.partial is there and still what this run has written."""
        return self._lock.is_on()

    def _taken(self) -> FolderLock:
        """Make NAME.partial, or take it over from a run that has ended, and return the lock on it."""
        while True:
            check_place(self.target, force=self._force)
            is_new = self._is_made()
            # The folder may become complete, or go, at any moment before it is locked.
            with suppress(FileNotFoundError):
                if not is_new:
                    check_partial(self.path)
                lock = FolderLock.take(self.path / RUN_MARK)
                if lock is None:
                    raise busy(self.path)
                if lock.is_on():
                    return self._emptied(lock)
                lock.release()

    def _is_made(self) -> bool:
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            return False
        return True

    def _emptied(self, lock: FolderLock) -> FolderLock:
        """Remove what is in NAME.partial but its mark; the lock goes where that, or the name, is refused."""
        try:
            check_place(self.target, force=self._force)
            check_partial(self.path)
            for path in self.path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != RUN_MARK:
                    path.unlink()
        except BaseException:
            lock.release()
            raise
        return lock

    def _replace(self) -> None:
        """Put the folder in the place of the earlier run, which stands aside until that is done."""
        aside = _free(self.target.with_name(self.target.name + _REPLACED))
        self.target.rename(aside)
        try:
            self.path.rename(self.target)
        except BaseException:
            aside.rename(self.target)
            raise
        try:
            shutil.rmtree(aside)
        except OSError as error:
            text = f"the earlier run could not be removed ({error.strerror}): what is left of it is in {aside}"
            warnings.warn(text, RuntimeWarning, stacklevel=3)

    def _write_pending(self) -> None:
        with held_interrupts():
            trace, self._pending = self._pending, None
            if trace is not None:
                self._write_tables(trace())

    def _write_tables(self, trace: _Trace) -> None:
        """Write each table for itself; raises ConfigError naming those that could not be written."""
        lost: list[Path] = []
        reason: OSError | None = None
        try:
            # The longest come last: the spilled chunks of the others are gone when they need room.
            for name in reversed(TABLES) if trace.options.level != "off" else ():
                self._check_ours()
                path = self.path / f"{name}.parquet"
                try:
                    _write_table(path, trace.schema(name), trace.batches(name))
                except OSError as error:
                    self._check_ours()
                    path.unlink(missing_ok=True)
                    lost.append(path)
                    reason = reason or error
        finally:
            self._drop_spill()
        if reason is not None:
            raise unwritable(reason, *lost) from reason

    def _drop_spill(self) -> None:
        if self._lock.is_on():
            shutil.rmtree(self.path / _SPILL, ignore_errors=True)

    @contextmanager
    def _written(self, path: Path) -> Iterator[None]:
        self._check_ours()
        with writing(path):
            yield

    def _check_ours(self) -> None:
        """Raise ConfigError if the folder is not there any more: another may have its name."""
        if not self._lock.is_on():
            found = f"{str(self.path)!r}, which was removed or renamed while the run was writing it"
            raise ConfigError("--out", found, "a folder that stays until the run has ended", "Run again")


def _free(path: Path) -> Path:
    """Return a path where nothing is: this one, or with a number behind it."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}{number}")
    return free


def _write_table(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    # Cycles and firings hardly repeat: a dictionary of them takes time and space.
    repeating = [column for column in schema.names if not column.endswith(("cycle", "firing"))]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating) as writer:
        for table in _row_groups(batches, schema):
            writer.write_table(table)


def _row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Join batches to tables of about `_ROW_GROUP_ROWS` rows, with one dictionary for each column."""
    gathered: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        gathered.append(batch)
        rows += batch.num_rows
        if rows >= _ROW_GROUP_ROWS:
            yield pa.Table.from_batches(gathered, schema).unify_dictionaries()
            gathered, rows = [], 0
    yield pa.Table.from_batches(gathered, schema).unify_dictionaries()
