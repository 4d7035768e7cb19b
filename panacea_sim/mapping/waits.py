"""What fetches wait for: links between layers, lowered to numbers of writes that must be over.

A tile of an operand needs a rectangle of outputs: a range of features times a range of columns. In every loop order
output tiles with a higher m, or n, are written later, and product is written after product, so that the last corner of
the rectangle stands for all of it. A tile is written once in each format, and a link waits for its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import InvariantError
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.units import IntArray, ceil_div
from panacea_sim.workload.link import Columns, Link, Offset
from panacea_sim.workload.written_format import Form, form_read

__all__ = ["outputs_needed", "writes_until"]


def outputs_needed(link: Link, consumer: LayerPlan, producer: LayerPlan) -> IntArray:
    """Return how many writes of `producer` must be over before each tile of the operand is read.

    Operand tiles are flat, as fetches number them: [stack, k] of weights, [n, k] of activations, over all products of
    the layer, for each of which the link has an offset where it has several. 0: it needs nothing.
    """
    form = form_read(link, consumer.work.weight_bits, consumer.work.activation_bits)
    written, repeat = writes_until(producer, form), consumer.work.tiling.repeat
    if not any(isinstance(offset, tuple) for offset in (link.feature_offset, link.column_offset)):
        return np.tile(_needed_of_a_product(link, consumer, producer, written), repeat)
    products = [_needed_of_a_product(link.of_repeat(at), consumer, producer, written) for at in range(repeat)]
    return np.concatenate(products)


def _needed_of_a_product(link: Link, consumer: LayerPlan, producer: LayerPlan, written: IntArray) -> IntArray:
    """Return the same for the tiles of one product of the consumer."""
    tiling = producer.work.tiling
    features = _features(link, _tiles_along(link.features_on, consumer), tiling.repeat * tiling.M)
    columns = _columns(link, _tiles_along(link.columns_on, consumer), tiling.N)
    # The features of a producer's products lie one below the other; a tile has features of one product only.
    products, inside = np.divmod(features, tiling.M)
    last_m, last_n = products * tiling.m_tiles + ceil_div(inside, tiling.tile_m), ceil_div(columns, tiling.tile_n)
    needed = written[last_m, last_n[:, None]] if link.features_on == "k" else written[last_m[:, None], last_n]
    return needed.ravel()


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

    def shifted(self, offset: Offset) -> _Ranges:
        """Return the ranges, `offset` further on."""
        assert isinstance(offset, int)  # one product has one
        return _Ranges(self.low + offset, self.high + offset)

    @property
    def ends(self) -> IntArray:
        """The ends of the ranges; 0 for empty ones."""
        return self.high * self.some


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


def _features(link: Link, tiles: _Ranges, count: int) -> IntArray:
    """Return before which of the producer's `count` features all lie that each tile needs; 0 where it needs none."""
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
    return needed.within(0, count).ends


def _columns(link: Link, tiles: _Ranges, count: int) -> IntArray:
    """Return before which of the producer's `count` columns all lie that each tile needs; 0 where it needs none."""
    first, end = link.column_span or (0, int(tiles.high[-1]))
    own = tiles.within(first, end)
    if link.needs == "all":
        return _everywhere(0, count, own).ends
    if isinstance(link.needs, Columns):
        windows = _Ranges(link.needs.low, link.needs.high).shifted(link.column_offset).within(0, count)
        number = np.arange(len(windows.low))
        is_inside = (number >= first) & (number < end)
        return np.maximum.reduceat(windows.ends * is_inside, tiles.low)
    return own.shifted(link.column_offset).within(0, count).ends


def _everywhere(first: int, end: int, where: _Ranges) -> _Ranges:
    """Return one range for all tiles that have something in `where`, and an empty one for the others."""
    return _Ranges(first * where.some, end * where.some)


def writes_until(producer: LayerPlan, read: Form) -> IntArray:
    """Return how many writes are over when tile (m, n) is written in a format, at [m + 1, n + 1]; 0 at the others.

    Where a tile is not written in this format, that is the last write of the tile. What a stage behind the producer
    makes is what others read. Raises InvariantError if tiles are not written in the order of m and of n.
    """
    tiling, writes, outputs, before = producer.work.tiling, producer.writes, producer.work.output_bytes, 0
    if producer.stage is not None and producer.work.stage is not None:
        before, writes, outputs = len(writes.m), producer.stage.writes, producer.work.stage.output_bytes
    form = outputs.number_of(read)
    written = np.zeros((tiling.repeat * tiling.m_tiles + 1, tiling.n_tiles + 1), np.int64)
    count = before + np.arange(1, len(writes.m) + 1)
    for some in (writes.last == 1, np.zeros_like(count, np.bool_) if form is None else writes.form == form):
        written[writes.m[some] + 1, writes.n[some] + 1] = count[some]
    if (np.diff(written, axis=0) < 0).any() or (np.diff(written, axis=1) < 0).any():
        raise InvariantError(f"{producer.name} does not write its output tiles in the order of m and of n")
    return written
