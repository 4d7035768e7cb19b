"""What is known before a run: layers loaded, cut into tiles, planned and described."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from panacea_sim.description.component import Role
from panacea_sim.description.description import Description
from panacea_sim.engines.choice import ChosenEngine, Engine, chosen_engine, run_engine
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import Values, machine_of
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.host_memory import RunKind, check_layers, check_mapping
from panacea_sim.running.mapping_choice import Candidate, Check, candidates, choose_mapping
from panacea_sim.running.scenario import Scenario
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
    """A scenario whose layers run as one simulation, with everything that is known before the run."""

    scenario: Scenario
    layers: tuple[Layer, ...]
    program: Program
    description: Description
    values: Values | None

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
        workers = None if self.values is None else self.values.workers
        parts = self.description.components
        keep_times = [part.name for part in parts if part.role in keep]
        watched = {} if watch is None else {part.name: watch for part in parts if part.role == "write_back"}
        return run_engine(engine, self.description, recorder, workers, keep_times, watched)


@dataclass(frozen=True, eq=False)
class PreparedLayers:
    """A scenario whose layers run each alone (schedule "barrier"): each is read and planned when its turn comes.

    `sources` has for each layer the number of the one whose outputs are its activations, None without one.
    """

    scenario: Scenario
    layers: tuple[AnyLayer, ...]
    hardware: Hardware
    sources: tuple[int | None, ...]


def prepare(scenario: Scenario, engine: Engine = "auto") -> Prepared | PreparedLayers:
    """Return the scenario with its layers checked and, where they overlap, loaded, planned and described.

    Small layers are planned by simulating a few mappings, for which `engine` is taken: the one that is to run them.
    Raises ConfigError or MappingError where it cannot be run.
    """
    hardware, known = scenario.resolved_hardware(), scenario.known_layers()
    chosen = chosen_engine(engine, values=scenario.values)
    are_joined = scenario.schedule == "overlap" and len(known) > 1
    kind = RunKind(chosen, values=scenario.values, at_once=None if are_joined else 1)
    check_layers(known, hardware, kind)
    if scenario.schedule == "barrier":
        return _prepared_layers(scenario, known, hardware)
    layers = tuple(load_layer(layer) if isinstance(layer, str | Path) else loaded(layer) for layer in scenario.layers)
    _check_layers(layers, values=scenario.values)
    works = [work_of(layer, hardware, values=scenario.values) for layer in layers]
    graph = chain_graph(layers, [work.computed for work in works])
    program, description, values = _planned(layers, works, graph, hardware, chosen, values=scenario.values)
    return Prepared(scenario, layers, program, description, values)


def _prepared_layers(scenario: Scenario, layers: tuple[AnyLayer, ...], hardware: Hardware) -> PreparedLayers:
    """Check what can be checked without the operands of layers in files, which are read when their turn comes."""
    _check_layers(layers, values=scenario.values)
    sources = source_numbers(layers)
    for number in sorted({source for source in sources if source is not None}):
        followers = [layer for layer, source in zip(layers, sources, strict=True) if source == number]
        _check_links(layers[number], followers)
    return PreparedLayers(scenario, layers, hardware, tuple(sources))


def _check_layers(layers: Sequence[AnyLayer], *, values: bool) -> None:
    for layer in layers:
        if isinstance(layer, GemmLayer):
            layer.check_accumulators()
        elif isinstance(layer, MaskedLayer) and values:
            hint = "Give operands instead, for example with synthetic_layer"
            raise ConfigError("scenario.values", True, f"False, as {layer.name!r} has masks only", hint)


def _check_links(previous: AnyLayer, followers: Sequence[AnyLayer]) -> None:
    if isinstance(previous, GemmLayer):
        functional = functional_pass(previous)
        for layer in followers:
            if isinstance(layer, GemmLayer):
                check_link(previous, functional, layer)


def work_of(layer: Layer, hardware: Hardware, *, values: bool) -> LayerWork:
    """Return what a layer asks of this machine, with its numbers where values travel or a layer follows.

    Raises ConfigError if the machine does not accept the layer.
    """
    machine = machine_of(hardware)
    machine.check(layer)
    return machine.work(layer, hardware, _functional(layer, wanted=values or layer.output is not None))


def planned_alone(layer: Layer, work: LayerWork, hardware: Hardware, engine: ChosenEngine, *, values: bool) -> Prepared:
    """Return a layer as a run of its own for this engine, its activations in DRAM from the start.

    Raises MappingError if it does not fit the machine.
    """
    alone = layer if isinstance(layer, MaskedLayer) else replace(layer, source=None)
    program, description, travelling = _planned([alone], [work], None, hardware, engine, values=values)
    return Prepared(Scenario("layer", alone, hardware, values=values), (alone,), program, description, travelling)


def layer_candidates(layer: GemmLayer, hardware: Hardware) -> Iterator[Candidate]:
    """Return the mappings of a layer that the hardware leaves open, each with its bound."""
    return candidates(layer.name, work_of(layer, hardware, values=False), hardware)


def _memory_check(layer: Layer, hardware: Hardware, kind: RunKind) -> Check:
    return lambda order, height: check_mapping(layer, hardware, order, height, kind)


def _functional(layer: Layer, *, wanted: bool) -> FunctionalPass | None:
    return functional_pass(layer) if wanted and isinstance(layer, GemmLayer) else None


def _planned(
    layers: Sequence[Layer],
    works: Sequence[LayerWork],
    graph: LayerGraph | None,
    hardware: Hardware,
    engine: ChosenEngine,
    *,
    values: bool,
) -> tuple[Program, Description, Values | None]:
    machine, simulate = machine_of(hardware), partial(run_engine, engine)
    kind = RunKind(engine, values=values, at_once=1 if len(layers) == 1 else None)
    mapped = [
        choose_mapping(layer.name, work, hardware, simulate, _memory_check(layer, hardware, kind))
        for layer, work in zip(layers, works, strict=True)
    ]
    program, description = mapped[0].program, mapped[0].description
    if len(mapped) > 1 or program is None or description is None:
        program = plan_program(hardware, [each.plan for each in mapped if each.plan is not None], graph)
        description = machine.describe(program)
    machine.settle(program)
    travelling = None
    if values:
        operands = [layer for layer in layers if isinstance(layer, GemmLayer)]
        computed = [work.computed for work in works if work.computed is not None]
        travelling = machine.values(program, operands, computed)
    return program, description, travelling
