"""The graph of a layer's tile groups, the nodes that people think in.

A tile group is one output tile with its whole K loop. Tiles inside a group are arrays, not nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise, product
from typing import TypeAlias

import networkx as nx
import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray

__all__ = ["TileGroup", "TileGroupGraph", "annotate_groups", "issue_order", "tile_group_graph"]

TileGroup: TypeAlias = tuple[str, int, int]
"""A node: the layer's name and the coordinates (m, n) of its output tile."""

TileGroupGraph: TypeAlias = "nx.DiGraph[TileGroup]"


def tile_group_graph(layer: str, tiling: Tiling, order: str, height: int) -> TileGroupGraph:
    """Return the graph of one layer's tile groups, in the order of its loops over m and n.

    With double-tile processing (`height` 2) a node stands for a stack of output tiles and m counts stacks. Groups of a
    layer's products follow each other, m counting on. Each node carries `tiles`, the k tiles that it works through,
    and `outputs`. An edge says that a group is issued right after another one, because both use the one PE array
    section; its `reuse` names the operand panel that the two share: "weight" where m stays the same, "activation" where
    n does in one product, None where neither does.
    """
    graph: TileGroupGraph = nx.DiGraph(layer=layer)
    first = tiling.first_m(np.arange(tiling.all_stacks(height)), height)
    outputs = np.add.reduceat(tiling.rows, first)[:, None] * tiling.columns
    stacks, columns = tiling.stacks(height), range(tiling.n_tiles)
    groups = [
        (layer, m, n)
        for before in range(0, tiling.all_stacks(height), stacks)
        for m, n in _pairs(range(before, before + stacks), columns, order)
    ]
    outputs_of, tiles = outputs.tolist(), tiling.k_tiles
    graph.add_nodes_from((group, {"tiles": tiles, "outputs": outputs_of[group[1]][group[2]]}) for group in groups)
    graph.add_edges_from(
        (before, group, {"reuse": _shared_operand(before, group)}) for before, group in pairwise(groups)
    )
    return graph


def _pairs(stacks: range, columns: range, order: str) -> Iterable[tuple[int, int]]:
    if order.index("m") < order.index("n"):
        return product(stacks, columns)
    return ((m, n) for n in columns for m in stacks)


def issue_order(graph: TileGroupGraph) -> tuple[IntArray, IntArray]:
    """Return the coordinates (m, n) of a layer's groups in the order in which the machine works on them."""
    groups = list(nx.topological_sort(graph))
    m, n = np.array([group[1:] for group in groups], np.int64).T
    return m, n


def _shared_operand(before: TileGroup, group: TileGroup) -> str | None:
    if before[1] == group[1]:
        return "weight"
    return "activation" if before[2] == group[2] else None


def annotate_groups(graph: TileGroupGraph, start_cycle: IntArray, end_cycle: IntArray, stall_cycles: IntArray) -> None:
    """Write onto the nodes what happened to each group; the arrays are in issue order.

    `start_cycle` is when the dispatcher begins the group's first tile, `end_cycle` when its outputs are written, and
    `stall_cycles` how long the dispatcher was starved or blocked between the group before and the end of this one.
    """
    groups = nx.topological_sort(graph)
    times = zip(start_cycle.tolist(), end_cycle.tolist(), stall_cycles.tolist(), strict=True)
    for group, (start, end, stall) in zip(groups, times, strict=True):
        graph.nodes[group].update(start_cycle=start, end_cycle=end, stall_cycles=stall)
