"""The compiled pass over tile tasks: decode, multiply what is stored, compensate, add visits."""

from __future__ import annotations

import numpy as np

from panacea_sim.engines.compiled.compilation import entry, inner
from panacea_sim.machines.panacea.check.tables import (
    ACTIVATION_AT,
    DEPTH_TILE,
    ENDS_VISIT,
    FIRST_VISIT,
    ROW_TILE,
    TOKEN_TILE,
    WEIGHT_AT,
    Constants,
    Given,
    Room,
    Shape,
    State,
)
from panacea_sim.machines.shared.compiled.tile_code import WHOLE, ByteArray, unpack_tile
from panacea_sim.units import IntArray

__all__ = ["run_tasks"]


@inner
def _deal_activation(room: Room, factors: IntArray, groups: int, depth: int) -> None:
    """Turn a decoded activation tile into operands with their factors: x_LO, stored HO slices, and J of each slice."""
    tile, slices = room.activation, room.activation.stored.shape[0]
    v = tile.lo.shape[2]
    for k in range(depth):
        room.stored[slices, k] = 0
        for g in range(groups):
            for lane in range(v):
                room.operands[0, k, g * v + lane] = tile.lo[g, k, lane] * factors[0]
        for s in range(slices):
            room.stored[s, k] = 0
            for g in range(groups):
                is_stored = tile.stored[s, g, k]
                room.stored[s, k] += is_stored
                for lane in range(v):
                    value = tile.ho[s, g, k, lane] * factors[1 + s] if is_stored else 0
                    room.operands[1 + s, k, g * v + lane] = value
                    room.operands[1 + slices + s, k, g * v + lane] = factors[1 + slices + s] if is_stored else 0
            room.stored[slices, k] += room.stored[s, k]


@inner
def _add_products(room: Room, at: tuple[int, int, int], k: int, factor: int, nibbles: ByteArray, columns: int) -> None:
    """Add the products of one weight vector, 4-bit patterns [v], with every operand at k that has something stored.

    `at` is (place in the stack, first row, activation slices).
    """
    place, first_row, slices = at
    for lane in range(len(nibbles)):
        weight = np.int32((np.int64(nibbles[lane] ^ 8) - 8) * factor)
        row = first_row + lane
        for column in range(columns):
            room.sums[place, row, column] += weight * room.operands[0, k, column]
        for s in range(slices):
            if room.stored[s, k]:
                for column in range(columns):
                    room.sums[place, row, column] += weight * room.operands[1 + s, k, column]
                for column in range(columns):
                    room.sums[place, row, column] += weight * room.operands[1 + slices + s, k, column]


@inner
def _work_of_pea(  # noqa: PLR0913, PLR0917  # compiled: each number is an argument
    room: Room,
    factors: IntArray,
    group: int,
    at: tuple[int, int, int],
    groups: int,
    depth: int,
    steps: IntArray,
    task: int,
) -> None:
    """Multiply a row group with the activation tile, and count the steps of this PEA."""
    tile, v = room.weight, room.weight.lo.shape[2]
    place, pea, slices = at
    columns = groups * v
    where = (place, pea * v, slices)
    dynamic, compensation = 0, 0
    for k in range(depth):
        _add_products(room, where, k, factors[0], tile.lo[group, k], columns)
        stored_weights = 0
        for a in range(tile.stored.shape[0]):
            if tile.stored[a, group, k]:
                stored_weights += 1
                _add_products(room, where, k, factors[1 + a], tile.ho[a, group, k], columns)
        stored = room.stored[slices, k]
        dynamic += stored_weights * (stored + groups) + stored
        compensation += stored
    steps[task, place, pea, 0] = dynamic
    steps[task, place, pea, 1] = depth * groups
    steps[task, place, pea, 2] = compensation


@inner
def _rows(shape: Shape, m: int) -> int:
    """Return the rows of an m tile, which is numbered over all products."""
    rows: int = min(shape.tile_m, shape.M - m % shape.m_tiles * shape.tile_m)
    return rows


@inner
def _end_visit(  # the same
    room: Room,
    state: State,
    shape: Shape,
    constants: Constants,
    given: Given,
    tile: tuple[int, int, int, int],
) -> None:
    """Join the sums of a visit with those of the visits before; after the last one a tile is finished."""
    m, n, place, visit = tile
    column = n * shape.tile_n
    rows, columns = _rows(shape, m), min(shape.tile_n, shape.N - column)
    row = m // shape.m_tiles * shape.M + m % shape.m_tiles * shape.tile_m
    is_last = given.last_visit[visit]
    for i in range(rows):
        offline = constants.offline[row + i] if is_last else 0
        for j in range(columns):
            before = state.sums[row + i, column + j] if state.is_partial[m, n] else 0
            state.sums[row + i, column + j] = room.sums[place, i, j] + before + offline
    room.sums[place] = 0
    state.is_partial[m, n] = not is_last
    state.is_finished[m, n] = is_last


@inner
def _is_whole(found: int, room: Room, task: int, place: int, operand: int) -> bool:
    if found != WHOLE:
        room.fault[0], room.fault[1], room.fault[2], room.fault[3] = found, task, place, operand
    return found == WHOLE


@inner
def _groups(size: int, v: int) -> int:
    return (size + v - 1) // v


@entry
def run_tasks(  # noqa: PLR0913, PLR0917  # the same
    tasks: IntArray,
    shape: Shape,
    constants: Constants,
    given: Given,
    state: State,
    image: ByteArray,
    room: Room,
    share: tuple[int, int],
) -> None:
    """Do the tasks [task, TASK_WIDTH] in their order, up to the first whose tiles cannot be decoded.

    `share` is (number of this thread, threads): each does the tasks of its own output tiles.
    """
    slices = room.activation.stored.shape[0]
    for task in range(len(tasks)):
        m, n, k = tasks[task, ROW_TILE], tasks[task, TOKEN_TILE], tasks[task, DEPTH_TILE]
        if (m // shape.height * shape.n_tiles + n) % share[1] != share[0]:
            continue
        in_stack = min(shape.height, shape.m_tiles - m % shape.m_tiles)
        depth = min(shape.tile_k, shape.K - k * shape.tile_k)
        groups = _groups(min(shape.tile_n, shape.N - n * shape.tile_n), shape.v)
        size = given.activation_bytes[m // shape.m_tiles * shape.n_tiles + n, k]
        found = unpack_tile(room.activation, groups, depth, constants.code, image, tasks[task, ACTIVATION_AT], size)
        if not _is_whole(found, room, task, 0, 1):
            return
        _deal_activation(room, constants.activation_factors, groups, depth)
        weight_at = tasks[task, WEIGHT_AT]
        for place in range(in_stack):
            row_groups = _groups(_rows(shape, m + place), shape.v)
            size = given.weight_bytes[m + place, k]
            found = unpack_tile(room.weight, row_groups, depth, constants.code, image, weight_at, size)
            if not _is_whole(found, room, task, place, 0):
                return
            weight_at += size
            for pea in range(len(constants.row_order)):
                group = constants.row_order[pea]
                if group < row_groups:
                    at = (place, pea, slices)
                    _work_of_pea(room, constants.weight_factors, group, at, groups, depth, state.steps, task)
        if tasks[task, ENDS_VISIT]:
            for place in range(in_stack):
                tile = (m + place, n, place, tasks[task, FIRST_VISIT] + place)
                _end_visit(room, state, shape, constants, given, tile)
