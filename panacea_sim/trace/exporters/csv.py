"""The tables of a run as CSV, with the columns of docs/files.md."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyarrow.csv import CSVWriter

from panacea_sim.trace.column_batches import column_batches
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within, within_cycle

__all__ = ["write_csv"]


def write_csv(run: StoredRun, table: str, path: Path, window: tuple[int, int] | None = None) -> None:
    """Write "activities", "queues" or "dram" as CSV, batch by batch: the rows that overlap `window`, or all."""
    schema = run.dataset(table).schema
    plain = pa.schema([(field.name, _plain(field.type)) for field in schema])
    where = within_cycle(window) if table == "queues" else within(window)
    with CSVWriter(path, plain) as writer:
        for batch in column_batches(run, table, schema.names, where):
            columns = [batch[field.name].cast(field.type) for field in plain]
            writer.write_batch(pa.record_batch(columns, schema=plain))


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of a column with a dictionary, which CSV has not."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
