"""The compiled path of outputs that are read as weight against the numpy one: the same codes and the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from panacea_sim.engines.compiled.compilation import entry
from panacea_sim.machines.shared.compiled.tile_code import ByteArray, Tile, empty_tile, most_bytes
from panacea_sim.machines.shared.compiled.weight_path import WeightPath, encode_weight, requantize_weight
from panacea_sim.machines.shared.weight_pieces import FeatureAxis, pack_weight_pieces
from panacea_sim.quant.requantizer import WeightRequantizer
from panacea_sim.quant.rle import MAX_SKIP, count_bits
from panacea_sim.quant.slicing import weight_ho_factors
from panacea_sim.units import IntArray

_GUARD = 0xA5


@entry
def _written(  # noqa: PLR0913, PLR0917  # compiled: each array is an argument
    sums: IntArray,
    codes: IntArray,
    path: WeightPath,
    piece: Tile,
    packed: ByteArray,
    code: tuple[int, int],
    image: ByteArray,
    planned_bytes: int,
) -> int:
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            codes[row, column] = requantize_weight(sums[row, column], row, path)
    return encode_weight(codes, path, codes.shape[0], codes.shape[1], piece, packed, code, image, 3, planned_bytes)


@st.composite
def tiles(draw: st.DrawFn) -> tuple[WeightRequantizer, IntArray, int, int, int]:
    """Draw a requantizer, accumulators of a tile, the width of the weight, v and T_K."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, columns, bits = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.sampled_from([4, 7, 10]))
    limit = (1 << (bits - 1)) - 1
    requantizer = WeightRequantizer(
        generator.integers(1 << 30, 1 << 31, rows),
        generator.integers(draw(st.integers(1, 40)), 41, rows),
        generator.integers(-(1 << 10), 1 << 10, rows),
        -draw(st.integers(0, limit)),
        draw(st.integers(0, limit)),
    )
    sums = np.rint(generator.standard_t(1, (rows, columns)) * (1 << draw(st.integers(2, 18)))).astype(np.int64)
    sums = sums.clip(-(1 << 31), (1 << 31) - 1)
    return requantizer, sums, bits, draw(st.sampled_from([1, 2, 4])), draw(st.integers(1, 10))


@pytest.mark.parametrize("features_on", ["k", "m"])
@given(case=tiles(), missing_bytes=st.sampled_from([0, 0, 1, 5]))
def test_codes_and_bytes_are_those_of_numpy(
    features_on: FeatureAxis, case: tuple[WeightRequantizer, IntArray, int, int, int], missing_bytes: int
) -> None:
    """Any accumulators: codes, pieces, and nothing written beyond what was planned."""
    requantizer, sums, bits, v, tile_k = case
    slices, (rows, columns) = len(weight_ho_factors(bits)), sums.shape
    wanted_codes = requantizer.apply(sums)
    wanted = b"".join(pack_weight_pieces(wanted_codes, features_on, bits, v, tile_k))
    path = WeightPath(
        requantizer.multiplier,
        requantizer.shift,
        requantizer.offset,
        np.zeros(slices, np.int64),
        requantizer.lowest,
        requantizer.highest,
        features_on == "k",
    )
    piece = empty_tile(slices, -(-max(rows, columns) // v), tile_k, v)
    packed = np.zeros(most_bytes(piece, count_bits(tile_k)), np.uint8)
    image, codes = np.full(len(wanted) + 6, _GUARD, np.uint8), np.zeros(sums.shape, np.int64)
    planned_bytes = max(0, len(wanted) - missing_bytes)
    code = (count_bits(tile_k), MAX_SKIP)
    assert _written(sums, codes, path, piece, packed, code, image, planned_bytes) == len(wanted)
    assert np.array_equal(codes, wanted_codes)
    assert image[3 : 3 + planned_bytes].tobytes() == wanted[:planned_bytes]
    assert (np.delete(image, slice(3, 3 + planned_bytes)) == _GUARD).all()
