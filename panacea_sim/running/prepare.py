"""What is known before a run: layers loaded, cut into tiles, planned and described."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np

from panacea_sim.choices import ChosenValues, MappingFrom
from panacea_sim.description.component import Role
from panacea_sim.description.description import Description
from panacea_sim.description.worker import check_workers
from panacea_sim.engines.choice import ChosenEngine, Engine, chosen_engine, run_engine
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import Values, described, machine_of
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.host_memory import RunKind, check_layers, check_mapping
from panacea_sim.running.mapping_choice import Candidate, Check, candidates, choose_mapping, mapped
from panacea_sim.running.mapping_class import class_mapping
from panacea_sim.running.planning import AS_SCENARIO, GivenMapping, Planning
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.values_choice import chosen_values
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.chain import chain_graph, check_link, source_numbers
from panacea_sim.workload.functional import FunctionalPass, functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer, loaded
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, LayerLink, link_layers
from panacea_sim.workload.npz import load_layer

__all__ = [
    "Prepared",
    "PreparedLayers",
    "layer_candidates",
    "planned_alone",
    "prepare",
    "work_of",
]

_LINKS = "scenario.links"


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
    planning: Planning = AS_SCENARIO


def prepare(scenario: Scenario, engine: Engine = "auto", planning: Planning = AS_SCENARIO) -> Prepared | PreparedLayers:
    """Return the scenario with its layers checked and, where they overlap, loaded, planned and described.

    Small layers are planned by simulating a few mappings, for which `engine` is taken: the one that is to run them.
    With `planning` mappings may be given instead. Raises ConfigError or MappingError where it cannot be run.
    """
    hardware, known = scenario.resolved_hardware(), scenario.known_layers()
    way = chosen_values(scenario.values_choice, known, hardware, engine)
    chosen = chosen_engine(engine, values=way == "travel")
    are_joined = scenario.schedule == "overlap" and len(known) > 1
    kind = RunKind(chosen, values=way != "off", at_once=None if are_joined else 1)
    check_layers(known, hardware, kind)
    if scenario.schedule == "barrier":
        return replace(_prepared_layers(scenario, known, hardware, way), planning=planning)
    layers = tuple(load_layer(layer) if isinstance(layer, str | Path) else loaded(layer) for layer in scenario.layers)
    _check_layers(layers, hardware)
    works = [work_of(layer, hardware, values=way != "off") for layer in layers]
    graph = chain_graph(layers, _given_passes(layers, works, hardware))
    link_layers(graph, scenario.links, _LINKS)
    how = _How(hardware, chosen, scenario.mapping, way, planning)
    program, description, values = _planned(layers, works, graph, how)
    machine_of(hardware).settle(program)
    return Prepared(scenario, layers, program, description, values, way)


def _given_passes(
    layers: Sequence[Layer], works: Sequence[LayerWork], hardware: Hardware
) -> list[FunctionalPass | None]:
    """Return what the numbers of layers are as they were given, where a chain is checked with them.

    A machine that requantizes has other ones.
    """
    if machine_of(hardware).requantizes:
        return [_functional(layer, wanted=_is_read(layer)) for layer in layers]
    return [work.computed for work in works]


def _prepared_layers(
    scenario: Scenario, layers: tuple[AnyLayer, ...], hardware: Hardware, way: ChosenValues
) -> PreparedLayers:
    """Check what can be checked without the operands of layers in files, which are read when their turn comes."""
    _check_layers(layers, hardware)
    sources = source_numbers(layers)
    _check_scenario_links(layers, scenario.links)
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


def _check_scenario_links(layers: Sequence[AnyLayer], links: Sequence[LayerLink]) -> None:
    """Check links that cost nothing where layers run alone, as if they did."""
    graph: LayerGraph = nx.DiGraph()
    graph.add_nodes_from((layer.name, {"layer": layer}) for layer in layers)
    link_layers(graph, links, _LINKS)


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
    machine = machine_of(hardware)
    own = machine.own(layer) if isinstance(layer, GemmLayer) else layer
    return machine.work(own, hardware, _functional(own, wanted=values or _is_read(own)))


def _is_read(layer: Layer) -> bool:
    return layer.output is not None or bool(layer.formats)


def planned_alone(
    layer: Layer,
    work: LayerWork,
    hardware: Hardware,
    engine: ChosenEngine,
    mapping: MappingFrom,
    values: ChosenValues,
    planning: Planning = AS_SCENARIO,
) -> Prepared:
    """Return a layer as a run of its own for this engine, its activations in DRAM from the start.

    `planning` is that of this layer alone. What its mapping was chosen with is still there (`Machine.settle`). Raises
    MappingError if it does not fit the machine.
    """
    alone = layer if isinstance(layer, MaskedLayer) else replace(layer, source=None)
    how = _How(hardware, engine, mapping, values, planning)
    program, description, compared = _planned([alone], [work], None, how)
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


@dataclass(frozen=True)
class _How:
    """Where layers are to run, and how their mappings are found."""

    hardware: Hardware
    engine: ChosenEngine
    mapping: MappingFrom
    values: ChosenValues
    planning: Planning


def _mapped(layer: Layer, work: LayerWork, how: _How, given: GivenMapping | None, check: Check) -> Candidate:
    if given is not None:
        return _as_given(layer, work, how.hardware, given, check)
    if how.mapping == "class":
        return class_mapping(layer, work, how.hardware, how.engine, check)
    return choose_mapping(layer.name, work, how.hardware, partial(run_engine, how.engine), check)


def _as_given(layer: Layer, work: LayerWork, hardware: Hardware, given: GivenMapping, check: Check) -> Candidate:
    """Return the layer in a mapping that is not chosen; raises MappingError if it does not fit in that one."""
    check(given.order, given.height)
    found = mapped(layer.name, work, hardware, given.order, given.height)
    if found.program is None:
        raise MappingError(found.obstacle)
    return found


def _alone(found: Candidate) -> tuple[Program, Description]:
    """Return the program and description of a layer in its mapping; what does not fit has been refused."""
    assert found.program is not None
    assert found.description is not None
    return found.program, found.description


def _named_plan(name: str, found: Callable[[], Candidate]) -> LayerPlan:
    """Return the plan of one of several layers; a MappingError says whose it is."""
    try:
        plan = found().plan
    except MappingError as error:
        raise MappingError(f"layer {name!r}: {error}") from error
    assert plan is not None  # what does not fit has been refused
    return plan


def _planned(
    layers: Sequence[Layer], works: Sequence[LayerWork], graph: LayerGraph | None, how: _How
) -> tuple[Program, Description, Values | None]:
    hardware, values = how.hardware, how.values
    machine = machine_of(hardware)
    kind = RunKind(how.engine, values=values != "off", at_once=1 if len(layers) == 1 else None)
    given = how.planning.mappings or (None,) * len(layers)
    each = [
        partial(_mapped, layer, work, how, mapping, _memory_check(layer, hardware, kind))
        for layer, work, mapping in zip(layers, works, given, strict=True)
    ]
    if len(layers) == 1:
        program, description = _alone(each[0]())
    else:
        # Each has a program and a description of its own, which are large: none is kept.
        plans = [_named_plan(layer.name, found) for layer, found in zip(layers, each, strict=True)]
        program = plan_program(hardware, plans, graph)
        description = described(program)
    if how.planning.change is not None:
        description = how.planning.change(description)
    compared = None
    if values != "off":
        operands = [machine.own(layer) for layer in layers if isinstance(layer, GemmLayer)]
        computed = [work.computed for work in works if work.computed is not None]
        make = machine.values if values == "travel" else machine.checked_values
        compared = make(program, operands, computed)
        if values == "travel":
            check_workers(description, compared.workers)
    return program, description, compared
