"""What can be wrong with the files of a run folder: looked for when reading them has failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panacea_sim.errors import ConfigError
from panacea_sim.trace.column_batches import column_batches
from panacea_sim.trace.schema import TABLES, State
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["damage_of"]

_HINT = "Run the scenario again"
_COORDINATES = ("m", "n", "k")
_LATEST = 1 << 62
"""A cycle that no run reaches; sums of two fit 64 bits."""


def damage_of(run: StoredRun) -> ConfigError | None:
    """Return what is wrong with the files of a run, the first fault of all, or None if they are in order.

    Every row of every table is read.
    """
    try:
        _check_scenario(run)
        for table in TABLES:
            if run.has_table(table):
                _check_table(run, table)
    except ConfigError as error:
        return error
    return None


def _check_scenario(run: StoredRun) -> None:
    hardware = run.hardware
    if hardware is not None and hardware.clock_hz != run.heading.clock_hz:
        path = run.path / "scenario.yaml"
        accepted = f"{run.heading.clock_hz}, as in summary.json"
        raise ConfigError(f"{path}: hardware.clock_hz", hardware.clock_hz, accepted, _HINT)


def _check_table(run: StoredRun, table: str) -> None:
    path = run.path / f"{table}.parquet"
    schema = run.dataset(table).schema
    known = _known_names(run, table)
    for batch in column_batches(run, table, schema.names):
        for name, column in batch.items():
            for found, accepted in _faults(name, column, known.get(name)):
                raise ConfigError(f"{path}: {name}", found, accepted, _HINT)
        if "end_cycle" in batch and not pc.all(pc.less_equal(batch["start_cycle"], batch["end_cycle"])).as_py():
            raise ConfigError(f"{path}: end_cycle", "a cycle before start_cycle", "intervals that end later", _HINT)


def _known_names(run: StoredRun, table: str) -> Mapping[str, set[str]]:
    """Return what may stand in the columns that hold names, as far as summary.json says it."""
    components = set(run.sections)
    known = {
        "component": components,
        "state": {*State, *([""] if table == "postings" else [])},
        "layer": {"", *run.layer_names},
        "cause_component": {"", *components},
        "port": components,
    }
    if run.heading.topology is not None:
        joints = run.heading.topology.joints
        known["channel"] = set(run.channels)
        known["queue"] = {joint.name for joint in joints if joint.kind != "store"}
    return known


def _faults(name: str, column: pa.Array, known: set[str] | None) -> Iterator[tuple[str, str]]:
    """Return what is wrong with the values of a column: what was found, and what is accepted."""
    if column.null_count:  # a column that came later; in others check_batch has refused them
        return
    if pa.types.is_dictionary(column.type):
        used = np.unique(column.indices.to_numpy())
        names = column.dictionary.take(pa.array(used)).to_pylist()
        unknown = [] if known is None else sorted(set(names) - known)
        if unknown:
            yield repr(unknown[0]), "the names in summary.json"
    elif pa.types.is_integer(column.type) and len(column):
        least, most = pc.min_max(column)["min"].as_py(), pc.min_max(column)["max"].as_py()
        lowest = -1 if name in _COORDINATES else 0
        if least < lowest or most > _LATEST:
            yield str(least if least < lowest else most), f"whole numbers in {lowest} .. {_LATEST}"
