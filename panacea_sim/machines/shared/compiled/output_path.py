"""The output path by numba: what the PPU, the encoder and the write stream of the reference engine do in numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.engines.compiled.compilation import entry, inner
from panacea_sim.machines.shared.compiled.tile_code import ByteArray, Code, Tile, copy_bytes, pack_tile
from panacea_sim.units import IntArray

__all__ = ["ACTIVATION", "DENSE", "WEIGHT", "OutputPath", "OutputPlaces", "Written", "write_outputs"]

DENSE, ACTIVATION, WEIGHT = range(3)
"""As what outputs are read: nobody reads dense ones, which are bytes without slices."""


class OutputPath(NamedTuple):
    """The constants of the output path of a layer in one of its formats, the numbers of which are int64.

    `rows` are the rows of the accumulators that are read; `multiplier`, `shift` and `offset` are those of each of them.
    `codes` is the table of the activation function, empty without one, and `frequent` holds the frequent value of each
    HO slice. Requantized codes are around `zero_point`, and clipped to `lowest` .. `highest`. `read_as` is one of the
    words above, `lo_bits` the LO field of activations. Vectors lie along columns where `on_columns` is 1, else along
    rows.
    """

    rows: IntArray
    multiplier: IntArray
    shift: IntArray
    offset: IntArray
    codes: IntArray
    frequent: IntArray
    zero_point: int
    lowest: int
    highest: int
    read_as: int
    lo_bits: int
    on_columns: int


class OutputPlaces(NamedTuple):
    """Where the output tiles [m, n] of a layer lie in one of its formats, and which of them are written.

    `address` and `size_bytes` are as planned; `fires` is 1 where a tile is written. The rows that are read of tile m
    are number first_row[m] .. first_row[m + 1] - 1 of those that are read; `columns` is where tiles begin and the
    last one ends. `code` is that of HO parts.
    """

    address: IntArray
    size_bytes: IntArray
    fires: ByteArray
    first_row: IntArray
    columns: IntArray
    code: Code


class Written(NamedTuple):
    """Room for a tile of output codes, int64 [rows, columns], for one piece of it, and for the packed bytes of that."""

    codes: IntArray
    piece: Tile
    packed: ByteArray


@inner
def _requantize(accumulator: int, row: int, path: OutputPath) -> int:
    """Return the output code of an accumulator of this row."""
    product = (int(accumulator) + path.offset[row]) * path.multiplier[row]
    # Half up without adding the half first, which could pass 2^63.
    code: int = (((product >> (path.shift[row] - 1)) + 1) >> 1) + path.zero_point
    code = min(max(code, path.lowest), path.highest)
    if len(path.codes):
        code = path.codes[code]
    return code


@inner
def _store_dense(written: Written, rows: int, columns: int, image: ByteArray, at: int) -> int:
    """Write a tile of codes as bytes, row after row, and return how many."""
    for row in range(rows):
        for column in range(columns):
            image[at + row * columns + column] = written.codes[row, column] & 255
    return rows * columns


@inner
def _put_unsigned(piece: Tile, at: tuple[int, int, int], code: int, lo_bits: int) -> None:
    """Cut the code of an activation into digits."""
    g, k, lane = at
    piece.lo[g, k, lane] = (code >> (lo_bits - 4)) & 15
    for s in range(piece.ho.shape[0]):
        piece.ho[s, g, k, lane] = (code >> (lo_bits + 4 * s)) & 15


@inner
def _put_signed(piece: Tile, at: tuple[int, int, int], code: int) -> None:
    """Cut the code of a weight into signed digits of radix 8, kept as 4-bit patterns."""
    g, k, lane = at
    slices = piece.ho.shape[0]
    for s in range(slices + 1):
        upper = (code >> 3) + (code < 0) if s < slices else 0
        digit = (code - 8 * upper) & 15
        if s:
            piece.ho[s - 1, g, k, lane] = digit
        else:
            piece.lo[g, k, lane] = digit
        code = upper


@inner
def _fill_piece(written: Written, path: OutputPath, first: int, depth: int, lanes: int) -> None:
    """Slice the codes whose place along the streams is `first` on; lanes beyond the end have what may be skipped."""
    piece, v = written.piece, written.piece.lo.shape[2]
    for g in range((lanes + v - 1) // v):
        for k in range(depth):
            for i in range(v):
                lane, at = g * v + i, (g, k, i)
                if lane >= lanes:
                    piece.lo[g, k, i] = 0
                    for s in range(len(path.frequent)):
                        piece.ho[s, g, k, i] = path.frequent[s]
                    continue
                code = written.codes[first + k, lane] if path.on_columns else written.codes[lane, first + k]
                if path.read_as == WEIGHT:
                    _put_signed(piece, at, code)
                else:
                    _put_unsigned(piece, at, code, path.lo_bits)


@inner
def _encode(  # noqa: PLR0913, PLR0917  # compiled: each number is an argument
    written: Written,
    path: OutputPath,
    rows: int,
    columns: int,
    code: Code,
    image: ByteArray,
    at: int,
    planned_bytes: int,
) -> int:
    """Write a tile of codes as pieces of the operand as which it is read, and return their bytes.

    Nothing is written beyond the planned bytes, where other tiles lie.
    """
    v, tile_k, size = written.piece.lo.shape[2], written.piece.lo.shape[1], 0
    length, lanes = (rows, columns) if path.on_columns else (columns, rows)
    for first in range(0, length, tile_k):
        depth = min(tile_k, length - first)
        _fill_piece(written, path, first, depth, lanes)
        bytes_of_piece = pack_tile(written.piece, (lanes + v - 1) // v, depth, path.frequent, code, written.packed)
        copy_bytes(written.packed, max(0, min(bytes_of_piece, planned_bytes - size)), image, at + size)
        size += bytes_of_piece
    return size


@entry
def write_outputs(  # noqa: PLR0913, PLR0917  # compiled: each array is an argument
    sums: npt.NDArray[np.int32],
    is_finished: ByteArray,
    path: OutputPath,
    places: OutputPlaces,
    written: Written,
    image: ByteArray,
    written_bytes: IntArray,
    share: tuple[int, int],
) -> None:
    """Make codes of the accumulators [R * M, N] of finished tiles, and write them in a format.

    `written_bytes` [m, n] takes the bytes of each tile. `share` is (number of this thread, threads).
    """
    n_tiles = places.address.shape[1]
    for tile in range(share[0], places.address.size, share[1]):
        m, n = tile // n_tiles, tile % n_tiles
        if not (places.fires[m, n] and is_finished[m, n]):
            continue
        first, column = places.first_row[m], places.columns[n]
        rows, columns = places.first_row[m + 1] - first, places.columns[n + 1] - column
        for i in range(rows):
            for j in range(columns):
                written.codes[i, j] = _requantize(sums[path.rows[first + i], column + j], first + i, path)
        at, planned, size = places.address[m, n], places.size_bytes[m, n], 0
        if path.read_as == DENSE:
            size = _store_dense(written, rows, columns, image, at)
        elif rows:
            size = _encode(written, path, rows, columns, places.code, image, at, planned)
        written_bytes[m, n] = size
