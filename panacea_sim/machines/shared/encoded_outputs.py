"""The bytes of output tiles that are encoded for the layer that reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import MappingError
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import stream_bytes
from panacea_sim.mapping.outputs import OutputBytes
from panacea_sim.quant.rle import stored_with_fillers
from panacea_sim.quant.slicing import slice_activations
from panacea_sim.quant.vectors import skipped_activation_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import bits_to_bytes
from panacea_sim.workload.gemm_layer import OutputFormat

__all__ = ["check_output_tiles", "encoded_outputs"]


def encoded_outputs(
    tiling: SlicedTiling, output: npt.NDArray[np.unsignedinteger], output_format: OutputFormat
) -> OutputBytes:
    """Return the bytes of outputs [M, N], of R products [R, M, N], that are written as activation tiles.

    An output tile holds T_M / T_K of the next layer's activation tiles, each rounded up to bytes by itself. Nobody
    reads the pieces of several products where they lie. Raises MappingError if T_M is not a multiple of T_K.
    """
    check_output_tiles(tiling)
    if tiling.repeat == 1:
        return _of_product(tiling, output, output_format)
    one = replace(tiling, repeat=1)
    products = [_of_product(one, of_product, output_format) for of_product in output]
    return OutputBytes(*(np.concatenate([getattr(each, name) for each in products]) for name in ("ho", "total")))


def _of_product(
    tiling: SlicedTiling, output: npt.NDArray[np.unsignedinteger], output_format: OutputFormat
) -> OutputBytes:
    slices = slice_activations(output, output_format.bits, output_format.lo_bits)
    skipped = skipped_activation_vectors(slices.ho, output_format.frequent, tiling.v)
    stored = stored_with_fillers(skipped, tiling.tile_k).sum(0, dtype=np.int64)
    by_tile = np.add.reduceat(stored, np.arange(0, len(stored), tiling.most_column_groups), 0)
    entries = np.add.reduceat(by_tile, np.arange(0, tiling.M, tiling.tile_k), 1).T
    streams = np.broadcast_to(len(slices.ho) * tiling.column_groups, entries.shape)
    depths = np.diff(np.append(np.arange(0, tiling.M, tiling.tile_k), tiling.M))
    lo = bits_to_bytes(depths[:, None] * tiling.column_groups * tiling.v * SLICE_BITS)
    per_output_tile = np.arange(0, len(entries), tiling.tile_m // tiling.tile_k)
    piece_ho = stream_bytes(entries, streams, tiling.v, tiling.tile_k)
    ho = np.add.reduceat(piece_ho, per_output_tile, 0)
    return OutputBytes(ho, ho + np.add.reduceat(lo, per_output_tile, 0), (piece_ho + lo).T)


def check_output_tiles(tiling: SlicedTiling) -> None:
    """Check that an output tile is a whole number of the next layer's activation tiles; raises MappingError."""
    if tiling.tile_m % tiling.tile_k:
        raise MappingError(
            f"An output tile has {tiling.tile_m} rows, which is not a multiple of tile_k = {tiling.tile_k}: the next "
            f"layer could not read it in tiles. Choose hardware.tile_k to divide hardware.n_pea * hardware.v"
        )
