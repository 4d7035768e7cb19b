"""Columns of a stored table, batch by batch, as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

from panacea_sim.errors import ConfigError
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["check_batch", "codes", "column_batches", "undamaged"]


def column_batches(
    run: StoredRun, table: str, columns: Sequence[str], where: ds.Expression | None = None
) -> Iterator[dict[str, pa.Array]]:
    """Return the named columns of the rows that `where` keeps, in the order of the file and in bounded memory.

    Raises ConfigError if the table was not recorded or turns out to be damaged.
    """
    dataset = run.dataset(table)
    with undamaged(run.path / f"{table}.parquet"):
        for fragment in dataset.get_fragments(filter=where):
            # One by one, because a scanner of the whole file reads ahead without end where its reader is slow.
            for group in fragment.split_by_row_group(filter=where, schema=dataset.schema):
                for batch in group.to_batches(schema=dataset.schema, columns=list(columns), filter=where):
                    if batch.num_rows:
                        check_batch(run.path / f"{table}.parquet", batch, dataset.schema)
                        yield dict(zip(columns, batch.columns, strict=True))


@contextmanager
def undamaged(path: Path | str) -> Iterator[None]:
    """Raise ConfigError, naming `path`, where pyarrow finds that this table is damaged."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(
            f"{path}", f"a damaged file ({' '.join(str(error).split())})", "a Parquet file of panacea-sim run"
        ) from error


def check_batch(path: Path | str, batch: pa.RecordBatch, schema: pa.Schema) -> None:
    """Raise ConfigError, naming table and column, for text that is not UTF-8 and for values that are missing."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.null_count and not schema.field(name).nullable:
            found = f"{column.null_count} rows without a value"
        elif pa.types.is_dictionary(column.type) and not _is_text(column.dictionary):
            found = "bytes that are not UTF-8 text"
        else:
            continue
        raise ConfigError(f"{path}: {name}", found, "a table as panacea-sim run writes it", "Run the scenario again")


def _is_text(names: pa.Array) -> bool:
    try:
        names.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return not names.null_count


def codes(column: pa.DictionaryArray, numbers: Mapping[str, int]) -> npt.NDArray[np.int64]:
    """Return the number of each name in a column, -1 for a name without one; a batch has a dictionary of its own."""
    of_names = np.array([numbers.get(name, -1) for name in column.dictionary.to_pylist()], np.int64)
    return np.asarray(of_names[column.indices.to_numpy()])
