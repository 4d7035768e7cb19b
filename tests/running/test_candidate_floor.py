"""The floors by which mappings are left out: never above what the mapping really takes."""

from __future__ import annotations

import pytest
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.hardware.config import load_hardware, with_settings
from panacea_sim.running import mapping_choice
from panacea_sim.running.mapping_choice import _floor_of_plan, _floors, candidates
from panacea_sim.running.prepare import work_of
from panacea_sim.workload.masked_layer import MaskedLayer


@at_most(60)
@given(
    st.tuples(st.integers(1, 400), st.integers(1, 200), st.integers(1, 300)),
    st.sampled_from([0.0, 0.5, 0.97]),
    st.sampled_from([2_048, 16_384, 262_144]),
    st.integers(1, 3),
)
def test_a_floor_is_never_above_the_bound(
    shape: tuple[int, int, int], rho: float, psum_bytes: int, repeat: int
) -> None:
    """Cycles and bytes of every mapping, in any order and height, are at least its floor, planned or not."""
    settings = {"psum_bytes": psum_bytes, "omem_bytes": psum_bytes + 32_768, "n_pea": 8, "spill": "allow"}
    hardware = with_settings(load_hardware("panacea"), settings)
    layer = MaskedLayer("layer", *shape, rho, rho, seed=1, repeat=repeat)
    work = work_of(layer, hardware, values=False)
    found = [each for each in candidates("layer", work, hardware) if each.plan]
    assert found
    floors = _floors(work, hardware, [(each.order, each.height) for each in found])
    for each, floor in zip(found, floors, strict=True):
        assert each.plan is not None
        planned = _floor_of_plan(each.plan, floor, hardware)
        assert floor[0] <= planned[0] <= each.bound_cycles
        assert floor[1] <= planned[1] == each.read_bytes + each.write_bytes


@at_most(30)
@given(
    st.tuples(st.integers(1, 400), st.integers(1, 200), st.integers(1, 300)),
    st.sampled_from([0.0, 0.5, 0.97]),
    st.sampled_from([2_048, 98_304]),
)
def test_what_floors_leave_out_is_never_the_best(shape: tuple[int, int, int], rho: float, wmem_bytes: int) -> None:
    """A large layer gets the first of the mappings with the least bound and, of those, the fewest bytes."""
    hardware = with_settings(load_hardware("panacea"), {"wmem_bytes": wmem_bytes, "tile_k": 16, "n_pea": 4})
    work = work_of(MaskedLayer("layer", *shape, rho, rho, seed=1), hardware, values=False)
    best = min(candidates("layer", work, hardware), key=lambda each: each.rank())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping_choice, "_SMALL_TASKS", 0)
        chosen = mapping_choice.choose_mapping("layer", work, hardware, run_reference)
    assert (chosen.order, chosen.height) == (best.order, best.height)
