"""The run-length code: fillers, sizes, round trips and corrupt bytes."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import skip_masks

from panacea_sim.quant.rle import (
    MAX_SKIP,
    CodecError,
    count_bits,
    decode_tile,
    encode_tile,
    encoded_bits,
    from_signed_nibbles,
    stored_with_fillers,
    to_nibbles,
)
from panacea_sim.units import bits_to_bytes

SKIPPED_VALUE = 5


def stored_one_by_one(skipped: list[bool], tile_k: int) -> list[bool]:
    """Return the stored vectors of one row as an encoder finds them that walks along it."""
    stored = [False] * len(skipped)
    for start in range(0, len(skipped), tile_k):
        cursor = start
        for position in range(start, min(start + tile_k, len(skipped))):
            if skipped[position]:
                continue
            while position - cursor > MAX_SKIP:
                stored[cursor + MAX_SKIP] = True
                cursor += MAX_SKIP + 1
            stored[position] = True
            cursor = position + 1
    return stored


def code_as_text(vectors: npt.NDArray[np.uint8], stored: npt.NDArray[np.bool_], tile_k: int) -> str:
    """Return the bits of the code, written stream by stream from the rules."""
    text = ""
    for stream, is_stored in zip(vectors, stored, strict=True):
        positions = np.flatnonzero(is_stored).tolist()
        text += f"{len(positions):0{count_bits(tile_k)}b}"
        for before, position in itertools.pairwise([-1, *positions]):
            text += "".join(f"{nibble:04b}" for nibble in [position - before - 1, *stream[position]])
    return text


@st.composite
def tiles(draw: st.DrawFn) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int]:
    """Draw vectors [streams, k, v], the mask of those that are skipped, and the nominal length of a stream."""
    skipped = draw(skip_masks(max_streams=5, max_k=70))
    v = draw(st.sampled_from([1, 2, 4, 8]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = generator.integers(0, 16, (*skipped.shape, v), dtype=np.uint8)
    vectors[skipped] = SKIPPED_VALUE
    return vectors, skipped, skipped.shape[1] + draw(st.integers(0, 9))


@given(skip_masks(), st.integers(1, 220))
def test_fillers_are_those_of_an_encoder_that_walks(skipped: npt.NDArray[np.bool_], tile_k: int) -> None:
    """The vectorised mask equals the one found position by position."""
    expected = [stored_one_by_one(row, tile_k) for row in skipped.tolist()]
    assert stored_with_fillers(skipped, tile_k).tolist() == expected


@pytest.mark.parametrize(("run", "fillers"), [(0, []), (15, []), (16, [15]), (31, [15]), (32, [15, 31])])
def test_every_sixteenth_vector_of_a_run_is_a_filler(run: int, fillers: list[int]) -> None:
    """A skip count of 4 bits spans 15 vectors."""
    skipped = np.array([True] * run + [False])
    assert np.flatnonzero(stored_with_fillers(skipped, 64)).tolist() == [*fillers, run]


def test_a_run_at_the_end_of_a_stream_has_no_fillers() -> None:
    """Nothing is stored after the last vector that has to be."""
    skipped = np.array([False] + [True] * 60)
    assert np.flatnonzero(stored_with_fillers(skipped, 61)).tolist() == [0]


def test_a_run_across_streams_starts_anew_in_each() -> None:
    """Streams restart every tile_k positions, so a run counts from there."""
    skipped = np.array([True] * 31 + [False])
    assert np.flatnonzero(stored_with_fillers(skipped, 32)).tolist() == [15, 31]
    assert np.flatnonzero(stored_with_fillers(skipped, 20)).tolist() == [31]


def test_fillers_keep_the_shape_of_the_mask() -> None:
    """Leading axes are streams of their own; operands without HO slices give an empty mask."""
    assert stored_with_fillers(np.ones((2, 3, 40), np.bool_), 32).shape == (2, 3, 40)
    assert stored_with_fillers(np.ones((0, 3, 40), np.bool_), 32).shape == (0, 3, 40)


@pytest.mark.parametrize(("tile_k", "bits"), [(1, 1), (3, 2), (31, 5), (32, 6), (200, 8)])
def test_the_count_of_entries_has_as_many_bits_as_its_largest_value(tile_k: int, bits: int) -> None:
    """0 .. tile_k entries need ceil(log2(tile_k + 1)) bits."""
    assert count_bits(tile_k) == bits


@given(tiles(), st.integers(0, 15))
def test_decoding_gives_back_what_was_encoded(
    tile: tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int], fill: int
) -> None:
    """Stored vectors, fillers included, come back as they were; the others as the skipped value."""
    vectors, skipped, tile_k = tile
    streams, k, v = vectors.shape
    decoded, stored = decode_tile(encode_tile(vectors, skipped, tile_k), streams, k, v, tile_k, fill)
    assert (stored == stored_with_fillers(skipped, tile_k)).all()
    assert (decoded[stored] == vectors[stored]).all()
    assert (decoded[~stored] == fill).all()


def test_every_stream_can_have_its_own_skipped_value() -> None:
    """An array of skipped values fills stream by stream."""
    vectors = np.zeros((2, 3, 1), np.uint8)
    data = encode_tile(vectors, np.ones((2, 3), np.bool_), 3)
    decoded, _ = decode_tile(data, 2, 3, 1, 3, np.array([4, 9], np.uint8))
    assert decoded[:, :, 0].tolist() == [[4, 4, 4], [9, 9, 9]]


@given(tiles())
def test_the_code_is_the_bits_of_the_rules(tile: tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int]) -> None:
    """Counts, skips and slices follow each other, most significant bit first, padded once to whole bytes."""
    vectors, skipped, tile_k = tile
    text = code_as_text(vectors, stored_with_fillers(skipped, tile_k), tile_k)
    padded = text + "0" * (-len(text) % 8)
    assert encode_tile(vectors, skipped, tile_k) == int(padded, 2).to_bytes(len(padded) // 8)


@given(tiles())
def test_the_code_is_as_long_as_the_counted_bits(
    tile: tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int],
) -> None:
    """Sizes that timing is computed from are the lengths of real codes."""
    vectors, skipped, tile_k = tile
    entries = int(stored_with_fillers(skipped, tile_k).sum())
    bits = encoded_bits(entries, len(vectors), vectors.shape[2], tile_k)
    assert len(encode_tile(vectors, skipped, tile_k)) == bits_to_bytes(bits)


def test_bits_are_counted_for_many_tiles_at_once() -> None:
    """Arrays of entry counts give arrays of bits."""
    assert encoded_bits(np.array([0, 10]), 16, 4, 32).tolist() == [96, 296]


def test_a_tile_without_streams_has_no_code() -> None:
    """Operands without HO slices encode to nothing, and decode from nothing."""
    data = encode_tile(np.zeros((0, 32, 4), np.uint8), np.zeros((0, 32), np.bool_), 32)
    vectors, stored = decode_tile(data, 0, 32, 4, 32, 0)
    assert data == b""
    assert vectors.shape == (0, 32, 4)
    assert stored.shape == (0, 32)


@given(tiles(), st.data())
def test_no_flipped_bit_goes_unnoticed(
    tile: tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int], data: st.DataObject
) -> None:
    """Every single wrong bit raises CodecError or changes the vectors or the mask."""
    vectors, skipped, tile_k = tile
    code = bytearray(encode_tile(vectors, skipped, tile_k))
    before = decode_tile(bytes(code), *vectors.shape, tile_k, SKIPPED_VALUE)
    bit = data.draw(st.integers(0, 8 * len(code) - 1))
    code[bit // 8] ^= 0x80 >> bit % 8
    try:
        after = decode_tile(bytes(code), *vectors.shape, tile_k, SKIPPED_VALUE)
    except CodecError:
        return
    assert not all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


@given(tiles(), st.binary(max_size=60))
def test_any_bytes_decode_or_raise_a_codec_error(
    tile: tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], int], data: bytes
) -> None:
    """Bytes from anywhere never cause another error, and what decodes has positions inside the streams."""
    vectors, _, tile_k = tile
    try:
        decoded, stored = decode_tile(data, *vectors.shape, tile_k, 0)
    except CodecError:
        return
    assert decoded.shape == vectors.shape
    assert encoded_bits(int(stored.sum()), len(vectors), vectors.shape[2], tile_k) <= 8 * len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([0b10_0000_00], "1 bytes are too short: stream 0 ends at bit 18"),
        ([0b01_0010_00, 0b00_000000], "an entry lies at position 2 of a stream of 2 vectors"),
        ([0b11_0000_00, 0b00_0000_00, 0b00_0000_00, 0b00_000000], "stream 0 claims 3 entries, but has 2 vectors"),
        ([0b00_000000, 0], "2 bytes are too long: the code ends at bit 2"),
        ([0b00_100000], "the 6 bits that fill the last byte are not 0"),
        ([], "0 bytes are too short: stream 0 ends at bit 2"),
    ],
)
def test_corrupt_bytes_are_named(data: list[int], message: str) -> None:
    """The error says what is wrong and where."""
    with pytest.raises(CodecError, match=message):
        decode_tile(bytes(data), 1, k=2, v=1, tile_k=3, skipped_value=0)


def test_a_stream_longer_than_its_tile_is_refused() -> None:
    """The count of entries could overflow its bits."""
    with pytest.raises(CodecError, match="streams of 4 vectors are longer than the 3"):
        encode_tile(np.zeros((1, 4, 1), np.uint8), np.ones((1, 4), np.bool_), 3)


def test_signed_slices_survive_the_nibbles() -> None:
    """Two's complement patterns of 4 bits hold every signed slice."""
    slices = np.arange(-8, 8, dtype=np.int8)
    assert to_nibbles(slices).tolist() == [*range(8, 16), *range(8)]
    assert (from_signed_nibbles(to_nibbles(slices)) == slices).all()
