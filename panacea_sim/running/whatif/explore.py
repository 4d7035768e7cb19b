"""What-if from a base: which reruns there are, in what order they come, and the rows that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property

from panacea_sim.analysis.whatif import WhatIf, WhatIfRow, ranked
from panacea_sim.engines.choice import ChosenEngine, chosen_engine
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.available_memory import processes_that_fit
from panacea_sim.running.digest import layers_digest
from panacea_sim.running.host_memory import RunKind, run_bytes
from panacea_sim.running.loaded_engine import load_compiled_engine
from panacea_sim.running.planning import AS_SCENARIO, Planning
from panacea_sim.running.processes import Executor, opened_executor
from panacea_sim.running.whatif.base import Base
from panacea_sim.running.whatif.reruns import Record, Rerun, rerun, rerun_key
from panacea_sim.running.whatif.rows import row_of
from panacea_sim.running.whatif.store import WhatIfStore
from panacea_sim.running.whatif.variants import Variant, Variants, pairs_of
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.network import LayerLink

__all__ = ["Exploration", "Progress"]

Progress = Callable[[int, int], None]
"""Called with the number of reruns that are done, and of those that are known to be needed."""

_BEST = 4
"""So many of the best steps, one of each knob, are tried in pairs."""


@dataclass(frozen=True, eq=False)
class Exploration:
    """All reruns from a base; use it as `run`, with `stored` and `to_come` before."""

    base: Base
    variants: Variants
    store: WhatIfStore
    workers: int

    @property
    def planned_reruns(self) -> int:
        """How many reruns there are without those of changed mappings and pairs: the base and every variant."""
        return 1 + len(self.variants.tried)

    def to_come(self) -> int:
        """Return how many of these are not kept yet."""
        keys = [self._key(each, AS_SCENARIO) for each in self.variants.tried]
        keys.append(self._key(None, Planning(self.base.mappings)))
        return sum(self.store.record(key) is None for key in keys)

    def run(self, progress: Progress) -> WhatIf:
        """Rerun what is not kept, and return all rows; whatif.json is written.

        Raises MappingError where the base itself does not fit, ConfigError where it takes other cycles than its run,
        and WorkerError; what is done by then is kept.
        """
        with ExitStack() as stack:
            waves = _Waves(self, stack, progress)
            base = self._base_record(waves)
            mappings = base.mappings
            steps = self._rows(self.variants.tried, waves, base)
            pairs = self._rows(pairs_of(self._hardware, self._best(steps)), waves, base)
        assert base.cycles is not None
        found = WhatIf(
            scenario=self.base.scenario.name,
            hardware=self._hardware.name,
            key=self._key(None, Planning(mappings)),
            makespan_cycles=base.cycles,
            layers=len(mappings),
            sqnr_db=self.variants.sqnr_db,
            rows=ranked([row for _, row in (*steps, *pairs)]),
            not_tried=self.variants.not_tried,
        )
        self.store.write_results(found)
        return found

    def rerun_of(self, variant: Variant | None, planning: Planning) -> Rerun:
        """Return the rerun of a variant, or of the base."""
        # Resolved and without settings: processes get the machine as it is.
        hardware = self._hardware if variant is None else variant.hardware
        scenario = replace(self.base.scenario, hardware=hardware, settings={})
        if variant is not None:
            planning = replace(planning, change=variant.change)
            if variant.layers is not None:
                scenario = replace(scenario, layer=variant.layers)
        return Rerun(self._key(variant, planning), scenario, planning, self.engine)

    @cached_property
    def engine(self) -> ChosenEngine:
        """The compiled engine, where there is numba."""
        return chosen_engine("auto", values=False)

    def workers_that_fit(self) -> int:
        """Return in how many processes reruns have room, up to `workers`: each of them is a whole run."""
        kind = RunKind(self.engine, at_once=1)
        if self.base.scenario.schedule == "overlap":
            kind = replace(kind, at_once=None if len(self._layers) > 1 else 1)
        return processes_that_fit(self.workers, run_bytes(self._layers, self._hardware, kind))

    @cached_property
    def _hardware(self) -> Hardware:
        return self.base.scenario.resolved_hardware()

    @cached_property
    def _layers(self) -> tuple[AnyLayer, ...]:
        return self.base.scenario.known_layers()

    @property
    def _links(self) -> tuple[LayerLink, ...]:
        """The links that decide cycles: those of layers that overlap."""
        scenario = self.base.scenario
        return scenario.links if scenario.schedule == "overlap" else ()

    @cached_property
    def _layers_digest(self) -> str:
        return layers_digest(self._layers, self._links)

    def _key(self, variant: Variant | None, planning: Planning) -> str:
        hardware = self._hardware if variant is None else variant.hardware
        change = planning.change if variant is None else variant.change
        layers = self._layers_digest
        if variant is not None and variant.layers is not None:
            layers = layers_digest(variant.layers, self._links)
        return rerun_key(layers, hardware, self.base.scenario, replace(planning, change=change))

    def _base_record(self, waves: _Waves) -> Record:
        """Return the record of the base, which must be what its run has measured."""
        (record,) = waves.records([self.rerun_of(None, Planning(self.base.mappings))])
        if record.cycles is None:
            raise MappingError(record.obstacle or "the base does not run")
        if self.base.cycles not in {None, record.cycles}:
            found = f"a run of {self.base.cycles} cycles, which takes {record.cycles} when it runs again"
            raise ConfigError(
                f"{self.base.folder.parent}", found, "a run of this version of panacea_sim", "Run the scenario again"
            )
        return record

    def _rows(self, variants: Sequence[Variant], waves: _Waves, base: Record) -> list[tuple[Variant, WhatIfRow]]:
        """Return the row of each variant: planned anew, and with the mapping held where that is another one."""
        planned = waves.records([self.rerun_of(each, AS_SCENARIO) for each in variants])
        held_apart = [
            number
            for number, record in enumerate(planned)
            if record.cycles is not None and record.mappings != base.mappings
        ]
        held = list(planned)
        holding = Planning(base.mappings)
        reruns = [self.rerun_of(variants[number], holding) for number in held_apart]
        for number, record in zip(held_apart, waves.records(reruns), strict=True):
            held[number] = record
        return [
            (each, row_of(each, *of_it, base))
            for each, of_it in zip(variants, zip(held, planned, strict=True), strict=True)
        ]

    def _best(self, rows: Iterable[tuple[Variant, WhatIfRow]]) -> list[Variant]:
        """Return the best step of each of the best knobs, of those that gain anything."""
        of_row = {row.identity: variant for variant, row in rows}
        best: dict[str, Variant] = {}
        for row in ranked(row for _, row in rows):
            if row.kind == "step" and row.gain_planned is not None and row.gain_planned.cycles > 0:
                best.setdefault(row.knob, of_row[row.identity])
        return list(best.values())[:_BEST]


class _Waves:
    """Reruns that do not depend on each other, wave after wave, in processes that are started when they are needed."""

    def __init__(self, exploration: Exploration, stack: ExitStack, progress: Progress) -> None:
        self._exploration = exploration
        self._stack = stack
        self._progress = progress
        self._executor: Executor | None = None
        self._done = 0
        self._known = exploration.to_come()

    def records(self, reruns: Sequence[Rerun]) -> list[Record]:
        """Return the record of each rerun; those that are not kept yet are run, once for each key."""
        store = self._exploration.store
        found = {each.key: store.record(each.key) for each in reruns}
        pending = list({each.key: each for each in reruns if found[each.key] is None}.values())
        self._known = max(self._known, self._done + len(pending))
        if pending:
            for number, fresh in self._opened().results(rerun, pending):
                store.keep(pending[number].key, fresh)
                found[pending[number].key] = fresh
                self._done += 1
                self._progress(self._done, self._known)
        return [record for each in reruns if (record := found[each.key]) is not None]

    def _opened(self) -> Executor:
        if self._executor is None:
            exploration = self._exploration
            workers = exploration.workers_that_fit()
            meanwhile = load_compiled_engine if exploration.engine == "compiled" else None
            self._executor = self._stack.enter_context(opened_executor(workers, work="rerun", meanwhile=meanwhile))
        return self._executor
