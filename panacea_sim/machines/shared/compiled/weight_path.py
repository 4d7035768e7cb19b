"""Outputs that are read as weight by numba: what `WeightRequantizer` and `pack_weight_pieces` do in numpy."""

from __future__ import annotations

from typing import NamedTuple

from panacea_sim.engines.compiled.compilation import inner
from panacea_sim.machines.shared.compiled.tile_code import ByteArray, Tile, copy_bytes, pack_tile
from panacea_sim.units import IntArray

__all__ = ["WeightPath", "encode_weight", "requantize_weight"]


class WeightPath(NamedTuple):
    """The constants of outputs that are read as weight.

    `multiplier`, `shift` and `offset` are those of each row, int64 [M]; codes are clipped to `lowest` .. `highest`.
    `frequent` has a 0 for each HO slice of the weight; `on_k` says that its K holds the features, else the columns.
    """

    multiplier: IntArray
    shift: IntArray
    offset: IntArray
    frequent: IntArray
    lowest: int
    highest: int
    on_k: bool


@inner
def requantize_weight(accumulator: int, row: int, path: WeightPath) -> int:
    """Return the weight code of an accumulator of this row."""
    product = (int(accumulator) + path.offset[row]) * path.multiplier[row]
    # Half up without adding the half first, which could pass 2^63.
    code: int = ((product >> (path.shift[row] - 1)) + 1) >> 1
    return min(max(code, path.lowest), path.highest)


@inner
def _lowest_digit(value: int, slices_above: int) -> tuple[int, int]:
    """Return the lowest signed digit of a number, and what the slices above it hold."""
    upper: int = ((value >> 3) + (value < 0)) if slices_above else 0
    return value - (upper << 3), upper


@inner
def _put_slices(piece: Tile, g: int, k: int, lane: int, code: int) -> None:
    """Split a code into signed slices of radix 8, kept as 4-bit patterns."""
    slices = piece.ho.shape[0]
    digit, rest = _lowest_digit(code, slices)
    piece.lo[g, k, lane] = digit & 15
    for s in range(slices):
        digit, rest = _lowest_digit(rest, slices - 1 - s)
        piece.ho[s, g, k, lane] = digit & 15


@inner
def _fill_piece(piece: Tile, codes: IntArray, on_k: bool, first: int, rows: int, depth: int) -> None:  # noqa: FBT001  # compiled
    """Slice the codes whose place along the weight's K is `first` on; rows beyond its end are 0."""
    v = piece.lo.shape[2]
    for g in range((rows + v - 1) // v):
        for lane in range(v):
            row = g * v + lane
            for k in range(depth):
                code = 0
                if row < rows:
                    code = codes[first + k, row] if on_k else codes[row, first + k]
                _put_slices(piece, g, k, lane, code)


@inner
def encode_weight(  # noqa: PLR0913, PLR0917  # compiled: each number is an argument
    codes: IntArray,
    path: WeightPath,
    features: int,
    columns: int,
    piece: Tile,
    packed: ByteArray,
    code: tuple[int, int],
    image: ByteArray,
    at: int,
    planned_bytes: int,
) -> int:
    """Write a tile of weight codes, int64 [features, columns], as pieces of a weight and return their bytes.

    `piece` and `packed` are room for one piece, `code` the bits of an entry count and the longest skip. Nothing is
    written beyond the planned bytes, where other tiles lie.
    """
    v, tile_k, size = piece.lo.shape[2], piece.lo.shape[1], 0
    rows, all_depth = (columns, features) if path.on_k else (features, columns)
    for first in range(0, all_depth, tile_k):
        depth = min(tile_k, all_depth - first)
        _fill_piece(piece, codes, path.on_k, first, rows, depth)
        bytes_of_piece = pack_tile(piece, (rows + v - 1) // v, depth, path.frequent, code, packed)
        copy_bytes(packed, max(0, min(bytes_of_piece, planned_bytes - size)), image, at + size)
        size += bytes_of_piece
    return size
