"""Output tiles that are written as weight: their codes as pieces in the format of weight tiles, and the bytes of those.

A producer's tile [features, columns] is cut along the weight's K into pieces of T_K, each a weight tile of its own with
vectors along the weight's rows. Where features lie along K (the keys of attention) rows are columns; where they lie
along M (its values) rows are features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import stream_bytes
from panacea_sim.machines.shared.tile_format import TileShape, pack_tile, unpack_tile
from panacea_sim.mapping.outputs import OutputBytes
from panacea_sim.quant.rle import from_signed_nibbles, stored_with_fillers, to_nibbles
from panacea_sim.quant.slicing import WeightSlices, slice_weights, weight_ho_factors
from panacea_sim.quant.vectors import group_weight_vectors, skipped_weight_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import IntArray, bits_to_bytes, ceil_div

__all__ = ["FeatureAxis", "pack_weight_pieces", "pack_weight_tile", "unpack_weight_pieces", "weight_piece_bytes"]

FeatureAxis: TypeAlias = Literal["k", "m"]
"""The axis of the weight along which the producer's features lie, as links name it."""

SignedCodes: TypeAlias = npt.NDArray[np.signedinteger[Any]]


def pack_weight_tile(slices: WeightSlices, v: int, tile_k: int) -> bytes:
    """Return the bytes of a weight tile, given as its slices [rows, K]."""
    lo = group_weight_vectors(slices.lo[None], v)[0]
    ho = group_weight_vectors(slices.ho, v)
    return pack_tile(to_nibbles(lo), to_nibbles(ho), skipped_weight_vectors(slices.ho, v), tile_k)


def pack_weight_pieces(tile: SignedCodes, features_on: FeatureAxis, bits: int, v: int, tile_k: int) -> list[bytes]:
    """Return the pieces of an output tile [features, columns] of weight codes, in the order of the weight's K."""
    rows = _weight_of(tile, features_on)
    parts = range(0, rows.shape[1], tile_k)
    return [pack_weight_tile(slice_weights(rows[:, first : first + tile_k], bits), v, tile_k) for first in parts]


def unpack_weight_pieces(
    pieces: Sequence[bytes], shape: tuple[int, int], features_on: FeatureAxis, bits: int, v: int, tile_k: int
) -> SignedCodes:
    """Return the codes [features, columns] = `shape` that pieces hold, int64.

    Raises CodecError or InvariantError for bytes that are no such pieces.
    """
    rows, depth = shape if features_on == "m" else shape[::-1]
    factors = weight_ho_factors(bits)
    values = []
    for piece, first in zip(pieces, range(0, depth, tile_k), strict=True):
        of_piece = TileShape(len(factors), ceil_div(rows, v), min(tile_k, depth - first), v, tile_k)
        tile = unpack_tile(piece, of_piece, np.zeros(len(factors), np.uint8))
        slices = [from_signed_nibbles(tile.lo), *from_signed_nibbles(tile.ho)]
        vectors = sum(factor * each.astype(np.int64) for factor, each in zip((1, *factors), slices, strict=True))
        # [group, K, lane] has the rows of a group in its lanes.
        values.append(np.asarray(vectors).swapaxes(1, 2).reshape(-1, of_piece.depth)[:rows])
    return _weight_of(np.concatenate(values, axis=1), features_on)


def weight_piece_bytes(tiling: SlicedTiling, codes: SignedCodes, features_on: FeatureAxis, bits: int) -> OutputBytes:
    """Return the bytes of all output tiles [m, n] whose codes [M, N], of R products [R, M, N], are written as weight.

    They are those of `pack_weight_pieces`, each piece rounded up to bytes by itself.
    """
    of_products = codes.reshape(tiling.repeat, tiling.M, tiling.N)
    if features_on == "m":
        ho, lo = _piece_bytes(of_products, (tiling.tile_m, tiling.tile_n), bits, tiling.v, tiling.tile_k)
    else:
        turned = of_products.swapaxes(1, 2)
        of_tiles = _piece_bytes(turned, (tiling.tile_n, tiling.tile_m), bits, tiling.v, tiling.tile_k)
        ho, lo = (each.swapaxes(1, 2) for each in of_tiles)
    ho, lo = (each.reshape(-1, tiling.n_tiles) for each in (ho, lo))
    return OutputBytes(ho, ho + lo)


def _piece_bytes(
    weight: SignedCodes, tile: tuple[int, int], bits: int, v: int, tile_k: int
) -> tuple[IntArray, IntArray]:
    """Return the bytes of the HO and of the LO part of the pieces in each tile of weights [product, row, K].

    `tile` is the rows and the depth of an output tile; a tile is [product, row tile, depth tile].
    """
    products, rows, depth = weight.shape
    pieces = ceil_div(min(tile[1], depth), tile_k)
    padded = _padded_to_tiles(weight, tile, pieces * tile_k)
    row_tiles, row_length, depth_tiles, _ = padded.shape[1:]
    slices = slice_weights(padded.reshape(products * row_tiles * row_length, -1), bits)
    # Padding is skipped, and what is skipped at the end of a stream takes no entry.
    stored = stored_with_fillers(skipped_weight_vectors(slices.ho, v), tile_k).sum(0, dtype=np.int64)
    shape = (products, row_tiles, row_length // v, depth_tiles, pieces, tile_k)
    entries = stored.reshape(shape).sum((2, 5))
    groups = ceil_div(_lengths(rows, tile[0], row_tiles), v)[:, None, None]
    ends = _lengths(depth, tile[1], depth_tiles)[:, None] - tile_k * np.arange(pieces)
    depths = ends.clip(0, tile_k)
    streams = np.broadcast_to(groups * len(slices.ho) * (depths > 0), entries.shape)
    ho = stream_bytes(entries, streams, v, tile_k).sum(3)
    lo = bits_to_bytes(groups * v * depths * SLICE_BITS).sum(2)
    return ho, np.broadcast_to(lo, ho.shape)


def _padded_to_tiles(weight: SignedCodes, tile: tuple[int, int], depth_length: int) -> SignedCodes:
    """Return weights as [product, row tile, row, depth tile, depth], with zeros where a tile is ragged."""
    products, rows, depth = weight.shape
    row_tiles, depth_tiles = ceil_div(rows, tile[0]), ceil_div(depth, tile[1])
    whole = np.zeros((products, row_tiles * tile[0], depth_tiles * tile[1]), weight.dtype)
    whole[:, :rows, :depth] = weight
    cut = whole.reshape(products, row_tiles, tile[0], depth_tiles, tile[1])
    padded = np.zeros((*cut.shape[:4], depth_length), weight.dtype)
    kept = min(tile[1], depth_length)
    padded[..., :kept] = cut[..., :kept]
    return padded


def _lengths(size: int, tile: int, tiles: int) -> IntArray:
    lengths: IntArray = np.minimum(tile, size - tile * np.arange(tiles))
    return lengths


def _weight_of(codes: SignedCodes, features_on: FeatureAxis) -> SignedCodes:
    """Return codes [features, columns] as rows and depth of the weight, or the other way round."""
    return codes if features_on == "m" else codes.T
