"""What fetches wait for: links between layers, lowered to numbers of output tiles that must have been written.

Output tiles are written in the order in which they are finished, so that the last one that a fetch needs stands for all
of them. A tile of an operand needs a rectangle of outputs: a range of features times a range of columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.units import IntArray, ceil_div
from panacea_sim.workload.link import Columns, Link

__all__ = ["outputs_needed"]


def outputs_needed(link: Link, consumer: LayerPlan, producer: LayerPlan) -> IntArray:
    """Return how many output tiles of `producer` must have been written before each tile of the operand is read.

    Operand tiles are flat, as fetches number them: [stack, k] of weights, [n, k] of activations. 0: it needs nothing.
    """
    tiling = producer.work.tiling
    features = _features(link, _tiles_along(link.features_on, consumer), tiling.M)
    columns = _columns(link, _tiles_along(link.columns_on, consumer), tiling.N)
    written = np.empty((tiling.m_tiles, tiling.n_tiles), np.int64)
    written[producer.output_m, producer.output_n] = np.arange(1, producer.output_count + 1)
    of_features = _latest(written, features.in_tiles(tiling.tile_m))
    needed = _latest(of_features.T, columns.in_tiles(tiling.tile_n))
    return (needed if link.features_on == "k" else needed.T).ravel()


@dataclass(frozen=True, eq=False)
class _Ranges:
    """Ranges of indices, `low` to before `high`; a range is empty where `high` is not above `low`."""

    low: IntArray
    high: IntArray

    @property
    def some(self) -> IntArray:
        """1 where a range is not empty, else 0."""
        return (self.low < self.high).astype(np.int64)

    def within(self, first: int, end: int) -> _Ranges:
        """Return what lies in `first` to before `end`."""
        return _Ranges(np.maximum(self.low, first), np.minimum(self.high, end))

    def shifted(self, offset: int) -> _Ranges:
        """Return the ranges, `offset` further on."""
        return _Ranges(self.low + offset, self.high + offset)

    def in_tiles(self, tile: int) -> _Ranges:
        """Return the ranges of tiles in which these indices lie."""
        return _Ranges(self.low // tile * self.some, ceil_div(self.high, tile) * self.some)


def _tiles_along(axis: str, plan: LayerPlan) -> _Ranges:
    """Return the indices of each tile along an axis; along m those of a stack."""
    tiling = plan.work.tiling
    size, tile = {
        "m": (tiling.M, tiling.tile_m * plan.height),
        "n": (tiling.N, tiling.tile_n),
        "k": (tiling.K, tiling.tile_k),
    }[axis]
    low = np.arange(0, size, tile)
    return _Ranges(low, np.minimum(low + tile, size))


def _features(link: Link, tiles: _Ranges, count: int) -> _Ranges:
    """Return which of the producer's `count` features each tile along the axis of the features needs."""
    first, end = link.feature_span or (0, int(tiles.high[-1]))
    own = tiles.within(first, end)
    if link.features is not None:
        needed = _everywhere(*link.features, own).shifted(link.feature_offset)
    elif link.needs == "all":
        needed = _everywhere(0, count, own)
    elif link.needs == "features":
        needed = _everywhere(first, end, own).shifted(link.feature_offset)
    elif isinstance(link.needs, Columns):
        taps = link.needs.taps
        needed = _Ranges(own.low // taps, ceil_div(own.high, taps) * own.some).shifted(link.feature_offset)
    else:
        needed = own.shifted(link.feature_offset)
    return needed.within(0, count)


def _columns(link: Link, tiles: _Ranges, count: int) -> _Ranges:
    """Return which of the producer's `count` columns each tile along the axis of the columns needs."""
    span = link.column_span or (0, int(tiles.high[-1]))
    own = tiles.within(*span)
    if link.needs == "all":
        return _everywhere(0, count, own)
    if isinstance(link.needs, Columns):
        of_columns = _Ranges(link.needs.low, link.needs.high).shifted(link.column_offset).within(0, count)
        return _hull(of_columns, span, tiles)
    return own.shifted(link.column_offset).within(0, count)


def _everywhere(first: int, end: int, where: _Ranges) -> _Ranges:
    """Return one range for all tiles that have something in `where`, and an empty one for the others."""
    return _Ranges(first * where.some, end * where.some)


def _hull(columns: _Ranges, span: tuple[int, int], tiles: _Ranges) -> _Ranges:
    """Return the range from the lowest to the highest that any column of a tile has, columns outside the span aside."""
    number = np.arange(len(columns.low))
    counts = (columns.low < columns.high) & (number >= span[0]) & (number < span[1])
    # A column that does not count is a range that begins behind all others and ends before them.
    low, high = np.where(counts, columns.low, columns.low.max()), np.where(counts, columns.high, 0)
    return _Ranges(np.minimum.reduceat(low, tiles.low), np.maximum.reduceat(high, tiles.low))


def _latest(written: IntArray, rows: _Ranges) -> IntArray:
    """Return the largest of each range of rows, column by column; 0 where the range is empty.

    The longest run of 2^i rows that fits is laid against both ends of a range, so that the work is that of reading the
    array as often as the longest range can be halved.
    """
    found = np.zeros((len(rows.low), written.shape[1]), np.int64)
    lengths = rows.high - rows.low
    run, of_run = 1, written
    while run <= lengths.max():
        fits = (run <= lengths) & (lengths < 2 * run)
        found[fits] = np.maximum(of_run[rows.low[fits]], of_run[rows.high[fits] - run])
        of_run = np.maximum(of_run[:-run], of_run[run:])
        run *= 2
    return found
