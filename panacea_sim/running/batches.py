"""Batches: small layers of one class that follow each other, planned, described and lowered together.

Each of them runs alone all the same, and every figure is the one that it has when it does not come in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import numpy as np

from panacea_sim.analysis.accounting import check_conservation
from panacea_sim.analysis.batch_layers import batch_layers
from panacea_sim.analysis.operations import operation_arrays
from panacea_sim.description.topology import topology_of
from panacea_sim.errors import ConfigError, DeadlockError, MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import described, machine_of
from panacea_sim.machines.shared.program import plan_program
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.batch_outcome import BatchedOutcome, BatchOutcome
from panacea_sim.running.host_memory import RunKind, check_mapping
from panacea_sim.running.layers import LayerRun, LayerTask, run_layer
from panacea_sim.running.mapping_class import LayerClass, mapping_of_class, masked_class
from panacea_sim.running.prepare import work_of
from panacea_sim.running.processes import Executor
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["batches_of", "run_batches", "run_together"]

_BATCH_TASKS = 4_096
"""Pairs of tiles in a batch: their arrays take a few megabytes."""

_BATCH_LAYERS = 32
"""More of them gain nothing, and fewer batches than processes would leave some idle."""


def batches_of(layers: Sequence[AnyLayer], hardware: Hardware) -> list[range]:
    """Return the numbers of layers that may run together, those of each batch following each other; all layers once."""
    classes = [_class_of(layer, hardware) for layer in layers]
    batches = []
    for alike, numbers in groupby(range(len(layers)), lambda number: classes[number] or number):
        first, *others = numbers
        end = first + 1 + len(others)
        most = _most(layers[first], hardware) if isinstance(alike, LayerClass) else 1
        batches += [range(at, min(at + most, end)) for at in range(first, end, most)]
    return batches


def run_batches(
    batches: Iterable[Sequence[LayerTask]], executor: Executor, watch: Callable[[int, int], None] | None = None
) -> Iterator[tuple[int, LayerRun]]:
    """Return the runs of layers as they come, each with the number of its task over all batches.

    `watch` hears the number of a task that runs in this process, and its output tiles done. Raises what a layer raises.
    """
    firsts = [0]

    def numbered() -> Iterator[Sequence[LayerTask]]:
        for tasks in batches:
            first = firsts[-1]
            firsts.append(first + len(tasks))
            if watch is not None and executor.is_local:
                tasks = [replace(task, watch=partial(watch, first + at)) for at, task in enumerate(tasks)]  # noqa: PLW2901
            yield tasks

    for number, runs in executor.results(run_together, numbered()):
        yield from enumerate(runs, firsts[number])


def run_together(tasks: Sequence[LayerTask]) -> list[LayerRun]:
    """Return the runs of layers that may run together, in their order; raises what `run_layer` raises."""
    if len(tasks) == 1:
        return [run_layer(tasks[0])]
    task = tasks[0]
    works = [work_of(_masked(each), each.hardware, values=False) for each in tasks]
    keys = [work.key() + repr(task.planning.mappings).encode() for work in works]
    known = set(task.known)
    fresh = []
    for number, key in enumerate(keys):
        if key not in known:
            fresh.append(number)
        if task.memoizes:
            known.add(key)
    if not fresh:
        return [LayerRun(key, None) for key in keys]
    outcome = _run(task, [tasks[number].layer.name for number in fresh], [works[number] for number in fresh])
    if outcome is None:
        # One of them does not fit, or not all of them fit one plan.
        return [run_layer(each, work) for each, work in zip(tasks, works, strict=True)]
    place = {number: at for at, number in enumerate(fresh)}
    return [
        LayerRun(key, BatchedOutcome(outcome, place[number]) if number in place else None)
        for number, key in enumerate(keys)
    ]


def _run(task: LayerTask, names: Sequence[str], works: Sequence[LayerWork]) -> BatchOutcome | None:
    """Return what layers give together that are alike to that of `task`; None if each has to be tried alone."""
    # It takes a while to import and need not be installed.
    from panacea_sim.engines.compiled.batch import run_batch  # noqa: PLC0415

    hardware, runs, layer = task.hardware, len(works), _masked(task)
    machine = machine_of(hardware)
    work = machine.batched(works)
    if work is None:
        return None
    try:
        order, height = mapping_of_class(masked_class(layer), hardware, task.engine)
        check_mapping(layer, hardware, order, height, RunKind(task.engine, values=False, at_once=1))
        program = plan_program(hardware, [plan_layer("batch", work, hardware, order, height, runs)])
        description = described(program)
        times = [part.name for part in description.components if part.role in {"fetch", "write_back"}]
        result = run_batch(description, runs, times)
    except (MappingError, DeadlockError, ConfigError):
        return None
    check_conservation(description, result.result(np.ones(runs, np.int64)))
    actions = {
        part.name: {each.name: np.array(each.totals(runs)) for each in part.actions} for part in description.components
    }
    operations = operation_arrays(description, hardware, runs)
    layers = batch_layers(names, program, description, result, operations)
    return BatchOutcome(result, topology_of(description), tuple(layers), actions, operations)


def _masked(task: LayerTask) -> MaskedLayer:
    """Return the layer of a task as what it is: others are no part of a batch."""
    assert isinstance(task.layer, MaskedLayer)
    return task.layer


def _class_of(layer: AnyLayer, hardware: Hardware) -> LayerClass | None:
    """Return the class of a layer that may be one of a batch, None for others."""
    if not isinstance(layer, MaskedLayer) or layer.sequential or layer.feeds_stage or layer.stage is not None:
        return None
    return masked_class(layer) if _most(layer, hardware) > 1 else None


def _most(layer: AnyLayer, hardware: Hardware) -> int:
    """Return how many layers of these sizes a batch may have, 0 if they are not small."""
    tiling = Tiling.of(hardware, (layer.M, layer.K, layer.N), layer.repeat)
    return min(_BATCH_LAYERS, _BATCH_TASKS // tiling.tile_tasks)
