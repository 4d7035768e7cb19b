"""The output path by numba: what the PPU and the encoder of the reference engine do in numpy."""

from __future__ import annotations

from typing import NamedTuple

from panacea_sim.engines.compiled.compilation import inner
from panacea_sim.machines.shared.compiled.tile_code import ByteArray, Tile, copy_bytes, pack_tile
from panacea_sim.units import IntArray

__all__ = ["OutputPath", "Written", "encode_outputs", "requantize", "store_dense"]


class OutputPath(NamedTuple):
    """The constants of the output path of a layer.

    `multiplier`, `shift` and `offset` are those of each row, int64 [M]; `codes` is the table of the activation
    function, int64, empty without one. Requantized codes have `bits` bits around `zero_point`; `lo_bits` is the LO
    field of the next layer's activations, 0 for dense outputs, and `frequent` holds the frequent value of its slices.
    """

    multiplier: IntArray
    shift: IntArray
    offset: IntArray
    codes: IntArray
    frequent: IntArray
    zero_point: int
    bits: int
    lo_bits: int


class Written(NamedTuple):
    """Room for a tile of output codes, int64 [rows, columns], for one piece of it, and for the packed bytes of that."""

    codes: IntArray
    piece: Tile
    packed: ByteArray


@inner
def requantize(accumulator: int, row: int, path: OutputPath) -> int:
    """Return the output code of an accumulator of this row."""
    product = (int(accumulator) + path.offset[row]) * path.multiplier[row]
    # Half up without adding the half first, which could pass 2^63.
    code: int = (((product >> (path.shift[row] - 1)) + 1) >> 1) + path.zero_point
    code = min(max(code, 0), (1 << path.bits) - 1)
    if len(path.codes):
        code = path.codes[code]
    return code


@inner
def store_dense(written: Written, rows: int, columns: int, image: ByteArray, at: int) -> int:
    """Write a tile of codes as bytes, row after row, and return how many."""
    for row in range(rows):
        for column in range(columns):
            image[at + row * columns + column] = written.codes[row, column] & 255
    return rows * columns


@inner
def _fill_piece(written: Written, path: OutputPath, first: int, depth: int, columns: int, groups: int) -> None:
    """Slice the codes of rows `first` on: they are the inner dimension of the next layer."""
    piece, v = written.piece, written.piece.lo.shape[2]
    for g in range(groups):
        for k in range(depth):
            for lane in range(v):
                column = g * v + lane
                is_there = column < columns
                code = written.codes[first + k, column] if is_there else 0
                piece.lo[g, k, lane] = (code >> (path.lo_bits - 4)) & 15
                for s in range(len(path.frequent)):
                    piece.ho[s, g, k, lane] = (code >> (path.lo_bits + 4 * s)) & 15 if is_there else path.frequent[s]


@inner
def encode_outputs(  # noqa: PLR0913, PLR0917  # compiled: each number is an argument
    written: Written,
    path: OutputPath,
    rows: int,
    columns: int,
    code: tuple[int, int],
    image: ByteArray,
    at: int,
    planned_bytes: int,
) -> int:
    """Write a tile of codes as the next layer's activation tiles and return their bytes.

    Nothing is written beyond the planned bytes, where other tiles lie.
    """
    v, tile_k = written.piece.lo.shape[2], written.piece.lo.shape[1]
    groups, size = (columns + v - 1) // v, 0
    for first in range(0, rows, tile_k):
        depth = min(tile_k, rows - first)
        _fill_piece(written, path, first, depth, columns, groups)
        bytes_of_piece = pack_tile(written.piece, groups, depth, path.frequent, code, written.packed)
        copy_bytes(written.packed, max(0, min(bytes_of_piece, planned_bytes - size)), image, at + size)
        size += bytes_of_piece
    return size
