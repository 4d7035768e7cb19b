"""Layers that run each alone (schedule "barrier"): what such a run is and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.analysis.accounting import check_conservation
from panacea_sim.analysis.alone import border_cycles, busiest_part
from panacea_sim.analysis.summary import SummaryParts, summarize_parts
from panacea_sim.choices import ChosenValues, MappingFrom
from panacea_sim.description.topology import Topology
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.batch_outcome import BatchedOutcome
from panacea_sim.running.planning import AS_SCENARIO, Planning
from panacea_sim.running.prepare import planned_alone, work_of
from panacea_sim.trace.joined_trace import TracePart
from panacea_sim.trace.options import NO_TRACE, TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.summary import LayerSummary
from panacea_sim.workload.chain import check_link
from panacea_sim.workload.functional import functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer, loaded
from panacea_sim.workload.layer_file import LayerFile

if TYPE_CHECKING:
    from panacea_sim.explanation.explanation import Explanation

__all__ = ["LayerOutcome", "LayerRun", "LayerTask", "run_layer"]


@dataclass(frozen=True, eq=False)
class LayerTask:
    """A layer to run alone. `known` are the keys of layers that need not run again; `spill_folder` takes its trace.

    With `memoizes` a layer of a batch need not run if one before it in the batch has its key.
    `watch` hears of output tiles done, in this process. `producer` is the layer whose outputs are the activations of
    this one, where that could not be checked before because one of the two is in a file. `explain` asks for an
    explanation, `planning` is that of this layer.
    """

    layer: AnyLayer
    hardware: Hardware
    values: ChosenValues
    engine: ChosenEngine
    mapping: MappingFrom = "layer"
    known: frozenset[bytes] = frozenset()
    memoizes: bool = False
    trace: TraceOptions = NO_TRACE
    spill_folder: Path | None = None
    watch: Callable[[int], None] | None = None
    producer: AnyLayer | None = None
    explain: bool = False
    planning: Planning = AS_SCENARIO


@dataclass(frozen=True, eq=False)
class LayerOutcome:
    """What a layer gave when it ran alone, small enough to go from process to process."""

    result: EngineResult
    parts: SummaryParts
    trace: TracePart | None
    explanation: Explanation | None = None

    @property
    def makespan_cycles(self) -> int:
        """The cycles of the layer."""
        return self.result.makespan_cycles

    @property
    def topology(self) -> Topology:
        """The machine on which the layer ran."""
        return self.parts.topology

    @property
    def summary(self) -> LayerSummary:
        """What a summary says of the layer."""
        topology, totals, (layer,) = self.parts.topology, self.result.totals, self.parts.layers
        found = {"busiest": busiest_part(topology, totals), "border_cycles": border_cycles(topology, totals)}
        return layer.model_copy(update=found)


@dataclass(frozen=True, eq=False)
class LayerRun:
    """The key of a layer, and its outcome: None if its key was known.

    Layers with equal keys on one machine take the same cycles: masks, sizes and bytes of the outputs are the same.
    """

    key: bytes
    outcome: LayerOutcome | BatchedOutcome | None


def run_layer(task: LayerTask, known_work: LayerWork | None = None) -> LayerRun:
    """Read, plan, describe, run and check one layer, unless its key is known; its work may be known before.

    Raises ConfigError for a layer in a file, MappingError, DeadlockError and InvariantError.
    """
    layer = _checked(task)
    work = known_work or work_of(layer, task.hardware, values=task.values != "off")
    key = work.key() + repr(task.planning.mappings).encode()
    if key in task.known:
        return LayerRun(key, None)
    try:
        prepared = planned_alone(layer, work, task.hardware, task.engine, task.mapping, task.values, task.planning)
    except MappingError as error:
        raise MappingError(f"layer {layer.name!r}: {error}") from error
    if not task.explain:  # an explanation asks what the services on the path were for
        machine_of(task.hardware).settle(prepared.program)
    recorder = Recorder(task.trace, (layer.name,), task.spill_folder, explains=task.explain)
    result = prepared.run(task.engine, recorder, task.watch)
    check_conservation(prepared.description, result)
    values = prepared.values
    parts = summarize_parts(
        prepared.program,
        prepared.description,
        result,
        exact=None if values is None else values.exact(),
        accumulators=None if values is None else values.accumulators,
    )
    trace = None if task.spill_folder is None else TracePart.of(recorder, result.makespan_cycles)
    explanation = None
    if task.explain:
        # It takes a while to import.
        from panacea_sim.explanation.explained import explained_run  # noqa: PLC0415

        explanation = explained_run(prepared.description, recorder, result)
    return LayerRun(key, LayerOutcome(replace(result, times={}), parts, trace, explanation))


def _checked(task: LayerTask) -> Layer:
    """Return the layer with its operands, checked as far as that was not possible before."""
    layer = loaded(task.layer)
    if isinstance(layer, GemmLayer) and isinstance(task.layer, LayerFile):
        layer.check_accumulators()
    if isinstance(layer, GemmLayer) and task.producer is not None:
        producer = loaded(task.producer)
        check_link(producer, functional_pass(producer) if isinstance(producer, GemmLayer) else None, layer)
    return layer
