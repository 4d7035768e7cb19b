"""The layers of a scenario that run each alone, and what they give when they are put one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.analysis.alone import border_cycles, busiest_part
from panacea_sim.analysis.joined_results import joined_results
from panacea_sim.analysis.summary import SummaryParts
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.engines.result import EngineResult
from panacea_sim.machines.machine import machine_of
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.running.layers import LayerOutcome, LayerTask, run_layers
from panacea_sim.running.prepare import PreparedLayers
from panacea_sim.running.processes import opened_executor
from panacea_sim.trace.joined_trace import JoinedTrace, TracePart
from panacea_sim.trace.options import NO_TRACE, TraceOptions
from panacea_sim.trace.summary import LayerSummary
from panacea_sim.trace.writing import writing
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import LayerFile

if TYPE_CHECKING:
    from panacea_sim.explanation.explanation import Explanation

__all__ = ["LayerSequence", "SequenceOptions"]


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
        self._outcomes: dict[int, LayerOutcome] = {}

    def run(self, note: Callable[[int, LayerOutcome | None], None], watch: Callable[[int, int], None]) -> None:
        """Run all layers.

        `note` hears the number of each layer that is done, with its outcome if it was simulated; `watch` hears numbers
        of layers with the output tiles that are done, as far as that is known before. Raises what a layer raises.
        """
        # With a window, what is recorded of a layer depends on when it begins: they run one by one.
        workers = 1 if self._recorded.window else min(self._options.workers, len(self._prepared.layers))
        compiles = self._options.engine == "compiled" or self._prepared.values_way == "check"
        meanwhile = self._load_compiled if compiles else None
        with opened_executor(workers, work="layer", meanwhile=meanwhile) as executor:
            for number, layer_run in run_layers(self._tasks(), executor, watch):
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
        return joined_results([outcome.result for _, outcome in self._done()])

    def parts(self) -> SummaryParts:
        """Return what the summary says of the layers, with their cycles in the whole run."""
        parts = [outcome.parts for _, outcome in self._done()]
        exact = [each.exact for each in parts]
        return SummaryParts(
            tuple(self._layers()),
            max((each.topology for each in parts), key=lambda topology: len(topology.components)),
            _summed([each.actions for each in parts]),
            None if None in exact else all(exact),
        )

    def explanation(self) -> Explanation | None:
        """Return the explanations of the layers added up, None if they were not asked for."""
        if not self._options.explain:
            return None
        # It takes a while to import.
        from panacea_sim.explanation.explanation import joined  # noqa: PLC0415

        named = zip((layer.name for layer in self._prepared.layers), self._done(), strict=False)
        found = [(name, outcome.explanation) for name, (_, outcome) in named]
        return joined([(name, each) for name, each in found if each is not None])

    def trace(self) -> JoinedTrace:
        """Return what was recorded of the layers that are done."""
        parts = [outcome.trace for _, outcome in self._done()]
        return JoinedTrace(self._recorded, [part for part in parts if isinstance(part, TracePart)])

    def _load_compiled(self) -> None:
        """Compile what the layers need, or load it: each worker would compile it otherwise."""
        if self._options.engine == "compiled":
            # It takes a while and need not be installed.
            from panacea_sim.engines.compiled.engine import load_compiled  # noqa: PLC0415

            load_compiled()
        if self._prepared.values_way == "check":
            machine_of(self._prepared.hardware).load_check()

    def _tasks(self) -> Iterator[LayerTask]:
        return map(self._task_of, range(len(self._prepared.layers)))

    def _task_of(self, number: int) -> LayerTask:
        prepared, folder = self._prepared, self._options.spill_folder
        return LayerTask(
            _findable(prepared.layers[number]),
            prepared.hardware,
            prepared.values_way,
            self._options.engine,
            prepared.scenario.mapping,
            frozenset(self._keys.values()) if self._memoizes else frozenset(),
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
        offset_cycles = sum(outcome.result.makespan_cycles for _, outcome in self._done())
        first, last = (cycle - offset_cycles for cycle in self._recorded.window)
        return replace(self._recorded, window=(first, last)) if last > 0 else NO_TRACE

    def _done(self) -> Iterator[tuple[int, LayerOutcome]]:
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
            (layer,) = outcome.parts.layers
            changes = {
                "name": layers[number].name,
                "kind": layers[number].kind,
                "block": layers[number].block,
                "mapping_from": self._prepared.scenario.mapping,
                "busiest": busiest_part(outcome.parts.topology, outcome.result.totals),
                "border_cycles": border_cycles(outcome.parts.topology, outcome.result.totals),
                "start_cycle": layer.start_cycle + offset_cycles,
                "end_cycle": layer.end_cycle + offset_cycles,
                "memoized_from": None if simulated == number else layers[simulated].name,
            }
            yield layer.model_copy(update=changes)
            offset_cycles += outcome.result.makespan_cycles


def _summed(all_actions: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Return the totals of each component's actions over all layers, in the order of the largest machine."""
    sums: dict[str, dict[str, int]] = {}
    for actions in sorted(all_actions, key=len, reverse=True):
        for component, totals in actions.items():
            mine = sums.setdefault(component, {})
            for action, total in totals.items():
                mine[action] = mine.get(action, 0) + total
    return sums


def _made(folder: Path) -> Path:
    with writing(folder):
        folder.mkdir()
    return folder


def _findable(layer: AnyLayer) -> AnyLayer:
    """Give a layer in a file a path that other processes understand: they need not be in this folder."""
    return replace(layer, path=layer.path.absolute()) if isinstance(layer, LayerFile) else layer
