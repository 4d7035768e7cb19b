"""Tiling: every row, position and token is in exactly one tile, the last of which may be ragged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.mapping.tiling import Tiling


def test_ragged_edges_by_hand() -> None:
    """A 10 x 7 x 9 product in tiles of 8 x 3 x 4, vectors of 4."""
    tiling = SlicedTiling(10, 7, 9, v=4, tile_m=8, tile_k=3, tile_n=4)
    assert (tiling.m_tiles, tiling.k_tiles, tiling.n_tiles) == (2, 3, 3)
    assert tiling.rows.tolist() == [8, 2]
    assert tiling.depths.tolist() == [3, 3, 1]
    assert tiling.columns.tolist() == [4, 4, 1]
    assert tiling.row_groups.tolist() == [2, 1]
    assert tiling.column_groups.tolist() == [1, 1, 1]
    assert tiling.most_row_groups == 2


def test_of_takes_the_tile_of_the_hardware() -> None:
    """The default machine cuts tiles of 64 x 32 x 64."""
    tiling = Tiling.of(load_hardware("panacea"), (1536, 384, 128))
    assert (tiling.tile_m, tiling.tile_k, tiling.tile_n) == (64, 32, 64)
    assert (tiling.m_tiles, tiling.k_tiles, tiling.n_tiles) == (24, 12, 2)


@given(
    shape=st.tuples(st.integers(1, 200), st.integers(1, 200), st.integers(1, 200)),
    v=st.sampled_from([1, 2, 4, 8]),
    n_pea=st.integers(1, 16),
    tile_k=st.integers(1, 64),
    groups=st.integers(1, 8),
)
def test_tiles_cover_the_operands_once(
    shape: tuple[int, int, int], v: int, n_pea: int, tile_k: int, groups: int
) -> None:
    """Lengths add up to the shape, none is empty or too long, and only the last one is short."""
    tiling = SlicedTiling(*shape, n_pea * v, tile_k, groups * v, v)
    axes = (
        (tiling.rows, shape[0], n_pea * v),
        (tiling.depths, shape[1], tile_k),
        (tiling.columns, shape[2], groups * v),
    )
    for lengths, size, tile in axes:
        assert lengths.sum() == size
        assert (lengths[:-1] == tile).all()
        assert 1 <= lengths[-1] <= tile
    assert len(tiling.rows) == tiling.m_tiles
    assert (tiling.row_groups * v >= tiling.rows).all()
    assert ((tiling.row_groups - 1) * v < tiling.rows).all()
    assert (tiling.row_groups <= tiling.most_row_groups).all()
    assert tiling.column_groups.sum() == -(-shape[2] // v)
