"""The accumulator: its timing array, and how it joins the PEAs' sums into output tiles in OMEM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.machine.description import Acquire, Component, Give, Take
from panacea_sim.machine.pea import sum_queue
from panacea_sim.machine.program import Program
from panacea_sim.mapping.plan import BYTES_PER_PARTIAL_SUM
from panacea_sim.units import ceil_div
from panacea_sim.workload.functional import offline_compensation
from panacea_sim.workload.layer import GemmLayer

__all__ = ["AccumulatorWorker", "accumulator"]


def accumulator(program: Program) -> Component:
    """Return `accumulator`: it takes the sums of all PEAs and keeps the output tile in OMEM until it is written."""
    outputs = program.group_outputs()
    one = np.ones(len(outputs), np.int64)
    return Component(
        "accumulator",
        "output",
        len(outputs),
        service_cycles=ceil_div(outputs, program.hardware.accumulator_lanes),
        takes=tuple(Take(sum_queue(pea), one) for pea in range(program.hardware.n_pea)),
        acquires=(Acquire("OMEM", outputs * BYTES_PER_PARTIAL_SUM),),
        gives=(Give("q_ppu", one),),
        labels=program.group_labels(),
        size_bytes=outputs * BYTES_PER_PARTIAL_SUM,
    )


class AccumulatorWorker:
    """Joins the row groups of an output tile, adds the compensation that was computed off line, and drops padding.

    `results` collects the accumulators of each layer, int32 [M, N].
    """

    def __init__(self, program: Program, layers: Sequence[GemmLayer]) -> None:
        self.results = [np.zeros((layer.M, layer.N), np.int32) for layer in layers]
        self._labels = program.group_labels()
        self._tilings = [layer.plan.work.tiling for layer in program.layers]
        self._offline = [offline_compensation(layer) for layer in layers]

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the output tile, int32 [rows, columns]."""
        number, m, n = (int(axis[firing]) for axis in (self._labels.layer, self._labels.m, self._labels.n))
        tiling = self._tilings[number]
        rows = slice(m * tiling.tile_m, m * tiling.tile_m + int(tiling.rows[m]))
        columns = slice(n * tiling.tile_n, n * tiling.tile_n + int(tiling.columns[n]))
        sums = np.concatenate([taken[0] for taken in inputs if taken[0] is not None])
        inside = sums[: rows.stop - rows.start, : columns.stop - columns.start]
        # The hardware adds modulo 2^32; casting int64 to int32 does the same.
        tile: npt.NDArray[np.int32] = (inside + self._offline[number][rows, None]).astype(np.int32)
        self.results[number][rows, columns] = tile
        return (tile,)
