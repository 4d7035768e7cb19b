"""The bytes of an operand tile, packed and unpacked by numba: what `tile_format` and `rle` do in numpy.

It is written a second time on purpose. Sizes and positions that the two find are compared in every check.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.engines.compiled.compilation import entry, inner
from panacea_sim.units import BITS_PER_BYTE, IntArray

__all__ = [
    "CODE_BEYOND",
    "CODE_FILL",
    "CODE_LONG",
    "CODE_SHORT",
    "LO_SHORT",
    "WHOLE",
    "ByteArray",
    "Code",
    "Tile",
    "copy_bytes",
    "empty_tile",
    "most_bytes",
    "pack_operand",
    "pack_tile",
    "unpack_tile",
]

ByteArray = npt.NDArray[np.uint8]
Code = tuple[int, int, int]
"""The bits of an entry count, the longest skip, and 1 where an HO part may be raw, behind a flag of a bit."""

WHOLE, LO_SHORT, CODE_SHORT, CODE_LONG, CODE_BEYOND, CODE_FILL = range(6)
"""What `unpack_tile` found: a tile, or why the bytes are none."""


class Tile(NamedTuple):
    """The slices of a tile as 4-bit patterns: `lo` [groups, K, v], `ho` [S, groups, K, v], `stored` [S, groups, K].

    The arrays have room for a full tile; a ragged one fills their first groups and positions.
    """

    lo: ByteArray
    ho: ByteArray
    stored: ByteArray


def empty_tile(ho_slices: int, groups: int, depth: int, v: int) -> Tile:
    """Return room for a tile."""
    return Tile(
        np.zeros((groups, depth, v), np.uint8),
        np.zeros((ho_slices, groups, depth, v), np.uint8),
        np.zeros((ho_slices, groups, depth), np.uint8),
    )


def most_bytes(tile: Tile, count_bits: int) -> int:
    """Return the bytes that a tile takes at most, and some more, which `pack_tile` may touch."""
    entry_bits = 4 * (1 + tile.lo.shape[2])
    streams = tile.stored.shape[0] * tile.stored.shape[1]
    bits: int = 4 * tile.lo.size + tile.stored.size * entry_bits + streams * count_bits + 1
    return bits // BITS_PER_BYTE + 4


@inner
def _put_nibble(data: ByteArray, bit: int, nibble: int) -> None:
    """Write 4 bits; the byte at `bit` has been begun, the one behind it has not."""
    shifted = int(nibble) << (12 - (bit & 7))
    data[bit >> 3] |= shifted >> 8
    data[(bit >> 3) + 1] = shifted & 255


@inner
def _put_bit(data: ByteArray, bit: int, value: int) -> None:
    """Write a bit; the byte at `bit` has been begun."""
    data[bit >> 3] |= value << (7 - (bit & 7))
    if bit & 7 == 7:  # noqa: PLR2004  # the last one of a byte
        data[(bit >> 3) + 1] = 0


@inner
def _get_bits(data: ByteArray, bit: int, count: int) -> int:
    value = 0
    for at in range(bit, bit + count):
        value = 2 * value + ((int(data[at >> 3]) >> (7 - (at & 7))) & 1)
    return value


@inner
def _get_nibble(data: ByteArray, bit: int) -> int:
    pair = (int(data[bit >> 3]) << 8) | int(data[(bit >> 3) + 1])
    return (pair >> (12 - (bit & 7))) & 15


@inner
def _choose_stored(tile: Tile, s: int, g: int, depth: int, frequent: int, max_skip: int) -> int:
    """Mark the vectors of a stream that are stored, fillers included, and return their number."""
    last = -1
    for k in range(depth):
        differs = False
        for lane in range(tile.lo.shape[2]):
            differs |= tile.ho[s, g, k, lane] != frequent
        tile.stored[s, g, k] = differs
        if differs:
            last = k
    entries, skips = 0, 0
    for k in range(last + 1):
        if tile.stored[s, g, k] or skips == max_skip:
            tile.stored[s, g, k] = True
            entries += 1
            skips = 0
        else:
            skips += 1
    return entries


@inner
def _pack_stream(tile: Tile, s: int, g: int, depth: int, data: ByteArray, bit: int) -> int:
    """Write the entries of a stream and return the bit behind them."""
    skips = 0
    for k in range(depth):
        if not tile.stored[s, g, k]:
            skips += 1
            continue
        _put_nibble(data, bit, skips & 15)
        bit += 4
        for lane in range(tile.lo.shape[2]):
            _put_nibble(data, bit, tile.ho[s, g, k, lane])
            bit += 4
        skips = 0
    return bit


@inner
def _raw_is_shorter(tile: Tile, groups: int, depth: int, frequent: IntArray, code: Code) -> bool:
    """Return whether all HO vectors take fewer bits as they are than in the code."""
    v, coded, raw = tile.lo.shape[2], 0, 0
    for s in range(len(frequent)):
        for g in range(groups):
            coded += code[0] + 4 * (1 + v) * _choose_stored(tile, s, g, depth, frequent[s], code[1])
            raw += 4 * v * depth
    shorter: bool = raw < coded
    return shorter


@inner
def _pack_raw(tile: Tile, groups: int, depth: int, data: ByteArray, bit: int) -> int:
    """Write all HO vectors as they are and return the bit behind them."""
    for s in range(tile.stored.shape[0]):
        for g in range(groups):
            for k in range(depth):
                for lane in range(tile.lo.shape[2]):
                    _put_nibble(data, bit, tile.ho[s, g, k, lane])
                    bit += 4
    return bit


@inner
def pack_tile(tile: Tile, groups: int, depth: int, frequent: IntArray, code: Code, data: ByteArray) -> int:
    """Write a tile to the start of `data` and return its bytes."""
    nibble = 0
    for g in range(groups):
        for k in range(depth):
            for lane in range(tile.lo.shape[2]):
                if nibble & 1:
                    data[nibble >> 1] |= tile.lo[g, k, lane]
                else:
                    data[nibble >> 1] = tile.lo[g, k, lane] << 4
                nibble += 1
    bit = 8 * ((nibble + 1) >> 1)
    data[bit >> 3] = 0
    if code[2] and len(frequent):
        is_raw = _raw_is_shorter(tile, groups, depth, frequent, code)
        _put_bit(data, bit, int(is_raw))
        bit += 1
        if is_raw:
            size: int = (_pack_raw(tile, groups, depth, data, bit) + 7) >> 3
            return size
    for s in range(len(frequent)):
        for g in range(groups):
            entries = _choose_stored(tile, s, g, depth, frequent[s], code[1])
            for place in range(code[0] - 1, -1, -1):
                _put_bit(data, bit, (entries >> place) & 1)
                bit += 1
            bit = _pack_stream(tile, s, g, depth, data, bit)
    return (bit + 7) >> 3


@inner
def _unpack_stream(tile: Tile, at: tuple[int, int, int], count_bits: int, data: ByteArray, bit: int, end: int) -> int:
    """Read the stream (slice, group, depth) at `bit`; return the bit behind it, or what is wrong, negative."""
    s, g, depth = at
    v = tile.lo.shape[2]
    for k in range(depth):
        tile.stored[s, g, k] = False
    if bit + count_bits > end:
        return -CODE_SHORT
    entries = _get_bits(data, bit, count_bits)
    bit += count_bits
    if bit + entries * 4 * (1 + v) > end:
        return -CODE_SHORT
    k = -1
    for _ in range(entries):
        k += 1 + _get_nibble(data, bit)
        if k >= depth:
            return -CODE_BEYOND
        tile.stored[s, g, k] = True
        for lane in range(v):
            bit += 4
            tile.ho[s, g, k, lane] = _get_nibble(data, bit)
        bit += 4
    return bit


@inner
def _unpack_raw(tile: Tile, groups: int, depth: int, data: ByteArray, bit: int, end: int) -> int:
    """Read all HO vectors as they are; return the bit behind them, or what is wrong, negative."""
    slices, v = tile.stored.shape[0], tile.lo.shape[2]
    if bit + 4 * slices * groups * depth * v > end:
        return -CODE_SHORT
    for s in range(slices):
        for g in range(groups):
            for k in range(depth):
                tile.stored[s, g, k] = True
                for lane in range(v):
                    tile.ho[s, g, k, lane] = _get_nibble(data, bit)
                    bit += 4
    return bit


@inner
def _unpack_ho(tile: Tile, groups: int, depth: int, code: Code, data: ByteArray, bit: int, end: int) -> int:
    """Read the HO part; return the bit behind it, or what is wrong, negative."""
    is_raw = 0
    if code[2] and tile.stored.shape[0]:
        if bit >= end:
            return -CODE_SHORT
        is_raw = _get_bits(data, bit, 1)
        bit += 1
    behind: int = _unpack_raw(tile, groups, depth, data, bit, end) if is_raw else bit
    for s in range(0 if is_raw else tile.stored.shape[0]):
        for g in range(groups):
            behind = _unpack_stream(tile, (s, g, depth), code[0], data, behind, end)
            if behind < 0:
                return behind
    return behind


@inner
def unpack_tile(  # compiled: each number is an argument
    tile: Tile, groups: int, depth: int, code: Code, data: ByteArray, at: int, size: int
) -> int:
    """Read the tile of `size` bytes at `at`; vectors that are not stored stay as they were. Return what was found."""
    v = tile.lo.shape[2]
    bit: int = 8 * at
    end = bit + 8 * size
    if bit + 8 * ((groups * depth * v + 1) >> 1) > end:
        return LO_SHORT
    for g in range(groups):
        for k in range(depth):
            for lane in range(v):
                tile.lo[g, k, lane] = (data[bit >> 3] >> (4 - (bit & 4))) & 15
                bit += 4
    bit = _unpack_ho(tile, groups, depth, code, data, (bit + 7) & -8, end)
    if bit < 0:
        return -bit
    if bit + 8 <= end:
        return CODE_LONG
    if _get_bits(data, bit, end - bit):
        return CODE_FILL
    return WHOLE


@inner
def copy_bytes(source: ByteArray, size: int, target: ByteArray, at: int) -> None:
    """Copy the first `size` bytes of `source` to `at`."""
    for place in range(size):
        target[at + place] = source[place]


@inner
def _fill(
    tile: Tile, slices: tuple[ByteArray, ByteArray, IntArray], row: int, column: int, groups: int, depth: int
) -> None:
    """Take a tile out of an operand; rows beyond its end are 0 in `lo` and the frequent value in `ho`."""
    lo, ho, frequent = slices
    v = tile.lo.shape[2]
    for g in range(groups):
        for lane in range(v):
            at = row + g * v + lane
            is_there = at < len(lo)
            for k in range(depth):
                tile.lo[g, k, lane] = lo[at, column + k] & 15 if is_there else 0
                for s in range(len(frequent)):
                    tile.ho[s, g, k, lane] = ho[s, at, column + k] & 15 if is_there else frequent[s]


@entry
def pack_operand(  # noqa: PLR0913, PLR0917  # compiled: each array is an argument
    slices: tuple[ByteArray, ByteArray, IntArray],
    tile: Tile,
    code: Code,
    address: IntArray,
    planned_bytes: IntArray,
    image: ByteArray,
    packed: ByteArray,
    found_bytes: IntArray,
) -> None:
    """Write the tiles of an operand [row tile, k tile] into the image, those that have the planned bytes.

    `slices` are its LO slices [rows, K], its HO slices [S, rows, K] and the frequent value of each, `tile` and `packed`
    room for one tile. `found_bytes` takes what each was packed into.
    """
    lo = slices[0]
    tile_rows, tile_k, v = tile.lo.shape[0] * tile.lo.shape[2], tile.lo.shape[1], tile.lo.shape[2]
    for i in range(address.shape[0]):
        groups = (min(tile_rows, lo.shape[0] - i * tile_rows) + v - 1) // v
        for k in range(address.shape[1]):
            depth = min(tile_k, lo.shape[1] - k * tile_k)
            _fill(tile, slices, i * tile_rows, k * tile_k, groups, depth)
            size = pack_tile(tile, groups, depth, slices[2], code, packed)
            found_bytes[i, k] = size
            if size == planned_bytes[i, k]:
                copy_bytes(packed, size, image, address[i, k])
