"""The bytes of output tiles, dense or encoded for the next layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import MappingError
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.mapping.work import stream_bytes
from panacea_sim.quant.rle import stored_with_fillers
from panacea_sim.quant.slicing import slice_activations
from panacea_sim.quant.vectors import skipped_activation_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import IntArray, bits_to_bytes
from panacea_sim.workload.layer import OutputFormat

__all__ = ["OutputBytes", "dense_outputs", "encoded_outputs"]


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
    outputs = tiling.rows[:, None] * tiling.columns
    return OutputBytes(np.zeros_like(outputs), outputs)


def encoded_outputs(
    tiling: Tiling, output: npt.NDArray[np.unsignedinteger], output_format: OutputFormat
) -> OutputBytes:
    """Return the bytes of outputs [M, N] that the next layer reads as its activation tiles.

    An output tile holds T_M / T_K of the next layer's activation tiles, each rounded up to bytes by itself.
    Raises MappingError if T_M is not a multiple of T_K.
    """
    check_output_tiles(tiling)
    slices = slice_activations(output, output_format.bits, output_format.lo_bits)
    skipped = skipped_activation_vectors(slices.ho, output_format.frequent, tiling.v)
    stored = stored_with_fillers(skipped, tiling.tile_k).sum(0, dtype=np.int64)
    by_tile = np.add.reduceat(stored, np.arange(0, len(stored), tiling.tile_n // tiling.v), 0)
    entries = np.add.reduceat(by_tile, np.arange(0, tiling.M, tiling.tile_k), 1).T
    streams = np.broadcast_to(len(slices.ho) * tiling.column_groups, entries.shape)
    depths = np.diff(np.append(np.arange(0, tiling.M, tiling.tile_k), tiling.M))
    lo = bits_to_bytes(depths[:, None] * tiling.column_groups * tiling.v * SLICE_BITS)
    per_output_tile = np.arange(0, len(entries), tiling.tile_m // tiling.tile_k)
    piece_ho = stream_bytes(entries, streams, tiling.v, tiling.tile_k)
    ho = np.add.reduceat(piece_ho, per_output_tile, 0)
    return OutputBytes(ho, ho + np.add.reduceat(lo, per_output_tile, 0), (piece_ho + lo).T)


def check_output_tiles(tiling: Tiling) -> None:
    """Check that an output tile is a whole number of the next layer's activation tiles; raises MappingError."""
    if tiling.tile_m % tiling.tile_k:
        raise MappingError(
            f"An output tile has {tiling.tile_m} rows, which is not a multiple of tile_k = {tiling.tile_k}: the next "
            f"layer could not read it in tiles. Choose hardware.tile_k to divide hardware.n_pea * hardware.v"
        )
