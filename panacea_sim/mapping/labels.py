"""Which layer and tile a firing belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.units import IntArray

__all__ = ["NO_TILE", "TileLabels"]

NO_TILE = -1
"""The coordinate that stands for "does not apply"."""


@dataclass(frozen=True, eq=False)
class TileLabels:
    """The layer number and the tile coordinates of each firing, as arrays of equal length."""

    layer: IntArray
    m: IntArray
    n: IntArray
    k: IntArray

    @classmethod
    def none(cls, firings: int) -> TileLabels:
        """Return labels for firings that belong to no tile."""
        nothing = np.full(firings, NO_TILE, np.int64)
        return cls(nothing, nothing, nothing, nothing)
