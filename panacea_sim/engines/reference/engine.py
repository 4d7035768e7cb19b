"""The reference engine: every component of a description as a SimPy process.

It carries values, records everything and is the yardstick of every faster engine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from panacea_sim.description.description import Description, joined_labels
from panacea_sim.description.worker import Worker
from panacea_sim.engines.deadlock import StandStill, describe_deadlock
from panacea_sim.engines.reference.channel import ChannelProcess
from panacea_sim.engines.reference.kernel import CycleEnvironment
from panacea_sim.engines.reference.memory import ByteMemory
from panacea_sim.engines.reference.processes import ComponentProcess, PrivateProcess, StreamProcess
from panacea_sim.engines.reference.queue import BoundedQueue, TokenStore
from panacea_sim.engines.reference.steps import acquire_step, graph_step
from panacea_sim.engines.result import EngineResult, FiringTimes
from panacea_sim.errors import DeadlockError
from panacea_sim.trace.activity_log import ActivityLog, Kind
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import DATAFLOW, State
from panacea_sim.trace.totals import QueueTotals, StallTotal

__all__ = ["run_reference"]


def run_reference(
    description: Description,
    recorder: Recorder,
    workers: Mapping[str, Worker] | None = None,
    keep_times: Collection[str] = (),
    watch: Mapping[str, Callable[[int], None]] | None = None,
) -> EngineResult:
    """Run the machine to its end and return what happened.

    `workers` maps component names to what they do to values; without workers tokens carry only the number of their
    firing. `keep_times` names the components whose firing times are returned. `watch` maps component names to functions
    that are called after each of their firings with the number of firings that have ended.

    Raises DeadlockError if the machine cannot go on, and what a worker raises.
    """
    machine = _Machine(description, recorder, workers or {}, keep_times)
    for name, function in (watch or {}).items():
        machine.processes[name].watch(function)
    return machine.run()


class _Machine:
    """A description brought to life in one SimPy environment."""

    def __init__(
        self, description: Description, recorder: Recorder, workers: Mapping[str, Worker], keep_times: Collection[str]
    ) -> None:
        self._description = description
        self._recorder = recorder
        self._env = env = CycleEnvironment()
        self._queues = {
            queue.name: BoundedQueue(env, queue.capacity, queue.latency_cycles, recorder.occupancy_log(queue.name))
            for queue in description.queues
        }
        self._stores = {store.name: TokenStore(env, store.latency_cycles) for store in description.stores}
        self._memories = {
            memory.name: ByteMemory(env, memory.capacity_bytes, recorder.occupancy_log(memory.name))
            for memory in description.memories
        }
        logs = {
            component.name: recorder.activity_log(
                component.name,
                component.labels,
                component.size_bytes,
                component.service_cycles,
                component.actions,
            )
            for component in description.components
        }
        self._channels = self._build_channels()
        self.processes: dict[str, PrivateProcess | StreamProcess] = {}
        for component in description.components:
            worker, keep = workers.get(component.name), component.name in keep_times
            log = logs[component.name]
            if component.posted:
                port = description.port_of(component.name)
                self.processes[component.name] = StreamProcess(
                    env,
                    component,
                    log,
                    worker,
                    keep_times=keep,
                    port=port,
                    outstanding=description.ports[port].outstanding,
                    channels=self._channels,
                    postings=recorder.posting_log(component.name),
                )
            else:
                self.processes[component.name] = PrivateProcess(env, component, log, worker, keep_times=keep)
        for process in self.processes.values():
            self._join(process)

    def run(self) -> EngineResult:
        for process in self.processes.values():
            if process.component.firings:
                process.start()
        self._env.run_to_end()
        # SimPy returns without a word when everything waits: only the count of firings tells success.
        if any(process.ended.ended < process.component.firings for process in self.processes.values()):
            raise DeadlockError(describe_deadlock(self._env.cycle, self._stand_stills()))
        makespan_cycles = max(process.last_end_cycle for process in self.processes.values())
        for each in (*self.processes.values(), *self._channels):
            each.finish(makespan_cycles)
        return self._result(makespan_cycles)

    def _build_channels(self) -> list[ChannelProcess]:
        description, recorder = self._description, self._recorder
        components = {component.name: component for component in description.components}
        ported = [components[port.component] for port in description.ports]
        labels, sizes, first_firing = joined_labels(ported)
        names = [port.component for port in description.ports]
        return [
            ChannelProcess(
                self._env,
                channel,
                description.ports,
                first_firing,
                recorder.activity_log(channel.name, labels, sizes),
                recorder.access_log(channel.name, names),
            )
            for channel in description.channels
        ]

    def _join(self, process: ComponentProcess) -> None:
        """Bind the steps of a component to the queues, stores, memories and components that they touch."""
        component, code = process.component, process.log.code
        producer, consumer = self._description.producer, self._description.consumer
        inputs, outputs, occupancies = process.inputs, process.outputs, self._recorder.occupancies
        for take in component.takes:
            inputs.add_take(
                self._queues[take.queue], take.tokens, code(State.STARVED, take.queue, producer[take.queue])
            )
        for need in component.needs:
            inputs.add_need(self._stores[need.store], need.index, code(State.STARVED, need.store, producer[need.store]))
        for wait in component.waits:
            waiting = code(State.WAITING, DATAFLOW, wait.component)
            process.before.append(graph_step(self.processes[wait.component].ended, wait.firings, waiting))
            self.processes[wait.component].watched = True
        for acquire in component.acquires:
            blocked = code(State.BLOCKED, acquire.memory, producer[acquire.memory])
            process.before.append(acquire_step(self._memories[acquire.memory], acquire.size_bytes, blocked))
            process.occupancies.append(occupancies[acquire.memory])
        for release in component.releases:
            outputs.add_release(self._memories[release.memory], release.size_bytes)
        for put in component.puts:
            outputs.add_put(self._stores[put.store])
        for give in component.gives:
            outputs.add_give(
                self._queues[give.queue], give.tokens, code(State.BLOCKED, give.queue, consumer[give.queue])
            )
            process.occupancies.append(occupancies[give.queue])

    def _stand_stills(self) -> list[StandStill]:
        stands = []
        for name, process in self.processes.items():
            firing, firings = process.ended.ended, process.component.firings
            if firing < firings:
                kind = process.log.kinds[process.stalled_at]
                stands.append(StandStill(name, firing, firings, kind.state, kind.cause, kind.cause_component))
        return stands

    def _result(self, makespan_cycles: int) -> EngineResult:
        recorder, processes = self._recorder, self.processes
        totals = {name: _totals(log) for name, log in recorder.activities.items()}
        queues = {
            queue.name: QueueTotals(
                queue.capacity,
                self._queues[queue.name].put_tokens,
                self._queues[queue.name].taken_tokens,
                recorder.occupancies[queue.name].high_water(),
            )
            for queue in self._description.queues
        }
        memories = {
            name: QueueTotals(
                memory.capacity_bytes,
                memory.acquired_bytes,
                memory.released_bytes,
                recorder.occupancies[name].high_water(),
            )
            for name, memory in self._memories.items()
        }
        return EngineResult(
            makespan_cycles,
            totals,
            {name: process.ended.ended for name, process in processes.items()},
            queues,
            memories,
            {channel.channel.name: channel.totals for channel in self._channels},
            {name: _times(process.times) for name, process in processes.items() if process.times is not None},
        )


def _totals(log: ActivityLog) -> list[StallTotal]:
    """Return the cycles of each kind of interval; idle time is one kind, as it is no stall, whatever it waited for."""
    sums: dict[Kind, int] = {}
    for each, cycles in zip(log.kinds, log.totals_cycles(), strict=True):
        kind = Kind(State.IDLE) if each.state is State.IDLE else each
        sums[kind] = sums.get(kind, 0) + cycles
    return [StallTotal(kind.state, kind.cause, kind.cause_component, cycles) for kind, cycles in sums.items() if cycles]


def _times(times: list[tuple[int, int]]) -> FiringTimes:
    start, end = np.array(times, np.int64).reshape(-1, 2).T
    return FiringTimes(start, end)
