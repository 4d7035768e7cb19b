"""The dataflow graph of several layers."""

from __future__ import annotations

import networkx as nx

from panacea_sim.mapping.graph import network_graph, tile_group_graph
from panacea_sim.mapping.labels import NO_TILE
from panacea_sim.mapping.tiling import Tiling


def test_a_layer_needs_the_outputs_of_its_source() -> None:
    """Every group of a layer comes after all groups of its source that hold its tokens, and after no others."""
    first = tile_group_graph("first", Tiling(8, 4, 8, 4, 2, 4), "mnk", 1)
    second = tile_group_graph("second", Tiling(4, 8, 8, 4, 2, 4), "nmk", 1)
    graph = network_graph([first, second], [None, 0])
    assert nx.is_directed_acyclic_graph(graph)
    for n in range(2):
        needed = set(graph.predecessors(("second", NO_TILE, n)))
        assert needed == {("first", m, n) for m in range(2)}
        assert graph.edges[("second", NO_TILE, n), ("second", 0, n)]["data"] == "activation"


def test_layers_without_a_source_stand_side_by_side() -> None:
    """Without a dependence no path leads from one layer to another."""
    layers = [tile_group_graph(name, Tiling(4, 4, 4, 4, 4, 4), "mnk", 1) for name in ("a", "b")]
    graph = network_graph(layers, [None, None])
    assert nx.number_weakly_connected_components(graph) == 2
