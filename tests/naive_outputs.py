"""The bytes of output tiles in each of their formats, element by element in plain Python, from the masks drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.written_format import WrittenFormat

__all__ = ["output_bytes"]

Bytes = tuple[int, int]
"""Bytes of the HO streams, and of all."""


def output_bytes(layer: MaskedLayer, tiling: SlicedTiling, number: int) -> list[list[list[Bytes]]]:
    """Return the bytes of each piece of each output tile [m][n] in one of the layer's formats."""
    written = layer.formats[number]
    tiles = [list(_features(layer, tiling, written, m)) for m in range(layer.repeat * tiling.m_tiles)]
    columns = [range(n, min(n + tiling.tile_n, layer.N)) for n in range(0, layer.N, tiling.tile_n)]
    masks = _Masks(layer, tiling, number, tiles)
    return [[masks.pieces(m, n) for n in range(len(columns))] for m in range(len(tiles))]


def _features(layer: MaskedLayer, tiling: SlicedTiling, written: WrittenFormat, m: int) -> Iterator[int]:
    """Yield the features of an m tile that are read."""
    product, inside = divmod(m, tiling.m_tiles)
    for row in range(inside * tiling.tile_m, min((inside + 1) * tiling.tile_m, layer.M)):
        feature = product * layer.M + row
        if any(first <= feature < end for first, end in written.features):
            yield feature


class _Masks:
    """The masks of a format, and which of their vectors a tile has."""

    def __init__(self, layer: MaskedLayer, tiling: SlicedTiling, number: int, tiles: list[list[int]]) -> None:
        self._tiling, self._layer, self._written, self._tiles = tiling, layer, layer.formats[number], tiles
        features = [feature for tile in tiles for feature in tile]
        self._column_groups = [
            list(range(first, min(first + tiling.v, end)))
            for n in range(0, layer.N, tiling.tile_n)
            for end in [min(n + tiling.tile_n, layer.N)]
            for first in range(n, end, tiling.v)
        ]
        self._row_groups = [tile[at : at + tiling.v] for tile in tiles for at in range(0, len(tile), tiling.v)]
        lanes, along = (
            (self._column_groups, features)
            if self._written.vectors_on == "columns"
            else (self._row_groups, list(range(layer.N)))
        )
        self._along = along
        self._lanes = lanes
        self._mask = np.zeros((len(self._written.skipped), len(lanes), len(along)), np.bool_)
        slices = iter(np.ndindex(self._mask.shape[:1]))
        at = None
        for first, block in layer.written_vectors(number, len(lanes), len(along)):
            at = next(slices) if first == 0 else at
            self._mask[at][first : first + len(block)] = block

    def pieces(self, m: int, n: int) -> list[Bytes]:
        """Return the bytes of the pieces of a tile."""
        tiling, features = self._tiling, self._tiles[m]
        columns = list(range(n * tiling.tile_n, min((n + 1) * tiling.tile_n, self._layer.N)))
        if not features:
            return []
        across, along = (columns, features) if self._written.vectors_on == "columns" else (features, columns)
        lanes = [number for number, lane in enumerate(self._lanes) if lane[0] in across]
        return [
            self._piece(lanes, along[first : first + tiling.tile_k]) for first in range(0, len(along), tiling.tile_k)
        ]

    def _piece(self, lanes: list[int], along: list[int]) -> Bytes:
        v, tile_k = self._tiling.v, self._tiling.tile_k
        positions = [self._along.index(each) for each in along]
        bits = 0
        for of_slice in self._mask:
            for lane in lanes:
                bits += tile_k.bit_length() + (4 + 4 * v) * _entries([bool(of_slice[lane, at]) for at in positions])
        ho = -(-bits // 8)
        return ho, ho + -(-len(lanes) * v * len(along) * 4 // 8)


def _entries(skipped: list[bool]) -> int:
    """Return what an encoder stores that walks along a stream: vectors, and the 16th of each run before one."""
    stored = [at for at, is_skipped in enumerate(skipped) if not is_skipped]
    count = run = 0
    for at in range(stored[-1] + 1 if stored else 0):
        run = run + 1 if skipped[at] else 0
        count += not skipped[at] or run % 16 == 0
    return count
