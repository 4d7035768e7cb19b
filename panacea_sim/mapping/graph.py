"""The dataflow graph: layers expanded to tile groups, the nodes that people think in.

A tile group is one output tile with its whole K loop. Tiles inside a group are arrays, not nodes.
"""

from __future__ import annotations

from typing import TypeAlias

import networkx as nx
import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray

__all__ = ["TileGroup", "TileGroupGraph", "annotate_groups", "issue_order", "tile_group_graph"]

TileGroup: TypeAlias = tuple[str, int, int]
"""A node: the layer's name and the coordinates (m, n) of its output tile."""

TileGroupGraph: TypeAlias = "nx.DiGraph[TileGroup]"


def tile_group_graph(layer: str, tiling: Tiling) -> TileGroupGraph:
    """Return the graph of one layer's tile groups in the order m, n.

    Each node carries `tiles`, the k tiles that it works through, and `outputs`. An edge says that a group is issued
    right after another one, because both use the one PE array section; its `reuse` names the operand panel that the
    two share on chip: "weight" inside a panel of m, "activation" where the next panel begins.
    """
    graph: TileGroupGraph = nx.DiGraph(layer=layer)
    outputs = tiling.rows[:, None] * tiling.columns
    before: TileGroup | None = None
    for m in range(tiling.m_tiles):
        for n in range(tiling.n_tiles):
            group = (layer, m, n)
            graph.add_node(group, tiles=tiling.k_tiles, outputs=int(outputs[m, n]))
            if before is not None:
                graph.add_edge(before, group, reuse="weight" if before[1] == m else "activation")
            before = group
    return graph


def issue_order(graph: TileGroupGraph) -> tuple[IntArray, IntArray]:
    """Return the coordinates (m, n) of the groups in the order in which the machine works on them."""
    groups = list(nx.lexicographical_topological_sort(graph))
    m, n = np.array([group[1:] for group in groups], np.int64).T
    return m, n


def annotate_groups(graph: TileGroupGraph, start_cycle: IntArray, end_cycle: IntArray, stall_cycles: IntArray) -> None:
    """Write onto the nodes what happened to each group; the arrays are in issue order.

    `start_cycle` is when the dispatcher begins the group's first tile, `end_cycle` when its outputs are written, and
    `stall_cycles` how long the dispatcher was starved or blocked between the group before and the end of this one.
    """
    groups = nx.lexicographical_topological_sort(graph)
    times = zip(start_cycle.tolist(), end_cycle.tolist(), stall_cycles.tolist(), strict=True)
    for group, (start, end, stall) in zip(groups, times, strict=True):
        graph.nodes[group].update(start_cycle=start, end_cycle=end, stall_cycles=stall)
