"""The run folder: it appears complete or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.yaml_file import write_mapping
from panacea_sim.trace.joined_trace import JoinedTrace
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import TABLES

__all__ = ["PARTIAL", "RUN_MARK", "RunFolder"]

_ROW_GROUP_ROWS = 131_072
PARTIAL = ".partial"
"""What the name of a run folder that is not complete ends with."""

_SPILL = "spill"
RUN_MARK = ".panacea-run"
"""The file that every run folder has from the start: a folder without it is never replaced or removed."""


class RunFolder:
    """A run folder while it is written: `path` is NAME.partial until `complete` renames it to NAME.

    Raises ConfigError if the folder exists and `force` is off, if it exists and is no run folder, or if it cannot be
    written.
    """

    def __init__(self, target: Path, *, force: bool = False) -> None:
        self.target = target if target.name not in {"", ".."} else target.resolve()
        if not self.target.name:
            raise ConfigError("--out", f"{str(target)!r}", "a folder with a name", "Choose another --out")
        self.path = self.target.with_name(self.target.name + PARTIAL)
        self._check_target(force=force)
        if self.path.exists():
            _check_ours(self.path)
            shutil.rmtree(self.path)
        try:
            self.path.mkdir(parents=True)
            (self.path / RUN_MARK).touch()
        except OSError as error:
            raise ConfigError(
                "--out", f"{str(target)!r} ({error.strerror})", "a folder that can be written", "Choose another --out"
            ) from error

    def make_spill_folder(self) -> Path:
        """Return a new folder where a recorder keeps chunks until the tables are written."""
        folder = self.path / _SPILL
        folder.mkdir()
        return folder

    def write_yaml(self, name: str, content: dict[str, Any]) -> None:
        """Write a YAML file into the folder."""
        with (self.path / name).open("w", encoding="utf-8") as file:
            write_mapping(content, file)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file into the folder; after an interrupt it is whole, as it was or as it is to be."""
        with new_file(self.path / name, force=True) as beside, beside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")

    def write_tables(self, recorder: Recorder | JoinedTrace) -> None:
        """Write the recorded tables as Parquet, in chunks, and drop the spilled ones."""
        for name in TABLES if recorder.options.level != "off" else ():
            schema = recorder.schema(name)
            # Cycles and firings hardly repeat: a dictionary of them takes time and space.
            repeating = [column for column in schema.names if not column.endswith(("cycle", "firing"))]
            path = self.path / f"{name}.parquet"
            with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating) as writer:
                for table in _row_groups(recorder.batches(name), schema):
                    writer.write_table(table)
        shutil.rmtree(self.path / _SPILL)

    def complete(self) -> None:
        """Give the folder its name; a run folder of that name, which `force` has allowed, goes."""
        if self.target.exists():
            shutil.rmtree(self.target)
        self.path.rename(self.target)

    def _check_target(self, *, force: bool) -> None:
        if not self.target.exists():
            return
        if not force:
            raise ConfigError(
                "--out", f"the existing folder {str(self.target)!r}", "a new folder", "Use --force to replace it"
            )
        _check_ours(self.target)


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


def _check_ours(path: Path) -> None:
    if not (path / RUN_MARK).is_file():
        raise ConfigError(
            "--out", f"{str(path)!r}, which is no run folder", "a new folder or an earlier run", "Choose another --out"
        )
