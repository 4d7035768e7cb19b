"""Bandwidth of the DRAM channels over time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from panacea_sim.trace.binning import Cover
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within
from panacea_sim.units import IntArray

__all__ = ["bandwidth"]


def bandwidth(run: StoredRun, edges: IntArray) -> dict[str, npt.NDArray[np.float64]]:
    """Return the mean bytes a cycle on the bus of each channel in each bin; an access is spread evenly over its cycles.

    Raises ConfigError if no accesses were recorded.
    """
    numbers = {name: number for number, name in enumerate(run.channels)}
    cover = Cover(edges, len(numbers))
    columns = ["channel", "start_cycle", "end_cycle", "bytes"]
    for batch in column_batches(run, "dram", columns, within((int(edges[0]), int(edges[-1])))):
        start, end = batch["start_cycle"].to_numpy(), batch["end_cycle"].to_numpy()
        cover.add(codes(batch["channel"], numbers), start, end, batch["bytes"].to_numpy() / np.maximum(end - start, 1))
    return dict(zip(numbers, cover.units() / np.diff(edges), strict=True))
