"""The plan of a layer: its tasks in issue order, and the fetches that bring their operands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.mapping.graph import TileGroupGraph, issue_order, tile_group_graph
from panacea_sim.mapping.loads import Loads, plan_loads
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray

__all__ = ["BYTES_PER_PARTIAL_SUM", "LayerPlan", "plan_layer"]

BYTES_PER_PARTIAL_SUM = 4
"""An accumulator is an int32 in OMEM."""


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer as the machine works through it, output-stationary: K is the innermost loop.

    `m`, `n`, `k` are the tile coordinates of each task; `group_m`, `group_n` those of each tile group, which is
    `k_tiles` successive tasks.
    """

    name: str
    work: LayerWork
    graph: TileGroupGraph
    group_m: IntArray
    group_n: IntArray
    m: IntArray
    n: IntArray
    k: IntArray
    weight_loads: Loads
    activation_loads: Loads

    @property
    def tasks(self) -> int:
        """Number of tile tasks."""
        return len(self.m)

    @property
    def groups(self) -> int:
        """Number of tile groups, which are output tiles."""
        return len(self.group_m)


def plan_layer(name: str, work: LayerWork, hardware: Hardware) -> LayerPlan:
    """Return the plan of a layer on this hardware.

    Order m, n, k: the reuse set of a weight tile is the panel of its m, that of an activation tile the whole
    activation.

    Raises MappingError if a tile of an operand or of outputs does not fit its memory.
    """
    tiling = work.tiling
    _check_output_tile(work, hardware)
    graph = tile_group_graph(name, tiling)
    group_m, group_n = issue_order(graph)
    m, n = np.repeat(group_m, tiling.k_tiles), np.repeat(group_n, tiling.k_tiles)
    k = np.tile(np.arange(tiling.k_tiles), len(group_m))
    weight_loads = plan_loads("WMEM", hardware.wmem_bytes, work.weight.total.ravel(), m * tiling.k_tiles + k, m)
    activation_loads = plan_loads(
        "AMEM", hardware.amem_bytes, work.activation.total.ravel(), n * tiling.k_tiles + k, np.zeros_like(m)
    )
    return LayerPlan(name, work, graph, group_m, group_n, m, n, k, weight_loads, activation_loads)


def _check_output_tile(work: LayerWork, hardware: Hardware) -> None:
    needed = int(work.outputs.max()) * BYTES_PER_PARTIAL_SUM
    if needed > hardware.omem_bytes:
        raise MappingError(
            f"OMEM holds {hardware.omem_bytes} bytes, but an output tile needs {needed}: "
            f"{needed - hardware.omem_bytes} bytes are missing. Raise hardware.omem_bytes or lower hardware.tile_n"
        )
