"""The compiled engine: the same description as the reference engine runs, evaluated by numba.

It returns the same figures to the last cycle and records the same trace, but carries no values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description, joined_labels
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Give, Take
from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.columns import BUSY, CONTENDED, IDLE, PAUSED, STARVED, STUCK
from panacea_sim.engines.compiled.delays import first_delays, posting_codes
from panacea_sim.engines.compiled.evaluation import evaluate
from panacea_sim.engines.compiled.kept_rows import UNKNOWN, give_back, look_up, with_more_room
from panacea_sim.engines.compiled.lowering import lower
from panacea_sim.engines.compiled.occupancy import high_water, moved_bytes
from panacea_sim.engines.compiled.tables import core_tables, stream_tables, trace_buffers
from panacea_sim.engines.compiled.totals import channel_kind, channel_totals, cycle_totals, firing_counts, queue_totals
from panacea_sim.engines.deadlock import StandStill, describe_deadlock
from panacea_sim.engines.result import EngineResult, FiringTimes
from panacea_sim.errors import DeadlockError
from panacea_sim.trace.activity_log import NO_FIRING, ActivityLog, Kind
from panacea_sim.trace.kept_run import KeptRun, RunGrants, RunRows
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import GAP_REASONS, NO_REQUESTS, State
from panacea_sim.trace.totals import QueueTotals
from panacea_sim.units import IntArray

__all__ = ["load_compiled", "run_compiled"]


def run_compiled(
    description: Description,
    recorder: Recorder,
    keep_times: Collection[str] = (),
    watch: Mapping[str, Callable[[int], None]] | None = None,
) -> EngineResult:
    """Run the machine to its end and return what happened, as `run_reference` does.

    `watch` maps components to what is called now and then with the number of their firings done. Raises DeadlockError
    if the machine cannot go on.
    """
    return _Engine(description, recorder, keep_times).run(watch or {})


def load_compiled() -> None:
    """Compile the engine or load what was compiled before, so that other processes find it."""
    one = np.ones(1, np.int64)
    parts = (
        Component("giver", "", 1, one, gives=(Give("queue", one),)),
        Component("taker", "", 1, one, takes=(Take("queue", one),)),
    )
    run_compiled(Description(parts, (Queue("queue", 1),)), Recorder(NO_TRACE))


class _Engine:
    """A lowered description with the arrays of one run."""

    def __init__(self, description: Description, recorder: Recorder, keep_times: Collection[str]) -> None:
        self._description = description
        self._recorder = recorder
        self._keep_times = keep_times
        self._traced = recorder.options.level != "off"
        self._records = self._traced or recorder.explains
        self._lowered = lower(
            description,
            keep_times,
            whole_queues=recorder.options.level == "full",
        )
        self._names = [component.name for component in description.components]
        self._ports = [port.component for port in description.ports]
        self._core = core_tables(self._lowered)
        self._streams = stream_tables(self._lowered)
        self._trace = trace_buffers(self._lowered, records=self._records, whole=self._traced)
        self._logs = self._open_logs() if self._records else []
        self._has_begun = np.zeros(len(self._logs), np.bool_)
        self._kinds: list[tuple[int, Kind]] = []
        self._lowest_code, self._codes = self._unknown_codes()
        self._posting_codes = self._codes_of_postings() if self._records else []

    def run(self, watch: Mapping[str, Callable[[int], None]]) -> EngineResult:
        status = PAUSED
        while status == PAUSED:
            status = evaluate(self._core, self._streams, self._trace)
            self._make_room()
            for name, tell in watch.items():
                tell(self._count(f"ended:{name}"))
        if status == STUCK:
            raise DeadlockError(describe_deadlock(self._last_cycle(), self._stand_stills()))
        makespan_cycles = int(self._core.components[:, col.LAST_END].max(initial=0))
        if self._traced:
            self._log_ends(makespan_cycles)
        elif self._records:
            self._log_postings()
            self._keep()
        return self._result(makespan_cycles)

    def _open_logs(self) -> list[ActivityLog]:
        """Open the logs in the order of the file: components, then channels."""
        recorder, description = self._recorder, self._description
        logs = [
            recorder.activity_log(part.name, part.labels, part.size_bytes, actions=part.actions)
            for part in description.components
        ]
        by_name = {part.name: part for part in description.components}
        labels, sizes, _ = joined_labels([by_name[name] for name in self._ports])
        for channel in description.channels:
            logs.append(recorder.activity_log(channel.name, labels, sizes))
            recorder.access_log(channel.name, self._ports)
        for part in description.components:
            if part.posted:
                recorder.posting_log(part.name)
        return logs

    def _unknown_codes(self) -> tuple[int, IntArray]:
        """Return the lowest code of the evaluation, and what stands for all from there: codes of logs, or kinds."""
        structure, reasons, ports = self._lowered.structure, len(GAP_REASONS), len(self._ports)
        channels = len(self._description.channels)
        lowest = CONTENDED - max(channels * (ports + reasons), (1 + reasons) * ports)
        return lowest, np.full((len(self._logs), len(structure.slots) - lowest), UNKNOWN, np.int32)

    def _make_room(self) -> None:
        """Empty the buffers of a trace, which may be cut short; what is explained gets more room where it needs it."""
        if self._traced:
            self._empty_buffers()
        elif self._records:
            self._trace = with_more_room(self._trace)

    def _empty_buffers(self) -> None:
        trace = self._trace
        for owner in np.flatnonzero(trace.row_counts).tolist():
            self._begin(owner)
            code, start, end, firing = trace.rows[owner, : trace.row_counts[owner]].T
            self._logs[owner].extend(self._logged(owner, code), start, end, firing)
        for number in np.flatnonzero(trace.access_counts).tolist():
            log = self._recorder.accesses[self._description.channels[number].name]
            log.extend(trace.accesses[number, : trace.access_counts[number]])
        self._log_postings()
        for counts in (trace.row_counts, trace.access_counts, trace.posting_counts, trace.most):
            counts[:] = 0

    def _logged(self, owner: int, codes: IntArray) -> IntArray:
        """Return the codes in the log of an owner for those of the evaluation; of new ones the lowest come first."""
        known, places = self._codes[owner], codes - self._lowest_code
        if (known[places] == UNKNOWN).any():
            for code in np.unique(codes).tolist():
                if known[code - self._lowest_code] == UNKNOWN:
                    known[code - self._lowest_code] = self._logs[owner].code(*self._kind(owner, code))
        logged: IntArray = known[places]
        return logged

    def _begin(self, owner: int) -> None:
        """Log what a component waited for until its first inputs were there: it is known when more has happened."""
        if not self._has_begun[owner]:
            self._has_begun[owner] = True
            waits, since, end = self._first_inputs(owner)
            if waits:
                code = np.array([self._logs[owner].code(*wait) for wait in waits], np.int64)
                self._logs[owner].extend(code, since, end, np.full(len(code), NO_FIRING))

    def _log_ends(self, makespan_cycles: int) -> None:
        """Log what is known at the end only: first inputs where there are no rows, and when nothing is left to do."""
        ends = [*self._core.components[:, col.LAST_END].tolist(), *self._streams.channels[:, col.CHANNEL_END].tolist()]
        for owner, (log, end) in enumerate(zip(self._logs, ends, strict=True)):
            self._begin(owner)
            if end < makespan_cycles:
                one = np.ones(1, np.int64)
                log.extend(one * log.code(State.IDLE), one * end, one * makespan_cycles, -one)

    def _keep(self) -> None:
        """Let the recorder hold on to all rows and grants."""
        trace = self._trace
        for owner in range(len(self._logs)):
            codes, place = trace.kept_code[trace.kept_first[owner] : trace.kept_next[owner]], 0
            while (place := look_up(self._codes[owner], self._lowest_code, codes, place)) < len(codes):
                code = int(codes[place])
                self._codes[owner, code - self._lowest_code] = self._new_kind(owner, *self._kind(owner, code))
        waits = [self._keep_first_inputs(owner) for owner in range(len(self._logs))]
        first = trace.kept_first - np.array(waits, np.int64)
        starts = np.zeros(len(self._logs), np.int64)
        rows = RunRows(self._kinds, starts, first, trace.kept_next, trace.kept_code, trace.kept_end)
        channels, count, columns = trace.accesses.shape
        at = np.arange(channels) * count
        grants = RunGrants(at, at + trace.access_counts, trace.accesses.reshape(-1, columns))
        self._recorder.kept = KeptRun(rows, grants, lambda: give_back(trace))

    def _keep_first_inputs(self, owner: int) -> int:
        """Put what an owner waited for first before its rows, and return how many rows that are."""
        waits, _, end = self._first_inputs(owner)
        behind = int(self._trace.kept_first[owner])
        rows = slice(behind - len(waits), behind)
        self._trace.kept_code[rows] = [self._new_kind(owner, *wait) for wait in waits]
        self._trace.kept_end[rows] = end
        return len(waits)

    def _new_kind(self, owner: int, state: State, cause: str, cause_component: str) -> int:
        self._kinds.append((owner, Kind(state, cause, cause_component)))
        return len(self._kinds) - 1

    def _kind(self, owner: int, code: int) -> tuple[State, str, str]:
        """Return state, cause and cause component for a code of the evaluation."""
        if code == BUSY:
            return State.BUSY, "", ""
        if code == IDLE:
            return State.IDLE, "", ""
        if code == STARVED:
            return State.STARVED, NO_REQUESTS, ""
        if code >= 0:
            return self._lowered.structure.slots[code][1:]
        return channel_kind(self._lowered.structure, owner, CONTENDED - code)

    def _first_inputs(self, owner: int) -> tuple[list[tuple[State, str, str]], IntArray, IntArray]:
        """Return the waits for first inputs, which channels have none of, with start and end."""
        if owner >= len(self._names):
            return [], *(np.zeros(0, np.int64),) * 2
        delays = first_delays(self._lowered, self._core, *self._lowered.structure.actor_of[owner])
        since = np.array([delay.since_cycle for delay in delays], np.int64)
        end = np.append(since[1:], self._core.components[owner, col.HEAD])[: len(since)]
        return [(State.IDLE, delay.kind.cause, delay.kind.cause_component) for delay in delays], since, end

    def _log_postings(self) -> None:
        """Log what delayed the postings of the trace."""
        for port in np.flatnonzero(self._trace.posting_counts).tolist():
            log = self._recorder.postings[self._ports[port]]
            columns = self._trace.postings[port, : self._trace.posting_counts[port]].T.copy()
            columns[2] = self._posting_codes[port][columns[2] - col.WANTED_SLOT]
            log.extend(columns)

    def _codes_of_postings(self) -> list[IntArray]:
        actor_of, number, logs = self._lowered.structure.actor_of, self._names.index, self._recorder.postings
        return [posting_codes(self._lowered, self._core, actor_of[number(name)][0], logs[name]) for name in self._ports]

    def _last_cycle(self) -> int:
        """Return the last cycle in which anything moved: a component, one of its lanes, or data that arrived."""
        core, requests = self._core, self._streams.requests
        cycles = (core.actors[:, col.TIME], core.lane_cycle, requests[:, col.READY])
        return max(int(each.max(initial=0)) for each in cycles)

    def _stand_stills(self) -> list[StandStill]:
        stands = []
        for actor, row in zip(self._lowered.actors, self._core.actors, strict=True):
            step = actor.steps[min(int(row[col.STEP] - row[col.FIRST_STEP]), len(actor.steps) - 1)]
            if row[col.FIRING] == actor.firings:
                continue
            for lane, (cause, other) in enumerate(step.causes[: actor.lanes]):
                name = self._names[actor.component + lane]
                stands.append(StandStill(name, self._count(f"ended:{name}"), actor.firings, step.state, cause, other))
        return stands

    def _result(self, makespan_cycles: int) -> EngineResult:
        description = self._description
        lowered, core = self._lowered, self._core
        is_noted = self._recorder.options.level != "full"
        return EngineResult(
            makespan_cycles,
            cycle_totals(lowered, core, self._streams, makespan_cycles),
            firing_counts(lowered.structure, core),
            queue_totals(lowered.structure, core)
            if is_noted
            else {queue.name: self._queue_totals(queue.name, queue.capacity) for queue in description.queues},
            {memory.name: self._memory_totals(memory.name, memory.capacity_bytes) for memory in description.memories},
            {
                channel.name: channel_totals(self._streams, number, channel, makespan_cycles)
                for number, channel in enumerate(description.channels)
            },
            {name: self._times(name) for name in self._names if name in self._keep_times},
        )

    def _events(self, counter: str) -> IntArray:
        """Return the times of a counter of which all are kept, of one lane if it has several."""
        number, lane = self._lowered.places[counter]
        first, lanes = int(self._core.counters[number, col.TIMES_AT]), self._lowered.counters[number].lanes
        return self._core.times[first + lane : first + int(self._core.events[number]) * lanes : lanes]

    def _count(self, counter: str) -> int:
        return int(self._core.events[self._lowered.places[counter][0]])

    def _queue_totals(self, name: str, capacity: int) -> QueueTotals:
        """Log the occupancy of a queue, and return what went through it."""
        log = self._recorder.occupancy_log(name)
        put, taken = self._events(f"put:{name}"), self._events(f"taken:{name}")
        cycle = np.concatenate([put, taken])
        change = np.repeat([1, -1], [len(put), len(taken)])
        in_order = np.argsort(cycle, kind="stable")
        log.extend(cycle[in_order], change[in_order])
        return QueueTotals(capacity, len(put), len(taken), log.high_water())

    def _memory_totals(self, name: str, capacity_bytes: int) -> QueueTotals:
        acquired, released = moved_bytes(self._description, name)
        if self._recorder.options.level != "full":
            times = self._events(f"acquired:{name}"), self._events(f"released:{name}")
            high = high_water(times[0], acquired, times[1], released[released > 0])
            return QueueTotals(capacity_bytes, int(acquired.sum()), int(released.sum()), high)
        log = self._recorder.occupancy_log(name)
        cycle = np.concatenate([self._events(f"acquired:{name}"), self._events(f"released:{name}")])
        change = np.concatenate([acquired, -released[released > 0]])
        in_order = np.argsort(cycle, kind="stable")
        log.extend(cycle[in_order], change[in_order])
        return QueueTotals(capacity_bytes, int(acquired.sum()), int(released.sum()), log.high_water())

    def _times(self, name: str) -> FiringTimes:
        return FiringTimes(self._events(f"started:{name}"), self._events(f"ended:{name}"))
