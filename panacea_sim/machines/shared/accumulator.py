"""The accumulator: its timing array, and how it joins the PEAs' sums into output tiles in OMEM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.costs import cost_of, read_of, written_of
from panacea_sim.description.steps import Acquire, Give, Need, Take
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.units import IntArray, ceil_div, repeated
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["AccumulatorWorker", "accumulator"]


def accumulator(program: Program, sum_queues: Sequence[str]) -> Component:
    """Return `accumulator`: it joins the sums that come through `sum_queues` at each visit to an output tile.

    A tile that is visited again stays a partial sum, of which `s_dma` takes care; after its last visit it is kept in
    OMEM until it is written.
    """
    hardware = program.hardware
    outputs, last = program.visit_outputs, program.joined(lambda layer: layer.plan.visits.last)
    one = repeated(1, len(outputs))
    size_bytes = program.of_visits(lambda layer: layer.plan.work.outputs * BYTES_PER_PARTIAL_SUM)
    fetched = Need(
        "s_loaded",
        program.offset(lambda layer: layer.plan.partial_sums.fetch_of, lambda layer: layer.plan.partial_sums.firings),
    )
    returned = Give("q_s", program.joined(lambda layer: layer.plan.partial_sums.returned))
    return Component(
        "accumulator",
        "output",
        len(outputs),
        service_cycles=program.of_visits(
            lambda layer: np.maximum(
                ceil_div(layer.plan.work.outputs, hardware.accumulator_lanes),
                ceil_div(layer.plan.work.outputs * BYTES_PER_PARTIAL_SUM, hardware.omem_bytes_per_cycle),
            )
        ),
        takes=tuple(Take(queue, one) for queue in sum_queues),
        needs=(fetched,) if program.keeps_partial_sums else (),
        acquires=(Acquire("OMEM", size_bytes if last.all() else size_bytes * last),),
        gives=(Give("q_ppu", last), *((returned,) if program.keeps_partial_sums else ())),
        labels=program.visit_labels,
        size_bytes=size_bytes,
        role="accumulate",
        actions=(action_of("accumulated_outputs", "outputs", outputs),),
        costs=(
            cost_of(written_of("OMEM"), lambda: outputs, BYTES_PER_PARTIAL_SUM),
            # What earlier visits left there is read back, whether or not it has been in DRAM meanwhile.
            cost_of(read_of("OMEM"), lambda: outputs * (1 - _first_visits(program)), BYTES_PER_PARTIAL_SUM),
        ),
    )


def _first_visits(program: Program) -> IntArray:
    return program.joined(lambda layer: layer.plan.visits.first)


class AccumulatorWorker:
    """Joins the row groups of an output tile, drops padding, and adds up visits.

    At the last visit it adds the `compensation` of each layer, [R * M], that was computed off line. Partial sums travel
    as int32 tiles, None where a tile has none yet.

    `results` collects the accumulators of each layer, int32 [M, N], of R products [R, M, N].
    """

    def __init__(
        self, program: Program, layers: Sequence[GemmLayer], sum_queues: int, compensation: Sequence[IntArray]
    ) -> None:
        self.results = [np.zeros((*layer.weight.shape[:-1], layer.N), np.int32) for layer in layers]
        self._all_rows = [result.reshape(-1, result.shape[-1]) for result in self.results]
        self._labels = program.visit_labels
        self._last = program.joined(lambda layer: layer.plan.visits.last)
        self._returned = program.joined(lambda layer: layer.plan.partial_sums.returned)
        self._on_chip: dict[tuple[int, int, int], npt.NDArray[np.int32]] = {}
        self._keeps_partial_sums = program.keeps_partial_sums
        self._sum_queues = sum_queues
        self._tilings = [layer.plan.work.tiling for layer in program.layers]
        self._offline = compensation

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the finished tile int32 [rows, columns], or the partial one for `s_dma`."""
        number, m, n = (int(axis[firing]) for axis in (self._labels.layer, self._labels.m, self._labels.n))
        tiling = self._tilings[number]
        rows, columns = tiling.rows_of(m), tiling.columns_of(n)
        tile_of = (number, m, n)
        from_queues = inputs[: self._sum_queues]
        sums = np.concatenate([taken[0] for taken in from_queues if taken[0] is not None])
        total = sums[: rows.stop - rows.start, : columns.stop - columns.start]
        fetched = [kept[0] for kept in inputs[self._sum_queues :] if kept and kept[0] is not None]
        for partial in (*fetched, self._on_chip.pop(tile_of, None)):
            if partial is not None:
                total = total + partial
        if not self._last[firing]:
            if not self._returned[firing]:
                self._on_chip[tile_of] = _wrapped(total)
            return None, _wrapped(total)
        tile = _wrapped(total + self._offline[number][rows, None])
        self._all_rows[number][rows, columns] = tile
        return (tile, None) if self._keeps_partial_sums else (tile,)


def _wrapped(sums: IntArray) -> npt.NDArray[np.int32]:
    """Return the sums modulo 2^32, as the hardware adds."""
    return sums.astype(np.int32)
