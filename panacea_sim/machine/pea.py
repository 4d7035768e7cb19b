"""A PE array: its timing array, and its arithmetic on slices.

A PEA has DWOs for products with HO slices, SWOs for LO x LO products and a CS for the compensation; docs/model.md,
chapter "Work of a tile", gives the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machine.description import Component, Give, Take
from panacea_sim.machine.dispatcher import PeaTile, pea_queue
from panacea_sim.machine.program import Program
from panacea_sim.machine.tile_format import SlicedTile
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray, ceil_div
from panacea_sim.workload.layer import GemmLayer

__all__ = ["PeaWorker", "pe_array", "pea_cycles", "sum_queue"]


def sum_queue(pea: int) -> str:
    """Return the name of the queue from a PEA to the accumulator."""
    return f"q_sum{pea}"


def pea_cycles(work: LayerWork, hardware: Hardware) -> IntArray:
    """Return the cycles of every tile task in every PEA, [m, PEA, n, k]: that of the busiest operator."""
    dynamic = ceil_div(work.dwo, hardware.n_dwo)
    static = ceil_div(work.swo, hardware.n_swo)
    compensation = ceil_div(work.cs, hardware.n_cs)
    return np.maximum(np.maximum(dynamic, static), compensation)


def pe_array(program: Program, pea: int, cycles: list[IntArray]) -> Component:
    """Return the PEA with this number; `cycles` holds the `pea_cycles` of each layer.

    It keeps the partial sums of a K loop and gives them away after the last k.
    """
    service_cycles = np.concatenate(
        [
            of_layer[layer.plan.m, pea, layer.plan.n, layer.plan.k]
            for layer, of_layer in zip(program.layers, cycles, strict=True)
        ]
    )
    return Component(
        f"pea{pea}",
        "compute",
        len(service_cycles),
        service_cycles=service_cycles,
        takes=(Take(pea_queue(pea), np.ones(len(service_cycles), np.int64)),),
        gives=(Give(sum_queue(pea), program.last_of_group()),),
        labels=program.task_labels(),
    )


class PeaWorker:
    """Multiplies the stored slices of its row group and compensates for the activation vectors that were skipped.

    It adds up W @ (x_HO * J) - r * W @ J for every HO slice, and W @ x_LO; the rest of the compensation is folded into
    the bias off line. The work that it finds in the slices must be the work that its timing was computed from.
    """

    def __init__(self, program: Program, layers: Sequence[GemmLayer], pea: int) -> None:
        self._pea = pea
        self._labels = program.task_labels()
        self._works = [layer.plan.work for layer in program.layers]
        self._last = program.last_of_group()
        self._weight_factors = [np.array([1, *layer.weight_slices.ho_factors]) for layer in layers]
        self._activation_factors = [_activation_factors(layer) for layer in layers]
        self._sums: IntArray | None = None

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the partial sums [v, columns] after the last k, before that nothing; None for a PEA without rows."""
        tile: PeaTile | None = inputs[0][0]
        if tile is None:
            return (None,)
        self._check_work(firing, tile)
        number = self._labels.layer[firing]
        sums = _outer_products(tile, self._weight_factors[number], self._activation_factors[number])
        self._sums = sums if self._sums is None else self._sums + sums
        if not self._last[firing]:
            return (None,)
        total, self._sums = self._sums, None
        return (total,)

    def _check_work(self, firing: int, tile: PeaTile) -> None:
        labels = self._labels
        work = self._works[labels.layer[firing]]
        at = (labels.m[firing], self._pea, labels.n[firing], labels.k[firing])
        weight_stored = tile.stored.sum(0)
        activation_stored = tile.activation.stored.sum((0, 1))
        groups, depth, _ = tile.activation.lo.shape
        compensation = int(activation_stored.sum())
        dynamic = int(weight_stored @ activation_stored + groups * weight_stored.sum()) + compensation
        found = (dynamic, depth * groups, compensation)
        planned = (int(work.dwo[at]), int(work.swo[at]), int(work.cs[at]))
        if found != planned:
            raise InvariantError(
                f"pea{self._pea} found {found} DWO, SWO and CS steps in tile m, n, k = {at[0]}, {at[2]}, {at[3]}, "
                f"but its timing was computed from {planned}"
            )


def _activation_factors(layer: GemmLayer) -> IntArray:
    """Return the factors of x_LO, of each stored HO slice and of each J."""
    slices = layer.activation_slices
    compensation = [-r * factor for r, factor in zip(layer.frequent, slices.ho_factors, strict=True)]
    return np.array([slices.lo_factor, *slices.ho_factors, *compensation])


def _outer_products(tile: PeaTile, weight_factors: IntArray, activation_factors: IntArray) -> IntArray:
    """Return the weighted sum over all pairs of a weight slice and an activation operand, [v, columns]."""
    weight = np.concatenate([tile.lo[None], tile.ho * tile.stored[..., None]])
    activation = _operands(tile.activation)
    # One product for all pairs; whole numbers far below 2^53, so floating point is exact.
    pairs = np.tensordot(weight.astype(np.float64), activation.astype(np.float64), axes=([1], [1]))
    sums: IntArray = np.einsum("a,avbn,b->vn", weight_factors, pairs, activation_factors).astype(np.int64)
    return sums


def _operands(tile: SlicedTile) -> np.ndarray:
    """Return x_LO, the stored HO slices and the masks J of a tile, each [K, columns]."""
    stored = np.broadcast_to(tile.stored[..., None], tile.ho.shape)
    operands = np.concatenate([tile.lo[None], tile.ho * stored, stored])
    slices, groups, depth, v = operands.shape
    return operands.swapaxes(1, 2).reshape(slices, depth, groups * v)
