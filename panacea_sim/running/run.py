"""Runs: a scenario prepared, simulated, checked and written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from panacea_sim.analysis.accounting import check_conservation
from panacea_sim.analysis.layer_times import annotate_graphs
from panacea_sim.analysis.summary import (
    Heading,
    partial_summary,
    summarize,
    summarize_parts,
)
from panacea_sim.description.topology import Place, Topology, topology_of
from panacea_sim.engines.choice import ChosenEngine, Engine, chosen_engine
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import ConfigError, PanaceaError
from panacea_sim.mapping.graph import TileGroupGraph
from panacea_sim.running.host_memory import RunKind, check_layers, check_mapping
from panacea_sim.running.prepare import Prepared, PreparedLayers, prepare
from panacea_sim.running.scenario import Scenario, write_scenario
from panacea_sim.trace.joined_trace import JoinedTrace
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.run_log import LogLevel, open_log
from panacea_sim.trace.run_place import check_run_folder, named, partial_of
from panacea_sim.trace.store import RunFolder
from panacea_sim.trace.summary import LayerSummary, Summary
from panacea_sim.workload.layer import loaded
from panacea_sim.workload.layer_file import LayerFile

if TYPE_CHECKING:
    from panacea_sim.explanation.explanation import Explanation

__all__ = ["Interrupted", "Progress", "RunOptions", "RunOutcome", "run"]

Progress = Callable[[int, int], None]
"""Called with the number of tile groups, or of layers, done and their total."""


@dataclass(frozen=True)
class RunOptions:
    """How to run: where the run folder goes (None: nowhere), what is recorded, and who is told.

    `workers` and `memoize` are for the schedule "barrier": in how many processes layers run, and whether layers with
    equal work are simulated once. More than one process need a script that can be imported: its own work stands below
    `if __name__ == "__main__"`. With `explain` the run is explained, which records no rows: see explanation/. Raises
    ConfigError for less than one worker.
    """

    folder: Path | None = None
    force: bool = False
    trace: TraceOptions = field(default_factory=TraceOptions)
    log_level: LogLevel = "info"
    progress: Progress | None = None
    engine: Engine = "auto"
    workers: int = 1
    memoize: bool = True
    layer_progress: Progress | None = None
    explain: bool = False

    def __post_init__(self) -> None:
        """Check the number of workers."""
        if type(self.workers) is not int or self.workers < 1:
            raise ConfigError("--workers", self.workers, "a whole number >= 1")


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """What a run gave: its summary, the engine's figures, and where the run folder is.

    `folder` is None if none was asked for, and `explanation` if the run was not explained.
    """

    summary: Summary
    prepared: Prepared | PreparedLayers
    result: EngineResult
    folder: Path | None
    explanation: Explanation | None = None

    def tile_groups(self) -> list[TileGroupGraph]:
        """Return the graph of tile groups of each layer, its nodes with their start, end and stall in cycles.

        A run of layers that ran alone has none: what each of them did is not kept. The machine must have a component
        with the role `issue`.
        """
        if not isinstance(self.prepared, Prepared):
            return []
        annotate_graphs(self.prepared.program, self.prepared.description, self.result)
        return [layer.plan.graph for layer in self.prepared.program.layers]

    def path_on_tile_groups(self) -> tuple[list[TileGroupGraph], int]:
        """Return the same graphs, each node with its `path_cycles`, and the cycles of the path that no group owns.

        With those of all nodes they add up to the makespan. The run is made once more for this, without values. A run
        of layers that ran alone has no graphs, and all of its cycles are left.
        """
        if not isinstance(self.prepared, Prepared):
            return [], self.summary.makespan_cycles
        # It takes a while to import, and few ask.
        from panacea_sim.running.path_groups import annotate_path  # noqa: PLC0415

        engine = chosen_engine("auto", values=False)
        _check_memory(self.prepared, RunOptions(explain=True), engine)
        return annotate_path(self.prepared, engine)


class Interrupted(KeyboardInterrupt):
    """The user stopped a run; `partial` is the folder that holds what had been recorded, if there is one."""

    def __init__(self, partial: Path | None) -> None:
        super().__init__()
        self.partial = partial


def run(scenario: Scenario | Prepared | PreparedLayers, options: RunOptions | None = None) -> RunOutcome:
    """Run a scenario, check its accounts, and write its run folder if one was asked for.

    Raises ConfigError or MappingError before anything is written; DeadlockError or InvariantError with the folder left
    as NAME.partial; Interrupted likewise when the user stops the run. With the schedule "barrier", the MappingError of
    a layer comes when its turn does, and the folder is left too, as it is with WorkerError.
    """
    options = options or RunOptions()
    if options.folder is not None:
        check_run_folder(options.folder, force=options.force)
    prepared = prepare(scenario, options.engine) if isinstance(scenario, Scenario) else scenario
    engine = chosen_engine(options.engine, values=prepared.values_way == "travel")
    _check_memory(prepared, options, engine)
    if options.folder is None:
        return _simulate(prepared, options, engine, None)
    prepared = _rescued(prepared, options.folder, options.engine)
    with RunFolder(options.folder, force=options.force) as folder, _telling_what_is_kept(folder):
        outcome = _simulate(prepared, options, engine, folder)
        folder.complete()
    return replace(outcome, folder=folder.target)


@contextmanager
def _telling_what_is_kept(folder: RunFolder) -> Iterator[None]:
    try:
        yield
    except PanaceaError as error:
        if folder.is_left():
            error.add_note(f"What was recorded is in {folder.path}")
        raise


def _check_memory(prepared: Prepared | PreparedLayers, options: RunOptions, engine: ChosenEngine) -> None:
    """Refuse what does not fit the memory there is, with the trace and the processes that are asked for."""
    traced = options.trace.level != "off" and (options.folder is not None or isinstance(prepared, Prepared))
    alone = isinstance(prepared, PreparedLayers)
    at_once = min(options.workers, len(prepared.layers)) if alone else None
    kind = RunKind(engine, traced, prepared.values_way != "off", at_once, options.explain)
    hardware = prepared.hardware
    if isinstance(prepared, Prepared) and len(prepared.layers) == 1:
        plan = prepared.program.layers[0].plan
        check_mapping(prepared.layers[0], hardware, plan.order, plan.height, replace(kind, at_once=1))
    else:
        check_layers(prepared.layers, hardware, kind)


def _rescued(prepared: Prepared | PreparedLayers, target: Path, engine: Engine) -> Prepared | PreparedLayers:
    """Read layers whose files lie in the partial folder of this name, which the run is about to replace."""
    partial = partial_of(named(target)).resolve()
    lost = [
        number
        for number, layer in enumerate(prepared.layers)
        if isinstance(layer, LayerFile) and layer.path.resolve().is_relative_to(partial)
    ]
    if not lost:
        return prepared
    layers = tuple(loaded(layer) if number in lost else layer for number, layer in enumerate(prepared.layers))
    return prepare(replace(prepared.scenario, layer=layers), engine)


def _simulate(
    prepared: Prepared | PreparedLayers, options: RunOptions, engine: ChosenEngine, folder: RunFolder | None
) -> RunOutcome:
    scenario, hardware = prepared.scenario, prepared.hardware
    if folder is not None:
        write_scenario(folder, scenario, prepared.layers, hardware)
    heading = Heading(scenario.name, engine, prepared.values_way, hardware, scenario.schedule, options.trace)
    with open_log(None if folder is None else folder.path / "log.jsonl", options.log_level) as log:
        layers = [layer.name for layer in prepared.layers]
        log.info("start", scenario=scenario.name, layers=layers, hardware=hardware.model_dump())
        one = _OneRun(heading, options, folder, log)
        try:
            outcome = one.run(prepared) if isinstance(prepared, Prepared) else one.run_layers(prepared)
        except KeyboardInterrupt as error:
            with suppress(ConfigError):
                log.warning("interrupted")
            raise _interrupted(error, folder) from None
        except PanaceaError as error:
            # A disk that is full takes no more of the log either.
            with suppress(ConfigError):
                log.error("failed", error=type(error).__name__, message=str(error))  # noqa: TRY400  # a trace says no more
            raise
        summary = outcome.summary
        log.info("end", cycle=summary.makespan_cycles, exact=summary.exact, host_seconds=summary.host_seconds)
        if folder is not None:
            if outcome.explanation is not None:
                _write_explanation(folder, outcome.explanation)
            folder.write_json("summary.json", summary.to_json())
        return outcome


def _as_in_their_network(layers: tuple[LayerSummary, ...], prepared: Prepared) -> tuple[LayerSummary, ...]:
    """Return what is said of layers with what the program does not know: their labels, and how mappings were chosen."""
    mapping_from = prepared.scenario.mapping
    return tuple(
        summary.model_copy(update={"kind": layer.kind, "block": layer.block, "mapping_from": mapping_from})
        for summary, layer in zip(layers, prepared.layers, strict=True)
    )


def _write_explanation(folder: RunFolder, explanation: Explanation) -> None:
    # It takes a while to import, and most runs are not explained.
    from panacea_sim.explanation.folder import explanation_tables  # noqa: PLC0415

    for name, table in explanation_tables(explanation).items():
        folder.write_table(name, table)


def _with_explanation(summary: Summary, explanation: Explanation | None) -> Summary:
    if explanation is None:
        return summary
    # The same.
    from panacea_sim.explanation.folder import explanation_summary  # noqa: PLC0415

    return summary.model_copy(update={"explanation": explanation_summary(explanation)})


def _interrupted(error: KeyboardInterrupt, folder: RunFolder | None) -> Interrupted:
    """Return the interrupt of a run, with what was told of the first one."""
    interrupted = Interrupted(None if folder is None else folder.path)
    for note in getattr(error, "__notes__", ()):
        interrupted.add_note(note)
    return interrupted


@dataclass(frozen=True, eq=False)
class _OneRun:
    """A run that is under way."""

    heading: Heading
    options: RunOptions
    folder: RunFolder | None
    log: FilteringBoundLogger

    def run(self, prepared: Prepared) -> RunOutcome:
        """Run all layers as one simulation."""
        program, description, values = prepared.program, prepared.description, prepared.values
        names = tuple(layer.name for layer in prepared.layers)
        self._write_partial(names, topology_of(description))
        groups = sum(layer.plan.output_count for layer in program.layers)
        progress = self.options.progress
        watch = None if progress is None else lambda done: progress(done, groups)
        debug = self.log.debug if self.options.log_level == "debug" else None
        explains = self.options.explain
        recorder = Recorder(self.options.trace, names, self._make_spill_folder(), debug, explains=explains)
        started = time.perf_counter()
        with self._tables_of(lambda: recorder):
            result = prepared.run(self.heading.engine, recorder, watch, ("fetch", "issue", "write_back"))
            check_conservation(description, result)
            exact = None if values is None else values.exact()
            host_seconds = time.perf_counter() - started
            parts = summarize_parts(
                program,
                description,
                result,
                exact=exact,
                accumulators=None if values is None else values.accumulators,
            )
            parts = replace(parts, layers=_as_in_their_network(parts.layers, prepared))
            explanation = None
            if explains:
                # The same as below.
                from panacea_sim.explanation.explained import explained_run  # noqa: PLC0415

                explanation = explained_run(description, recorder, result)
        summary = summarize(self.heading, result, parts, host_seconds)
        return RunOutcome(_with_explanation(summary, explanation), prepared, result, None, explanation)

    def run_layers(self, prepared: PreparedLayers) -> RunOutcome:
        """Run each layer alone, and put them one behind the other."""
        # Processes and joined traces take a while to import.
        from panacea_sim.running.batch_outcome import BatchedOutcome  # noqa: PLC0415
        from panacea_sim.running.layers import LayerOutcome  # noqa: PLC0415
        from panacea_sim.running.sequence import LayerSequence, SequenceOptions  # noqa: PLC0415

        options, names = self.options, tuple(layer.name for layer in prepared.layers)
        self._write_partial(names, Topology((), (), ()))
        sequence = LayerSequence(
            prepared,
            SequenceOptions(
                self.heading.engine,
                options.workers,
                options.memoize,
                options.trace,
                self._make_spill_folder(),
                options.explain,
            ),
        )
        tiles = sequence.output_tiles()
        done_tiles = [0] * len(tiles)
        known: list[Place] = []
        done: list[str] = []

        def watch(number: int, tiles_done: int) -> None:
            done_tiles[number] = tiles_done
            if options.progress is not None:
                options.progress(sum(done_tiles), sum(tiles))

        def note(number: int, outcome: LayerOutcome | BatchedOutcome | None) -> None:
            cycles = None if outcome is None else outcome.makespan_cycles
            self.log.info("layer", layer=names[number], makespan_cycles=cycles, simulated=outcome is not None)
            if outcome is not None and len(outcome.topology.components) > len(known):
                known[:] = outcome.topology.components
                self._write_partial(names, outcome.topology)
            done.append(names[number])
            watch(number, tiles[number])
            if options.layer_progress is not None:
                options.layer_progress(len(done), len(names))

        started = time.perf_counter()
        with self._tables_of(sequence.trace):
            sequence.run(note, watch)
        result, explanation = sequence.result(), sequence.explanation()
        summary = summarize(self.heading, result, sequence.parts(), time.perf_counter() - started)
        return RunOutcome(_with_explanation(summary, explanation), prepared, result, None, explanation)

    def _write_partial(self, layers: tuple[str, ...], topology: Topology) -> None:
        """Write a summary without figures: whatever stops the run, the folder can be read."""
        if self.folder is not None:
            self.folder.write_json("summary.json", partial_summary(self.heading, layers, topology).to_json())

    def _make_spill_folder(self) -> Path | None:
        is_needed = self.folder is not None and self.options.trace.level != "off"
        return self.folder.make_spill_folder() if self.folder is not None and is_needed else None

    def _tables_of(self, trace: Callable[[], Recorder | JoinedTrace]) -> AbstractContextManager[None]:
        return nullcontext() if self.folder is None else self.folder.tables_of(trace)
