"""The compiled engine: the same description as the reference engine runs, evaluated by numba.

It returns the same figures to the last cycle and records the same trace, but carries no values.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from panacea_sim.errors import DeadlockError
from panacea_sim.machine.arbiter import WIDTH
from panacea_sim.machine.deadlock import StandStill, describe_deadlock
from panacea_sim.machine.description import Description, joined_labels
from panacea_sim.machine.dram_params import OUT
from panacea_sim.machine.evaluation import (
    ACCESS_WIDTH,
    BUSY,
    CONTENDED,
    FULL,
    IDLE,
    REASONS,
    ROW_WIDTH,
    STARVED,
    STUCK,
    Machine,
    Run,
    evaluate,
    high_water,
)
from panacea_sim.machine.lowering import Lowered, Op, lower
from panacea_sim.machine.result import ChannelTotals, EngineResult, FiringTimes, QueueTotals, StallTotal
from panacea_sim.trace.recorder import ActivityLog, Recorder
from panacea_sim.trace.schema import State
from panacea_sim.units import IntArray

__all__ = ["run_compiled"]

_BUFFER_ROWS = 1 << 18
"""Rows of the trace between two visits to Python."""

_STRETCHES = 1 << 12
"""What a channel remembers of its past: far more stretches than requests can wait for at once."""


def run_compiled(description: Description, recorder: Recorder, keep_times: Collection[str] = ()) -> EngineResult:
    """Run the machine to its end and return what happened, as `run_reference` does.

    Raises DeadlockError if the machine cannot go on.
    """
    return _Engine(description, recorder, keep_times).run()


class _Engine:
    """A lowered description with the arrays of one run."""

    def __init__(self, description: Description, recorder: Recorder, keep_times: Collection[str]) -> None:
        self._description = description
        self._recorder = recorder
        self._keep_times = keep_times
        self._lowered = lower(description, keep_times)
        self._names = [component.name for component in description.components]
        self._ports = [port.component for port in description.ports]
        self._traced = recorder.options.level != "off"
        self._steps = [step for actor in self._lowered.actors for step in actor.steps]
        self._machine = _machine(self._lowered, traced=self._traced)
        self._run = _new_run(self._lowered, self._machine, traced=self._traced)
        self._logs = self._open_logs()

    def run(self) -> EngineResult:
        while (status := evaluate(self._machine, self._run)) == FULL:
            self._empty_buffers()
        if status == STUCK:
            raise DeadlockError(describe_deadlock(int(self._run.time.max()), self._stand_stills()))
        self._empty_buffers()
        makespan_cycles = int(self._run.last_end.max(initial=0))
        self._note_idle_ends(makespan_cycles)
        return self._result(makespan_cycles)

    def _open_logs(self) -> list[ActivityLog]:
        """Open the logs in the order of the file: components, then channels."""
        recorder, description = self._recorder, self._description
        logs = [recorder.activity_log(part.name, part.labels, part.size_bytes) for part in description.components]
        by_name = {part.name: part for part in description.components}
        labels, sizes, _ = joined_labels([by_name[name] for name in self._ports])
        for channel in description.channels:
            logs.append(recorder.activity_log(channel.name, labels, sizes))
            recorder.access_log(channel.name, self._ports)
        return logs

    def _empty_buffers(self) -> None:
        run = self._run
        rows = run.rows[: run.cells[1]]
        rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 0]))]
        ends = np.searchsorted(rows[:, 0], np.arange(len(self._logs)), side="right")
        for owner, (log, mine) in enumerate(zip(self._logs, np.split(rows, ends[:-1]), strict=True)):
            if not len(mine):
                continue
            codes, place = np.unique(mine[:, 1], return_inverse=True)
            known = _ints([self._code(owner, code) for code in codes.tolist()])
            log.extend(known[place], mine[:, 2], mine[:, 3], mine[:, 4])
        accesses = run.accesses[: run.cells[2]]
        for number, channel in enumerate(self._description.channels):
            self._recorder.accesses[channel.name].extend(accesses[accesses[:, 0] == number][:, 1:])
        run.cells[1:] = 0

    def _code(self, owner: int, code: int) -> int:
        """Return the code in the log of `owner` for a code of the evaluation."""
        return self._logs[owner].code(*self._kind(owner, code))

    def _kind(self, owner: int, code: int) -> tuple[State, str, str]:
        """Return state, cause and cause component for a code of the evaluation."""
        plain = {BUSY: (State.BUSY, "", ""), IDLE: (State.IDLE, "", ""), STARVED: (State.STARVED, "requests", "")}
        if code in plain:
            return plain[code]
        if code >= 0:
            step = self._steps[code]
            return step.state, step.cause, step.cause_component
        number, ports = CONTENDED - code, len(self._ports)
        if owner < len(self._names):
            channel, what = divmod(number, ports + len(REASONS))
            name = self._description.channels[channel].name
            if what < ports:
                return State.CONTENDED, name, self._ports[what]
            return State.CONTENDED, f"{name}:{REASONS[what - ports]}", ""
        reason, port = divmod(number, ports)
        if not reason:
            return State.BUSY, "", self._ports[port]
        name = self._description.channels[owner - len(self._names)].name
        return State.CONTENDED, f"{name}:{REASONS[reason - 1]}", self._ports[port]

    def _note_idle_ends(self, makespan_cycles: int) -> None:
        if not self._traced:
            return
        ends = [*self._run.last_end.tolist(), *self._run.channel_end.tolist()]
        for log, end in zip(self._logs, ends, strict=True):
            if end < makespan_cycles:
                one = np.ones(1, np.int64)
                log.extend(one * log.code(State.IDLE), one * end, one * makespan_cycles, -one)

    def _stand_stills(self) -> list[StandStill]:
        run, stands = self._run, []
        for number, actor in enumerate(self._lowered.actors):
            step = actor.steps[min(int(run.step[number] - self._machine.step_at[number]), len(actor.steps) - 1)]
            if run.firing[number] < actor.firings and step.cause:
                name = self._names[actor.component]
                ended = int(run.events[self._lowered.counters[f"ended:{name}"]])
                stands.append(StandStill(name, ended, actor.firings, step.state, step.cause, step.cause_component))
        return stands

    def _result(self, makespan_cycles: int) -> EngineResult:
        description, run = self._description, self._run
        totals = {name: self._component_totals(number, makespan_cycles) for number, name in enumerate(self._names)}
        for number, channel in enumerate(description.channels):
            totals[channel.name] = self._channel_totals(number, makespan_cycles)
        return EngineResult(
            makespan_cycles,
            totals,
            {name: int(run.events[self._lowered.counters[f"ended:{name}"]]) for name in self._names},
            {queue.name: self._queue_totals(queue.name, queue.capacity) for queue in description.queues},
            {memory.name: self._memory_totals(memory.name, memory.capacity_bytes) for memory in description.memories},
            {
                channel.name: ChannelTotals(*run.channel_moved[number].tolist(), int(run.channel_busy[number].sum()))
                for number, channel in enumerate(description.channels)
            },
            {name: self._times(name) for name in self._names if name in self._keep_times},
        )

    def _component_totals(self, number: int, makespan_cycles: int) -> list[StallTotal]:
        run, machine = self._run, self._machine
        idle = int(run.head[number] + makespan_cycles - run.last_end[number])
        kinds = [(State.IDLE, "", "", idle), (State.BUSY, "", "", int(run.busy[number]))]
        for actor, steps in zip(self._lowered.actors, np.split(run.stall, machine.step_at[1:-1]), strict=True):
            if actor.component == number:
                kinds += [
                    (step.state, step.cause, step.cause_component, cycles)
                    for step, cycles in zip(actor.steps, steps.tolist(), strict=True)
                ]
        port = int(machine.port[number])
        if port >= 0:
            waited = run.contended[port].tolist()
            kinds += [(*self._kind(number, CONTENDED - what), cycles) for what, cycles in enumerate(waited)]
        return _merged(kinds)

    def _channel_totals(self, number: int, makespan_cycles: int) -> list[StallTotal]:
        run, owner, ports = self._run, len(self._names) + number, len(self._ports)
        before, starved = run.channel_free[number].tolist()
        kinds = [
            (State.IDLE, "", "", before + makespan_cycles - int(run.channel_end[number])),
            (State.STARVED, "requests", "", starved),
        ]
        kinds += [
            (*self._kind(owner, CONTENDED - port), cycles)
            for port, cycles in enumerate(run.channel_busy[number].tolist())
        ]
        for place, cycles in enumerate(run.channel_gap[number].tolist()):
            port, reason = divmod(place, len(REASONS))
            kinds.append((*self._kind(owner, CONTENDED - ((1 + reason) * ports + port)), cycles))
        return _merged(kinds)

    def _events(self, counter: str) -> IntArray:
        number = self._lowered.counters[counter]
        first = self._machine.times_at[number]
        return self._run.times[first : first + self._run.events[number]]

    def _queue_totals(self, name: str, capacity: int) -> QueueTotals:
        put, taken = self._events(f"put:{name}"), self._events(f"taken:{name}")
        log = self._recorder.occupancy_log(name)
        if self._recorder.options.level != "full":
            return QueueTotals(capacity, len(put), len(taken), int(high_water(put, taken)))
        cycle = np.concatenate([put, taken])
        change = np.repeat([1, -1], [len(put), len(taken)])
        in_order = np.argsort(cycle, kind="stable")
        log.extend(cycle[in_order], change[in_order])
        return QueueTotals(capacity, len(put), len(taken), log.high_water())

    def _memory_totals(self, name: str, capacity_bytes: int) -> QueueTotals:
        acquired, released = _sizes(self._description, name)
        cycle = np.concatenate([self._events(f"acquired:{name}"), self._events(f"released:{name}")])
        change = np.concatenate([acquired, -released[released > 0]])
        in_order = np.argsort(cycle, kind="stable")
        log = self._recorder.occupancy_log(name)
        log.extend(cycle[in_order], change[in_order])
        return QueueTotals(capacity_bytes, int(acquired.sum()), int(released.sum()), log.high_water())

    def _times(self, name: str) -> FiringTimes:
        number = self._names.index(name)
        end = self._events(f"ended:{name}")
        port = int(self._machine.port[number])
        if port < 0:
            return FiringTimes(self._events(f"started:{name}"), end)
        first = self._machine.request_at[port]
        return FiringTimes(self._run.data_cycle[first : first + len(end)], end)


def _merged(kinds: list[tuple[State, str, str, int]]) -> list[StallTotal]:
    sums: dict[tuple[State, str, str], int] = {}
    for state, cause, component, cycles in kinds:
        sums[state, cause, component] = sums.get((state, cause, component), 0) + cycles
    return [StallTotal(*kind, cycles) for kind, cycles in sums.items() if cycles]


def _sizes(description: Description, memory: str) -> tuple[IntArray, IntArray]:
    acquired = released = np.zeros(0, np.int64)
    for component in description.components:
        acquired = next((each.size_bytes for each in component.acquires if each.memory == memory), acquired)
        released = next((each.size_bytes for each in component.releases if each.memory == memory), released)
    return acquired, released


def _starts(lengths: list[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _ints(values: list[int]) -> IntArray:
    return np.array(values, np.int64)


def _joined(arrays: list[IntArray]) -> IntArray:
    return np.concatenate([*arrays, np.zeros(0, np.int64)]).astype(np.int64)


def _machine(lowered: Lowered, *, traced: bool) -> Machine:
    description, actors = lowered.description, lowered.actors
    steps = [step for actor in actors for step in actor.steps]
    components = {part.name: part for part in description.components}
    ported = [components[port.component] for port in description.ports]
    requests = [part.requests for part in ported if part.requests is not None]
    part_base = _starts([len(each.channel) for each in requests])
    issuer = [int(any(step.op is Op.POST for step in actor.steps)) for actor in actors]
    takers = {actor.component: number for number, actor in enumerate(actors) if not issuer[number]}
    numbers = {part.name: number for number, part in enumerate(description.components)}
    stalls = [actor.firings * posts for actor, posts in zip(actors, issuer, strict=True) for _ in actor.steps]
    flat = [channel.device.flat() for channel in description.channels]
    params = np.zeros((len(flat), max((len(each.params) for each in flat), default=1)), np.int64)
    for row, each in zip(params, flat, strict=True):
        row[: len(each.params)] = each.params
    port = dict(zip((part.name for part in ported), range(len(ported)), strict=True))
    return Machine(
        _ints([actor.firings for actor in actors]),
        _ints([actor.component for actor in actors]),
        _starts([len(actor.steps) for actor in actors]),
        _ints([step.op for step in steps]),
        _ints([step.waits_for for step in steps]),
        _ints([step.adds_to for step in steps]),
        _ints([step.offset for step in steps]),
        _ints([step.amount for step in steps]),
        lowered.data,
        _starts(lowered.sizes),
        _starts([len(wake) for wake in lowered.wakes]),
        _ints([actor for wake in lowered.wakes for actor in sorted(wake)]),
        _ints([port.get(part.name, -1) for part in description.components]),
        _ints(issuer),
        _ints([takers[numbers[part.name]] for part in ported]),
        _ints([each.priority for each in description.ports]),
        _starts([part.firings for part in ported]),
        _joined([each.offsets + base for each, base in zip(requests, part_base[:-1], strict=True)]),
        _joined([each.channel for each in requests]),
        _joined([each.address for each in requests]),
        _joined([each.size_bytes for each in requests]),
        _joined([each.write for each in requests]),
        _starts(stalls),
        _ints([int(each.banked) for each in flat]),
        params,
        _starts([len(each.state) for each in flat]),
        int(traced),
    )


def _new_run(lowered: Lowered, machine: Machine, *, traced: bool) -> Run:
    description = lowered.description
    actors, components = len(lowered.actors), len(description.components)
    channels, ports = len(description.channels), len(description.ports)
    requests, stalls = int(machine.request_at[-1]), int(machine.stall_at[-1])
    slots = 1 + sum(each.outstanding for each in description.ports) * _most_parts(machine)
    codes = ports + len(REASONS)
    # A buffer that is half full is emptied before the next actor moves on; one actor may fill the other half.
    longest = max((len(actor.steps) * actor.firings for actor in lowered.actors), default=0)
    buffer = 2 * max(_BUFFER_ROWS, longest) if traced else 2

    def zeros(*shape: int) -> IntArray:
        return np.zeros(shape, np.int64)

    return Run(
        times=zeros(int(machine.times_at[-1])),
        events=zeros(len(lowered.sizes)),
        time=zeros(actors),
        firing=zeros(actors),
        step=machine.step_at[:-1].copy(),
        listed=np.ones(actors, np.int64),
        stack=np.arange(actors)[::-1].copy(),
        cells=np.array([actors, 0, 0]),
        busy=zeros(components),
        head=zeros(components),
        last_end=zeros(components),
        stall=zeros(len(machine.op)),
        post=zeros(requests),
        open_parts=zeros(requests),
        ready=zeros(requests),
        data_cycle=zeros(requests),
        data_part=zeros(requests),
        data_channel=zeros(requests),
        first_stretch=zeros(requests),
        stretches=zeros(requests),
        stall_start=zeros(stalls),
        stall_end=zeros(stalls),
        queue=zeros(channels, slots * WIDTH),
        queued=zeros(channels),
        queued_part=zeros(channels, slots, 4),
        device=_ints([number for channel in description.channels for number in channel.device.flat().state]),
        out=zeros(channels, OUT),
        stretch=zeros(channels, _STRETCHES, 3),
        stretch_count=zeros(channels),
        channel_busy=zeros(channels, ports),
        channel_gap=zeros(channels, ports * len(REASONS)),
        channel_free=zeros(channels, 2),
        channel_end=zeros(channels),
        channel_moved=zeros(channels, 4),
        contended=zeros(ports, channels * codes),
        rows=zeros(buffer, ROW_WIDTH),
        accesses=zeros(_BUFFER_ROWS if traced else 2, ACCESS_WIDTH),
    )


def _most_parts(machine: Machine) -> int:
    return int(np.diff(machine.part_at).max(initial=1))
