"""The work of a layer, tile by tile, as integer arrays computed from its slice masks.

All formulas are in docs/model.md, chapters "Work of a tile" and "Bytes of a tile".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.quant.rle import encoded_bits, stored_with_fillers
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors, skipped_share, skipped_weight_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import FloatArray, IntArray, bits_to_bytes, signed_type
from panacea_sim.workload.layer import GemmLayer

__all__ = ["LayerWork", "SkipMasks", "TileBytes", "layer_work", "stream_bytes"]

_EXACT_IN_FLOAT32 = 1 << 24
"""Whole numbers below this are exact in float32, whatever the order in which they are added."""

_UNTHREADED_PRODUCTS = 1 << 18
"""Matrix products with more multiplications make OpenBLAS start threads, which cost more here than they save."""


@dataclass(frozen=True, eq=False)
class SkipMasks:
    """Which slice vectors of a layer need not be stored.

    `weight` is bool [S_w, ceil(M / v), K] and `activation` is bool [S_x, ceil(N / v), K], S = number of HO slices.
    """

    weight: BoolArray
    activation: BoolArray

    @classmethod
    def of(cls, layer: GemmLayer, v: int) -> SkipMasks:
        """Return the masks of a layer's operands."""
        return cls(
            skipped_weight_vectors(layer.weight_slices.ho, v),
            skipped_activation_vectors(layer.activation_slices.ho, layer.frequent, v),
        )


@dataclass(frozen=True, eq=False)
class TileBytes:
    """The bytes of the tiles of one operand: the encoded HO streams and the dense LO slices, padded vectors included.

    Both arrays are indexed by the two tile coordinates of the operand.
    """

    ho: IntArray
    lo: IntArray

    @property
    def total(self) -> IntArray:
        """Bytes of each tile in memory."""
        return self.ho + self.lo


@dataclass(frozen=True, eq=False)
class LayerWork:
    """What a layer asks of the machine.

    `dwo`, `swo` and `cs` count outer products and compensation steps, [m, PEA, n, k] in tile coordinates; a PEA without
    rows has none. `weight` is indexed [m, k], `activation` [n, k]. `outputs` counts the outputs of each [m, n]. `rho_w`
    and `rho_x` are shares before fillers, None without HO slices; `stored_w` and `stored_x` count vectors with fillers.
    """

    tiling: Tiling
    rho_w: float | None
    rho_x: float | None
    stored_w: int
    stored_x: int
    dwo: IntArray
    swo: IntArray
    cs: IntArray
    weight: TileBytes
    activation: TileBytes
    outputs: IntArray


def layer_work(tiling: Tiling, masks: SkipMasks) -> LayerWork:
    """Return the work of a layer with these masks."""
    w_stored = stored_with_fillers(masks.weight, tiling.tile_k)
    x_stored = stored_with_fillers(masks.activation, tiling.tile_k)
    most = _most_steps(tiling, len(w_stored), len(x_stored))
    exact = np.float32 if max(most, len(w_stored) * tiling.pea_count) < _EXACT_IN_FLOAT32 else np.float64
    # Per position of K: stored weight vectors of a row group, and stored activation vectors of an n tile.
    w_counts = _counts(w_stored, tiling.m_tiles * tiling.pea_count, exact)
    x_lanes = _counts(x_stored, tiling.n_tiles * (tiling.tile_n // tiling.v), exact)
    x_counts = x_lanes.reshape(tiling.n_tiles, -1, tiling.K).sum(1)
    w_tile_sums = _sum_tiles(w_counts.reshape(tiling.m_tiles, -1, tiling.K).sum(1), tiling.tile_k)
    x_sums = _sum_tiles(x_counts, tiling.tile_k)
    groups = tiling.column_groups
    return LayerWork(
        tiling,
        skipped_share(masks.weight),
        skipped_share(masks.activation),
        int(w_tile_sums.sum()),
        int(x_sums.sum()),
        _dynamic_steps(w_counts, x_counts, x_sums, tiling, signed_type(most)),
        _on_peas_with_rows(groups[:, None] * tiling.depths, tiling, signed_type(most)),
        _on_peas_with_rows(x_sums, tiling, signed_type(most)),
        _operand_bytes(tiling, tiling.row_groups, len(masks.weight), w_tile_sums),
        _operand_bytes(tiling, groups, len(masks.activation), x_sums),
        tiling.rows[:, None] * tiling.columns,
    )


def stream_bytes(entries: IntArray, streams: IntArray, v: int, tile_k: int) -> IntArray:
    """Return the bytes of tiles with these run-length entries and streams, each tile rounded up once."""
    return bits_to_bytes(np.asarray(encoded_bits(entries, streams, v, tile_k)))


def _operand_bytes(tiling: Tiling, groups: IntArray, ho_slices: int, entries: IntArray) -> TileBytes:
    streams = np.broadcast_to((groups * ho_slices)[:, None], entries.shape)
    lo_bits = groups[:, None] * tiling.v * tiling.depths * SLICE_BITS
    return TileBytes(stream_bytes(entries, streams, tiling.v, tiling.tile_k), bits_to_bytes(lo_bits))


def _most_steps(tiling: Tiling, w_slices: int, x_slices: int) -> int:
    """Return an upper bound of the steps of each kind that a PEA has in a tile task."""
    groups = tiling.tile_n // tiling.v
    dynamic = w_slices * (x_slices + 1) * groups + x_slices * groups
    return min(tiling.tile_k, tiling.K) * max(dynamic, groups)


def _counts(stored: BoolArray, lanes: int, kind: type[np.floating]) -> FloatArray:
    """Return how many slices [S, lanes, K] store each vector, [lanes, K]; lanes that do not exist have none."""
    counts = np.zeros((lanes, stored.shape[2]), kind)
    for of_slice in stored:
        counts[: len(of_slice)] += of_slice
    return counts


def _sum_tiles(counts: FloatArray, tile_k: int) -> IntArray:
    sums: IntArray = np.add.reduceat(counts.astype(np.int64), np.arange(0, counts.shape[1], tile_k), 1)
    return sums


def _dynamic_steps(
    w_counts: FloatArray, x_counts: FloatArray, x_sums: IntArray, tiling: Tiling, kind: type[np.signedinteger]
) -> IntArray:
    """Return the DWO steps [m, PEA, n, k]: a view of an array that is stored in the order n, k, m, PEA.

    A stored weight vector meets the stored HO vectors and all LO vectors of the activation tile; the compensation adds
    the HO vectors once more. The matrix products are exact: all sums are below the bound of the floating point type.
    """
    steps = np.empty((tiling.n_tiles, tiling.k_tiles, len(w_counts)), kind)
    met = x_counts + tiling.column_groups[:, None].astype(x_counts.dtype)
    panel = np.empty((tiling.n_tiles, len(w_counts)), x_counts.dtype)
    block = max(1, _UNTHREADED_PRODUCTS // (tiling.n_tiles * min(tiling.tile_k, tiling.K)))
    for k, first in enumerate(range(0, tiling.K, tiling.tile_k)):
        depth = slice(first, first + tiling.tile_k)
        for row in range(0, len(w_counts), block):
            rows = slice(row, row + block)
            np.matmul(met[:, depth], w_counts[rows, depth].T, out=panel[:, rows])
        panel += x_sums[:, k, None].astype(panel.dtype)
        steps[:, k] = panel
    steps[:, :, int(tiling.row_groups.sum()) :] = 0
    by_pea: IntArray = steps.reshape(*steps.shape[:2], tiling.m_tiles, tiling.pea_count).transpose(2, 3, 0, 1)
    return by_pea


def _on_peas_with_rows(steps: IntArray, tiling: Tiling, kind: type[np.signedinteger]) -> IntArray:
    """Return steps [n, k] that all PEAs with rows have alike as [m, PEA, n, k]: a view unless some have no rows."""
    has_rows = np.arange(tiling.pea_count) < tiling.row_groups[:, None]
    if has_rows.all():
        return np.broadcast_to(steps, (*has_rows.shape, *steps.shape))
    # In the order in which the dynamic steps are stored.
    on_peas: IntArray = (steps.astype(kind)[:, :, None, None] * has_rows).transpose(2, 3, 0, 1)
    return on_peas
