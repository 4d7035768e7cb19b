"""Tiles of operands and of outputs in slices with the run-length code, packed as those who read them expect them."""

from __future__ import annotations

import numpy as np

from panacea_sim.machines.shared.packer import Pieces
from panacea_sim.machines.shared.tile_format import pack_tile
from panacea_sim.quant.rle import to_nibbles
from panacea_sim.quant.slicing import AnyIntArray, WeightSlices, slice_activations, slice_weights
from panacea_sim.quant.vectors import (
    group_activation_vectors,
    group_weight_vectors,
    skipped_activation_vectors,
    skipped_weight_vectors,
)
from panacea_sim.workload.functional import Codes
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["encode_output_tile", "output_pieces", "pack_activations", "pack_weights"]


def pack_activations(
    activation: AnyIntArray, form: OutputFormat, v: int, tile_k: int, *, may_be_raw: bool = False
) -> bytes:
    """Return the bytes of one activation tile [K, columns] in the given format."""
    slices = slice_activations(activation, form.bits, form.lo_bits)
    lo = group_activation_vectors(slices.lo[None], (0,), v)[0]
    ho = group_activation_vectors(slices.ho, form.frequent, v)
    skipped = skipped_activation_vectors(slices.ho, form.frequent, v)
    return pack_tile(lo, ho, skipped, tile_k, may_be_raw=may_be_raw)


def pack_weights(slices: WeightSlices, v: int, tile_k: int, *, may_be_raw: bool = False) -> bytes:
    """Return the bytes of one weight tile, of its slices [rows, K]."""
    lo, ho = group_weight_vectors(slices.lo[None], v)[0], group_weight_vectors(slices.ho, v)
    skipped = skipped_weight_vectors(slices.ho, v)
    return pack_tile(to_nibbles(lo), to_nibbles(ho), skipped, tile_k, may_be_raw=may_be_raw)


def encode_output_tile(
    tile: Codes, form: OutputFormat | WeightFormat | None, v: int, tile_k: int, *, may_be_raw: bool = False
) -> list[bytes]:
    """Return the pieces of an output tile in a format, [features that are read, columns]; without one dense 8-bit rows.

    A piece is T_K deep along the axis of the streams, as a tile of the operand as which it is read. A tile of which
    nothing is read has none.
    """
    if form is None:
        return [tile.astype(np.uint8).tobytes()]
    if not len(tile):
        return []
    if isinstance(form, OutputFormat):
        parts = range(0, len(tile), tile_k)
        return [
            pack_activations(tile[first : first + tile_k], form, v, tile_k, may_be_raw=may_be_raw) for first in parts
        ]
    weight = tile if form.features_on == "m" else tile.T
    parts = range(0, weight.shape[1], tile_k)
    sliced = (slice_weights(weight[:, first : first + tile_k], form.bits) for first in parts)
    return [pack_weights(each, v, tile_k, may_be_raw=may_be_raw) for each in sliced]


def output_pieces(v: int, tile_k: int, *, may_be_raw: bool = False) -> Pieces:
    """Return what packs output tiles for readers with vectors of length `v`."""
    return lambda tile, form: encode_output_tile(tile, form, v, tile_k, may_be_raw=may_be_raw)
