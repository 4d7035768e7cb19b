"""Which layer and tile a firing belongs to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeAlias

from panacea_sim.units import IntArray, repeated

__all__ = ["NO_TILE", "TileLabels"]

Coordinates: TypeAlias = IntArray | Callable[[], IntArray]

NO_TILE = -1
"""The coordinate that stands for "does not apply"."""


class TileLabels:
    """The layer number and the tile coordinates of each firing, as arrays of equal length.

    Coordinates may come as functions: without a trace nobody looks at them, and then they take no memory.
    """

    def __init__(self, layer: IntArray, m: Coordinates, n: Coordinates, k: Coordinates) -> None:
        self.layer = layer
        self._m, self._n, self._k = m, n, k

    @cached_property
    def m(self) -> IntArray:
        """The m tile of each firing."""
        return self._m() if callable(self._m) else self._m

    @cached_property
    def n(self) -> IntArray:
        """The n tile of each firing."""
        return self._n() if callable(self._n) else self._n

    @cached_property
    def k(self) -> IntArray:
        """The k tile of each firing."""
        return self._k() if callable(self._k) else self._k

    @classmethod
    def none(cls, firings: int) -> TileLabels:
        """Return labels for firings that belong to no tile."""
        nothing = repeated(NO_TILE, firings)
        return cls(nothing, nothing, nothing, nothing)
