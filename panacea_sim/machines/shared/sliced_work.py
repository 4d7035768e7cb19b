"""The bytes of tiles whose HO slices are stored in the run-length code, from the skip masks of a layer.

All formulas are in docs/model.md, chapter "Bytes of a tile".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.mapping.work import LayerWork, Stored, TileBytes
from panacea_sim.quant.rle import code_bytes, encoded_bits, raw_bits, stored_with_fillers
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors, skipped_share, skipped_weight_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import FloatArray, IntArray, bits_to_bytes, ceil_div
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer

Counts: TypeAlias = npt.NDArray[np.uint8]

_Slice = TypeVar("_Slice", np.int8, np.uint8)

__all__ = ["Counts", "SkipMasks", "SlicedWork", "filled_up", "summed_over_tiles"]


@dataclass(frozen=True, eq=False)
class SkipMasks:
    """Which slice vectors of a layer need not be stored.

    `weight` is bool [S_w, ceil(M / v), K] and `activation` is bool [S_x, ceil(N / v), K], S = number of HO slices. The
    vectors of a layer's products lie behind each other along the middle axis.
    """

    weight: BoolArray
    activation: BoolArray

    @classmethod
    def of(cls, layer: Layer, v: int) -> SkipMasks:
        """Return the masks of a layer's operands, or those that it has instead of operands."""
        if not isinstance(layer, GemmLayer):
            return cls(*layer.skip_masks(v))
        weight, activation = layer.weight_slices.ho, layer.activation_slices.ho
        if layer.repeat > 1:
            # Vectors end with their product: it is filled up with what they may skip.
            weight = filled_up(weight, (0,) * len(weight), layer.repeat, v)
            activation = filled_up(activation.swapaxes(1, 2), layer.frequent, layer.repeat, v).swapaxes(1, 2)
        return cls(
            skipped_weight_vectors(weight, v),
            skipped_activation_vectors(activation, layer.frequent, v),
        )


@dataclass(frozen=True, eq=False)
class SlicedWork(LayerWork):
    """The work of a layer whose operands are stored in slices, HO slices in the run-length code.

    With `may_be_raw` the HO part of a tile is stored as it is where its code would be longer: all of its vectors are
    stored then, and work.
    """

    tiling: SlicedTiling
    masks: SkipMasks
    may_be_raw: bool = field(default=False, kw_only=True)

    @cached_property
    def weight(self) -> TileBytes:
        """Bytes of the weight tiles [m, k]."""
        return self._bytes(self.tiling.row_groups, len(self.masks.weight), self.weight_entries)

    @cached_property
    def activation(self) -> TileBytes:
        """Bytes of the activation tiles [n, k]."""
        return self._bytes(self._all_column_groups, len(self.masks.activation), self.activation_entries)

    @cached_property
    def stored_w(self) -> Stored:
        """What is stored of the weights."""
        return Stored(skipped_share(self.masks.weight), int(self.weight_entries.sum()))

    @cached_property
    def stored_x(self) -> Stored:
        """What is stored of the activations."""
        return Stored(skipped_share(self.masks.activation), int(self.activation_entries.sum()))

    def stored_by_run(self, runs: int) -> list[tuple[Stored, Stored]]:
        """Return what is stored of weights and activations in each layer of a batch."""
        weight = _stored_by_run(self.masks.weight, self.weight_entries, runs)
        return list(zip(weight, _stored_by_run(self.masks.activation, self.activation_entries, runs), strict=True))

    @cached_property
    def weight_counts(self) -> Counts:
        """Stored weight vectors, fillers included, over all HO slices: uint8 [m * row groups of a full tile, K]."""
        tiling, slices = self.tiling, len(self.masks.weight)
        counts = _counts(self.masks.weight, tiling.repeat, tiling.m_tiles * tiling.most_row_groups, tiling.tile_k)
        if self.may_be_raw:
            tiles = tiling.repeat * tiling.m_tiles
            is_raw = self._are_raw(_summed_groups(counts, tiles), tiling.row_groups, slices)
            there = np.arange(tiling.most_row_groups) < tiling.row_groups[:, None]
            np.copyto(counts.reshape(tiles, -1, tiling.K), slices, where=there[:, :, None] & is_raw[:, None])
        return counts

    @cached_property
    def activation_counts(self) -> FloatArray:
        """Stored activation vectors of each n tile, fillers included, over all HO slices: float32 [n, K]."""
        tiling = self.tiling
        lanes = tiling.n_tiles * tiling.most_column_groups
        slices, groups = len(self.masks.activation), self._all_column_groups
        counts = _counts(self.masks.activation, tiling.repeat, lanes, tiling.tile_k)
        summed = _summed_groups(counts, tiling.repeat * tiling.n_tiles)
        if self.may_be_raw:
            is_raw = self._are_raw(summed, groups, slices)
            np.copyto(summed, slices * groups[:, None], where=is_raw, casting="unsafe")
        return summed

    @cached_property
    def weight_entries(self) -> IntArray:
        """Entries in the streams of each weight tile [m, k]."""
        tiles = self.tiling.repeat * self.tiling.m_tiles
        return summed_over_tiles(_summed_groups(self.weight_counts, tiles), self.tiling.tile_k)

    @cached_property
    def activation_entries(self) -> IntArray:
        """Entries in the streams of each activation tile [n, k]."""
        return summed_over_tiles(self.activation_counts, self.tiling.tile_k)

    @property
    def _all_column_groups(self) -> IntArray:
        """Column groups of each n tile of all products."""
        groups: IntArray = np.tile(self.tiling.column_groups, self.tiling.repeat)
        return groups

    def _bytes(self, groups: IntArray, ho_slices: int, entries: IntArray) -> TileBytes:
        """Return the bytes of the tiles of an operand; the entries of a raw one are all of its vectors."""
        tiling = self.tiling
        streams = np.broadcast_to((groups * ho_slices)[:, None], entries.shape)
        lo_bits = groups[:, None] * tiling.v * tiling.depths * SLICE_BITS
        ho = code_bytes(entries, streams, tiling.depths, tiling.v, tiling.tile_k, may_be_raw=self.may_be_raw)
        return TileBytes(ho, bits_to_bytes(lo_bits))

    def _are_raw(self, counts: FloatArray, groups: IntArray, ho_slices: int) -> BoolArray:
        """Return which tiles are shorter as they are than in the code, from the stored vectors: [tile, K] as these."""
        tiling = self.tiling
        streams = (groups * ho_slices)[:, None]
        bits = encoded_bits(summed_over_tiles(counts, tiling.tile_k), streams, tiling.v, tiling.tile_k)
        return np.repeat(raw_bits(streams, tiling.depths, tiling.v) < bits, tiling.depths, axis=1)

    def deciding(self) -> Iterable[np.ndarray]:
        """Return the skip masks: which vectors are stored decides bytes and steps."""
        return self.masks.weight, self.masks.activation


def filled_up(slices: npt.NDArray[_Slice], frequent: Sequence[int], products: int, v: int) -> npt.NDArray[_Slice]:
    """Return slices [S, lane, K] of all products with whole vectors: lanes that are missing have the frequent value."""
    count, all_lanes, depth = slices.shape
    lanes = all_lanes // products
    padded = ceil_div(lanes, v) * v
    whole = np.empty((count, products, padded, depth), slices.dtype)
    whole[:, :, :lanes] = slices.reshape(count, products, lanes, depth)
    whole[:, :, lanes:] = np.array(frequent, slices.dtype)[:, None, None, None]
    return whole.reshape(count, products * padded, depth)


def _stored_by_run(skipped: BoolArray, entries: IntArray, runs: int) -> list[Stored]:
    vectors = entries.reshape(runs, -1).sum(1).tolist()
    if not skipped.size:
        return [Stored(None, each) for each in vectors]
    count = np.count_nonzero(skipped.reshape(len(skipped), runs, -1), (0, 2))
    shares = (count / (skipped.size // runs)).tolist()
    return [Stored(*each) for each in zip(shares, vectors, strict=True)]


def _counts(skipped: BoolArray, products: int, lanes: int, tile_k: int) -> Counts:
    """Return how many slices [S, vectors, K] store each vector, fillers included, [products * lanes, K].

    Each product gets `lanes` lanes; those that it has no vectors for are empty.
    """
    counts = np.zeros((products, lanes, skipped.shape[2]), np.uint8)
    for of_slice in skipped:
        stored = stored_with_fillers(of_slice, tile_k).reshape(products, -1, skipped.shape[2])
        counts[:, : stored.shape[1]] += stored
    return counts.reshape(products * lanes, -1)


def _summed_groups(counts: Counts, tiles: int) -> FloatArray:
    """Return the sums over the groups of each tile, float32 [tile, K].

    Floating point, because matrix products of whole numbers are slow; such small ones are exact.
    """
    summed: FloatArray = counts.reshape(tiles, -1, counts.shape[1]).sum(1, dtype=np.float32)
    return summed


def summed_over_tiles(counts: FloatArray, tile_k: int) -> IntArray:
    """Return the sums [tile, k tile] of counts [tile, K]."""
    sums: IntArray = np.add.reduceat(counts.astype(np.int64), np.arange(0, counts.shape[1], tile_k), 1)
    return sums
