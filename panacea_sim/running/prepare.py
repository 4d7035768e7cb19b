"""What is known before a run: layers loaded, cut into tiles, planned and described."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from panacea_sim.analysis.summary import KEPT_TIMES
from panacea_sim.description.description import Description
from panacea_sim.engines.choice import ChosenEngine, Engine, chosen_engine, run_engine
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.panacea.build import describe
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs, encoded_outputs
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.mapping.work import SkipMasks, layer_work
from panacea_sim.running.mapping_choice import Candidate, candidates, choose_mapping
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.chain import chain_sources, check_link, source_numbers
from panacea_sim.workload.functional import FunctionalPass, functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer, loaded
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import load_layer

__all__ = [
    "Demand",
    "Prepared",
    "PreparedLayers",
    "demand_of",
    "layer_candidates",
    "planned_alone",
    "prepare",
]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scenario whose layers run as one simulation, with everything that is known before the run."""

    scenario: Scenario
    layers: tuple[Layer, ...]
    program: Program
    description: Description
    values: TravellingValues | None

    @property
    def hardware(self) -> Hardware:
        """The machine, resolved."""
        return self.program.hardware

    def run(self, engine: ChosenEngine, recorder: Recorder, watch: Mapping[str, Callable[[int], None]]) -> EngineResult:
        """Run the engine, with values where they travel; `watch` is that of `run_engine`."""
        workers = None if self.values is None else self.values.workers
        return run_engine(engine, self.description, recorder, workers, KEPT_TIMES, watch)


@dataclass(frozen=True, eq=False)
class PreparedLayers:
    """A scenario whose layers run each alone (schedule "barrier"): each is read and planned when its turn comes.

    `sources` has for each layer the number of the one whose outputs are its activations, None without one.
    """

    scenario: Scenario
    layers: tuple[AnyLayer, ...]
    hardware: Hardware
    sources: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Demand:
    """What a layer is to the machine: how it is cut, which vectors it skips, and the bytes of its outputs.

    Together with the hardware this decides every cycle of a run without values. `computed` is what the numbers of the
    layer are, None where nobody needs them.
    """

    tiling: Tiling
    masks: SkipMasks
    output_bytes: OutputBytes
    computed: FunctionalPass | None


def prepare(scenario: Scenario, engine: Engine = "auto") -> Prepared | PreparedLayers:
    """Return the scenario with its layers checked and, where they overlap, loaded, planned and described.

    Small layers are planned by simulating a few mappings, for which `engine` is taken: the one that is to run them.
    Raises ConfigError or MappingError where it cannot be run.
    """
    hardware = scenario.resolved_hardware()
    if scenario.schedule == "barrier":
        return _prepared_layers(scenario, hardware)
    layers = tuple(load_layer(layer) if isinstance(layer, str | Path) else loaded(layer) for layer in scenario.layers)
    _check_layers(layers, values=scenario.values)
    chosen = chosen_engine(engine, values=scenario.values)
    demands = [demand_of(layer, hardware, values=scenario.values) for layer in layers]
    sources = chain_sources(layers, [demand.computed for demand in demands])
    program, description, values = _planned(layers, demands, sources, hardware, chosen, values=scenario.values)
    return Prepared(scenario, layers, program, description, values)


def _prepared_layers(scenario: Scenario, hardware: Hardware) -> PreparedLayers:
    """Check what can be checked without the operands of layers in files, which are read when their turn comes."""
    layers = scenario.known_layers()
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


def demand_of(layer: Layer, hardware: Hardware, *, values: bool) -> Demand:
    """Return what a layer is to this machine, with its numbers where values travel or a layer follows."""
    tiling = Tiling.of(hardware, (layer.M, layer.K, layer.N))
    if isinstance(layer, MaskedLayer):
        return Demand(tiling, SkipMasks(*layer.skip_masks(hardware.v)), dense_outputs(tiling), None)
    computed = _functional(layer, wanted=values or layer.output is not None)
    masks = SkipMasks.of(layer, hardware.v)
    if computed is None or layer.output is None:
        return Demand(tiling, masks, dense_outputs(tiling), computed)
    return Demand(tiling, masks, encoded_outputs(tiling, computed.output, layer.output), computed)


def planned_alone(layer: Layer, demand: Demand, hardware: Hardware, engine: ChosenEngine, *, values: bool) -> Prepared:
    """Return a layer as a run of its own for this engine, its activations in DRAM from the start.

    Raises MappingError if it does not fit the machine.
    """
    alone = layer if isinstance(layer, MaskedLayer) else replace(layer, source=None)
    program, description, travelling = _planned([alone], [demand], [None], hardware, engine, values=values)
    return Prepared(Scenario("layer", alone, hardware, values=values), (alone,), program, description, travelling)


def layer_candidates(layer: GemmLayer, hardware: Hardware) -> Iterator[Candidate]:
    """Return the mappings of a layer that the hardware leaves open, each with its bound."""
    demand = demand_of(layer, hardware, values=False)
    return candidates(layer.name, layer_work(demand.tiling, demand.masks), demand.output_bytes, hardware)


def _functional(layer: Layer, *, wanted: bool) -> FunctionalPass | None:
    return functional_pass(layer) if wanted and isinstance(layer, GemmLayer) else None


def _planned(
    layers: Sequence[Layer],
    demands: Sequence[Demand],
    sources: Sequence[int | None],
    hardware: Hardware,
    engine: ChosenEngine,
    *,
    values: bool,
) -> tuple[Program, Description, TravellingValues | None]:
    simulate = partial(run_engine, engine)
    mapped = []
    for layer, demand in zip(layers, demands, strict=True):
        work = layer_work(demand.tiling, demand.masks)
        mapped.append(choose_mapping(layer.name, work, demand.output_bytes, hardware, simulate))
    if len(mapped) == 1:
        program, description = mapped[0].program, mapped[0].description
    else:
        outputs = [demand.output_bytes for demand in demands]
        plans = [each.plan for each in mapped]
        program = plan_program(hardware, list(zip(plans, outputs, sources, strict=True)))
        description = describe(program)
    travelling = None
    if values:
        operands = [layer for layer in layers if isinstance(layer, GemmLayer)]
        computed = [demand.computed for demand in demands if demand.computed is not None]
        travelling = TravellingValues(program, operands, computed)
    return program, description, travelling
