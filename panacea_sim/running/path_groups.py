"""The critical path of a run on the graphs of its tile groups."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from panacea_sim.analysis.tile_groups import NO_GROUP, firing_groups, group_offsets
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.explanation.owners import path_owners
from panacea_sim.explanation.records import recorder_records
from panacea_sim.mapping.graph import TileGroupGraph
from panacea_sim.running.prepare import Prepared
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder

__all__ = ["annotate_path"]


def annotate_path(prepared: Prepared, engine: ChosenEngine) -> tuple[list[TileGroupGraph], int]:
    """Write onto each tile group its cycles on the critical path, `path_cycles`; return the graphs, and the rest.

    The rest are the cycles that belong to no group; with them, those of all nodes add up to the makespan. The run is
    made again for this, without values, because what an explanation needs is not kept.
    """
    recorder = Recorder(NO_TRACE, tuple(layer.name for layer in prepared.layers), explains=True)
    result = replace(prepared, values=None, values_way="off").run(engine, recorder, keep=())
    owners = path_owners(recorder_records(prepared.description, recorder, result.makespan_cycles))
    program, offsets = prepared.program, group_offsets(prepared.program)
    sums = np.zeros(offsets[-1] + 1, np.int64)
    for number, part in enumerate(prepared.description.components):
        mine = owners.component == number
        groups = firing_groups(program, part.labels, part.firings)[owners.firing[mine]]
        # NO_GROUP counts from the end: what nobody owns comes last.
        np.add.at(sums, groups, owners.cycles[mine])
    unowned = int(sums[NO_GROUP] + owners.cycles[owners.component < 0].sum())
    graphs = [layer.plan.graph for layer in program.layers]
    for graph, layer, first in zip(graphs, program.layers, offsets.tolist(), strict=False):
        n_tiles = layer.plan.work.tiling.n_tiles
        for group, node in graph.nodes.items():
            node["path_cycles"] = int(sums[first + group[1] * n_tiles + group[2]])
    return graphs, unowned
