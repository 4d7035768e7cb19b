"""When layers and tile groups were worked on, from the firing times of the components by their roles."""

from __future__ import annotations

import numpy as np

from panacea_sim.description.component import Component, Role
from panacea_sim.description.description import Description
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import ConfigError
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.graph import annotate_groups
from panacea_sim.units import IntArray

__all__ = ["annotate_graphs", "layer_span"]


def layer_span(description: Description, result: EngineResult, layer: int) -> tuple[int, int]:
    """Return the first cycle in which anything is fetched for a layer, and the end of its last write.

    The result must have the times of the roles `fetch` and `write_back`; where a machine has neither, a layer lasts as
    long as the run.
    """
    starts = [start for start, _ in _times(description, result, "fetch", layer) if len(start)]
    ends = [end for _, end in _times(description, result, "write_back", layer) if len(end)]
    first = min((int(each.min()) for each in starts), default=0)
    return first, max((int(each.max()) for each in ends), default=result.makespan_cycles)


def annotate_graphs(program: Program, description: Description, result: EngineResult) -> None:
    """Write the times and stalls of the run onto the nodes of every layer's graph of tile groups.

    The result must have the times of the roles `issue` and `write_back`. Raises ConfigError for a machine without a
    component that issues: nobody else says when a group begins.
    """
    issuer = next((part for part in description.components if part.role == "issue"), None)
    if issuer is None:
        raise ConfigError("machine", "no component with the role 'issue'", "one, for the times of tile groups")
    assert issuer.service_cycles is not None
    issued = result.times[issuer.name]
    # What the issuer does not serve between two ends of firings, it waits; before the first firing it is idle.
    before = np.concatenate([issued.start_cycle[:1], issued.end_cycle[:-1]])
    waited = issued.end_cycle - before - issuer.service_cycles
    for number, layer in enumerate(program.layers):
        plan, window = layer.plan, _window(issuer, number)
        group = plan.tasks.stack * plan.work.tiling.n_tiles + plan.tasks.n
        _, first_task, group_of_task = np.unique(group, return_index=True, return_inverse=True)
        m, n = (np.concatenate([getattr(each.writes, axis) for each in layer.written]) for axis in ("m", "n"))
        finished = plan.work.tiling.stack_of(m, plan.height) * plan.work.tiling.n_tiles + n
        end_cycle = np.zeros(len(first_task), np.int64)
        for _, end in _times(description, result, "write_back", number):
            np.maximum.at(end_cycle, finished, end)
        stall_cycles = np.bincount(group_of_task, waited[window]).astype(np.int64)
        in_order = np.argsort(first_task)
        start_cycle = issued.start_cycle[window][first_task]
        annotate_groups(plan.graph, start_cycle[in_order], end_cycle[in_order], stall_cycles[in_order])


def _times(description: Description, result: EngineResult, role: Role, layer: int) -> list[tuple[IntArray, IntArray]]:
    """Return the starts and ends of the firings that components of a role have for a layer."""
    parts = [part for part in description.components if part.role == role]
    windows = [_window(part, layer) for part in parts]
    times = [result.times[part.name] for part in parts]
    return [(each.start_cycle[at], each.end_cycle[at]) for each, at in zip(times, windows, strict=True)]


def _window(part: Component, layer: int) -> slice:
    """Return which firings of a component belong to a layer; those without labels belong to none."""
    if part.labels is None:
        return slice(0)
    first, end = np.searchsorted(part.labels.layer, [layer, layer + 1]).tolist()
    return slice(first, end)
