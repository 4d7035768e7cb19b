"""How a matrix product is cut into tiles, with ragged edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from panacea_sim.hardware.config import Hardware
from panacea_sim.units import IntArray, ceil_div, kept

__all__ = ["Tiling"]


@dataclass(frozen=True)
class Tiling:
    """The tiles of W [M, K] times x [K, N]: T_M x T_K weight tiles and T_K x T_N activation tiles.

    Lengths along an axis are arrays with one entry for each tile; the last tile may be ragged.

    A layer of `repeat` products of one size runs them one behind the other. The weight and output tiles of all of them
    have one numbering along m, those of a product behind those of the product before; so have the activation tiles
    [n, k] along n. An output tile [m, n] keeps the n that it has in its own product.
    """

    M: int
    K: int
    N: int
    tile_m: int
    tile_k: int
    tile_n: int
    repeat: int = field(default=1, kw_only=True)

    @classmethod
    def of(cls, hardware: Hardware, shape: tuple[int, int, int], repeat: int = 1) -> Tiling:
        """Return the tiling of a layer of shape (M, K, N) on this hardware."""
        return cls(*shape, hardware.tile_m, hardware.tile_k, hardware.tile_n, repeat=repeat)

    def stacks(self, height: int) -> int:
        """Return the number of stacks of `height` m tiles in a product; the last one may be lower."""
        return ceil_div(self.m_tiles, height)

    def all_stacks(self, height: int) -> int:
        """Return the number of stacks of `height` m tiles, which run as one firing, in all products."""
        return self.repeat * self.stacks(height)

    def first_m(self, stack: IntArray, height: int) -> IntArray:
        """Return the first m tile of stacks, both numbered over all products."""
        if self.repeat == 1:
            return stack if height == 1 else stack * height
        product, inside = np.divmod(stack, self.stacks(height))
        first: IntArray = product * self.m_tiles + inside * height
        return first

    def stack_of(self, m: IntArray, height: int) -> IntArray:
        """Return the stack in which m tiles are, both numbered over all products."""
        if self.repeat == 1:
            return m // height
        product, inside = np.divmod(m, self.m_tiles)
        stack: IntArray = product * self.stacks(height) + inside // height
        return stack

    def has_place(self, stack: IntArray, place: int, height: int) -> IntArray:
        """Return 1 for stacks that have a tile at this place, 0 for those that are lower."""
        inside = stack if self.repeat == 1 else stack % self.stacks(height)
        return (inside * height + place < self.m_tiles).astype(np.int8)

    def rows_of(self, m: int) -> slice:
        """Return the rows of an m tile; those of all products lie one below the other."""
        return _part(m, self.M, self.tile_m)

    def columns_of(self, n: int) -> slice:
        """Return the columns of an n tile; those of all products lie side by side."""
        return _part(n, self.N, self.tile_n)

    def depth_of(self, k: int) -> slice:
        """Return the inner places of a k tile."""
        return _part(k, self.K, self.tile_k)

    def task_count(self, height: int) -> int:
        """Return the number of firings of the PEAs with stacks of `height` m tiles."""
        return self.all_stacks(height) * self.n_tiles * self.k_tiles

    @property
    def m_tiles(self) -> int:
        """Number of tiles along the rows of the weight of a product."""
        return ceil_div(self.M, self.tile_m)

    @property
    def k_tiles(self) -> int:
        """Number of tiles along the inner dimension."""
        return ceil_div(self.K, self.tile_k)

    @property
    def n_tiles(self) -> int:
        """Number of tiles along the tokens of a product."""
        return ceil_div(self.N, self.tile_n)

    @property
    def tile_tasks(self) -> int:
        """Number of pairs of a weight tile and an activation tile that are multiplied."""
        return self.repeat * self.m_tiles * self.n_tiles * self.k_tiles

    @cached_property
    def rows(self) -> IntArray:
        """Rows of each m tile of all products."""
        return kept(np.tile(_lengths(self.M, self.tile_m), self.repeat))

    @cached_property
    def depths(self) -> IntArray:
        """Inner length of each k tile; it is not padded."""
        return kept(_lengths(self.K, self.tile_k))

    @cached_property
    def columns(self) -> IntArray:
        """Tokens of each n tile of a product."""
        return kept(_lengths(self.N, self.tile_n))

    @cached_property
    def outputs(self) -> IntArray:
        """Outputs of each output tile [m, n]."""
        return kept(self.rows[:, None] * self.columns)


def _part(number: int, size: int, tile: int) -> slice:
    """Return the places of a tile along an axis on which products of `size` follow each other."""
    product, inside = divmod(int(number), ceil_div(size, tile))
    first = product * size + inside * tile
    return slice(first, min(first + tile, (product + 1) * size))


def _lengths(size: int, tile: int) -> IntArray:
    return np.minimum(np.arange(0, size, tile) + tile, size) - np.arange(0, size, tile)
