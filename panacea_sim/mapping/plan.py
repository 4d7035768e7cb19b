"""The plan of a layer: its tasks in issue order, the fetches of its operands and the visits to its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.mapping.batch import partial_sums_of_batch, tasks_of_batch, visits_of_batch
from panacea_sim.mapping.graph import TileGroupGraph, issue_order, tile_group_graph
from panacea_sim.mapping.kept import Kept
from panacea_sim.mapping.loads import Loads, plan_loads
from panacea_sim.mapping.order import TaskSequence, Visits, task_sequence, visits_of
from panacea_sim.mapping.outputs import Writes, writes_of
from panacea_sim.mapping.partial_sums import (
    BYTES_PER_PARTIAL_SUM,
    FEWER_VISITS,
    SMALLER_TILES,
    PartialSums,
    plan_partial_sums,
)
from panacea_sim.mapping.stage import StagePlan, plan_stage
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.mapping.work import LayerWork, TileBytes
from panacea_sim.units import IntArray, kept, narrow

__all__ = ["LayerPlan", "check_output_tile", "plan_layer"]

_Schedule: TypeAlias = tuple[TaskSequence, Visits, PartialSums]


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """A layer as the machine works through it in one loop order.

    `height` is 2 with double-tile processing, else 1: so many weight tiles make a stack, which is fetched, decoded and
    multiplied as one. `weight` holds the bytes of each stack, [stack, k]. `output_m`, `output_n` are the output tiles
    in the order in which they are finished. `stage` is vector work behind the layer that reads and writes by itself.
    It may be the plan of a `batch` of so many layers (batch.py).
    """

    name: str
    order: str
    height: int
    work: LayerWork
    tasks: TaskSequence
    visits: Visits
    weight: TileBytes
    weight_loads: Loads
    activation_loads: Loads
    partial_sums: PartialSums
    stage: StagePlan | None = None
    batch: int = 1

    @cached_property
    def graph(self) -> TileGroupGraph:
        """The graph of the layer's tile groups; after a run its nodes carry their times."""
        return tile_group_graph(self.name, self.work.tiling, self.order, self.height)

    @property
    def task_count(self) -> int:
        """Number of tile tasks: firings of the PEAs."""
        return len(self.tasks.k)

    @property
    def weight_tile(self) -> IntArray:
        """The weights of each task, as flat indices of [stack, k]; computed when they are asked for."""
        return _flat_index(self.tasks.stack, self.tasks.k, self.work.tiling.k_tiles)

    @property
    def activation_tile(self) -> IntArray:
        """The activations of each task, as flat indices of [n, k]; computed when they are asked for."""
        return _activation_tile(self.tasks, self.work.tiling, self.height)

    @property
    def output_m(self) -> IntArray:
        """The m coordinate of each output tile, in the order in which they are finished."""
        finished: IntArray = self.visits.m[self.visits.last == 1]
        return finished

    @property
    def output_n(self) -> IntArray:
        """The n coordinate of each output tile, in the order in which they are finished."""
        finished: IntArray = self.visits.n[self.visits.last == 1]
        return finished

    @property
    def output_count(self) -> int:
        """Number of output tiles."""
        return int(self.visits.last.sum())

    @cached_property
    def writes(self) -> Writes:
        """The firings that write the output tiles, each in all of its formats; those of a stage come behind them."""
        return writes_of(self.work.output_bytes, self.output_m, self.output_n)

    @property
    def write_count(self) -> int:
        """Number of all firings that write, those of the stage among them."""
        return len(self.writes.m) + (0 if self.stage is None else len(self.stage.writes.m))


def plan_layer(name: str, work: LayerWork, hardware: Hardware, order: str, height: int, batch: int = 1) -> LayerPlan:
    """Return the plan of a layer on this hardware in the given loop order, or of a batch: `work` is that of all of it.

    Raises MappingError if a tile, a panel that must be resident, or partial sums do not fit their memory, and for a
    batch in which not all layers can have one plan.
    """
    tiling = work.tiling
    key = (tiling, order, height, hardware.psum_bytes, hardware.spill, batch, work.task_visits)
    tasks, visits, partial_sums = _kept.of(key, lambda: _scheduled(work, order, height, hardware, batch))
    check_output_tile(work, hardware, keeps_partial_sums=partial_sums.firings > 0)
    weight = _stacked(work.weight, tiling, height)
    must_stay = hardware.residency == "resident"
    weight_loads = plan_loads(
        "WMEM",
        hardware.wmem_bytes,
        weight.total.ravel(),
        _flat_index(tasks.stack, tasks.k, tiling.k_tiles),
        lambda some: tasks.reuse_set("n", some),
        must_stay=must_stay,
        batch=batch,
    )
    activation_loads = plan_loads(
        "AMEM",
        hardware.amem_bytes,
        work.activation.total.ravel(),
        _activation_tile(tasks, tiling, height),
        lambda some: tasks.reuse_set("m", some),
        must_stay=must_stay,
        batch=batch,
    )
    return LayerPlan(
        name,
        order,
        height,
        work,
        tasks,
        visits,
        weight,
        weight_loads,
        activation_loads,
        partial_sums,
        None if work.stage is None else plan_stage(work.stage, tiling, hardware.vmem_bytes),
        batch,
    )


def _scheduled(work: LayerWork, order: str, height: int, hardware: Hardware, batch: int) -> _Schedule:
    """Return what follows from the shape of a layer: its tasks, its visits, and what becomes of partial sums."""
    tiling = work.tiling
    one = replace(tiling, repeat=tiling.repeat // batch)
    schedule = _of_shape(one, order, height, hardware, task_visits=work.task_visits)
    if batch > 1:
        tasks, visits, partial_sums = schedule
        schedule = (
            tasks_of_batch(tasks, batch, tiling.all_stacks(height) // batch),
            visits_of_batch(visits, batch, len(tiling.rows) // batch),
            partial_sums_of_batch(partial_sums, batch, len(visits.m)),
        )
    for each in _arrays_of(schedule):
        kept(each)
    return schedule


def _of_shape(tiling: Tiling, order: str, height: int, hardware: Hardware, *, task_visits: bool) -> _Schedule:
    tasks = task_sequence(order, *_issue_order(tiling, order, height), tiling, height)
    visits = visits_of(tasks, tiling, height, task_visits=task_visits)
    outputs = tiling.outputs[visits.m, visits.n]
    may_spill = hardware.spill == "allow"
    remedy = SMALLER_TILES if task_visits else FEWER_VISITS
    sums = plan_partial_sums(visits, outputs, hardware.psum_bytes, may_spill=may_spill, remedy=remedy)
    return tasks, visits, sums


def _arrays_of(schedule: _Schedule) -> Iterator[IntArray]:
    return (each for part in schedule for each in vars(part).values() if isinstance(each, np.ndarray))


def _schedule_bytes(schedule: _Schedule) -> int:
    return sum(each.nbytes for each in _arrays_of(schedule))


_kept: Kept[_Schedule] = Kept(8 << 20, _schedule_bytes)


def _flat_index(row: IntArray, column: IntArray, columns: int) -> IntArray:
    index = row.astype(np.int64)
    index *= columns
    index += column
    return narrow(index)


@lru_cache(maxsize=8)
def _issue_order(tiling: Tiling, order: str, height: int) -> tuple[IntArray, IntArray]:
    """Return the groups of a product as their graph puts them; layers have few shapes, and graphs take time."""
    stack, n = issue_order(tile_group_graph("", replace(tiling, repeat=1), order, height))
    return kept(stack), kept(n)


def _activation_tile(tasks: TaskSequence, tiling: Tiling, height: int) -> IntArray:
    """Return the activation tile of each task, numbered over all products."""
    n = tasks.n
    if tiling.repeat > 1:
        n = tasks.stack // tiling.stacks(height) * tiling.n_tiles + n
    return _flat_index(n, tasks.k, tiling.k_tiles)


def _stacked(tiles: TileBytes, tiling: Tiling, height: int) -> TileBytes:
    first = tiling.first_m(np.arange(tiling.all_stacks(height)), height)
    return TileBytes(np.add.reduceat(tiles.ho, first), np.add.reduceat(tiles.lo, first))


def check_output_tile(work: LayerWork, hardware: Hardware, *, keeps_partial_sums: bool) -> None:
    """Check that finished output tiles fit what the partial sums leave of OMEM; raises MappingError."""
    taken = hardware.psum_bytes * keeps_partial_sums
    needed = int(work.outputs.max()) * BYTES_PER_PARTIAL_SUM
    missing = needed + taken - hardware.omem_bytes
    if missing <= 0:
        return
    ways = [f"raise hardware.omem_bytes to {needed + taken}"]
    if taken and needed <= hardware.omem_bytes and not work.task_visits:
        ways.append(f"{FEWER_VISITS}, which needs no partial sums")
    if taken < hardware.omem_bytes:
        ways.append(SMALLER_TILES)
    reason = f", as partial sums take hardware.psum_bytes = {taken} of {hardware.omem_bytes}" if taken else ""
    ways_out = ", or ".join(ways)
    raise MappingError(
        f"OMEM holds {max(0, hardware.omem_bytes - taken)} bytes for finished tiles, but an output tile needs "
        f"{needed}: {missing} bytes are missing{reason}. {ways_out[0].upper()}{ways_out[1:]}"
    )
