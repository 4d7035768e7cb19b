"""Work in small integer types: nothing overflows, and what is exact stays exact."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panacea_works import given_steps, layer_work

from panacea_sim.hardware.config import load_hardware, with_settings
from panacea_sim.machines.panacea.pea import pea_work
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.units import signed_type

PANACEA = load_hardware("panacea")


@pytest.mark.parametrize(
    ("largest", "kind"),
    [(0, np.int16), (2**15 - 1, np.int16), (2**15, np.int32), (2**31 - 1, np.int32), (2**31, np.int64)],
)
def test_the_smallest_type_that_holds_a_number(largest: int, kind: type[np.signedinteger]) -> None:
    """A type is taken up to its very last number."""
    assert signed_type(largest) is kind


@pytest.mark.parametrize("depth", [1, 31, 32, 1023, 1024, 4096, 5000])
def test_the_fullest_tile_reaches_the_bound(depth: int) -> None:
    """With nothing skipped the steps are those of the closed form, on both sides of each change of types."""
    slices, groups = 2, 512
    tiling = SlicedTiling(1, depth, groups, v=1, tile_m=2, tile_k=depth, tile_n=groups)
    masks = SkipMasks(np.zeros((slices, 1, depth), np.bool_), np.zeros((slices, groups, depth), np.bool_))
    work = layer_work(tiling, masks)
    # Two weight slices meet two HO slices and the LO slice; the compensation adds the HO slices once more.
    assert work.dwo.ravel().tolist() == [depth * groups * (slices * (slices + 1) + slices), 0]
    assert work.swo.ravel().tolist() == [depth * groups, 0]
    assert work.cs.ravel().tolist() == [depth * groups * slices, 0]
    assert (work.stored_w.vectors, work.stored_x.vectors) == (depth * slices, depth * groups * slices)


@pytest.mark.parametrize("depth", [1100, 4095, 4096, 5001])
def test_large_sums_are_exact(depth: int) -> None:
    """Tiles whose sums come near or go past what float32 holds exactly equal the product in whole numbers."""
    generator = np.random.default_rng(depth)
    weight = generator.random((2, 3, depth)) < 0.1
    activation = generator.random((2, 512, depth)) < 0.1
    tiling = SlicedTiling(3, depth, 512, v=1, tile_m=3, tile_k=depth, tile_n=512)
    # Runs of 16 skipped vectors hardly occur at these densities; fillers are left to their own tests.
    w_counts, x_counts = ((~mask).sum(0, dtype=np.int64) for mask in (weight, activation))
    per_position = x_counts.sum(0)
    wanted = (w_counts * (per_position + 512)).sum(1) + per_position.sum()
    assert layer_work(tiling, SkipMasks(weight, activation)).dwo.ravel().tolist() == wanted.tolist()


@given(
    tiles=st.lists(st.tuples(*[st.integers(0, 2**31 - 1) | st.integers(0, 2**15 - 1)] * 3), min_size=1, max_size=5),
    operators=st.tuples(*[st.integers(1, 9) | st.integers(2**14, 2**16)] * 3),
    height=st.sampled_from([1, 2]),
)
def test_pea_work_of_the_largest_tiles(
    tiles: list[tuple[int, int, int]], operators: tuple[int, int, int], height: int
) -> None:
    """The same formulas in Python's integers give the same, whatever type the steps come in."""
    kind = signed_type(max(max(steps) for steps in tiles))
    dwo, swo, cs = np.array(tiles, kind).T[:, :, None, None, None]
    none = np.zeros((0, 1, 1), np.bool_)
    tiling = SlicedTiling(len(tiles), 1, 1, v=1, tile_m=1, tile_k=1, tile_n=1)
    work = given_steps(tiling, SkipMasks(none, none), (dwo, swo, cs))
    hardware = with_settings(PANACEA, dict(zip(("n_dwo", "n_swo", "n_cs"), operators, strict=True)))
    found = pea_work(work, hardware, height)
    wanted = [_shares(tiles[first : first + height], *operators) for first in range(0, len(tiles), height)]
    arrays = (found.dwo, found.swo, found.cs, found.cycles)
    assert list(zip(*(array.ravel().tolist() for array in arrays), strict=True)) == wanted


def _shares(stack: list[tuple[int, int, int]], n_dwo: int, n_swo: int, n_cs: int) -> tuple[int, int, int, int]:
    dynamic, static, compensation = (sum(steps) for steps in zip(*stack, strict=True))
    cycles = max(-(-dynamic // n_dwo), -(-compensation // n_cs), -(-stack[0][1] // n_swo))
    if len(stack) > 1:
        cycles = max(cycles, -(-(dynamic + static) // (n_dwo + n_swo)))
    taken_over = max(static - cycles * n_swo, 0)
    return dynamic + taken_over, static - taken_over, compensation, cycles


def test_the_work_of_a_layer_is_computed_once() -> None:
    """Whoever asks again for the same operators and height gets the same arrays; others do not."""
    masks = SkipMasks(np.zeros((1, 1, 2), np.bool_), np.zeros((1, 1, 2), np.bool_))
    work = layer_work(SlicedTiling(2, 2, 2, v=2, tile_m=2, tile_k=2, tile_n=2), masks)
    known = pea_work(work, PANACEA, 1)
    assert pea_work(work, with_settings(PANACEA, {"queue_depth": 7}), 1) is known
    other = pea_work(work, with_settings(PANACEA, {"n_dwo": 1}), 1)
    assert other.cycles.item() == ceil(known.dwo.item() / 1)
    assert pea_work(work, PANACEA, 2) is not known
