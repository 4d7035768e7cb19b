"""Rows of a trace as text: a table for people, CSV and JSON for programs. All are written batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, TextIO

import pyarrow as pa
import pyarrow.csv
from rich.console import Console
from rich.text import Text

from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.tables import Column, print_table
from panacea_sim.trace.schema import State

__all__ = ["print_rows", "write_csv", "write_json"]

_TABLE_ROWS = 1_000
"""Rows whose widths are made equal; a longer table begins anew, so that it need not be held."""

_JSON_ROWS = 8_192
_AXES = ("m", "n", "k")
_NAMES = {"component", "queue", "channel", "port", "cause", "layer"}
_WORDS = {"state", "tile"}
_SPARED = {"end": 1, "longest_cycles": 1, "intervals": 2}
"""Columns that leave where there is no room: the end says again what start and cycles say."""

_NO_LABELS: Mapping[str, str] = MappingProxyType({})
_INTERVAL = {"component", "state", "start", "end", "cycles", "share", "intervals", "longest_cycles"}
_SHORT = {"start_cycle": "start", "end_cycle": "end", "request_cycle": "request"}


def print_rows(
    console: Console, rows: pa.RecordBatchReader, operators: Sequence[str] = (), labels: Mapping[str, str] = _NO_LABELS
) -> None:
    """Print rows as a table: m, n and k as one tile, the cause with the component at its other end, `-` for nothing.

    The layer stands above intervals that all have the same one. Of the actions, the columns `operators` are shown as
    one; the others say again what `bytes` says, or nothing that people look for. `labels` says what components that
    are shown as one are called.
    """
    for part in _slices(rows, _TABLE_ROWS):
        columns = _readable(part, operators)
        if "component" in columns:
            columns["component"] = [Text(labels.get(cell.plain, cell.plain)) for cell in columns["component"]]
        if "tile" in columns and len({cell.plain for cell in columns["layer"]}) == 1:
            console.print("\n layer", columns.pop("layer")[0], highlight=False)
        print_table(console, [_column(name) for name in columns], list(zip(*columns.values(), strict=True)))


def _column(name: str) -> Column:
    kind: Literal["figure", "word", "name"] = "name" if name in _NAMES else "word" if name in _WORDS else "figure"
    return Column(name.replace("_", " "), kind, _SPARED.get(name, 0))


def write_csv(rows: pa.RecordBatchReader, file: TextIO) -> None:
    """Write rows as CSV with a header: text in quotation marks, numbers as they are, true and false."""
    file.write(",".join(rows.schema.names) + "\n")
    options = pa.csv.WriteOptions(include_header=False)
    for batch in rows:
        text = pa.BufferOutputStream()
        pa.csv.write_csv(_decoded(batch), text, options)
        file.write(text.getvalue().to_pybytes().decode())


def write_json(rows: pa.RecordBatchReader, file: TextIO) -> None:
    """Write rows as a JSON list of objects, one a line."""
    separator = "[\n"
    for part in _slices(rows, _JSON_ROWS):
        for row in part.to_pylist():
            file.write(separator + json.dumps(row))
            separator = ",\n"
    file.write("[]\n" if separator == "[\n" else "\n]\n")


def _slices(rows: Iterable[pa.RecordBatch], length: int) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        for first in range(0, batch.num_rows, length):
            yield batch.slice(first, length)


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [part.dictionary_decode() if pa.types.is_dictionary(part.type) else part for part in batch.columns]
    return pa.record_batch(columns, names=batch.schema.names)


def _readable(batch: pa.RecordBatch, operators: Sequence[str]) -> dict[str, list[Text]]:
    """Return the columns of the table, in order; what is wide comes last."""
    values = {_SHORT.get(name, name): batch[name].to_pylist() for name in batch.schema.names}
    if "m" in values:
        tiles = zip(*(values.pop(axis) for axis in _AXES), strict=True)
        ends = zip(values.pop("cause"), values.pop("cause_component"), strict=True)
        layer, moved = values.pop("layer"), values.pop("bytes")
        done = list(zip(*(values[name] for name in operators), strict=True))
        values = {name: column for name, column in values.items() if name in _INTERVAL}
        if any(moved):
            values["bytes"] = moved
        if any(map(any, done)):
            names = "/".join(name.rpartition("_")[0] for name in operators)
            values[names] = ["/".join(map(str, each)) if any(each) else "" for each in done]
        values["tile"] = [",".join("-" if part < 0 else str(part) for part in tile) for tile in tiles]
        values["cause"] = [f"{cause} ({end})" if cause and end else cause or end for cause, end in ends]
        values["layer"] = layer
    return {name: [_cell(name, value) for value in column] for name, column in values.items()}


def _cell(name: str, value: Any) -> Text:  # noqa: ANN401  # whatever a column holds
    if name == "state":
        return Text(value, style=STATE_COLOURS[State(value)])
    if name == "share":
        return Text(f"{value:.1%}")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(f"{value:,}" if isinstance(value, int) else value or "-")
