"""The work of a layer, tile by tile, as integer arrays computed from its slice masks.

All formulas are in docs/model.md, chapters "Work of a tile" and "Bytes of a tile".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.quant.rle import encoded_bits, stored_with_fillers
from panacea_sim.quant.slicing import SLICE_BITS
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors, skipped_share, skipped_weight_vectors
from panacea_sim.units import IntArray, bits_to_bytes
from panacea_sim.workload.layer import GemmLayer

__all__ = ["LayerWork", "SkipMasks", "TileBytes", "layer_work", "stream_bytes"]


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
    # Per position of K: stored weight vectors of a row group, and stored activation vectors of an n tile.
    w_counts = w_stored.sum(0, dtype=np.int64)
    groups_per_tile = tiling.tile_n // tiling.v
    x_counts = _sum_blocks(x_stored.sum(0, dtype=np.int64), groups_per_tile, axis=0)
    w_sums = _sum_blocks(w_counts, tiling.tile_k, axis=1)
    x_sums = _sum_blocks(x_counts, tiling.tile_k, axis=1)
    groups = tiling.column_groups
    dynamic = _tile_products(w_counts, x_counts, tiling) + w_sums[:, None, :] * groups[:, None] + x_sums
    static = np.broadcast_to(groups[:, None] * tiling.depths, dynamic.shape)
    w_tile_sums = _sum_blocks(w_sums, tiling.pea_count, axis=0)
    return LayerWork(
        tiling,
        skipped_share(masks.weight),
        skipped_share(masks.activation),
        int(w_counts.sum()),
        int(x_counts.sum()),
        _by_pea(dynamic, tiling),
        _by_pea(static, tiling),
        _by_pea(np.broadcast_to(x_sums, dynamic.shape), tiling),
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


def _tile_products(w_counts: IntArray, x_counts: IntArray, tiling: Tiling) -> IntArray:
    """Return the sum over k of stored weight times stored activation vectors, [row group, n, k tile]."""
    depth = tiling.k_tiles * tiling.tile_k
    w_padded = np.zeros((len(w_counts), depth))
    w_padded[:, : tiling.K] = w_counts
    x_padded = np.zeros((len(x_counts), depth))
    x_padded[:, : tiling.K] = x_counts
    w_tiles = w_padded.reshape(len(w_counts), tiling.k_tiles, tiling.tile_k).swapaxes(0, 1)
    x_tiles = x_padded.reshape(len(x_counts), tiling.k_tiles, tiling.tile_k).transpose(1, 2, 0)
    # Sums of small counts: exact in floating point, and far faster there.
    return (w_tiles @ x_tiles).astype(np.int64).transpose(1, 2, 0)


def _sum_blocks(counts: IntArray, block: int, axis: int) -> IntArray:
    return np.add.reduceat(counts, np.arange(0, counts.shape[axis], block), axis)


def _by_pea(work: IntArray, tiling: Tiling) -> IntArray:
    """Return [row group, n, k] as [m, PEA, n, k], with zeros for PEAs that have no rows."""
    padded = np.zeros((tiling.m_tiles * tiling.pea_count, *work.shape[1:]), np.int64)
    padded[: len(work)] = work
    return padded.reshape(tiling.m_tiles, tiling.pea_count, *work.shape[1:])
