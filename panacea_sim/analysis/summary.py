"""The summary of a run: the figures of summary.json."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from panacea_sim.analysis.accounting import state_cycles
from panacea_sim.analysis.layer_times import layer_span
from panacea_sim.analysis.operations import operations_of
from panacea_sim.choices import ChosenValues
from panacea_sim.description.description import Description
from panacea_sim.description.topology import Topology, topology_of
from panacea_sim.engines.result import EngineResult
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.mapping.stage import RAW_BYTES
from panacea_sim.trace.counts import Counts, counts_by_group
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.summary import (
    DramSummary,
    LayerName,
    LayerSummary,
    PartialSummary,
    RunHeading,
    Summary,
    TraceSummary,
    operator_uses,
)
from panacea_sim.trace.totals import ChannelTotals, StallTotal
from panacea_sim.units import cycles_to_seconds

__all__ = [
    "Accumulators",
    "Heading",
    "SummaryParts",
    "counts_alone",
    "layer_summary",
    "partial_summary",
    "summarize",
    "summarize_parts",
]

Accumulators = Sequence[npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Heading:
    """What a run is called: its scenario, engine, values, hardware and schedule; and what is recorded of it."""

    scenario: str
    engine: Literal["reference", "compiled"]
    values: ChosenValues
    hardware: Hardware
    schedule: Literal["overlap", "barrier"]
    trace: TraceOptions

    def over(self, topology: Topology) -> RunHeading:
        """Return the keys with which every summary begins."""
        return RunHeading(
            scenario=self.scenario,
            engine=self.engine,
            values=self.values,
            schedule=self.schedule,
            hardware=self.hardware.name,
            clock_hz=self.hardware.clock_hz,
            trace=TraceSummary.model_validate(self.trace.entry()),
            topology=topology,
        )


@dataclass(frozen=True)
class SummaryParts:
    """What a summary says that the engine's figures do not: the layers, the machine, and what its components counted.

    `actions` maps components to the totals of their actions, `operations` to those of the elementary operations.
    """

    layers: tuple[LayerSummary, ...]
    topology: Topology
    actions: Counts
    operations: Counts
    exact: bool | None


def summarize_parts(
    program: Program,
    description: Description,
    result: EngineResult,
    *,
    exact: bool | None,
    accumulators: Accumulators | None,
) -> SummaryParts:
    """Return what a summary says of the work of a run; the result must have the times that `layer_span` takes."""
    layers = tuple(
        layer_summary(program, number, layer_span(description, result, number), accumulators)
        for number in range(len(program.layers))
    )
    actions = {part.name: {each.name: each.total() for each in part.actions} for part in description.components}
    topology, operations = topology_of(description), operations_of(description, program.hardware)
    if len(layers) == 1:
        of_groups = counts_by_group(operations, topology)
        layers = (layers[0].model_copy(update=counts_alone(of_groups, result.channels.values())),)
    return SummaryParts(layers, topology, actions, operations, exact)


def counts_alone(operations: Counts, channels: Iterable[ChannelTotals]) -> dict[str, object]:
    """Return what a summary says besides of a layer that had the machine for itself."""
    done = list(channels)
    return {
        "operations": operations,
        "activates": sum(channel.activates or 0 for channel in done),
        "refreshes": sum(channel.refreshes or 0 for channel in done),
    }


def summarize(heading: Heading, result: EngineResult, parts: SummaryParts, host_seconds: float) -> Summary:
    """Return the summary of a run."""
    makespan_cycles = result.makespan_cycles
    totals: dict[str, int] = {}
    for of_component in parts.actions.values():
        for action, count in of_component.items():
            totals[action] = totals.get(action, 0) + count
    return Summary(
        **dict(heading.over(parts.topology)),
        makespan_cycles=makespan_cycles,
        seconds=cycles_to_seconds(makespan_cycles, heading.hardware.clock_hz),
        exact=parts.exact,
        tiles=sum(layer.tiles for layer in parts.layers),
        host_seconds=host_seconds,
        layers=parts.layers,
        components=state_cycles(result),
        stalls={name: _stalls(totals) for name, totals in result.totals.items()},
        actions=parts.actions,
        operations=parts.operations,
        inventory=machine_of(heading.hardware).inventory(heading.hardware),
        operators=operator_uses(totals, parts.topology.per_cycle, makespan_cycles),
        dram=_dram(result),
        queues=result.queues | result.memories,
    )


def partial_summary(heading: Heading, layers: Sequence[str], topology: Topology) -> PartialSummary:
    """Return what a reader needs to know of a run that has not reached its end."""
    return PartialSummary(**dict(heading.over(topology)), layers=tuple(LayerName(name=layer) for layer in layers))


def layer_summary(
    program: Program, number: int, span: tuple[int, int], accumulators: Accumulators | None
) -> LayerSummary:
    """Return what a summary says of the work of a layer, which took from the first to the last cycle of `span`."""
    layer = program.layers[number]
    plan, tiling, work = layer.plan, layer.plan.work.tiling, layer.plan.work
    sha256 = None
    if accumulators is not None:
        sha256 = hashlib.sha256(accumulators[number].astype("<i4").tobytes()).hexdigest()
    return LayerSummary(
        name=plan.name,
        M=tiling.M,
        N=tiling.N,
        K=tiling.K,
        start_cycle=span[0],
        end_cycle=span[1],
        tiles=tiling.tile_tasks,
        loop_order=plan.order,
        double_tile=plan.height > 1,
        rho_w=work.stored_w.rho,
        rho_x=work.stored_x.rho,
        stored_w=work.stored_w.vectors,
        stored_x=work.stored_x.vectors,
        weight_resident=plan.weight_loads.resident,
        activation_resident=plan.activation_loads.resident,
        weight_bytes=int(plan.weight_loads.size_bytes.sum()),
        activation_bytes=int(plan.activation_loads.size_bytes.sum()),
        output_bytes=sum(int(each.output_bytes.total.sum()) for each in layer.written),
        vector_bytes=_stage_bytes(layer),
        spilled_bytes=int(plan.partial_sums.moved_bytes.sum()),
        output_sha256=sha256,
        repeat=tiling.repeat,
    )


def _stage_bytes(layer: PlannedLayer) -> int:
    """Return what a vector stage behind a layer reads."""
    stage = layer.plan.stage
    return 0 if stage is None else int(layer.plan.work.outputs[stage.read_m, stage.read_n].sum()) * RAW_BYTES


def _stalls(totals: Sequence[StallTotal]) -> list[StallTotal]:
    """Return the stalls of a component by cause, longest first."""
    stalls = [total for total in totals if total.cause]
    return sorted(stalls, key=lambda stall: (-stall.cycles, stall.cause, stall.cause_component))


def _dram(result: EngineResult) -> DramSummary:
    channels = result.channels
    keys = [field.name for field in fields(ChannelTotals)]
    sums = {key: sum(getattr(channel, key) for channel in channels.values()) for key in keys}
    return DramSummary(**sums, channels=channels)
