"""How a matrix product is cut into tiles, with ragged edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from panacea_sim.hardware.config import Hardware
from panacea_sim.units import IntArray, ceil_div

__all__ = ["Tiling"]


@dataclass(frozen=True)
class Tiling:
    """The tiles of W [M, K] times x [K, N]: T_M x T_K weight tiles and T_K x T_N activation tiles.

    Lengths along an axis are arrays with one entry for each tile; the last tile may be ragged.
    """

    M: int
    K: int
    N: int
    tile_m: int
    tile_k: int
    tile_n: int

    @classmethod
    def of(cls, hardware: Hardware, shape: tuple[int, int, int]) -> Tiling:
        """Return the tiling of a layer of shape (M, K, N) on this hardware."""
        return cls(*shape, hardware.tile_m, hardware.tile_k, hardware.tile_n)

    def stacks(self, height: int) -> int:
        """Return the number of stacks of `height` m tiles that run as one firing; the last one may be lower."""
        return ceil_div(self.m_tiles, height)

    def task_count(self, height: int) -> int:
        """Return the number of firings of the PEAs with stacks of `height` m tiles."""
        return self.stacks(height) * self.n_tiles * self.k_tiles

    @property
    def m_tiles(self) -> int:
        """Number of tiles along the rows of the weight."""
        return ceil_div(self.M, self.tile_m)

    @property
    def k_tiles(self) -> int:
        """Number of tiles along the inner dimension."""
        return ceil_div(self.K, self.tile_k)

    @property
    def n_tiles(self) -> int:
        """Number of tiles along the tokens."""
        return ceil_div(self.N, self.tile_n)

    @property
    def tile_tasks(self) -> int:
        """Number of pairs of a weight tile and an activation tile that are multiplied."""
        return self.m_tiles * self.n_tiles * self.k_tiles

    @cached_property
    def rows(self) -> IntArray:
        """Rows of each m tile."""
        return _lengths(self.M, self.tile_m)

    @cached_property
    def depths(self) -> IntArray:
        """Inner length of each k tile; it is not padded."""
        return _lengths(self.K, self.tile_k)

    @cached_property
    def columns(self) -> IntArray:
        """Tokens of each n tile."""
        return _lengths(self.N, self.tile_n)


def _lengths(size: int, tile: int) -> IntArray:
    return np.minimum(np.arange(0, size, tile) + tile, size) - np.arange(0, size, tile)
