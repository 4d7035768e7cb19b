"""Systolic arrays of 8-bit multipliers: the component, what it does to values, and how their tiles lie in DRAM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Give
from panacea_sim.machines.shared.checked_image import CheckedImage
from panacea_sim.machines.shared.costs import mac_costs, tile_read_costs
from panacea_sim.machines.shared.dense_work import BYTE_BITS
from panacea_sim.machines.shared.fetched_tiles import tile_need, tile_release
from panacea_sim.machines.shared.frame import around, framed, output_queues
from panacea_sim.machines.shared.image_values import RivalValues
from panacea_sim.machines.shared.packer import raw_packer
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.matmul import finite_matmul
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import Codes, FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = [
    "ARRAY_ACTIONS",
    "TaskCycles",
    "array_shape",
    "array_values",
    "checked_array_values",
    "systolic_machine",
    "task_shapes",
]

ARRAY_ACTIONS = ("read_bytes", "mac_steps", "accumulated_outputs", "written_bytes", "requantized_outputs")
"""All that the components of a systolic array count."""

TaskCycles = Callable[[PlannedLayer], IntArray]
"""Returns the cycles of the array for each task of a layer."""


def systolic_machine(program: Program, cycles: TaskCycles, multipliers: int) -> Description:
    """Return the machine of one array with so many 8-bit multipliers, which works `cycles` on each task."""
    queue = Queue("q_sum", program.hardware.queue_depth)
    components = around(program, [_array(program, cycles, multipliers)], [queue.name], raw_packer(program))
    return framed(program, components, (queue, *output_queues(program)))


def array_shape(size: int) -> tuple[int, int]:
    """Return the rows and columns of an array of a size: 3 to 4, as those of the presets."""
    return 3 * size, 4 * size


def task_shapes(layer: PlannedLayer) -> tuple[IntArray, IntArray, IntArray]:
    """Return the rows, inner length and columns of each task of a layer, as 64-bit numbers."""
    tasks, tiling = layer.plan.tasks, layer.plan.work.tiling
    return tiling.rows[tasks.stack], tiling.depths[tasks.k], tiling.columns[tasks.n]


def _array(program: Program, cycles: TaskCycles, multipliers: int) -> Component:
    """Return `array`: it multiplies a pair of tiles in each firing, and gives the sums away at the end of a visit."""
    plans = [layer.plan for layer in program.layers]
    products = program.joined(lambda layer: np.multiply.reduce(task_shapes(layer)))
    macs = replace(action_of("mac_steps", "multiplications", products), per_cycle=multipliers)
    return Component(
        "array",
        "compute",
        sum(plan.task_count for plan in plans),
        service_cycles=program.joined(cycles),
        needs=(tile_need(program, "w"), tile_need(program, "x")),
        releases=(tile_release(program, "w"), tile_release(program, "x")),
        gives=(Give("q_sum", program.sums_given[0]),),
        labels=program.task_labels,
        role="compute",
        actions=(macs,),
        costs=(*mac_costs(macs), *tile_read_costs(program)),
    )


def array_values(program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> RivalValues:
    """Return the values that travel through an array."""
    return RivalValues(program, layers, functional, _ByteTiles(), {"array": _ArrayWorker(program, layers)}, 1)


def checked_array_values(
    program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
) -> CheckedImage:
    """Return the same values, checked without events."""
    return CheckedImage(program, layers, functional, _ByteTiles(), _ArrayProducts(program, layers))


class _ByteTiles:
    """Tiles of one byte an element, row after row."""

    def weight(self, planned: PlannedLayer, layer: GemmLayer, m: int, k: int) -> bytes:
        """Return the bytes of a weight tile [rows, K]."""
        tiling = planned.plan.work.tiling
        return layer.weight_rows[tiling.rows_of(m), tiling.depth_of(k)].astype(np.int8).tobytes()

    def activation(self, planned: PlannedLayer, layer: GemmLayer, n: int, k: int) -> bytes:
        """Return the bytes of an activation tile [K, columns]."""
        tiling = planned.plan.work.tiling
        return layer.activation_columns[tiling.depth_of(k), tiling.columns_of(n)].tobytes()

    def output(self, tile: Codes, form: OutputFormat | WeightFormat | None) -> list[bytes]:
        """Return an output tile as one piece, in the bytes of its codes."""
        return [_as_bytes(tile, form).tobytes()] if len(tile) else []


def _as_bytes(tile: Codes, form: OutputFormat | WeightFormat | None) -> npt.NDArray[Any]:
    if isinstance(form, WeightFormat):
        return tile.astype(np.int8 if form.bits <= BYTE_BITS else np.int16)
    return tile.astype(np.uint8)


class _ArrayProducts:
    """The products of pairs of tiles, as bytes."""

    def __init__(self, program: Program, layers: Sequence[GemmLayer]) -> None:
        self._labels = program.task_labels
        self._tilings = [layer.plan.work.tiling for layer in program.layers]
        self._kinds = [layer.activation.dtype for layer in layers]

    def __call__(self, task: int, weight: list[bytes], activation: list[bytes]) -> IntArray:
        """Return the sums [rows, columns] of a task."""
        number, k = self._labels.layer[task], self._labels.k[task]
        depth = int(self._tilings[number].depths[k])
        (of_weight,), (of_activation,) = weight, activation
        rows = np.frombuffer(of_weight, np.int8).reshape(-1, depth).astype(np.float64)
        columns = np.frombuffer(of_activation, self._kinds[number]).reshape(depth, -1).astype(np.float64)
        # Whole numbers far below 2^53: floating point is exact, and faster.
        sums: IntArray = finite_matmul(rows, columns).astype(np.int64)
        return sums


class _ArrayWorker:
    """Multiplies pairs of tiles and adds the products up until the visit to their output tile ends."""

    def __init__(self, program: Program, layers: Sequence[GemmLayer]) -> None:
        self._given = program.sums_given[0]
        self._products = _ArrayProducts(program, layers)
        self._sums: IntArray | int = 0

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the sums [rows, columns] at the end of a visit, and nothing before that."""
        sums = self._sums + self._products(firing, inputs[0][0], inputs[1][0])
        self._sums = 0 if self._given[firing] else sums
        return (sums if self._given[firing] else None,)
