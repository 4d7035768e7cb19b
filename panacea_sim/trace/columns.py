"""Columns of a stored table, batch by batch, as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds

from panacea_sim.trace.stored_run import StoredRun

__all__ = ["codes", "column_batches"]


def column_batches(
    run: StoredRun, table: str, columns: Sequence[str], where: ds.Expression | None = None
) -> Iterator[dict[str, pa.Array]]:
    """Return the named columns of the rows that `where` keeps, in the order of the file and in bounded memory."""
    for batch in run.dataset(table).to_batches(columns=list(columns), filter=where, batch_readahead=2):
        if batch.num_rows:
            yield dict(zip(columns, batch.columns, strict=True))


def codes(column: pa.DictionaryArray, numbers: Mapping[str, int]) -> npt.NDArray[np.int64]:
    """Return the number of each name in a column, -1 for a name without one; a batch has a dictionary of its own."""
    of_names = np.array([numbers.get(name, -1) for name in column.dictionary.to_pylist()], np.int64)
    return np.asarray(of_names[column.indices.to_numpy()])
