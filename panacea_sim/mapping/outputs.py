"""The bytes of output tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray

__all__ = ["OutputBytes", "dense_outputs"]


@dataclass(frozen=True, eq=False)
class OutputBytes:
    """Bytes of each output tile [m, n]: `ho` of encoded HO streams, which the encoder makes, and `total`.

    `pieces` holds the bytes of each of the next layer's activation tiles, [n, k]; None for dense outputs.
    """

    ho: IntArray
    total: IntArray
    pieces: IntArray | None = None

    def piece_offsets(self, rows_per_tile: int) -> IntArray:
        """Return where in its output tile each piece begins, [n, k]; an output tile holds `rows_per_tile` of them."""
        assert self.pieces is not None
        ends = np.cumsum(self.pieces, axis=1)
        before = ends - self.pieces
        k = np.arange(self.pieces.shape[1])
        offsets: IntArray = before - before[:, k // rows_per_tile * rows_per_tile]
        return offsets


def dense_outputs(tiling: Tiling) -> OutputBytes:
    """Return the bytes of outputs that no layer follows: one byte each, nothing to encode."""
    return OutputBytes(np.zeros_like(tiling.outputs), tiling.outputs)
