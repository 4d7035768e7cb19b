"""The bytes of an operand tile in DRAM and in WMEM or AMEM: dense LO slices, then the run-length code of the HO slices.

A tile is cut into groups of `v` rows (weights) or tokens (activations). The LO part holds group after group, along K,
`v` slices of 4 bits for each position. The HO part holds one stream for each HO slice and group, in this order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import InvariantError
from panacea_sim.quant.rle import (
    CodecError,
    decode_tile,
    encode_tile,
    encoded_bits,
    raw_bits,
    stored_with_fillers,
)
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import bits_to_bytes

__all__ = ["SlicedTile", "TileShape", "pack_nibbles", "pack_tile", "unpack_nibbles", "unpack_tile"]

Nibbles = npt.NDArray[np.uint8]

_RAW = b"\x80"
"""The least first byte of an HO part whose flag says that it is raw."""


@dataclass(frozen=True)
class TileShape:
    """The shape of a tile: HO slices, groups, positions along K, slices in a vector, and the nominal T_K.

    Where it `may_be_raw`, a bit before its HO part says whether all of its vectors lie there as they are.
    """

    ho_slices: int
    groups: int
    depth: int
    v: int
    tile_k: int
    may_be_raw: bool = False

    @property
    def lo_bytes(self) -> int:
        """Bytes of the dense LO part."""
        return bits_to_bytes(self.groups * self.depth * self.v * SLICE_BITS)


@dataclass(frozen=True, eq=False)
class SlicedTile:
    """The slices of a tile as 4-bit patterns: `lo` [groups, K, v], `ho` [S, groups, K, v], `stored` [S, groups, K]."""

    lo: Nibbles
    ho: Nibbles
    stored: BoolArray


def pack_nibbles(nibbles: Nibbles) -> bytes:
    """Return 4-bit patterns of any shape, two in a byte, the first one in the upper half."""
    flat = nibbles.ravel()
    padded = np.zeros(flat.size + flat.size % 2, np.uint8)
    padded[: flat.size] = flat
    return ((padded[0::2] << SLICE_BITS) | padded[1::2]).tobytes()


def unpack_nibbles(data: bytes, count: int) -> Nibbles:
    """Return the first `count` of the 4-bit patterns that `pack_nibbles` packed."""
    dense = np.frombuffer(data, np.uint8)
    nibbles: Nibbles = np.stack([dense >> SLICE_BITS, dense & 0xF], axis=1).ravel()[:count]
    return nibbles


def pack_tile(lo: Nibbles, ho: Nibbles, skipped: BoolArray, tile_k: int, *, may_be_raw: bool = False) -> bytes:
    """Return the bytes of a tile; `lo` is [groups, K, v], `ho` [S, groups, K, v], `skipped` [S, groups, K].

    Where it `may_be_raw`, its HO part has a flag before it, and lies there as it is if that is shorter.
    """
    slices, groups, depth, v = ho.shape
    streams = slices * groups
    coded = encode_tile(ho.reshape(streams, depth, v), skipped.reshape(streams, depth), tile_k)
    if not may_be_raw or not streams:
        return pack_nibbles(lo) + coded
    stored = stored_with_fillers(skipped.reshape(streams, depth), tile_k)
    code_bits = encoded_bits(int(np.count_nonzero(stored)), streams, v, tile_k)
    is_raw = raw_bits(streams, depth, v) < code_bits
    bits = np.unpackbits(np.frombuffer(pack_nibbles(ho) if is_raw else coded, np.uint8))
    used = bits[: ho.size * SLICE_BITS if is_raw else code_bits]
    return pack_nibbles(lo) + np.packbits(np.append(np.uint8(is_raw), used)).tobytes()


def unpack_tile(data: bytes, shape: TileShape, frequent: Nibbles) -> SlicedTile:
    """Return the slices of a tile; `frequent` [S] fills the vectors that are not stored.

    Raises CodecError if the HO part is no run-length code of such a tile, InvariantError if the LO part is cut short.
    """
    if len(data) < shape.lo_bytes:
        raise InvariantError(f"a tile of {len(data)} bytes has no room for {shape.lo_bytes} bytes of LO slices")
    lo_shape = (shape.groups, shape.depth, shape.v)
    lo = unpack_nibbles(data[: shape.lo_bytes], math.prod(lo_shape)).reshape(lo_shape)
    streams = shape.ho_slices * shape.groups
    ho_shape = (shape.ho_slices, shape.groups, shape.depth)
    ho, has_flag = data[shape.lo_bytes :], shape.may_be_raw and shape.ho_slices > 0
    if has_flag and ho[:1] >= _RAW:
        return SlicedTile(lo, _raw_vectors(ho, shape).reshape(*ho_shape, shape.v), np.ones(ho_shape, np.bool_))
    vectors, stored = decode_tile(
        ho, streams, shape.depth, shape.v, shape.tile_k, np.repeat(frequent, shape.groups), int(has_flag)
    )
    return SlicedTile(lo, vectors.reshape(*ho_shape, shape.v), stored.reshape(ho_shape))


def _raw_vectors(data: bytes, shape: TileShape) -> Nibbles:
    """Return the slices behind the flag of a raw HO part; raises CodecError for one of another length."""
    size = int(raw_bits(shape.ho_slices * shape.groups, shape.depth, shape.v))
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[1:]
    if len(data) != bits_to_bytes(1 + size) or bits[size:].any():
        raise CodecError(f"{len(data)} bytes are no raw HO part of {size} bits behind a flag")
    return unpack_nibbles(np.packbits(bits[:size]).tobytes(), size // SLICE_BITS)
