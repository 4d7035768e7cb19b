"""The operator steps of a layer in slices on PE arrays, tile by tile, as integer arrays computed from its skip masks.

All formulas are in docs/model.md, chapter "Work of a tile".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from panacea_sim.machines.shared.sliced_tiling import SlicedTiling, shared_tiling
from panacea_sim.machines.shared.sliced_work import Counts, SkipMasks, SlicedWork, summed_over_tiles
from panacea_sim.mapping.outputs import joined_outputs
from panacea_sim.matmul import finite_matmul
from panacea_sim.units import FloatArray, IntArray, ceil_div, signed_type

__all__ = ["SliceSteps", "batched_steps"]

_Steps = TypeVar("_Steps", bound="SliceSteps")

_EXACT_IN_FLOAT32 = 1 << 24
"""Whole numbers below this are exact in float32, whatever the order in which they are added."""

_MANY_STEPS = 1 << 20
"""Steps of one kind that take some megabytes."""

_UNTHREADED_PRODUCTS = 1 << 18
"""Matrix products with more multiplications make OpenBLAS start threads, which cost more here than they save."""


@dataclass(frozen=True, eq=False)
class SliceSteps(SlicedWork):
    """What a layer asks of the PEAs, beside its bytes.

    `dwo`, `swo` and `cs` count outer products and compensation steps, [m, PEA, n, k] in tile coordinates; a PEA without
    rows has none.
    """

    @cached_property
    def dwo(self) -> IntArray:
        """Steps of the DWOs."""
        sums = summed_over_tiles(self.multiplied_x, self.tiling.tile_k)
        return _dynamic_steps(self.weight_counts, self.multiplied_x, sums, self.tiling, self._most_steps)

    @property
    def multiplied_x(self) -> FloatArray:
        """Activation vectors of each n tile that are multiplied, float32 [n, K]: those that are stored."""
        return self.activation_counts

    @cached_property
    def swo(self) -> IntArray:
        """Steps of the SWOs."""
        steps = np.broadcast_to(
            self.tiling.column_groups[:, None] * self.tiling.depths,
            (self.tiling.repeat, self.tiling.n_tiles, self.tiling.k_tiles),
        )
        return _on_peas_with_rows(steps, self.tiling, signed_type(self._most_steps))

    @cached_property
    def cs(self) -> IntArray:
        """Steps of the CS."""
        steps = self.activation_entries.reshape(self.tiling.repeat, self.tiling.n_tiles, -1)
        return _on_peas_with_rows(steps, self.tiling, signed_type(self._most_steps))

    @property
    def has_many_steps(self) -> bool:
        """Whether the steps of all tasks are so many that they are not kept for long."""
        return self.tiling.tile_tasks * self.tiling.most_row_groups > _MANY_STEPS

    def forget_steps(self) -> None:
        """Let the steps go; they are computed again when they are asked for."""
        for name in ("dwo", "swo", "cs", "weight_counts"):
            self.__dict__.pop(name, None)

    @cached_property
    def _most_steps(self) -> int:
        """An upper bound of the steps of each kind that a PEA has in a tile task."""
        w_slices, x_slices = len(self.masks.weight), len(self.masks.activation)
        groups = self.tiling.most_column_groups
        dynamic = w_slices * (x_slices + 1) * groups + x_slices * groups
        return min(self.tiling.tile_k, self.tiling.K) * max(dynamic, groups)


def batched_steps(works: Sequence[_Steps]) -> _Steps | None:
    """Return the work of layers as that of a layer of all their products; None where it is not the same for each.

    They must have equal tilings and numbers of slices, and no stage.
    """
    first = works[0]
    written = joined_outputs([work.output_bytes for work in works])
    if written is None:
        return None
    weight, activation = (
        np.concatenate(each, 1) for each in zip(*((w.masks.weight, w.masks.activation) for w in works), strict=True)
    )
    tiling = shared_tiling(replace(first.tiling, repeat=len(works) * first.tiling.repeat))
    return replace(first, tiling=tiling, output_bytes=written, masks=SkipMasks(weight, activation))


def _dynamic_steps(
    w_counts: Counts, x_counts: FloatArray, x_sums: IntArray, tiling: SlicedTiling, most: int
) -> IntArray:
    """Return the DWO steps [m, PEA, n, k]: a view of an array that is stored in the order n, k, m, PEA.

    A stored weight vector meets the stored HO vectors and all LO vectors of the activation tile; the compensation adds
    the HO vectors once more. The matrix products are exact: all sums are below the bound of the floating point type.
    """
    if most >= _EXACT_IN_FLOAT32:
        x_counts = x_counts.astype(np.float64)
    lanes = tiling.m_tiles * tiling.most_row_groups
    steps = np.empty((tiling.n_tiles, tiling.k_tiles, tiling.repeat, lanes), signed_type(most))
    met = x_counts.reshape(tiling.repeat, tiling.n_tiles, tiling.K) + tiling.column_groups[:, None].astype(
        x_counts.dtype
    )
    weight = w_counts.reshape(tiling.repeat, lanes, tiling.K)
    compensation = x_sums.reshape(tiling.repeat, tiling.n_tiles, tiling.k_tiles).astype(x_counts.dtype)
    panel = np.empty((tiling.repeat, tiling.n_tiles, lanes), x_counts.dtype)
    block = max(1, _UNTHREADED_PRODUCTS // (tiling.n_tiles * min(tiling.tile_k, tiling.K)))
    for k, first in enumerate(range(0, tiling.K, tiling.tile_k)):
        depth = slice(first, first + tiling.tile_k)
        for row in range(0, lanes, block):
            rows = slice(row, row + block)
            of_rows = weight[:, rows, depth].astype(met.dtype)
            finite_matmul(met[:, :, depth], of_rows.swapaxes(1, 2), panel[:, :, rows])
        panel += compensation[:, :, k, None]
        steps[:, k] = panel.swapaxes(0, 1)
    steps[..., ceil_div(tiling.M, tiling.v) :] = 0
    by_pea: IntArray = steps.reshape(*steps.shape[:2], -1, tiling.most_row_groups).transpose(2, 3, 0, 1)
    return by_pea


def _on_peas_with_rows(steps: IntArray, tiling: SlicedTiling, kind: type[np.signedinteger]) -> IntArray:
    """Return steps [product, n, k] that all PEAs with rows have alike as [m, PEA, n, k].

    It is a view if there is one product, of which all PEAs have rows.
    """
    has_rows = np.arange(tiling.most_row_groups) < tiling.row_groups[:, None]
    if has_rows.all() and tiling.repeat == 1:
        return np.broadcast_to(steps[0], (*has_rows.shape, *steps.shape[1:]))
    # In the order in which the dynamic steps are stored.
    by_m = np.repeat(steps.astype(kind).transpose(1, 2, 0), tiling.m_tiles, 2)
    on_peas: IntArray = (by_m[..., None] * has_rows).transpose(2, 3, 0, 1)
    return on_peas
