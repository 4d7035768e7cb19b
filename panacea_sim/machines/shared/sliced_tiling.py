"""Tiles whose values are cut into slices, of which v adjacent ones are a vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray, ceil_div, kept

__all__ = ["SlicedTiling", "shared_tiling"]


@dataclass(frozen=True)
class SlicedTiling(Tiling):
    """A tiling with slice vectors of length `v`: along M for weights, along N for activations.

    A group is a slice vector's worth of rows or tokens, padded where it is ragged.
    """

    v: int

    @property
    def most_row_groups(self) -> int:
        """Row groups in a full weight tile."""
        return self.tile_m // self.v

    @property
    def most_column_groups(self) -> int:
        """Column groups in a full activation tile."""
        return self.tile_n // self.v

    @cached_property
    def row_groups(self) -> IntArray:
        """Weight vectors along M in each m tile, the ragged one included."""
        return kept(ceil_div(self.rows, self.v))

    @cached_property
    def column_groups(self) -> IntArray:
        """Activation vectors along N in each n tile, the ragged one included."""
        return kept(ceil_div(self.columns, self.v))


@lru_cache(maxsize=8)
def shared_tiling(tiling: SlicedTiling) -> SlicedTiling:
    """Return an equal tiling, the same one for layers of equal sizes: what follows from it is computed once."""
    return tiling
