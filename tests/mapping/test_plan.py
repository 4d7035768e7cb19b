"""The plan of a layer: every task once, in the order of the graph, with tiles fetched before and freed after use."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from strategies import scenarios

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machine.program import PlannedLayer
from panacea_sim.mapping.graph import annotate_groups, issue_order, tile_group_graph
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.mapping.work import SkipMasks, layer_work
from panacea_sim.scenario import Scenario
from panacea_sim.simulation import prepare
from panacea_sim.workload.synthetic import synthetic_layer


def _planned(scenario: Scenario) -> PlannedLayer:
    (layer,) = prepare(replace(scenario, values=False)).program.layers
    return layer


def _plan(**settings: object) -> LayerPlan:
    layer = synthetic_layer(16, 24, 24, rho_w=0.3, rho_x=0.5, seed=1)
    hardware = load_hardware("panacea", {"n_pea": 2, "tile_k": 8, "tile_n": 8, **settings})
    tiling = Tiling.of(hardware, (layer.M, layer.K, layer.N))
    return plan_layer("layer", layer_work(tiling, SkipMasks.of(layer, hardware.v)), hardware)


@given(scenarios())
def test_every_task_once_in_the_order_m_n_k(scenario: Scenario) -> None:
    """The tasks are all tiles (m, n, k), each once, with K innermost and the groups in issue order."""
    plan = _planned(scenario).plan
    tiling = plan.work.tiling
    wanted = [(m, n, k) for m in range(tiling.m_tiles) for n in range(tiling.n_tiles) for k in range(tiling.k_tiles)]
    assert list(zip(plan.m.tolist(), plan.n.tolist(), plan.k.tolist(), strict=True)) == wanted
    assert (plan.tasks, plan.groups) == (len(wanted), tiling.m_tiles * tiling.n_tiles)


@given(scenarios())
def test_every_task_finds_its_tiles(scenario: Scenario) -> None:
    """The fetch that a task needs brings the tile of its coordinates."""
    plan = _planned(scenario).plan
    k_tiles = plan.work.tiling.k_tiles
    assert (plan.weight_loads.tile[plan.weight_loads.need] == plan.m * k_tiles + plan.k).all()
    assert (plan.activation_loads.tile[plan.activation_loads.need] == plan.n * k_tiles + plan.k).all()


@given(scenarios())
def test_fetches_come_in_the_order_of_use(scenario: Scenario) -> None:
    """Each fetch is needed, and a fetch is first needed after those before it."""
    plan = _planned(scenario).plan
    for loads in (plan.weight_loads, plan.activation_loads):
        first_use = [int(np.argmax(loads.need == fetch)) for fetch in range(len(loads.tile))]
        assert set(loads.need.tolist()) == set(range(len(loads.tile)))
        assert first_use == sorted(first_use)


@given(scenarios())
def test_bytes_of_a_tile_are_freed_after_its_last_use(scenario: Scenario) -> None:
    """All bytes are freed in the end, and never those of a tile that a later task needs."""
    plan = _planned(scenario).plan
    for loads in (plan.weight_loads, plan.activation_loads):
        assert loads.release_bytes.sum() == loads.size_bytes.sum()
        fetched = np.cumsum(loads.size_bytes)
        freed = np.cumsum(loads.release_bytes)
        # The oldest tile that a later task needs bounds what may be free: space is given back in ring order.
        for task in range(plan.tasks - 1):
            oldest = int(loads.need[task + 1 :].min())
            assert freed[task] <= fetched[oldest] - loads.size_bytes[oldest]


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
    ("memory", "operand", "knob"),
    [
        ("wmem_bytes", "a tile", "tile_k"),
        ("amem_bytes", "a tile", "tile_k"),
        ("omem_bytes", "an output tile", "tile_n"),
    ],
)
def test_a_tile_that_does_not_fit_says_what_is_missing(memory: str, operand: str, knob: str) -> None:
    """Each memory, one byte smaller than its largest tile, is refused with the bytes needed and missing and a knob."""
    plan = _plan()
    needed = {
        "wmem_bytes": int(plan.work.weight.total.max()),
        "amem_bytes": int(plan.work.activation.total.max()),
        "omem_bytes": 4 * int(plan.work.outputs.max()),
    }[memory]
    name = memory.removesuffix("_bytes").upper()
    message = (
        rf"{name} holds {needed - 1} bytes, but {operand} needs {needed}: 1 bytes are missing\. "
        rf"Raise hardware\.{memory} or lower hardware\.{knob}"
    )
    with pytest.raises(MappingError, match=message):
        _plan(**{memory: needed - 1})
    assert _plan(**{memory: needed}).tasks == plan.tasks


def test_the_graph_is_the_schedule() -> None:
    """Groups are nodes with their tiles and outputs; edges say what successive groups share; it is a path."""
    tiling = Tiling(10, 7, 9, v=4, tile_m=8, tile_k=3, tile_n=4)
    graph = tile_group_graph("ffn", tiling)
    assert list(nx.topological_sort(graph)) == [("ffn", m, n) for m in range(2) for n in range(3)]
    assert graph.nodes["ffn", 0, 2] == {"tiles": 3, "outputs": 8}
    assert graph.nodes["ffn", 1, 2] == {"tiles": 3, "outputs": 2}
    assert graph.edges[("ffn", 0, 0), ("ffn", 0, 1)]["reuse"] == "weight"
    assert graph.edges[("ffn", 0, 2), ("ffn", 1, 0)]["reuse"] == "activation"
    assert sum(graph.nodes[group]["outputs"] for group in graph) == 10 * 9


def test_the_issue_order_is_the_topological_order() -> None:
    """Another edge in the graph gives another order: the graph decides, not the loops."""
    graph = tile_group_graph("ffn", Tiling(8, 4, 12, v=4, tile_m=8, tile_k=4, tile_n=4))
    assert [axis.tolist() for axis in issue_order(graph)] == [[0, 0, 0], [0, 1, 2]]
    graph.remove_edges_from(list(graph.edges))
    graph.add_edge(("ffn", 0, 2), ("ffn", 0, 0))
    assert [axis.tolist() for axis in issue_order(graph)] == [[0, 0, 0], [1, 2, 0]]


def test_nodes_are_annotated_in_issue_order() -> None:
    """Times and stalls go to the groups in the order in which the machine works on them."""
    graph = tile_group_graph("ffn", Tiling(8, 4, 8, v=4, tile_m=8, tile_k=4, tile_n=4))
    annotate_groups(graph, np.array([5, 9]), np.array([20, 30]), np.array([1, 2]))
    assert graph.nodes["ffn", 0, 1] == {
        "tiles": 1,
        "outputs": 32,
        "start_cycle": 9,
        "end_cycle": 30,
        "stall_cycles": 2,
    }
