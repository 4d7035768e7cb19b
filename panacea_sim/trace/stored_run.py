"""A run folder that is read: its summary, and its tables as datasets that need not fit into memory."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from panacea_sim.description.topology import Topology
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.trace.options import OPEN_END, TraceOptions
from panacea_sim.trace.run_place import PARTIAL, RUN_MARK
from panacea_sim.trace.schema import EXPLANATION_TABLES, LATER_COLUMNS, SCHEMA_VERSION, TABLES, State
from panacea_sim.trace.summary import PartialSummary, RunHeading, Summary

if TYPE_CHECKING:
    from panacea_sim.hardware.config import Hardware

__all__ = ["StoredRun", "open_run", "read_summary"]

_KNOWN = TABLES | EXPLANATION_TABLES

_SECTIONS = TypeAdapter(dict[str, str])

_MOST_DIGITS = 10
"""No version has more."""

_AGAIN = "Run the scenario again"
_LAST_CYCLE = {"activities": "end_cycle", "queues": "cycle", "dram": "end_cycle"}
"""Column of each table that tells how far the run had come."""


@dataclass(frozen=True)
class StoredRun:
    """A run folder, complete or NAME.partial.

    `heading` is what summary.json says of every run; `summary` has the figures too, and a partial run has none. Which
    tables are there depends on what was recorded. What the tables say nothing of is known from `recorded_cycles` and
    `recorded_states` alone: rows reach beyond those cycles, and a component may have none in them.
    """

    path: Path
    heading: RunHeading
    layer_names: tuple[str, ...]
    sections: Mapping[str, str]
    """Section (memory, codecs, compute, output) of each component and channel, in the machine's order."""

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.heading.scenario

    @property
    def summary(self) -> Summary | None:
        """The figures of the run, None of a partial one."""
        return self.heading if isinstance(self.heading, Summary) else None

    @property
    def is_partial(self) -> bool:
        """Whether the run was interrupted or failed."""
        return self.summary is None

    @property
    def topology(self) -> Topology:
        """The components with what joins them; raises ConfigError for a run that does not tell."""
        if self.heading.topology is None:
            found = f"a run of schema {self.heading.schema_version}, which has no topology"
            raise ConfigError(f"{self.path}", found, "a run of schema 2 or later", _AGAIN)
        return self.heading.topology

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The members of each group of components, in the machine's order; in a run that does not tell, each alone."""
        if self.heading.topology is None:
            return {name: (name,) for name in self.sections if name not in self.channels}
        return self.heading.topology.groups

    @property
    def short_names(self) -> dict[str, str]:
        """One name for all members of a group of several, and for all queues between two groups."""
        return {} if self.heading.topology is None else self.heading.topology.short_names

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the DRAM channels, in the machine's order."""
        if self.heading.topology is not None:
            return self.heading.topology.channels
        # Runs of schema 1 name the channels where they give their totals.
        return () if self.summary is None else tuple(self.summary.dram.channels)

    @property
    def memories(self) -> frozenset[str]:
        """The names of the memories, whose occupancy is in bytes; a run that does not tell has them in capitals."""
        if self.heading.topology is None:
            names = () if self.summary is None else self.summary.queues
            return frozenset(name for name in names if name.isupper())
        return frozenset(joint.name for joint in self.heading.topology.joints if joint.kind == "memory")

    @property
    def hardware(self) -> Hardware | None:
        """The machine as scenario.yaml beside the tables has it, also of a partial run; None without that file.

        Raises ConfigError if the file cannot be read.
        """
        path = self.path / "scenario.yaml"
        if not path.is_file():
            return None
        # Checking fields takes a while to import, and most questions need none of it.
        from panacea_sim.hardware.config import from_mapping  # noqa: PLC0415
        from panacea_sim.hardware.yaml_file import read_mapping  # noqa: PLC0415

        fields = read_mapping(path).get("hardware")
        if not isinstance(fields, dict):
            raise ConfigError(f"{path}: hardware", reprlib.repr(fields), "the fields of the hardware", _AGAIN)
        return from_mapping(fields)

    @property
    def window(self) -> tuple[int, int] | None:
        """The cycles to which the recording was confined, as the user gave them; None if all were recorded."""
        window = None if self.heading.trace is None else self.heading.trace.window
        return None if window is None else (window[0], OPEN_END if window[1] is None else window[1])

    @property
    def end_cycle(self) -> int:
        """The makespan; of a partial run the greatest end of its rows."""
        return self._last_row_end if self.summary is None else self.summary.makespan_cycles

    @property
    def recorded_cycles(self) -> tuple[int, int]:
        """The first cycle that was recorded and the one after the last; the two are equal if there is none.

        A run of an earlier version does not tell: it counts as recorded from its beginning to its end.
        """
        first, last = self.window or (0, self.end_cycle)
        return min(first, self.end_cycle), min(last, self.end_cycle)

    @property
    def recorded_states(self) -> tuple[State, ...]:
        """The states whose intervals were recorded, in the order of State; the other states leave no row."""
        kept = TraceOptions(self.level)
        return tuple(state for state in State if kept.keeps(state))

    @property
    def is_full(self) -> bool:
        """Whether everything was recorded of the recorded cycles: all states, queues and DRAM accesses."""
        return self.level == "full"

    @cached_property
    def level(self) -> Literal["off", "stalls", "full"]:
        """What was recorded."""
        if self.heading.trace is not None:
            return self.heading.trace.level
        # A run of an earlier version: stalls alone leave the queues without rows.
        has_queues = self.has_table("queues") and self.dataset("queues").head(1).num_rows
        return "full" if has_queues else "stalls" if self.has_table("activities") else "off"

    @cached_property
    def _last_row_end(self) -> int:
        """The greatest end of the rows of all tables, from the statistics of the files."""
        ends = [0]
        for table, column in _LAST_CYCLE.items():
            # A table that is missing or damaged tells nothing here; who reads it hears of that.
            with suppress(ConfigError):
                groups = [group for part in self.dataset(table).get_fragments() for group in part.row_groups]
                ends += [group.statistics[column]["max"] for group in groups if group.num_rows]
        return int(max(ends))

    def has_table(self, name: str) -> bool:
        """Return whether "activities", "queues" or "dram" was recorded."""
        return (self.path / f"{name}.parquet").is_file()

    def dataset(self, name: str) -> ds.Dataset:
        """Return "activities", "queues" or "dram" as a dataset, from which rows can be filtered without reading all.

        Columns that a run of an earlier version does not have are null; those of the machine's actions follow.
        Raises ConfigError for another name, and if the table was not recorded or is of a newer schema.
        """
        if name not in _KNOWN:
            raise ConfigError("table", repr(name), f"one of {', '.join(_KNOWN)}", nearest_name(str(name), _KNOWN))
        path = self.path / f"{name}.parquet"
        if not path.is_file() and name in EXPLANATION_TABLES:
            raise ConfigError(
                f"{self.path}", f"no {name}.parquet", "a run that was explained", "Run again with --explain"
            )
        if not path.is_file():
            hint = f"Run again with --trace {'stalls or --trace full' if name == 'activities' else 'full'}"
            raise ConfigError(f"{self.path}", f"no {name}.parquet", "a run whose trace was recorded", hint)
        try:
            with pq.ParquetFile(path) as file:
                stored, footer = file.schema_arrow, file.metadata
            version = (stored.metadata or {}).get(b"schema", b"nothing").decode(errors="replace")
        except (OSError, ValueError, pa.ArrowException) as error:
            raise ConfigError(
                f"{path}", f"an unreadable file ({' '.join(str(error).split())})", "a Parquet file of panacea-sim run"
            ) from error
        _check_schema(path, int(version) if version.isdecimal() and len(version) < _MOST_DIGITS else version)
        later = LATER_COLUMNS.get(name, set()) if self.heading.schema_version < SCHEMA_VERSION else set()
        _check_columns(path, _KNOWN[name], stored, later)
        _check_values(path, _KNOWN[name], footer)
        return ds.dataset(path, schema=_readable(_KNOWN[name], stored))

    def check_component(self, name: str) -> str:
        """Return `name` if the machine has such a component or channel; raises ConfigError otherwise."""
        if name not in self.sections:
            known = ", ".join(self.sections)
            raise ConfigError("component", repr(name), f"one of {known}", nearest_name(name, self.sections))
        return name


_TABLE = "a table as panacea-sim run writes it"


def _check_values(path: Path, schema: pa.Schema, footer: pq.FileMetaData) -> None:
    """Refuse a table whose footer counts rows without a value: conditions on such a column would pass them by."""
    missing: dict[str, int] = {}
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            statistics = column.statistics
            if statistics is not None and statistics.has_null_count and statistics.null_count:
                missing[column.path_in_schema] = missing.get(column.path_in_schema, 0) + statistics.null_count
    for name, rows in missing.items():
        if name in schema.names and not schema.field(name).nullable:
            raise ConfigError(f"{path}: {name}", f"{rows} rows without a value", _TABLE, "Run the scenario again")


def open_run(path: Path | str) -> StoredRun:
    """Return the run in a folder; a folder NAME that is not there stands for NAME.partial if that is.

    Raises ConfigError for a folder that holds no run, or one of a newer schema.
    """
    path = Path(path)
    if not path.exists() and (partial := path.with_name(path.name + PARTIAL)).is_dir():
        path = partial
    if not path.is_dir() or not (path / RUN_MARK).is_file():
        found = "no such folder" if not path.exists() else "a folder without a run" if path.is_dir() else "a file"
        raise ConfigError(f"{path}", found, "a run folder, as panacea-sim run writes it")
    return _stored_run(path, read_summary(path / "summary.json"))


def _stored_run(path: Path, content: dict[str, Any]) -> StoredRun:
    """Return the run that summary.json describes; raises ConfigError for one that is none, or of a newer schema."""
    _check_schema(path, content.get("schema"))
    if "study" in content:
        named = content.get("runs")
        names = named if isinstance(named, dict) else {}
        runs = ", ".join(str(run) for name in names for run in _present(path / str(name)))
        hint = f"Choose one of {runs}" if runs else "None of its runs is there: run it again"
        raise ConfigError(f"{path}", "a study of several runs", "the folder of one run", hint)
    model = PartialSummary if content.get("partial") else Summary
    try:
        heading = model.model_validate(content)
        sections = heading.topology.sections if heading.topology else _SECTIONS.validate_python(content.get("sections"))
    except ValidationError as error:
        finding = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in finding["loc"]) or "sections"
        found = "nothing" if finding["type"] == "missing" else reprlib.repr(finding["input"])
        hint = "Run the scenario again"
        accepted = finding["msg"].removeprefix("Input should be ").replace("Field required", "a value")
        raise ConfigError(f"{path / 'summary.json'}: {key}", found, accepted, hint) from error
    return StoredRun(path, heading, tuple(layer.name for layer in heading.layers), sections)


def _present(path: Path) -> list[Path]:
    """Return the folder of a study's run, whole or partial, as far as it is there: a study may have been stopped."""
    return [folder for folder in (path, path.with_name(path.name + PARTIAL)) if folder.is_dir()]


def read_summary(path: Path) -> dict[str, Any]:
    """Return the content of the summary.json of a run or a study; raises ConfigError if it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path.parent}", "no summary.json", "a run folder, as panacea-sim run writes it") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}", f"no readable JSON ({error})", "the summary of a run") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}", f"a JSON {type(content).__name__}", "the summary of a run")
    return content


def _readable(schema: pa.Schema, stored: pa.Schema) -> pa.Schema:
    """Return the schema with columns that may be null where they are not stored, and further ones as they are."""
    fields = [field if field.name in stored.names else field.with_nullable(True) for field in schema]
    return pa.schema([*fields, *(field for field in stored if field.name not in schema.names)], schema.metadata)


def _check_columns(path: Path, schema: pa.Schema, stored: pa.Schema, later: Collection[str]) -> None:
    """Check that the columns are there, but for the `later` ones, with the types of the schema."""
    actions = [pa.field(name, pa.int64()) for name in dict.fromkeys(stored.names) if name not in schema.names]
    for field in (*schema, *actions):
        if field.name not in stored.names:
            if field.name in later:
                continue
            found, accepted = "no such column", f"the columns {', '.join(schema.names)}"
        elif len(stored.get_all_field_indices(field.name)) > 1:
            found, accepted = "several columns of this name", "one"
        elif not _can_hold(field.type, stored.field(field.name).type):
            found, accepted = f"values of the type {stored.field(field.name).type}", f"{field.type}"
        else:
            continue
        raise ConfigError(f"{path}: {field.name}", found, accepted, "Run the scenario again")


def _can_hold(kind: pa.DataType, stored: pa.DataType) -> bool:
    """Return whether stored values are of this type, or become it without a change: narrower numbers, plain text."""
    if pa.types.is_dictionary(kind):
        return stored in {pa.string(), pa.large_string()} or (
            pa.types.is_dictionary(stored) and stored.value_type in {pa.string(), pa.large_string()}
        )
    if pa.types.is_integer(kind):
        return bool(pa.types.is_signed_integer(stored) and stored.bit_width <= kind.bit_width)
    return bool(stored == kind)


def _check_schema(path: Path, version: object) -> None:
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        is_newer = isinstance(version, int) and version > SCHEMA_VERSION
        hint = "It was written by a newer panacea_sim: update this one" if is_newer else "Run the scenario again"
        raise ConfigError(f"{path}", f"schema {version}", f"schema 1 to {SCHEMA_VERSION}", hint)
