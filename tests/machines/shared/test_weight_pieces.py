"""Output tiles as weight: pieces unpack to their codes, their bytes are planned, and readers find their own tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.errors import InvariantError
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.tile_format import TileShape, unpack_tile
from panacea_sim.machines.shared.weight_pieces import (
    FeatureAxis,
    pack_weight_pieces,
    pack_weight_tile,
    unpack_weight_pieces,
    weight_piece_bytes,
)
from panacea_sim.quant.rle import CodecError
from panacea_sim.quant.slicing import slice_weights

AXES: list[FeatureAxis] = ["k", "m"]


@st.composite
def outputs(draw: st.DrawFn) -> tuple[SlicedTiling, np.ndarray, int]:
    """Draw weight codes of one or several products, their tiles, often ragged, and their width."""
    v = draw(st.sampled_from([1, 2, 4]))
    tile_m, tile_n = v * draw(st.integers(1, 4)), v * draw(st.integers(1, 4))
    tile_k = draw(st.integers(1, 9) | st.just(40))
    rows, columns = draw(st.integers(1, 3 * tile_m)), draw(st.integers(1, 3 * tile_n))
    repeat, bits = draw(st.integers(1, 3)), draw(st.sampled_from([4, 7, 10]))
    tiling = SlicedTiling(rows, 1, columns, tile_m, tile_k, tile_n, v, repeat=repeat)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    limit = (1 << (bits - 1)) - 1
    codes = np.rint(generator.standard_t(2, (repeat, rows, columns)) * draw(st.sampled_from([0.1, 3, 60])))
    return tiling, codes.clip(-limit, limit).astype(np.int16), bits


@pytest.mark.parametrize("features_on", AXES)
@given(case=outputs())
def test_pieces_hold_the_codes_and_take_the_planned_bytes(
    features_on: FeatureAxis, case: tuple[SlicedTiling, np.ndarray, int]
) -> None:
    """Every output tile of every product, ragged or not, comes back, and takes what was planned for it."""
    tiling, codes, bits = case
    planned = weight_piece_bytes(tiling, codes if tiling.repeat > 1 else codes[0], features_on, bits)
    lo_bytes = planned.total - planned.ho
    stacked = codes.reshape(-1, tiling.N)
    assert planned.total.shape == (tiling.repeat * tiling.m_tiles, tiling.n_tiles)
    for (m, n), total in np.ndenumerate(planned.total):
        tile = stacked[tiling.rows_of(m), tiling.columns_of(n)]
        pieces = pack_weight_pieces(tile, features_on, bits, tiling.v, tiling.tile_k)
        found = unpack_weight_pieces(pieces, tile.shape, features_on, bits, tiling.v, tiling.tile_k)
        assert np.array_equal(found, tile)
        assert sum(map(len, pieces)) == total
        rows, depth = tile.shape if features_on == "m" else tile.shape[::-1]
        depths = [min(tiling.tile_k, depth - first) for first in range(0, depth, tiling.tile_k)]
        assert lo_bytes[m, n] == sum(-(-(-(-rows // tiling.v) * tiling.v * each) // 2) for each in depths)


def test_vectors_lie_along_the_rows_of_the_weight() -> None:
    """One large code makes v columns of keys stored, and v features of values: never both."""
    tile = np.zeros((8, 8), np.int8)
    tile[5, 2] = 40
    for features_on, shape, at in (("k", (8, 8), (0, 5)), ("m", (8, 8), (1, 2))):
        (piece,) = pack_weight_pieces(tile, features_on, 7, 4, 8)  # type: ignore[arg-type]  # one of two words
        found = unpack_tile(piece, TileShape(1, shape[0] // 4, shape[1], 4, 8), np.zeros(1, np.uint8))
        assert np.argwhere(found.stored[0]).tolist() == [list(at)]


@pytest.mark.parametrize("features_on", AXES)
def test_where_tiles_are_alike_pieces_are_the_readers_weight_tiles(features_on: FeatureAxis) -> None:
    """Where an output tile covers the reader's tile, its piece is the very tile that the reader fetches."""
    generator = np.random.default_rng(8)
    codes = generator.integers(-63, 64, (32, 32)).astype(np.int8)
    weight = codes if features_on == "m" else codes.T
    pieces = pack_weight_pieces(codes, features_on, 7, 4, 16)
    wanted = [pack_weight_tile(slice_weights(weight[:, first : first + 16], 7), 4, 16) for first in (0, 16)]
    assert pieces == wanted


@pytest.mark.parametrize("features_on", AXES)
def test_bytes_that_are_no_pieces(features_on: FeatureAxis) -> None:
    """Pieces that are cut off or too long are refused."""
    codes = np.random.default_rng(8).integers(-63, 64, (8, 12)).astype(np.int8)
    (*before, last) = pack_weight_pieces(codes, features_on, 7, 4, 8)
    with pytest.raises(CodecError):
        unpack_weight_pieces([*before, last[:-1]], (8, 12), features_on, 7, 4, 8)
    with pytest.raises(CodecError):
        unpack_weight_pieces([*before, last + b"\0"], (8, 12), features_on, 7, 4, 8)
    with pytest.raises(InvariantError, match="has no room for"):
        unpack_weight_pieces([*before, b""], (8, 12), features_on, 7, 4, 8)
