"""What is known before a run: layers loaded, cut into tiles, planned and described."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from panacea_sim.choices import ChosenValues, MappingFrom
from panacea_sim.description.component import Role
from panacea_sim.description.description import Description
from panacea_sim.description.worker import check_workers
from panacea_sim.engines.choice import ChosenEngine, Engine, chosen_engine, run_engine
from panacea_sim.engines.result import EngineResult
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import Values, described, machine_of
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.host_memory import RunKind, check_layers, check_mapping
from panacea_sim.running.mapping_choice import Candidate, Check, candidates, choose_mapping
from panacea_sim.running.mapping_class import class_mapping
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.values_choice import chosen_values
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.chain import chain_graph, check_link, source_numbers
from panacea_sim.workload.functional import FunctionalPass, functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer, loaded
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.npz import load_layer

__all__ = [
    "Prepared",
    "PreparedLayers",
    "layer_candidates",
    "planned_alone",
    "prepare",
    "work_of",
]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scenario whose layers run as one simulation, with everything that is known before the run.

    `values_way` says what happens to values; they are None where it is "off".
    """

    scenario: Scenario
    layers: tuple[Layer, ...]
    program: Program
    description: Description
    values: Values | None
    values_way: ChosenValues

    @property
    def hardware(self) -> Hardware:
        """The machine, resolved."""
        return self.program.hardware

    def run(
        self,
        engine: ChosenEngine,
        recorder: Recorder,
        watch: Callable[[int], None] | None = None,
        keep: Collection[Role] = ("fetch", "write_back"),
    ) -> EngineResult:
        """Run the engine, with values where they travel.

        `watch` is called with the number of output tiles written, each or now and then. The firing times of components
        with the roles in `keep` are in the result; the summary needs those of the default.
        """
        workers = self.values.workers if self.values is not None and self.values_way == "travel" else None
        parts = self.description.components
        keep_times = [part.name for part in parts if part.role in keep]
        watched = {} if watch is None else self._watched_writes(watch)
        return run_engine(engine, self.description, recorder, workers, keep_times, watched)

    def _watched_writes(self, watch: Callable[[int], None]) -> dict[str, Callable[[int], None]]:
        """Return what hears of the firings of components that write back, and tells `watch` of whole output tiles."""
        written = np.append(0, np.cumsum(self.program.finished_tiles(), dtype=np.int64))
        writers = [part.name for part in self.description.components if part.role == "write_back"]
        return {name: lambda done: watch(int(written[done])) for name in writers}


@dataclass(frozen=True, eq=False)
class PreparedLayers:
    """A scenario whose layers run each alone (schedule "barrier"): each is read and planned when its turn comes.

    `sources` has for each layer the number of the one whose outputs are its activations, None without one.
    """

    scenario: Scenario
    layers: tuple[AnyLayer, ...]
    hardware: Hardware
    sources: tuple[int | None, ...]
    values_way: ChosenValues


def prepare(scenario: Scenario, engine: Engine = "auto") -> Prepared | PreparedLayers:
    """Return the scenario with its layers checked and, where they overlap, loaded, planned and described.

    Small layers are planned by simulating a few mappings, for which `engine` is taken: the one that is to run them.
    Raises ConfigError or MappingError where it cannot be run.
    """
    hardware, known = scenario.resolved_hardware(), scenario.known_layers()
    way = chosen_values(scenario.values_choice, known, hardware, engine)
    chosen = chosen_engine(engine, values=way == "travel")
    are_joined = scenario.schedule == "overlap" and len(known) > 1
    kind = RunKind(chosen, values=way != "off", at_once=None if are_joined else 1)
    check_layers(known, hardware, kind)
    if scenario.schedule == "barrier":
        return _prepared_layers(scenario, known, hardware, way)
    layers = tuple(load_layer(layer) if isinstance(layer, str | Path) else loaded(layer) for layer in scenario.layers)
    _check_layers(layers, hardware)
    works = [work_of(layer, hardware, values=way != "off") for layer in layers]
    graph = chain_graph(layers, [work.computed for work in works])
    program, description, values = _planned(layers, works, graph, hardware, chosen, scenario.mapping, way)
    return Prepared(scenario, layers, program, description, values, way)


def _prepared_layers(
    scenario: Scenario, layers: tuple[AnyLayer, ...], hardware: Hardware, way: ChosenValues
) -> PreparedLayers:
    """Check what can be checked without the operands of layers in files, which are read when their turn comes."""
    _check_layers(layers, hardware)
    sources = source_numbers(layers)
    for number in sorted({source for source in sources if source is not None}):
        followers = [layer for layer, source in zip(layers, sources, strict=True) if source == number]
        _check_links(layers[number], followers)
    return PreparedLayers(scenario, layers, hardware, tuple(sources), way)


def _check_layers(layers: Sequence[AnyLayer], hardware: Hardware) -> None:
    machine = machine_of(hardware)
    for layer in layers:
        machine.check(layer)
        if isinstance(layer, GemmLayer):
            layer.check_accumulators()


def _check_links(previous: AnyLayer, followers: Sequence[AnyLayer]) -> None:
    if isinstance(previous, GemmLayer):
        functional = functional_pass(previous)
        for layer in followers:
            if isinstance(layer, GemmLayer):
                check_link(previous, functional, layer)


def work_of(layer: Layer, hardware: Hardware, *, values: bool) -> LayerWork:
    """Return what a layer asks of this machine, with its numbers where values are compared or a layer follows.

    The machine must accept the layer (`Machine.check`).
    """
    return machine_of(hardware).work(layer, hardware, _functional(layer, wanted=values or layer.output is not None))


def planned_alone(
    layer: Layer,
    work: LayerWork,
    hardware: Hardware,
    engine: ChosenEngine,
    mapping: MappingFrom,
    values: ChosenValues,
) -> Prepared:
    """Return a layer as a run of its own for this engine, its activations in DRAM from the start.

    Raises MappingError if it does not fit the machine.
    """
    alone = layer if isinstance(layer, MaskedLayer) else replace(layer, source=None)
    program, description, compared = _planned([alone], [work], None, hardware, engine, mapping, values)
    scenario = Scenario("layer", alone, hardware, values=values)
    return Prepared(scenario, (alone,), program, description, compared, values)


def layer_candidates(layer: GemmLayer, hardware: Hardware) -> Iterator[Candidate]:
    """Return the mappings of a layer that the hardware leaves open, each with its bound.

    Raises ConfigError if the machine does not accept the layer.
    """
    machine_of(hardware).check(layer)
    return candidates(layer.name, work_of(layer, hardware, values=False), hardware)


def _memory_check(layer: Layer, hardware: Hardware, kind: RunKind) -> Check:
    return lambda order, height: check_mapping(layer, hardware, order, height, kind)


def _functional(layer: Layer, *, wanted: bool) -> FunctionalPass | None:
    return functional_pass(layer) if wanted and isinstance(layer, GemmLayer) else None


def _mapped(  # a layer, where it is to run, and how its mapping is found
    layer: Layer, work: LayerWork, hardware: Hardware, engine: ChosenEngine, mapping: MappingFrom, check: Check
) -> Candidate:
    if mapping == "class":
        return class_mapping(layer, work, hardware, engine, check)
    return choose_mapping(layer.name, work, hardware, partial(run_engine, engine), check)


def _planned(
    layers: Sequence[Layer],
    works: Sequence[LayerWork],
    graph: LayerGraph | None,
    hardware: Hardware,
    engine: ChosenEngine,
    mapping: MappingFrom,
    values: ChosenValues,
) -> tuple[Program, Description, Values | None]:
    machine = machine_of(hardware)
    kind = RunKind(engine, values=values != "off", at_once=1 if len(layers) == 1 else None)
    mapped = [
        _mapped(layer, work, hardware, engine, mapping, _memory_check(layer, hardware, kind))
        for layer, work in zip(layers, works, strict=True)
    ]
    program, description = mapped[0].program, mapped[0].description
    if len(mapped) > 1 or program is None or description is None:
        program = plan_program(hardware, [each.plan for each in mapped if each.plan is not None], graph)
        description = described(program)
    machine.settle(program)
    compared = None
    if values != "off":
        operands = [layer for layer in layers if isinstance(layer, GemmLayer)]
        computed = [work.computed for work in works if work.computed is not None]
        make = machine.values if values == "travel" else machine.checked_values
        compared = make(program, operands, computed)
        if values == "travel":
            check_workers(description, compared.workers)
    return program, description, compared
