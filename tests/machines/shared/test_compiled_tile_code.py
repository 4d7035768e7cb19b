"""The compiled code of tiles against the numpy one: the same bytes, and the same opinion of bytes that are no tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.errors import PanaceaError
from panacea_sim.machines.shared.compiled.tile_code import (
    WHOLE,
    ByteArray,
    Code,
    Tile,
    empty_tile,
    most_bytes,
    pack_operand,
    unpack_tile,
)
from panacea_sim.machines.shared.tile_format import SlicedTile, TileShape
from panacea_sim.machines.shared.tile_format import pack_tile as plain_pack_tile
from panacea_sim.machines.shared.tile_format import unpack_tile as plain_unpack_tile
from panacea_sim.quant.rle import MAX_SKIP, count_bits

_GUARD = 0xA5


@entry
def _unpack(tile: Tile, sizes: tuple[int, int], code: Code, data: ByteArray, at: int, size: int) -> int:
    return unpack_tile(tile, sizes[0], sizes[1], code, data, at, size)


def _code(shape: TileShape) -> Code:
    return count_bits(shape.tile_k), MAX_SKIP, int(shape.may_be_raw)


@st.composite
def _shapes(draw: st.DrawFn) -> TileShape:
    depth = draw(st.integers(1, 50))
    sizes = draw(st.integers(0, 2)), draw(st.integers(1, 3)), depth, draw(st.sampled_from([1, 2, 3, 4, 8]))
    return TileShape(*sizes, draw(st.just(depth) | st.integers(depth, 70)), draw(st.booleans()))


def _slices(shape: TileShape, seed: int) -> tuple[ByteArray, ByteArray, ByteArray]:
    """Return LO and HO slices of a tile, most of whose vectors are the frequent ones, and these."""
    generator = np.random.default_rng(seed)
    lo = generator.integers(0, 16, (shape.groups, shape.depth, shape.v)).astype(np.uint8)
    frequent = generator.integers(0, 16, shape.ho_slices).astype(np.uint8)
    ho = generator.integers(0, 16, (shape.ho_slices, *lo.shape)).astype(np.uint8)
    skipped = generator.random(ho.shape[:3]) < generator.choice([0.0, 0.5, 0.97, 1.0])
    return lo, np.where(skipped[..., None], frequent[:, None, None, None], ho), frequent


def _packed(shape: TileShape, seed: int) -> bytes:
    lo, ho, frequent = _slices(shape, seed)
    return plain_pack_tile(
        lo, ho, (ho == frequent[:, None, None, None]).all(-1), shape.tile_k, may_be_raw=shape.may_be_raw
    )


def _unpacked(data: bytes, shape: TileShape) -> SlicedTile | None:
    """Return what the compiled decoder makes of bytes that lie between others; None for no tile."""
    tile = empty_tile(shape.ho_slices, shape.groups + 1, shape.tile_k, shape.v)
    guard = bytes([_GUARD]) * 3
    image = np.frombuffer(guard + data + guard, np.uint8).copy()
    if _unpack(tile, (shape.groups, shape.depth), _code(shape), image, len(guard), len(data)) != WHOLE:
        return None
    groups, depth = slice(shape.groups), slice(shape.depth)
    return SlicedTile(tile.lo[groups, depth], tile.ho[:, groups, depth], tile.stored[:, groups, depth].astype(bool))


@given(_shapes(), st.integers(0, 1000))
def test_operands_are_packed_alike(shape: TileShape, seed: int) -> None:
    """An operand of one tile gives the same bytes; those around them are left alone, and other sizes not written."""
    lo, ho, frequent = _slices(shape, seed)
    wanted = _packed(shape, seed)
    rows = shape.groups * shape.v
    slices = (
        np.ascontiguousarray(lo.swapaxes(1, 2)).reshape(rows, shape.depth),
        np.ascontiguousarray(ho.swapaxes(2, 3)).reshape(shape.ho_slices, rows, shape.depth),
        frequent.astype(np.int64),
    )
    code = _code(shape)
    tile = empty_tile(shape.ho_slices, shape.groups, shape.tile_k, shape.v)
    for planned_bytes in (len(wanted), len(wanted) + 1):
        image = np.full(len(wanted) + 8, _GUARD, np.uint8)
        packed, found = np.zeros(most_bytes(tile, code[0]), np.uint8), np.zeros((1, 1), np.int64)
        pack_operand(slices, tile, code, np.array([[4]]), np.array([[planned_bytes]]), image, packed, found)
        assert found[0, 0] == len(wanted)
        written = wanted if planned_bytes == len(wanted) else bytes([_GUARD]) * len(wanted)
        assert image.tobytes() == bytes([_GUARD]) * 4 + written + bytes([_GUARD]) * 4


@given(_shapes(), st.integers(0, 1000))
def test_tiles_are_unpacked_alike(shape: TileShape, seed: int) -> None:
    """LO slices, which vectors are stored and their slices are what the numpy decoder finds."""
    data = _packed(shape, seed)
    _compare(_unpacked(data, shape), data, shape)


@given(_shapes(), st.integers(0, 1000), st.data())
def test_what_is_no_tile_is_found_alike(shape: TileShape, seed: int, data: st.DataObject) -> None:
    """A bit that is flipped, or a tile that is cut or goes on: both decoders refuse it, or read the same."""
    tile = bytearray(_packed(shape, seed))
    kind = data.draw(st.sampled_from(["flipped", "cut", "longer", "anything"]))
    if kind == "flipped":
        bit = data.draw(st.integers(0, 8 * len(tile) - 1))
        tile[bit // 8] ^= 1 << bit % 8
    elif kind == "cut":
        tile = tile[: data.draw(st.integers(0, len(tile) - 1))]
    elif kind == "longer":
        tile += data.draw(st.binary(min_size=1, max_size=3))
    else:
        tile = bytearray(data.draw(st.binary(min_size=len(tile), max_size=len(tile))))
    _compare(_unpacked(bytes(tile), shape), bytes(tile), shape)


def _compare(found: SlicedTile | None, data: bytes, shape: TileShape) -> None:
    try:
        wanted = plain_unpack_tile(data, shape, np.zeros(shape.ho_slices, np.uint8))
    except PanaceaError:
        assert found is None
        return
    assert found is not None
    assert np.array_equal(found.lo, wanted.lo)
    assert np.array_equal(found.stored, wanted.stored)
    assert np.array_equal(found.ho[found.stored], wanted.ho[wanted.stored])


@pytest.mark.parametrize("more_bytes", [1, 2])
@pytest.mark.parametrize("may_be_raw", [False, True])
@pytest.mark.parametrize("ho_slices", [0, 1, 2])
def test_empty_bytes_behind_a_tile_do_not_belong_to_it(ho_slices: int, more_bytes: int, *, may_be_raw: bool) -> None:
    """A byte of zeros behind the code is one too many, as it is for the numpy decoder."""
    shape = TileShape(ho_slices, 2, 9, 4, 12, may_be_raw)
    data = _packed(shape, 1)
    assert _unpacked(data, shape) is not None
    assert _unpacked(data + bytes(more_bytes), shape) is None
