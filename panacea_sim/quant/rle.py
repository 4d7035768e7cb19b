"""The run-length code of HO slice vectors: which vectors it stores, how many bits it takes, and the packing itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import overload

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import PanaceaError
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import BITS_PER_BYTE, IntArray, bits_to_bytes, ceil_div

__all__ = [
    "MAX_SKIP",
    "SKIP_BITS",
    "CodecError",
    "code_bytes",
    "count_bits",
    "decode_tile",
    "encode_tile",
    "encoded_bits",
    "from_signed_nibbles",
    "raw_bits",
    "stored_with_fillers",
    "stream_entries",
    "to_nibbles",
]

SKIP_BITS = SLICE_BITS
MAX_SKIP = (1 << SKIP_BITS) - 1

NibbleArray = npt.NDArray[np.uint8]

_NIBBLE_MASK = (1 << SLICE_BITS) - 1
_FILLED_AT_ONCE = 1 << 20
"""Vectors among which fillers are found at once: as fast as all together, in a few megabytes."""

_WORTH_CHOOSING = 4
"""Choosing streams takes as long as looking at this many times as many."""

_SIGN_BIT = 1 << (SLICE_BITS - 1)


class CodecError(PanaceaError):
    """Encoded bytes are not a run-length code of a tile of the stated shape."""


def count_bits(tile_k: int) -> int:
    """Return the bits that count the entries of a stream, 0 .. `tile_k`: ceil(log2(tile_k + 1))."""
    return tile_k.bit_length()


def stored_with_fillers(skipped: BoolArray, tile_k: int) -> BoolArray:
    """Tell which vectors [..., K] are stored, fillers included, when streams restart every `tile_k` positions.

    A skip count reaches 15, so the 16th, 32nd, ... skipped vector of a run is stored as a filler where another vector
    must be stored after it in the same stream (docs/model.md, run-length code).
    """
    k = skipped.shape[-1]
    stream_k = min(tile_k, k)
    if stream_k <= MAX_SKIP + 1:
        return ~skipped
    tiles = ceil_div(k, stream_k)
    stored = np.zeros((*skipped.shape[:-1], tiles * stream_k), np.bool_)
    np.logical_not(skipped, out=stored[..., :k])
    streams = stored.reshape(-1, stream_k)
    counts = np.count_nonzero(streams, axis=1)
    # What a last, shorter stream lacks is no run of skipped vectors: nothing is stored after it.
    counts[tiles - 1 :: tiles] += tiles * stream_k - k
    for some in _needing_fillers(counts, stream_k):
        chosen = streams[some]
        chosen.reshape(-1)[_fillers(chosen)] = True
        streams[some] = chosen
    return stored[..., :k]


def stream_entries(skipped: BoolArray, tile_k: int) -> IntArray:
    """Return how many vectors [..., K] each stream of `tile_k` positions stores, fillers included, [..., streams]."""
    k = skipped.shape[-1]
    stream_k = min(tile_k, k)
    whole = k // stream_k * stream_k
    parts = [_entries(skipped[..., :whole].reshape(-1, stream_k)).reshape(*skipped.shape[:-1], -1)]
    if whole < k:
        parts.append(_entries(skipped[..., whole:].reshape(-1, k - whole)).reshape(*skipped.shape[:-1], 1))
    return np.concatenate(parts, -1)


@overload
def encoded_bits(entries: int, streams: int, v: int, tile_k: int) -> int: ...
@overload
def encoded_bits(entries: IntArray, streams: int | IntArray, v: int, tile_k: int) -> IntArray: ...
def encoded_bits(entries: int | IntArray, streams: int | IntArray, v: int, tile_k: int) -> int | IntArray:
    """Return the bits of `entries` stored vectors of `v` slices in `streams` streams, without byte padding."""
    return entries * _entry_bits(v) + streams * count_bits(tile_k)


def code_bytes(
    entries: IntArray, streams: IntArray, depth: IntArray, v: int, tile_k: int, *, may_be_raw: bool
) -> IntArray:
    """Return the bytes of tiles with so many entries in streams of `depth` vectors, each tile rounded up once.

    A tile that may be raw has a bit before its streams that says so, and takes the shorter of both. One without streams
    has nothing.
    """
    bits = encoded_bits(entries, streams, v, tile_k)
    if may_be_raw:
        bits = np.minimum(bits, raw_bits(streams, depth, v)) + (streams > 0)
    return bits_to_bytes(bits)


@overload
def raw_bits(streams: int, depth: int, v: int) -> int: ...
@overload
def raw_bits(streams: IntArray, depth: IntArray, v: int) -> IntArray: ...
def raw_bits(streams: int | IntArray, depth: int | IntArray, v: int) -> int | IntArray:
    """Return the bits of all vectors of `v` slices in streams that are `depth` long."""
    return streams * depth * (v * SLICE_BITS)


def to_nibbles(slices: npt.NDArray[np.int8]) -> NibbleArray:
    """Return signed slices (-8 .. 7) as 4-bit two's complement patterns, same shape."""
    return slices.view(np.uint8) & np.uint8(_NIBBLE_MASK)


def from_signed_nibbles(nibbles: NibbleArray) -> npt.NDArray[np.int8]:
    """Return the signed slices (-8 .. 7) of 4-bit two's complement patterns, same shape."""
    return (nibbles ^ np.uint8(_SIGN_BIT)).view(np.int8) - np.int8(_SIGN_BIT)


def encode_tile(vectors: NibbleArray, skipped: BoolArray, tile_k: int) -> bytes:
    """Pack the vectors [streams, k, v] of one tile, 4-bit patterns, of which `skipped` [streams, k] need no storing.

    Stream after stream: the count of entries, then for every entry its skip count and its v slices, most significant
    bit first, without padding; zero bits fill the last byte. `k` may be less than the nominal `tile_k`. Raises
    CodecError if it is more.
    """
    if skipped.shape[1] > tile_k:
        raise CodecError(f"streams of {skipped.shape[1]} vectors are longer than the {tile_k} that their code counts")
    stored = stored_with_fillers(skipped, tile_k)
    stream, position = np.nonzero(stored)
    skips = np.diff(position, prepend=-1) - 1
    starts_stream = np.diff(stream, prepend=-1) != 0
    skips[starts_stream] = position[starts_stream]
    entries = np.empty((len(position), 1 + vectors.shape[2]), np.uint8)
    entries[:, 0] = skips
    entries[:, 1:] = vectors[stream, position]

    counts = np.count_nonzero(stored, axis=1)
    header = _header_positions(counts, vectors.shape[2], tile_k)
    bits = np.empty(header.size + entries.size * SLICE_BITS, np.uint8)
    is_entry = np.ones(len(bits), np.bool_)
    is_entry[header] = False
    bits[header] = (counts[:, None] >> np.arange(count_bits(tile_k))[::-1]) & 1
    bits[is_entry] = _bits_of_nibbles(entries.ravel())
    return np.packbits(bits).tobytes()


def decode_tile(
    data: bytes, streams: int, k: int, v: int, tile_k: int, skipped_value: int | NibbleArray, first_bit: int = 0
) -> tuple[NibbleArray, BoolArray]:
    """Unpack what `encode_tile` packed: the vectors [streams, k, v] as 4-bit patterns and which of them were stored.

    `skipped_value`, one for all or one for each stream, fills the skipped vectors. The code begins at `first_bit`.
    Raises CodecError if the bytes cannot be the code of such a tile.
    """
    counts = _read_counts(data, streams, k, v, tile_k, first_bit)
    header = _header_positions(counts, v, tile_k)
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[first_bit:]
    code_bits = header.size + int(counts.sum()) * _entry_bits(v)
    if bits[code_bits:].any():
        raise CodecError(f"the {len(bits) - code_bits} bits that fill the last byte are not 0")
    is_entry = np.ones(code_bits, np.bool_)
    is_entry[header] = False
    entries = _nibbles_of_bits(bits[:code_bits][is_entry]).reshape(-1, 1 + v)

    stream = np.repeat(np.arange(streams), counts)
    position = _positions(entries[:, 0], counts)
    if (position >= k).any():
        raise CodecError(f"an entry lies at position {position.max()} of a stream of {k} vectors")
    stored = np.zeros((streams, k), np.bool_)
    stored[stream, position] = True
    vectors = np.empty((streams, k, v), np.uint8)
    vectors[...] = np.reshape(skipped_value, (-1, 1, 1))
    vectors[stream, position] = entries[:, 1:]
    return vectors, stored


def _entry_bits(v: int) -> int:
    return SKIP_BITS + SLICE_BITS * v


def _entries(skipped: BoolArray) -> IntArray:
    """Return how many vectors of each stream [streams, k] are stored."""
    k = skipped.shape[1]
    counts: IntArray = k - np.count_nonzero(skipped, axis=1)
    if k > MAX_SKIP + 1:
        for some in _needing_fillers(counts, k):
            chosen = ~skipped[some]
            counts[some] += np.bincount(_fillers(chosen) // k, minlength=len(chosen))
    return counts


def _needing_fillers(stored_counts: IntArray, k: int) -> Iterator[IntArray | slice]:
    """Yield which streams of length `k` may need fillers, some at a time, by what they store without them."""
    # Only a stream with a run of 16 and a stored vector can need a filler; the others are the bulk at low densities.
    may = (stored_counts > 0) & (stored_counts < k - MAX_SKIP)
    block = max(1, _FILLED_AT_ONCE // k)
    for first in range(0, len(may), block):
        candidates = first + np.flatnonzero(may[first : first + block])
        if _WORTH_CHOOSING * len(candidates) > block:
            yield slice(first, first + block)
        elif len(candidates):
            yield candidates


def _fillers(stored: BoolArray) -> IntArray:
    """Return which skipped vectors of streams [n, k] the greedy rule stores, as flat indices."""
    k, at = stored.shape[1], np.flatnonzero(stored)
    # Only in front of a vector that lies this far behind the one before, of whichever stream, can there be a filler.
    far = np.flatnonzero(np.diff(at, prepend=-1) > MAX_SKIP + 1)
    before = np.maximum(at[far] // k * k - 1, np.where(far > 0, at[far - 1], -1))
    fillers = (at[far] - before - 1) // (MAX_SKIP + 1)
    which = np.repeat(np.arange(len(far)), fillers)
    number = np.arange(1, len(which) + 1) - (np.cumsum(fillers) - fillers)[which]
    places: IntArray = before[which] + (MAX_SKIP + 1) * number
    return places


def _header_positions(counts: IntArray, v: int, tile_k: int) -> IntArray:
    """Return the bit positions [streams, count_bits] of the entry counts in a code without gaps."""
    header_bits = count_bits(tile_k)
    stream_bits = header_bits + counts * _entry_bits(v)
    return (np.cumsum(stream_bits) - stream_bits)[:, None] + np.arange(header_bits)


def _read_counts(data: bytes, streams: int, k: int, v: int, tile_k: int, first_bit: int) -> IntArray:
    """Walk from stream to stream and return the entry counts, so that the code is known to end where the bytes end."""
    header_bits = count_bits(tile_k)
    counts = np.empty(streams, np.int64)
    start = first_bit
    for stream in range(streams):
        end = start + header_bits
        window = data[start // BITS_PER_BYTE : bits_to_bytes(end)]
        count = int.from_bytes(window) >> (-end % BITS_PER_BYTE) & ((1 << header_bits) - 1)
        if count > k:
            raise CodecError(f"stream {stream} claims {count} entries, but has {k} vectors")
        counts[stream] = count
        start = end + count * _entry_bits(v)
        if bits_to_bytes(start) > len(data):
            raise CodecError(f"{len(data)} bytes are too short: stream {stream} ends at bit {start}")
    if bits_to_bytes(start) != len(data):
        raise CodecError(f"{len(data)} bytes are too long: the code ends at bit {start}")
    return counts


def _positions(skips: NibbleArray, counts: IntArray) -> IntArray:
    """Return the position of every entry in its stream from the skip counts before it."""
    ends = np.concatenate([[0], np.cumsum(skips + np.int64(1))])
    first_entries = np.cumsum(counts) - counts
    positions: IntArray = ends[1:] - 1 - np.repeat(ends[first_entries], counts)
    return positions


def _bits_of_nibbles(nibbles: NibbleArray) -> npt.NDArray[np.uint8]:
    even = np.zeros(nibbles.size + nibbles.size % 2, np.uint8)
    even[: nibbles.size] = nibbles
    packed = (even[0::2] << np.uint8(SLICE_BITS)) | even[1::2]
    return np.unpackbits(packed, count=nibbles.size * SLICE_BITS)


def _nibbles_of_bits(bits: npt.NDArray[np.uint8]) -> NibbleArray:
    packed = np.packbits(bits)
    nibbles = np.empty(2 * packed.size, np.uint8)
    nibbles[0::2] = packed >> SLICE_BITS
    nibbles[1::2] = packed & _NIBBLE_MASK
    return nibbles[: bits.size // SLICE_BITS]
