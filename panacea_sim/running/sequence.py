"""The layers of a scenario that run each alone, and what they give when they are put one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from panacea_sim.analysis.joined_results import joined_results
from panacea_sim.analysis.summary import SummaryParts
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.engines.result import EngineResult
from panacea_sim.machines.machine import machine_of
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.running.batch_outcome import BatchedOutcome, BatchOutcome
from panacea_sim.running.batches import batches_of, run_batches
from panacea_sim.running.layers import LayerOutcome, LayerTask
from panacea_sim.running.planning import AS_SCENARIO
from panacea_sim.running.prepare import PreparedLayers
from panacea_sim.running.processes import opened_executor
from panacea_sim.trace.counts import summed_counts
from panacea_sim.trace.joined_trace import JoinedTrace, TracePart
from panacea_sim.trace.options import NO_TRACE, TraceOptions
from panacea_sim.trace.summary import LayerSummary
from panacea_sim.trace.writing import writing
from panacea_sim.units import IntArray, repeated
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import LayerFile

if TYPE_CHECKING:
    from panacea_sim.explanation.explanation import Explanation

__all__ = ["LayerSequence", "SequenceOptions"]

_ONCE = repeated(1, 1)


@dataclass(frozen=True)
class SequenceOptions:
    """How to run layers: in how many processes, whether equal ones run once, what is recorded and into which folder.

    With `explain` each layer is explained where it runs. Without a folder nothing is recorded.
    """

    engine: ChosenEngine
    workers: int = 1
    memoize: bool = True
    trace: TraceOptions = NO_TRACE
    spill_folder: Path | None = None
    explain: bool = False


class LayerSequence:
    """Layers that run each alone: `run` runs them, the rest says what they gave together.

    Layers that are not done are left out, as are those behind them, because nobody knows when they begin.
    """

    def __init__(self, prepared: PreparedLayers, options: SequenceOptions) -> None:
        self._prepared = prepared
        self._options = options
        self._recorded = options.trace if options.spill_folder is not None else NO_TRACE
        # Rows of a layer that runs once for several would have to be written for each; values have to be compared.
        self._memoizes = options.memoize and self._recorded.level == "off" and prepared.values_way == "off"
        self._keys: dict[int, bytes] = {}
        self._outcomes: dict[int, LayerOutcome | BatchedOutcome] = {}

    def run(
        self, note: Callable[[int, LayerOutcome | BatchedOutcome | None], None], watch: Callable[[int, int], None]
    ) -> None:
        """Run all layers.

        `note` hears the number of each layer that is done, with its outcome if it was simulated; `watch` hears numbers
        of layers with the output tiles that are done, as far as that is known before. Raises what a layer raises.
        """
        # With a window, what is recorded of a layer depends on when it begins: they run one by one.
        workers = 1 if self._recorded.window else min(self._options.workers, len(self._prepared.layers))
        compiles = self._options.engine == "compiled" or self._prepared.values_way == "check"
        meanwhile = self._load_compiled if compiles else None
        with opened_executor(workers, work="layer", meanwhile=meanwhile) as executor:
            for number, layer_run in run_batches(self._batches(), executor, watch):
                self._keys[number] = layer_run.key
                if layer_run.outcome is not None:
                    self._outcomes[number] = layer_run.outcome
                note(number, layer_run.outcome)

    def output_tiles(self) -> list[int]:
        """Return the number of output tiles of each layer."""
        hardware = self._prepared.hardware
        layers = self._prepared.layers
        tilings = [Tiling.of(hardware, (layer.M, layer.K, layer.N), layer.repeat) for layer in layers]
        return [tiling.repeat * tiling.m_tiles * tiling.n_tiles for tiling in tilings]

    def result(self) -> EngineResult:
        """Return the figures of all layers together."""
        return joined_results(
            [
                part.result.result(times) if isinstance(part, BatchOutcome) else part.result
                for part, times in self._counted()
            ]
        )

    def parts(self) -> SummaryParts:
        """Return what the summary says of the layers, with their cycles in the whole run."""
        counted = list(self._counted())
        exact = [None if isinstance(part, BatchOutcome) else part.parts.exact for part, _ in counted]
        return SummaryParts(
            tuple(self._layers()),
            max((part.topology for part, _ in counted), key=lambda topology: len(topology.components)),
            summed_counts(
                [
                    part.action_totals(times) if isinstance(part, BatchOutcome) else part.parts.actions
                    for part, times in counted
                ]
            ),
            summed_counts(
                [
                    part.operation_totals(times) if isinstance(part, BatchOutcome) else part.parts.operations
                    for part, times in counted
                ]
            ),
            None if None in exact else all(exact),
        )

    def explanation(self) -> Explanation | None:
        """Return the explanations of the layers added up, None if they were not asked for."""
        if not self._options.explain:
            return None
        # It takes a while to import.
        from panacea_sim.explanation.explanation import joined  # noqa: PLC0415

        named = zip((layer.name for layer in self._prepared.layers), self._done(), strict=False)
        found = [(name, outcome.explanation) for name, (_, outcome) in named if isinstance(outcome, LayerOutcome)]
        return joined([(name, each) for name, each in found if each is not None])

    def trace(self) -> JoinedTrace:
        """Return what was recorded of the layers that are done."""
        parts = [outcome.trace for _, outcome in self._done() if isinstance(outcome, LayerOutcome)]
        return JoinedTrace(self._recorded, [part for part in parts if isinstance(part, TracePart)])

    def _load_compiled(self) -> None:
        """Compile what the layers need, or load it: each worker would compile it otherwise."""
        if self._options.engine == "compiled":
            # It takes a while and need not be installed.
            from panacea_sim.engines.compiled.engine import load_compiled  # noqa: PLC0415

            load_compiled()
        if self._prepared.values_way == "check":
            machine_of(self._prepared.hardware).load_check()

    def _batches(self) -> Iterator[list[LayerTask]]:
        """Return the layers, as many at a time as may run together; those of each come when their turn does."""
        prepared, options = self._prepared, self._options
        may_run_together = (
            options.engine == "compiled"
            and prepared.values_way == "off"
            and prepared.scenario.mapping == "class"
            and prepared.planning == AS_SCENARIO
            and self._recorded.level == "off"
            and options.spill_folder is None
            and not options.explain
        )
        together = [range(number, number + 1) for number in range(len(prepared.layers))]
        if may_run_together:
            together = batches_of(prepared.layers, prepared.hardware)
        return ([self._task_of(number) for number in numbers] for numbers in together)

    def _task_of(self, number: int) -> LayerTask:
        prepared, folder = self._prepared, self._options.spill_folder
        return LayerTask(
            _findable(prepared.layers[number]),
            prepared.hardware,
            prepared.values_way,
            self._options.engine,
            prepared.scenario.mapping,
            frozenset(self._keys.values()) if self._memoizes else frozenset(),
            self._memoizes,
            self._trace_options(),
            None if folder is None else _made(folder.absolute() / f"{number:04d}"),
            producer=self._unchecked_producer(number),
            explain=self._options.explain,
            planning=prepared.planning.of_layer(number),
        )

    def _unchecked_producer(self, number: int) -> AnyLayer | None:
        """Return the layer whose outputs this one reads, unless both were in memory and have been compared."""
        source = self._prepared.sources[number]
        if source is None:
            return None
        layer, producer = self._prepared.layers[number], self._prepared.layers[source]
        return _findable(producer) if LayerFile in {type(layer), type(producer)} else None

    def _trace_options(self) -> TraceOptions:
        """Return what to record of the next layer; with a window, all before it are done."""
        if self._recorded.window is None:
            return self._recorded
        offset_cycles = sum(outcome.makespan_cycles for _, outcome in self._done())
        first, last = (cycle - offset_cycles for cycle in self._recorded.window)
        return replace(self._recorded, window=(first, last)) if last > 0 else NO_TRACE

    def _counted(self) -> Iterator[tuple[LayerOutcome | BatchOutcome, IntArray]]:
        """Return what was simulated for the layers that are done: alone or in a batch, and how often each layer counts.

        A layer that ran alone comes once for each layer for which it stands.
        """
        counts: dict[BatchOutcome, IntArray] = {}
        for _, outcome in self._done():
            if isinstance(outcome, LayerOutcome):
                yield outcome, _ONCE
            else:
                counts.setdefault(outcome.batch, np.zeros(len(outcome.batch.layers), np.int64))[outcome.number] += 1
        yield from counts.items()

    def _done(self) -> Iterator[tuple[int, LayerOutcome | BatchedOutcome]]:
        """Return the layers that are done, in order, each with the number of the layer that was simulated for it."""
        first: dict[bytes, int] = {}
        for number in range(len(self._prepared.layers)):
            if number not in self._keys:
                return
            # Tasks go out in order, so the first layer of a key did not know it. Later ones may not have known either.
            simulated = first.setdefault(self._keys[number], number) if self._memoizes else number
            yield simulated, self._outcomes[simulated]

    def _layers(self) -> Iterator[LayerSummary]:
        layers = self._prepared.layers
        offset_cycles = 0
        for number, (simulated, outcome) in enumerate(self._done()):
            layer = outcome.summary
            changes = {
                "name": layers[number].name,
                "kind": layers[number].kind,
                "block": layers[number].block,
                "mapping_from": self._prepared.scenario.mapping,
                "start_cycle": layer.start_cycle + offset_cycles,
                "end_cycle": layer.end_cycle + offset_cycles,
                "memoized_from": None if simulated == number else layers[simulated].name,
            }
            yield layer.model_copy(update=changes)
            offset_cycles += outcome.makespan_cycles


def _made(folder: Path) -> Path:
    with writing(folder):
        folder.mkdir()
    return folder


def _findable(layer: AnyLayer) -> AnyLayer:
    """Give a layer in a file a path that other processes understand: they need not be in this folder."""
    return replace(layer, path=layer.path.absolute()) if isinstance(layer, LayerFile) else layer
