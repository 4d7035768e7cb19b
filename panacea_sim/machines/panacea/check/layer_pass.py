"""The compiled pass over one layer, block by block: what it is given, and what its PEAs and tiles are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from panacea_sim.engines.compiled.threads import Threads
from panacea_sim.errors import InvariantError
from panacea_sim.machines.panacea.check.tables import (
    ACTIVATION_AT,
    DEPTH_TILE,
    ENDS_VISIT,
    FIRST_VISIT,
    ROW_TILE,
    TASK_WIDTH,
    TOKEN_TILE,
    WEIGHT_AT,
    Constants,
    Given,
    Room,
    Shape,
    State,
)
from panacea_sim.machines.panacea.check.tasks import run_tasks
from panacea_sim.machines.panacea.pea import unplanned_work
from panacea_sim.machines.panacea.settings import PanaceaHardware
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.compiled.output_path import OutputPath, OutputPlaces, Written, write_outputs
from panacea_sim.machines.shared.compiled.tile_code import (
    CODE_BEYOND,
    CODE_FILL,
    CODE_LONG,
    CODE_SHORT,
    LO_SHORT,
    ByteArray,
    empty_tile,
    most_bytes,
)
from panacea_sim.machines.shared.image import check_packed
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.quant.rle import CodecError
from panacea_sim.units import IntArray

__all__ = ["LayerPass"]

_BLOCK_PRODUCTS = 1 << 28
"""Products of a weight with an activation between two visits to Python, where an interrupt is heard."""

_BLOCK_STEPS = 1 << 18
"""Step counts that are kept at once: tasks of a block times PEAs."""

_NOTHING_WRITTEN = -1
"""What stands for the bytes of a tile before it is written."""

_FAULTS = {
    LO_SHORT: "has no room for its LO slices",
    CODE_SHORT: "is too short: a stream of its code goes on",
    CODE_LONG: "is too long: its code ends before",
    CODE_BEYOND: "has an entry beyond the end of a stream",
    CODE_FILL: "ends with bits that are not 0",
}


class LayerPass:
    """What the components do to the tiles of a layer, in the order of its mapping.

    `accumulators` is what came out, int32 [M, N], of R products [R, M, N].
    """

    def __init__(
        self,
        planned: PlannedLayer,
        constants: Constants,
        outputs: Sequence[OutputPath],
        hardware: PanaceaHardware,
        image: ByteArray,
    ) -> None:
        self.planned = planned
        self._work = panacea_work(planned.plan.work)
        self._constants = constants
        self._outputs = outputs
        self._peas = hardware.n_pea
        self._image = image
        tiling, height = self._work.tiling, planned.plan.height
        sizes = (tiling.M, tiling.K, tiling.N, tiling.tile_m, tiling.tile_k, tiling.tile_n)
        self._shape = Shape(*sizes, tiling.v, height, tiling.m_tiles, tiling.n_tiles)
        self._block = max(
            1,
            min(
                _BLOCK_PRODUCTS // (height * tiling.tile_m * tiling.tile_k * tiling.tile_n),
                _BLOCK_STEPS // (height * self._peas),
            ),
        )
        self._given = Given(
            _whole(self._work.weight.total),
            _whole(self._work.activation.total),
            _whole(planned.plan.visits.last),
        )
        self._written_bytes = np.full((len(outputs), *tiling.outputs.shape), _NOTHING_WRITTEN)
        self._state = State(
            np.zeros((tiling.repeat * tiling.M, tiling.N), np.int32),
            np.zeros(tiling.outputs.shape, np.uint8),
            np.zeros(tiling.outputs.shape, np.uint8),
            np.zeros((min(self._block, planned.plan.task_count), height, self._peas, 3), np.int64),
        )

    @property
    def accumulators(self) -> npt.NDArray[np.int32]:
        """The accumulators, int32 [M, N], of R products [R, M, N]."""
        tiling = self._work.tiling
        of_products = self._state.sums.reshape(-1, tiling.M, tiling.N)
        return of_products if tiling.repeat > 1 else of_products[0]

    def run(self, threads: Threads) -> None:
        """Do all tasks; raises CodecError for bytes that are no tile, and InvariantError for work of another amount."""
        rooms = [self._room() for _ in range(threads.count)]
        tasks = self._tasks()
        for first in range(0, len(tasks), self._block):
            block = tasks[first : first + self._block]
            self._state.steps[:] = 0
            threads.run(partial(self._run_share, block, rooms))
            for room in rooms:
                self._check_tiles(block, room.fault)
            self._check_steps(block)
        for number in range(len(self._outputs)):
            output_rooms = [self._output_room(number) for _ in range(threads.count)]
            threads.run(partial(self._write_share, self._places(number), output_rooms, number))

    def check_written_bytes(self) -> None:
        """Raise InvariantError for an output tile that was written with other bytes than planned, or not at all."""
        found, planned = np.moveaxis(self._written_bytes, 0, 2), self.planned.output_bytes
        for m, n, number in np.argwhere((found != planned.total) & planned.fires).tolist():
            if found[m, n, number] == _NOTHING_WRITTEN:
                raise InvariantError(f"output tile {m}, {n} of {self.planned.plan.name} was not written")
            wanted_bytes = int(planned.total[m, n, number])
            check_packed(f"{self.planned.plan.name}: output", (m, n), int(found[m, n, number]), wanted_bytes)

    def _write_share(self, places: OutputPlaces, rooms: Sequence[Written], number: int, thread: int) -> None:
        """Write the output tiles that belong to one of the threads in one of the formats."""
        share, state, path = (thread, len(rooms)), self._state, self._outputs[number]
        found = self._written_bytes[number]
        write_outputs(state.sums, state.is_finished, path, places, rooms[thread], self._image, found, share)

    def _places(self, number: int) -> OutputPlaces:
        """Return where the output tiles lie in one of the formats."""
        tiling, planned = self._work.tiling, self.planned.output_bytes
        return OutputPlaces(
            _whole(self.planned.layout.output[..., number]),
            _whole(planned.total[..., number]),
            np.ascontiguousarray(planned.fires[..., number], np.uint8),
            np.searchsorted(self._outputs[number].rows, np.append(0, np.cumsum(tiling.rows))),
            np.append(0, np.cumsum(tiling.columns)),
            self._constants.code,
        )

    def _output_room(self, number: int) -> Written:
        """Return room for the tiles of one of the formats for one thread."""
        shape, path, tiling = self._shape, self._outputs[number], self._work.tiling
        groups = tiling.most_column_groups if path.on_columns else tiling.most_row_groups
        piece = empty_tile(len(path.frequent), groups, shape.tile_k, shape.v)
        packed = np.zeros(most_bytes(piece, self._constants.code[0]), np.uint8)
        return Written(np.zeros((shape.tile_m, shape.tile_n), np.int64), piece, packed)

    def _run_share(self, block: IntArray, rooms: Sequence[Room], number: int) -> None:
        """Do the tasks that belong to one of the threads."""
        share, room = (number, len(rooms)), rooms[number]
        run_tasks(block, self._shape, self._constants, self._given, self._state, self._image, room, share)

    def _tasks(self) -> IntArray:
        """Return the tasks in the order of the mapping; operands lie where their fetches found them."""
        plan, layout, tiling = self.planned.plan, self.planned.layout, self._work.tiling
        tasks = np.empty((plan.task_count, TASK_WIDTH), np.int64)
        tasks[:, ROW_TILE] = tiling.first_m(plan.tasks.stack.astype(np.int64), plan.height)
        tasks[:, TOKEN_TILE] = plan.tasks.n
        tasks[:, DEPTH_TILE] = plan.tasks.k
        tasks[:, WEIGHT_AT] = layout.weight.ravel()[plan.weight_loads.tile[plan.weight_loads.need]]
        tasks[:, ACTIVATION_AT] = layout.activation.ravel()[plan.activation_loads.tile[plan.activation_loads.need]]
        tasks[:, ENDS_VISIT] = plan.visits.last_task
        in_stack = np.minimum(plan.height, tiling.m_tiles - tasks[:, ROW_TILE] % tiling.m_tiles)
        visits = plan.visits.last_task * in_stack
        tasks[:, FIRST_VISIT] = np.cumsum(visits) - visits
        return tasks

    def _room(self) -> Room:
        """Return room for one thread."""
        shape = self._shape
        row_groups, column_groups = self._work.tiling.most_row_groups, self._work.tiling.most_column_groups
        w_slices = len(self._constants.weight_factors) - 1
        x_slices = (len(self._constants.activation_factors) - 1) // 2
        return Room(
            empty_tile(w_slices, row_groups, shape.tile_k, shape.v),
            empty_tile(x_slices, column_groups, shape.tile_k, shape.v),
            np.zeros((1 + 2 * x_slices, shape.tile_k, shape.tile_n), np.int32),
            np.zeros((x_slices + 1, shape.tile_k), np.int64),
            np.zeros((shape.height, shape.tile_m, shape.tile_n), np.int32),
            np.zeros(4, np.int64),
        )

    def _check_tiles(self, block: IntArray, fault: IntArray) -> None:
        found, task, place, operand = fault.tolist()
        if found:
            m, n, k = (int(block[task, axis]) for axis in (ROW_TILE, TOKEN_TILE, DEPTH_TILE))
            n += m // self._shape.m_tiles * self._shape.n_tiles
            what = f"activation tile {n}, {k}" if operand else f"weight tile {m + place}, {k}"
            raise CodecError(f"{what} of {self.planned.plan.name} {_FAULTS[found]}")

    def _check_steps(self, block: IntArray) -> None:
        """Compare the steps of every PEA in every task with those that its timing was computed from."""
        work = self._work
        for place in range(self._shape.height):
            there = np.flatnonzero(block[:, ROW_TILE] % work.tiling.m_tiles + place < work.tiling.m_tiles)
            m, n, k = (block[there, axis] for axis in (ROW_TILE, TOKEN_TILE, DEPTH_TILE))
            planned = np.stack([steps[m + place, :, n, k] for steps in (work.dwo, work.swo, work.cs)], axis=2)
            found = self._state.steps[there, place]
            if not np.array_equal(found, planned):
                task, pea, _ = np.argwhere(found != planned)[0].tolist()
                at = int(m[task]) + place, int(n[task]), int(k[task])
                raise unplanned_work(pea, at, found[task, pea].tolist(), planned[task, pea].tolist())


def _whole(array: IntArray) -> IntArray:
    """Return an array as the compiled code takes it: int64, its rows one behind the other."""
    return np.ascontiguousarray(array, np.int64)
