"""The plan of a layer: every task once, in the order of the graph, with tiles fetched before and freed after use."""

from __future__ import annotations

import re
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from strategies import scenarios

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.mapping.graph import annotate_groups, issue_order, tile_group_graph
from panacea_sim.mapping.loads import plan_loads
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.running.prepare import prepare, work_of
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer


def _planned(scenario: Scenario) -> PlannedLayer:
    (layer,) = prepare(replace(scenario, values=False)).program.layers
    return layer


def _plan(**settings: object) -> LayerPlan:
    return _ordered_plan("mnk", 1, **settings)


def _ordered_plan(order: str, height: int, **settings: object) -> LayerPlan:
    layer = synthetic_layer(16, 24, 24, rho_w=0.3, rho_x=0.5, seed=1)
    hardware = load_hardware("panacea", {"n_pea": 2, "tile_k": 8, "tile_n": 8, **settings})
    return plan_layer("layer", work_of(layer, hardware, values=False), hardware, order, height)


@at_most(200)
@given(scenarios())
def test_every_task_finds_its_tiles(scenario: Scenario) -> None:
    """The fetch that a task needs brings the tile of its coordinates."""
    plan = _planned(scenario).plan
    k_tiles = plan.work.tiling.k_tiles
    assert (plan.weight_loads.tile[plan.weight_loads.need] == plan.tasks.stack * k_tiles + plan.tasks.k).all()
    assert (plan.activation_loads.tile[plan.activation_loads.need] == plan.tasks.n * k_tiles + plan.tasks.k).all()


@at_most(200)
@given(scenarios())
def test_fetches_come_in_the_order_of_use(scenario: Scenario) -> None:
    """Each fetch is needed, and a fetch is first needed after those before it."""
    plan = _planned(scenario).plan
    for loads in (plan.weight_loads, plan.activation_loads):
        first_use = [int(np.argmax(loads.need == fetch)) for fetch in range(len(loads.tile))]
        assert set(loads.need.tolist()) == set(range(len(loads.tile)))
        assert first_use == sorted(first_use)


@at_most(200)
@given(scenarios())
def test_bytes_of_a_tile_are_freed_after_its_last_use(scenario: Scenario) -> None:
    """All bytes are freed in the end, in the order of the fetches, and each as soon as no later task needs them."""
    plan = _planned(scenario).plan
    for loads in (plan.weight_loads, plan.activation_loads):
        assert loads.release_bytes.sum() == loads.size_bytes.sum()
        fetched = np.cumsum(loads.size_bytes)
        freed = np.cumsum(loads.release_bytes)
        # The oldest tile that a later task needs bounds what is free: space is given back in ring order, as soon as
        # all before that tile have had their last use.
        for task in range(plan.task_count - 1):
            oldest = int(loads.need[task + 1 :].min())
            assert freed[task] == fetched[oldest] - loads.size_bytes[oldest]


def test_space_comes_back_in_the_order_of_the_fetches() -> None:
    """A tile that is done with before an older one is freed only together with that."""
    tile_bytes, no_sets = np.array([10, 20, 40]), np.zeros_like
    loads = plan_loads("WMEM", 100, tile_bytes, np.array([0, 1, 2, 0, 2]), no_sets, must_stay=True)
    # The last uses are tasks 3, 1 and 4.
    assert loads.release_bytes.tolist() == [0, 0, 0, 10 + 20, 40]


@pytest.mark.parametrize(("psum_bytes", "ahead"), [(2 * 256 - 1, False), (2 * 256, True)])
def test_a_fetch_goes_ahead_where_psum_holds_two_tiles(psum_bytes: int, ahead: bool) -> None:  # noqa: FBT001  # of a table
    """The partial sum of a visit is fetched before that of the visit before it goes back, if both fit at once."""
    sums = _ordered_plan("kmn", 1, psum_bytes=psum_bytes).partial_sums
    assert sums.spills
    place = {
        (int(visit), int(kind)): at for at, (visit, kind) in enumerate(zip(sums.visit, sums.is_return, strict=True))
    }
    visits = len(sums.visit) // 2
    assert all((place[visit, 0] < place[visit - 1, 1]) == ahead for visit in range(1, visits))


def test_resident_panels_are_fetched_once() -> None:
    """Where a panel of weights and the whole activation fit, each tile is fetched once."""
    plan = _plan()
    assert plan.weight_loads.resident
    assert plan.activation_loads.resident
    assert plan.weight_loads.tile.tolist() == [0, 1, 2, 3, 4, 5]
    assert plan.activation_loads.tile.tolist() == list(range(9))


def test_operands_that_do_not_fit_are_fetched_for_every_task() -> None:
    """One byte less than the largest reuse set, and each task fetches its tile anew."""
    roomy = _plan()
    panel_bytes = roomy.weight_loads.size_bytes.reshape(2, 3).sum(1).max()
    all_bytes = roomy.activation_loads.size_bytes.sum()
    exact = _plan(wmem_bytes=int(panel_bytes), amem_bytes=int(all_bytes))
    assert (exact.weight_loads.resident, exact.activation_loads.resident) == (True, True)
    tight = _plan(wmem_bytes=int(panel_bytes) - 1, amem_bytes=int(all_bytes) - 1)
    assert (tight.weight_loads.resident, tight.activation_loads.resident) == (False, False)
    assert tight.weight_loads.tile.tolist() == [0, 1, 2] * 3 + [3, 4, 5] * 3
    assert tight.activation_loads.tile.tolist() == list(range(9)) * 2
    assert (tight.weight_loads.release_bytes == tight.weight_loads.size_bytes).all()


@pytest.mark.parametrize(
    ("memory", "purpose", "operand", "knob"),
    [
        ("wmem_bytes", "", "a tile", "tile_k"),
        ("amem_bytes", "", "a tile", "tile_k"),
        ("omem_bytes", " for finished tiles", "an output tile", "tile_n"),
    ],
)
def test_a_tile_that_does_not_fit_says_what_is_missing(memory: str, purpose: str, operand: str, knob: str) -> None:
    """Each memory, one byte smaller than its largest tile, is refused with the bytes needed and missing and a knob."""
    plan = _plan()
    needed = {
        "wmem_bytes": int(plan.work.weight.total.max()),
        "amem_bytes": int(plan.work.activation.total.max()),
        "omem_bytes": 4 * int(plan.work.outputs.max()),
    }[memory]
    name = memory.removesuffix("_bytes").upper()
    message = (
        rf"{name} holds {needed - 1} bytes{purpose}, but {operand} needs {needed}: 1 bytes are missing\. "
        rf"Raise hardware\.{memory}{f' to {needed}, or' if memory == 'omem_bytes' else ' or'} lower hardware\.{knob}"
    )
    with pytest.raises(MappingError, match=message):
        _plan(**{memory: needed - 1})
    assert _plan(**{memory: needed}).task_count == plan.task_count


def test_a_stack_needs_room_for_both_tiles() -> None:
    """With double-tile processing WMEM must hold two weight tiles together."""
    needed = int(_plan().work.weight.total.sum(0).max())
    assert _ordered_plan("mnk", 2, wmem_bytes=needed).weight_loads.size_bytes.max() == needed
    with pytest.raises(MappingError, match=rf"WMEM holds {needed - 1} bytes, but a tile needs {needed}: 1 bytes are"):
        _ordered_plan("mnk", 2, wmem_bytes=needed - 1)


@pytest.mark.parametrize(("memory", "order", "operand"), [("wmem", "nmk", "weight"), ("amem", "mnk", "activation")])
def test_a_panel_that_must_stay_says_what_is_missing(memory: str, order: str, operand: str) -> None:
    """With residency=resident a reuse set one byte too large is refused with what it needs and three ways out."""
    loads = getattr(_ordered_plan(order, 1), f"{operand}_loads")
    needed = int(loads.size_bytes.sum())
    message = (
        rf"{memory.upper()} holds {needed - 1} bytes, but the tiles that must stay need {needed}: 1 bytes are "
        rf"missing\. Raise hardware\.{memory}_bytes, choose another hardware\.loop_order, or set "
        r"hardware\.residency=auto"
    )
    with pytest.raises(MappingError, match=message):
        _ordered_plan(order, 1, residency="resident", **{f"{memory}_bytes": needed - 1})
    exact = _ordered_plan(order, 1, residency="resident", **{f"{memory}_bytes": needed})
    assert getattr(exact, f"{operand}_loads").resident


def test_partial_sums_that_may_not_spill_say_what_is_missing() -> None:
    """With spill=refuse, partial sums one byte too large for PSUM are refused with what they need and the ways out."""
    needed = 4 * 8 * 24  # in mkn the three output tiles of one m, 8 x 8 each, are open at once
    message = (
        rf"PSUM holds {needed - 1} bytes, but the partial sums of this loop order need {needed} at once: 1 bytes are "
        r"missing\. Raise hardware\.psum_bytes, put k innermost in hardware\.loop_order, or set hardware\.spill=allow"
    )
    with pytest.raises(MappingError, match=message):
        _ordered_plan("mkn", 1, spill="refuse", psum_bytes=needed - 1)
    assert not _ordered_plan("mkn", 1, spill="refuse", psum_bytes=needed).partial_sums.spills
    assert _ordered_plan("mkn", 1, psum_bytes=needed - 1).partial_sums.spills


def test_partial_sums_of_one_tile_must_fit() -> None:
    """A PSUM one byte smaller than an output tile is refused although spilling is allowed, which would not help."""
    message = (
        r"PSUM holds 255 bytes, but the partial sums of this loop order need 256 at once: 1 bytes are missing\. "
        r"Raise hardware\.psum_bytes, put k innermost in hardware\.loop_order$"
    )
    with pytest.raises(MappingError, match=message):
        _ordered_plan("kmn", 1, psum_bytes=255)
    assert _ordered_plan("kmn", 1, psum_bytes=256).partial_sums.spills


def test_partial_sums_leave_less_for_finished_tiles() -> None:
    """PSUM is taken out of OMEM where a loop order needs it, and only there."""
    tight = {"omem_bytes": 511, "psum_bytes": 256}
    assert _plan(**tight).output_count == 6
    with pytest.raises(MappingError, match="OMEM holds 255 bytes for finished tiles, but an output tile needs 256"):
        _ordered_plan("kmn", 1, **tight)
    assert _ordered_plan("kmn", 1, omem_bytes=512, psum_bytes=256).output_count == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"omem_bytes": 100, "psum_bytes": 7332},
            "holds 0 bytes .* 256: 7488 bytes are missing, as partial .*7332 of 100\\. Raise .*omem_bytes to 7588$",
        ),
        (
            {"omem_bytes": 256, "psum_bytes": 256},
            "holds 0 bytes .* 256: 256 bytes .*= 256 of 256\\. .* to 512, or put k innermost",
        ),
        (
            {"omem_bytes": 500, "psum_bytes": 300},
            "holds 200 bytes .* 256: 56 bytes .* to 556, or put k innermost .*, or lower",
        ),
        ({"omem_bytes": 255, "psum_bytes": 256}, "holds 0 bytes .* 256: 257 bytes .* to 512$"),
    ],
)
def test_advice_about_omem_works(settings: dict[str, int], message: str) -> None:
    """No figure is negative, and the figure and the loop order that the message names make the layer fit."""
    with pytest.raises(MappingError, match=f"^OMEM {message}") as refused:
        _ordered_plan("kmn", 1, **settings)
    named = re.search(r"omem_bytes to (\d+)", str(refused.value))
    assert named is not None
    enough = int(named[1])
    assert _ordered_plan("kmn", 1, **settings | {"omem_bytes": enough}).output_count == 6
    with pytest.raises(MappingError, match="1 bytes are missing"):
        _ordered_plan("kmn", 1, **settings | {"omem_bytes": enough - 1})
    if "k innermost" in str(refused.value):
        assert _ordered_plan("mnk", 1, **settings).output_count == 6


def test_the_graph_is_the_schedule() -> None:
    """Groups are nodes with their tiles and outputs; edges say what successive groups share; it is a path."""
    tiling = Tiling(10, 7, 9, tile_m=8, tile_k=3, tile_n=4)
    graph = tile_group_graph("ffn", tiling, "mnk", 1)
    assert list(nx.topological_sort(graph)) == [("ffn", m, n) for m in range(2) for n in range(3)]
    assert graph.nodes["ffn", 0, 2] == {"tiles": 3, "outputs": 8}
    assert graph.nodes["ffn", 1, 2] == {"tiles": 3, "outputs": 2}
    assert graph.edges[("ffn", 0, 0), ("ffn", 0, 1)]["reuse"] == "weight"
    assert graph.edges[("ffn", 0, 2), ("ffn", 1, 0)]["reuse"] is None
    assert sum(graph.nodes[group]["outputs"] for group in graph) == 10 * 9


@pytest.mark.parametrize("order", ["nmk", "nkm", "knm"])
def test_the_graph_follows_the_loops(order: str) -> None:
    """Where the loop over n is outside that over m, all m of an n come first and share its activations."""
    graph = tile_group_graph("ffn", Tiling(10, 7, 9, tile_m=8, tile_k=3, tile_n=4), order, 1)
    assert list(nx.topological_sort(graph)) == [("ffn", m, n) for n in range(3) for m in range(2)]
    assert graph.edges[("ffn", 0, 0), ("ffn", 1, 0)]["reuse"] == "activation"
    assert graph.edges[("ffn", 1, 0), ("ffn", 0, 1)]["reuse"] is None


def test_a_node_stands_for_a_stack() -> None:
    """With double-tile processing two m tiles are one node with the outputs of both; the last stack may have one."""
    graph = tile_group_graph("ffn", Tiling(20, 7, 4, tile_m=8, tile_k=3, tile_n=4), "mnk", 2)
    assert {group: graph.nodes[group]["outputs"] for group in graph} == {("ffn", 0, 0): 64, ("ffn", 1, 0): 16}


def test_the_issue_order_is_the_topological_order() -> None:
    """Another edge in the graph gives another order: the graph decides, not the loops."""
    graph = tile_group_graph("ffn", Tiling(8, 4, 12, tile_m=8, tile_k=4, tile_n=4), "mnk", 1)
    assert [axis.tolist() for axis in issue_order(graph)] == [[0, 0, 0], [0, 1, 2]]
    graph.remove_edges_from(list(graph.edges))
    graph.add_edge(("ffn", 0, 2), ("ffn", 0, 0))
    assert [axis.tolist() for axis in issue_order(graph)] == [[0, 0, 0], [1, 2, 0]]


def test_nodes_are_annotated_in_issue_order() -> None:
    """Times and stalls go to the groups in the order in which the machine works on them."""
    graph = tile_group_graph("ffn", Tiling(8, 4, 8, tile_m=8, tile_k=4, tile_n=4), "mnk", 1)
    annotate_groups(graph, np.array([5, 9]), np.array([20, 30]), np.array([1, 2]))
    assert graph.nodes["ffn", 0, 1] == {
        "tiles": 1,
        "outputs": 32,
        "start_cycle": 9,
        "end_cycle": 30,
        "stall_cycles": 2,
    }
