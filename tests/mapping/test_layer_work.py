"""The work of a layer, worked out by hand; larger cases are in tests/machine/test_pea_work.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from panacea_works import layer_work
from strategies import scenarios

from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario


def test_work_and_bytes_of_one_tile_by_hand() -> None:
    """One tile with 2 x 3 vectors: D, S, C and the bytes of both operands."""
    # Two row groups, K = 3, two column groups; vectors of 2 slices.
    weight = np.array([[[False, True, True], [True, True, False]]])
    activation = np.array([[[False, False, True], [True, False, True]]])
    tiling = SlicedTiling(4, 3, 4, v=2, tile_m=4, tile_k=3, tile_n=4)
    work = layer_work(tiling, SkipMasks(weight, activation))
    # Stored activation vectors at k = 0, 1, 2: 1, 2, 0. PEA 0 has weights at k = 0: 1*1 + 2*1 + (1 + 2 + 0) = 6;
    # PEA 1 has one at k = 2, where no activation is stored: 0 + 2*1 + 3 = 5.
    assert work.dwo[0, :, 0, 0].tolist() == [6, 5]
    assert work.swo[0, :, 0, 0].tolist() == [6, 6]
    assert work.cs[0, :, 0, 0].tolist() == [3, 3]
    # An entry has 4 + 2*4 bits, a count of entries (0 .. 3) 2 bits: 2*12 + 2*2 and 3*12 + 2*2 bits.
    assert (work.weight.ho[0, 0], work.activation.ho[0, 0]) == (4, 5)
    # LO slices: 2 groups x 3 positions x 2 slices of 4 bits.
    assert (work.weight.lo[0, 0], work.activation.lo[0, 0]) == (6, 6)
    assert (work.stored_w.vectors, work.stored_x.vectors) == (2, 3)
    assert (work.stored_w.rho, work.stored_x.rho) == (4 / 6, 0.5)
    assert work.outputs.tolist() == [[16]]


def test_a_pea_without_rows_has_no_work() -> None:
    """A tile with rows for one of three PEAs gives the other two nothing to do."""
    masks = SkipMasks(np.zeros((1, 1, 2), np.bool_), np.zeros((1, 1, 2), np.bool_))
    work = layer_work(SlicedTiling(2, 2, 2, v=2, tile_m=6, tile_k=2, tile_n=2), masks)
    for counts in (work.dwo, work.swo, work.cs):
        assert counts[0, 0, 0, 0] > 0
        assert counts[0, 1:, 0, 0].tolist() == [0, 0]


@given(scenarios())
def test_fillers_only_add(scenario: Scenario) -> None:
    """With fillers at least as many vectors are stored as rho leaves, and never more than there are."""
    (layer,) = prepare(replace(scenario, values=False)).program.layers
    work = layer.plan.work
    tiling = work.tiling
    assert isinstance(tiling, SlicedTiling)
    for stored, groups in ((work.stored_w, -(-tiling.M // tiling.v)), (work.stored_x, -(-tiling.N // tiling.v))):
        if stored.rho is None:
            assert stored.vectors == 0
        else:
            vectors = groups * tiling.K  # of one slice; there are at most two
            assert stored.vectors >= round((1 - stored.rho) * vectors)
            assert stored.vectors <= 2 * vectors
