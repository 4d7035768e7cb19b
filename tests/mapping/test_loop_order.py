"""Loop orders: the tasks are three nested loops, and visits are runs of them on one output tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from naive_mapping import fits_at_once, loop_nest, visits
from strategies import Mapping, mappings

from panacea_sim.hardware.config import with_settings
from panacea_sim.mapping.graph import issue_order, tile_group_graph
from panacea_sim.mapping.order import LOOP_ORDERS, task_sequence
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.mapping.tiling import Tiling


def _plan(mapping: Mapping) -> LayerPlan:
    return plan_layer("layer", mapping.work, mapping.hardware, mapping.order, mapping.height)


def _visited(plan: LayerPlan) -> list[tuple[int, int]]:
    return list(zip(plan.visits.m.tolist(), plan.visits.n.tolist(), strict=True))


def test_the_six_orders() -> None:
    """There are six orders of three loops."""
    assert sorted(LOOP_ORDERS) == ["kmn", "knm", "mkn", "mnk", "nkm", "nmk"]


@given(mappings())
def test_the_tasks_are_the_nested_loops(mapping: Mapping) -> None:
    """In each order the tasks are those of three nested loops over stacks, n tiles and k tiles."""
    tasks, tiling = _plan(mapping).tasks, mapping.work.tiling
    trips = {"m": tiling.stacks(mapping.height), "n": tiling.n_tiles, "k": tiling.k_tiles}
    found = zip(tasks.stack.tolist(), tasks.n.tolist(), tasks.k.tolist(), strict=True)
    assert list(found) == [(task["m"], task["n"], task["k"]) for task in loop_nest(mapping.order, trips)]


@given(mappings())
def test_visits_are_runs_on_one_output_tile(mapping: Mapping) -> None:
    """A visit ends where the next task is on another output tile; both tiles of a stack are visited, lower m first."""
    plan, tiling = _plan(mapping), mapping.work.tiling
    trips = {"m": tiling.stacks(mapping.height), "n": tiling.n_tiles, "k": tiling.k_tiles}
    wanted = visits(loop_nest(mapping.order, trips), tiling.m_tiles, mapping.height)
    assert _visited(plan) == wanted
    assert plan.tasks.stack[plan.visits.last_task == 1].tolist() == [
        m // mapping.height for m, _ in wanted if m % mapping.height == 0
    ]


@given(mappings())
def test_every_task_can_be_a_visit(mapping: Mapping) -> None:
    """Where sums leave after every task, each task visits its output tile, and one visit of a tile is the last."""
    work, tiling = replace(mapping.work, task_visits=True), mapping.work.tiling
    # A region of partial sums that holds all of them: those that may not spill must fit.
    hardware = with_settings(mapping.hardware, {"psum_bytes": 1 << 20, "omem_bytes": 1 << 21})
    plan = plan_layer("layer", work, hardware, mapping.order, 1)
    trips = {"m": tiling.m_tiles, "n": tiling.n_tiles, "k": tiling.k_tiles}
    assert _visited(plan) == [(task["m"], task["n"]) for task in loop_nest(mapping.order, trips)]
    assert plan.visits.last_task.all()
    assert (plan.visits.first.sum(), plan.visits.last.sum()) == (work.outputs.size, work.outputs.size)


@given(mappings())
def test_first_last_and_before_of_each_visit(mapping: Mapping) -> None:
    """Each visit knows whether it is its tile's first or last one, and which was the one before."""
    plan = _plan(mapping)
    visited = _visited(plan)
    for at, tile in enumerate(visited):
        earlier = [other for other in range(at) if visited[other] == tile]
        assert plan.visits.first[at] == (not earlier)
        assert plan.visits.last[at] == (tile not in visited[at + 1 :])
        assert plan.visits.before[at] == (earlier[-1] if earlier else -1)


@given(mappings())
def test_every_output_tile_is_finished_once(mapping: Mapping) -> None:
    """Each output tile is in the list of finished tiles exactly once, in the order of its last visit."""
    plan, tiling = _plan(mapping), mapping.work.tiling
    finished = list(zip(plan.output_m.tolist(), plan.output_n.tolist(), strict=True))
    assert sorted(finished) == [(m, n) for m in range(tiling.m_tiles) for n in range(tiling.n_tiles)]
    assert plan.output_count == len(finished)
    visited = _visited(plan)
    assert finished == [tile for at, tile in enumerate(visited) if tile not in visited[at + 1 :]]


@given(mappings())
def test_k_innermost_needs_no_partial_sums(mapping: Mapping) -> None:
    """With k innermost each tile is visited once and `s_dma` has nothing to do; in all orders, never without need."""
    plan = _plan(mapping)
    visited = _visited(plan)
    several = len(set(visited)) < len(visited)
    assert bool(plan.partial_sums.firings) == several
    assert not (several and mapping.order.endswith("k"))


@given(mappings())
def test_partial_sums_spill_only_where_they_do_not_fit(mapping: Mapping) -> None:
    """A plan spills exactly where the tiles that are visited again do not fit PSUM at once."""
    plan = _plan(mapping)
    tile_bytes = 4 * mapping.work.outputs
    fit = fits_at_once(_visited(plan), lambda m, n: int(tile_bytes[m, n]), mapping.hardware.psum_bytes)
    assert plan.partial_sums.spills != fit


@given(mappings())
def test_the_region_of_partial_sums_is_never_overfull(mapping: Mapping) -> None:
    """Replayed in order, fetches and returns never hold more than PSUM, and give back all that they took."""
    sums = _plan(mapping).partial_sums
    held = 0
    for is_return, held_bytes in zip(sums.is_return.tolist(), sums.held_bytes.tolist(), strict=True):
        held += -held_bytes if is_return else held_bytes
        assert 0 <= held <= mapping.hardware.psum_bytes
    assert held == 0


@given(mappings())
def test_partial_sums_are_there_at_each_visit(mapping: Mapping) -> None:
    """A visit finds its tile fetched and not yet returned; what comes back does so after the fetches of all before."""
    plan = _plan(mapping)
    sums, visited = plan.partial_sums, _visited(plan)
    fetches = [(at, visited[visit]) for at, visit in enumerate(sums.visit.tolist()) if not sums.is_return[at]]
    returns = {visit: at for at, visit in enumerate(sums.visit.tolist()) if sums.is_return[at]}
    for visit, fetch in enumerate(sums.fetch_of.tolist()):
        if fetch < 0:
            assert visited.count(visited[visit]) == 1
            continue
        assert (fetch, visited[visit]) in fetches
        latest = max(at for at, tile in fetches if tile == visited[visit] and at <= fetch)
        assert latest == fetch
        assert bool(sums.returned[visit]) == (visit in returns)
        if visit in returns:
            assert max(sums.fetch_of[: visit + 1].tolist()) < returns[visit]


@given(mappings())
def test_a_partial_sum_is_read_after_it_was_written(mapping: Mapping) -> None:
    """Every read comes behind the write of the tile's visit before, and waits for it; only spilled tiles move."""
    plan = _plan(mapping)
    sums = plan.partial_sums
    written: dict[int, int] = {}
    for at, visit in enumerate(sums.visit.tolist()):
        before, moves = int(plan.visits.before[visit]), sums.moved_bytes[at] > 0
        if sums.is_return[at]:
            assert moves == (sums.spills and not plan.visits.last[visit])
            written[visit] = at
        else:
            assert moves == (sums.spills and before >= 0)
            assert sums.after[at] == (written[before] + 1 if moves else 0)
        assert sums.moved_bytes[at] in {0, sums.held_bytes[at]}


@pytest.mark.parametrize(
    ("order", "weight_set", "activation_set"),
    [
        ("mnk", [0, 0, 0, 0, 1, 1, 1, 1], [0] * 8),
        ("kmn", [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0, 1, 1, 1, 1]),
        ("nmk", [0] * 8, [0, 0, 0, 0, 1, 1, 1, 1]),
    ],
)
def test_reuse_sets_by_hand(order: str, weight_set: list[int], activation_set: list[int]) -> None:
    """Of 2 x 2 x 2 tasks, a set is an iteration of the loops outside the one that does not index the operand."""
    tiling = Tiling(2, 2, 2, tile_m=1, tile_k=1, tile_n=1)
    tasks = task_sequence(order, *issue_order(tile_group_graph("layer", tiling, order, 1)), tiling, 1)
    everywhere = np.arange(len(tasks.k))
    assert tasks.reuse_set("n", everywhere).tolist() == weight_set
    assert tasks.reuse_set("m", everywhere).tolist() == activation_set
