"""What a summary says of each layer of a batch."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

import numpy as np

from panacea_sim.analysis.alone import border_of, busiest_of
from panacea_sim.analysis.summary import counts_alone, layer_summary
from panacea_sim.description.component import Role
from panacea_sim.description.description import Description
from panacea_sim.description.topology import Topology, topology_of
from panacea_sim.engines.result import BatchResult
from panacea_sim.machines.shared.program import Program
from panacea_sim.trace.counts import counts_by_group
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import LayerSummary
from panacea_sim.trace.totals import ChannelTotals
from panacea_sim.units import IntArray

__all__ = ["batch_layers"]


def batch_layers(
    names: Sequence[str],
    program: Program,
    description: Description,
    result: BatchResult,
    operations: Mapping[str, Mapping[str, IntArray]],
) -> list[LayerSummary]:
    """Return what a summary says of each layer of a batch, `border_cycles` and the busiest part among it.

    `operations` has those of each component, [run].
    """
    runs, topology, (layer,) = len(names), topology_of(description), program.layers
    plan, work, tiling = layer.plan, layer.plan.work, layer.plan.work.tiling
    common = layer_summary(program, 0, (0, 0), None).model_copy(
        update={"tiles": tiling.tile_tasks // runs, "repeat": tiling.repeat // runs}
    )
    columns = {
        "weight_bytes": _by_run(plan.weight_loads.size_bytes, runs),
        "activation_bytes": _by_run(plan.activation_loads.size_bytes, runs),
        "output_bytes": _by_run(work.output_bytes.total, runs),
        "spilled_bytes": _by_run(plan.partial_sums.moved_bytes, runs),
    }
    spans = zip(*_spans(description, result), strict=True)
    stored = work.stored_by_run(runs)
    states = zip(result.state_cycles(State.BUSY), result.state_cycles(State.IDLE), strict=True)
    done = _done_alone(result, operations, topology)
    layers = []
    for number, (name, (start_cycle, end_cycle), (stored_w, stored_x), (busy, idle), *values) in enumerate(
        zip(names, spans, stored, states, *columns.values(), strict=True)
    ):
        changes = {
            "name": name,
            "start_cycle": start_cycle,
            "end_cycle": end_cycle,
            "rho_w": stored_w.rho,
            "rho_x": stored_x.rho,
            "stored_w": stored_w.vectors,
            "stored_x": stored_x.vectors,
            "busiest": busiest_of(topology, busy),
            "border_cycles": border_of(topology, idle),
        }
        layers.append(common.model_copy(update=changes | done(number) | dict(zip(columns, values, strict=True))))
    return layers


def _done_alone(
    result: BatchResult, operations: Mapping[str, Mapping[str, IntArray]], topology: Topology
) -> Callable[[int], dict[str, object]]:
    """Return what says of the layer with a number what it did while it had the machine for itself."""

    def done(number: int) -> dict[str, object]:
        counts = {
            name: {operation: int(totals[number]) for operation, totals in of_component.items()}
            for name, of_component in operations.items()
        }
        channels = [ChannelTotals(*of_runs[number].tolist()) for of_runs in result.channels.values()]
        return counts_alone(counts_by_group(counts, topology), channels)

    return done


def _by_run(values: IntArray, runs: int) -> list[int]:
    sums: list[int] = values.reshape(runs, -1).sum(1).tolist()
    return sums


def _spans(description: Description, result: BatchResult) -> tuple[list[int], list[int]]:
    """Return the first cycles of the layers of a batch, and the ends of their last writes, as `layer_span` does."""
    nothing = np.zeros_like(result.makespan_cycles)
    starts = [result.first_start_cycle[name] for name in _of_role(description, "fetch", result.first_start_cycle)]
    ends = [result.last_end_cycle[name] for name in _of_role(description, "write_back", result.last_end_cycle)]
    first = np.min(starts, 0) if starts else nothing
    return first.tolist(), (np.max(ends, 0) if ends else result.makespan_cycles).tolist()


def _of_role(description: Description, role: Role, known: Container[str]) -> list[str]:
    """Return the components of a role whose firings belong to layers, those of which anything is known."""
    parts = description.components
    return [part.name for part in parts if part.role == role and part.labels is not None and part.name in known]
