"""Runs: a scenario prepared, simulated, checked and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from structlog.typing import FilteringBoundLogger

from panacea_sim.analysis.accounting import check_conservation
from panacea_sim.analysis.summary import KEPT_TIMES, annotate_graphs, partial_summary, summarize
from panacea_sim.errors import ConfigError, DeadlockError
from panacea_sim.hardware.config import Hardware, load_hardware, with_settings
from panacea_sim.machine.build import describe
from panacea_sim.machine.candidates import Candidate, candidates, choose_plan
from panacea_sim.machine.description import Description
from panacea_sim.machine.program import Program, plan_program
from panacea_sim.machine.reference import run_reference
from panacea_sim.machine.result import EngineResult
from panacea_sim.machine.values import TravellingValues
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs, encoded_outputs
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.mapping.work import LayerWork, SkipMasks, layer_work
from panacea_sim.scenario import Scenario, write_scenario
from panacea_sim.trace.log import LogLevel, open_log
from panacea_sim.trace.recorder import Recorder, TraceOptions
from panacea_sim.trace.store import RunFolder
from panacea_sim.workload.chain import chain_sources
from panacea_sim.workload.functional import FunctionalPass, functional_pass
from panacea_sim.workload.layer import GemmLayer
from panacea_sim.workload.npz import load_layer

__all__ = [
    "Engine",
    "Interrupted",
    "Prepared",
    "Progress",
    "RunOptions",
    "RunOutcome",
    "chosen_engine",
    "layer_candidates",
    "prepare",
    "run",
]

Engine = Literal["auto", "reference", "compiled"]
"""The engine that runs: `auto` takes the compiled one where no values travel and numba is installed."""

Progress = Callable[[int, int], None]
"""Called with the number of tile groups done and their total."""


@dataclass(frozen=True)
class RunOptions:
    """How to run: where the run folder goes (None: nowhere), what is recorded, and who is told."""

    folder: Path | None = None
    force: bool = False
    trace: TraceOptions = field(default_factory=TraceOptions)
    log_level: LogLevel = "info"
    progress: Progress | None = None
    engine: Engine = "auto"


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scenario with everything that is known before the run."""

    scenario: Scenario
    layers: tuple[GemmLayer, ...]
    program: Program
    description: Description
    values: TravellingValues | None

    @property
    def hardware(self) -> Hardware:
        """The machine, resolved."""
        return self.program.hardware


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """What a run gave: its summary, the engine's figures, and where the run folder is.

    `prepared.program.graph()` has the times of all tile groups. `folder` is None if none was asked for.
    """

    summary: dict[str, Any]
    prepared: Prepared
    result: EngineResult
    folder: Path | None


class Interrupted(KeyboardInterrupt):
    """The user stopped a run; `partial` is the folder that holds what had been recorded, if there is one."""

    def __init__(self, partial: Path | None) -> None:
        super().__init__()
        self.partial = partial


def prepare(scenario: Scenario) -> Prepared:
    """Return the scenario with its layer loaded, cut into tiles, planned and described.

    Raises ConfigError or MappingError where it cannot be run.
    """
    layers = tuple(layer if isinstance(layer, GemmLayer) else load_layer(layer) for layer in scenario.layers)
    given = scenario.hardware if isinstance(scenario.hardware, Hardware) else load_hardware(scenario.hardware)
    hardware = with_settings(given, scenario.settings)
    for layer in layers:
        layer.check_accumulators()
    functional = [functional_pass(layer) if scenario.values or layer.output else None for layer in layers]
    sources = chain_sources(layers, functional)
    planned = []
    for layer, computed, source in zip(layers, functional, sources, strict=True):
        work = _work_of(layer, hardware)
        output_bytes = _output_bytes(work.tiling, layer, computed)
        planned.append((choose_plan(layer.name, work, output_bytes, hardware), output_bytes, source))
    program = plan_program(hardware, planned)
    values = None
    if scenario.values:
        values = TravellingValues(program, layers, [computed for computed in functional if computed is not None])
    return Prepared(scenario, layers, program, describe(program), values)


def chosen_engine(engine: Engine, prepared: Prepared) -> Literal["reference", "compiled"]:
    """Return the engine that runs a scenario.

    Raises ConfigError if the compiled engine is asked for and cannot run it.
    """
    if engine == "auto":
        return "compiled" if prepared.values is None and _has_numba() else "reference"
    if engine == "compiled":
        if prepared.values is not None:
            hint = "Choose --engine auto, or a scenario with values=False"
            raise ConfigError("--engine", "compiled, with values on", "reference where values travel", hint)
        if not _has_numba():
            hint = "Install it with: pip install 'panacea-sim[compiled]'"
            raise ConfigError("--engine", "compiled, without numba", "reference, or numba installed", hint)
    return engine


def run_compiled_engine(description: Description, recorder: Recorder) -> EngineResult:
    """Run the compiled engine, which takes a while to import and need not be installed."""
    from panacea_sim.machine.compiled import run_compiled  # noqa: PLC0415  # only where it is wanted

    return run_compiled(description, recorder, KEPT_TIMES)


def _has_numba() -> bool:
    return find_spec("numba") is not None


def layer_candidates(layer: GemmLayer, hardware: Hardware) -> Iterator[Candidate]:
    """Return the mappings of a layer that the hardware leaves open, each with its bound."""
    work = _work_of(layer, hardware)
    computed = functional_pass(layer) if layer.output else None
    return candidates(layer.name, work, _output_bytes(work.tiling, layer, computed), hardware)


def _work_of(layer: GemmLayer, hardware: Hardware) -> LayerWork:
    tiling = Tiling.of(hardware, (layer.M, layer.K, layer.N))
    return layer_work(tiling, SkipMasks.of(layer, hardware.v))


def _output_bytes(tiling: Tiling, layer: GemmLayer, computed: FunctionalPass | None) -> OutputBytes:
    if computed is None or layer.output is None:
        return dense_outputs(tiling)
    return encoded_outputs(tiling, computed.output, layer.output)


def run(scenario: Scenario | Prepared, options: RunOptions | None = None) -> RunOutcome:
    """Run a scenario, check its accounts, and write its run folder if one was asked for.

    Raises ConfigError or MappingError before anything is written; DeadlockError or InvariantError with the folder left
    as NAME.partial; Interrupted likewise when the user stops the run.
    """
    options = options or RunOptions()
    prepared = scenario if isinstance(scenario, Prepared) else prepare(scenario)
    options = replace(options, engine=chosen_engine(options.engine, prepared))
    if options.folder is None:
        return _simulate(prepared, options, None)
    folder = RunFolder(options.folder, force=options.force)
    outcome = _simulate(prepared, options, folder)
    folder.complete()
    return replace(outcome, folder=folder.target)


def _simulate(prepared: Prepared, options: RunOptions, folder: RunFolder | None) -> RunOutcome:
    layers = tuple(layer.name for layer in prepared.layers)
    if folder is not None:
        write_scenario(folder, prepared.scenario, prepared.layers, prepared.hardware)
        # Whatever stops the run, the folder can be read.
        folder.write_json(
            "summary.json",
            partial_summary(prepared.scenario.name, options.engine, prepared.program, prepared.description),
        )
    with open_log(None if folder is None else folder.path / "log.jsonl", options.log_level) as log:
        log.info("start", scenario=prepared.scenario.name, layers=layers, hardware=prepared.hardware.model_dump())
        debug = log.debug if options.log_level == "debug" else None
        recorder = Recorder(options.trace, layers, None if folder is None else folder.make_spill_folder(), debug)
        try:
            return _run_engine(prepared, options, recorder, folder, log)
        except KeyboardInterrupt:
            log.warning("interrupted")
            raise Interrupted(None if folder is None else folder.path) from None
        except DeadlockError as error:
            log.error("deadlock", message=str(error))  # noqa: TRY400  # a trace of our own code says nothing here
            raise
        finally:
            if folder is not None:
                folder.write_tables(recorder)


def _run_engine(
    prepared: Prepared,
    options: RunOptions,
    recorder: Recorder,
    folder: RunFolder | None,
    log: FilteringBoundLogger,
) -> RunOutcome:
    program, values = prepared.program, prepared.values
    groups = sum(layer.plan.output_count for layer in program.layers)
    progress = options.progress
    watch = {} if progress is None else {"o_dma": lambda done: progress(done, groups)}
    started = time.perf_counter()
    if options.engine == "compiled":
        result = run_compiled_engine(prepared.description, recorder)
    else:
        workers = None if values is None else values.workers
        result = run_reference(prepared.description, recorder, workers, KEPT_TIMES, watch)
    host_seconds = time.perf_counter() - started
    check_conservation(prepared.description, result)
    annotate_graphs(program, prepared.description, result)
    summary = summarize(
        prepared.scenario.name,
        options.engine,
        program,
        prepared.description,
        result,
        exact=None if values is None else values.exact(),
        accumulators=None if values is None else values.accumulators,
        host_seconds=host_seconds,
    )
    log.info("end", cycle=result.makespan_cycles, exact=summary["exact"], host_seconds=host_seconds)
    if folder is not None:
        folder.write_json("summary.json", summary)
    return RunOutcome(summary, prepared, result, None)
