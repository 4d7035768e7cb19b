"""Loop orders: in which sequence the machine works through the tasks of a layer, and which reuse that gives.

A task is one k tile of a stack: one weight tile, or two that share their activation tile (double-tile processing).
A visit is a run of successive tasks on the same output tiles, after which the PEAs hand over what they have summed up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray

__all__ = ["LOOP_ORDERS", "TaskSequence", "Visits", "task_sequence", "visits_of"]

LOOP_ORDERS = tuple("".join(order) for order in permutations("mnk"))
"""The six orders, outermost loop first."""


@dataclass(frozen=True, eq=False)
class TaskSequence:
    """The tasks in issue order: stack and tile coordinates of each, and the reuse set to which it belongs.

    Stacks are numbered over all products of a layer, n and k inside one. The reuse set of an operand is the set of
    tiles that it touches inside the loop which does not index it.
    """

    stack: IntArray
    n: IntArray
    k: IntArray
    weight_set: IntArray
    activation_set: IntArray


def task_sequence(order: str, group_stack: IntArray, group_n: IntArray, tiling: Tiling, height: int) -> TaskSequence:
    """Return the tasks of a layer in the given loop order, product after product.

    `group_stack` and `group_n` are the tile groups of a product in issue order, which is the order of the loops over m
    and n; `order` says where among them the loop over k stands.
    """
    one = _of_a_product(order, group_stack, group_n, tiling, height)
    if tiling.repeat == 1:
        return one
    return TaskSequence(
        _behind_each_other(one.stack, tiling.stacks(height), tiling.repeat),
        np.tile(one.n, tiling.repeat),
        np.tile(one.k, tiling.repeat),
        _behind_each_other(one.weight_set, int(one.weight_set.max()) + 1, tiling.repeat),
        _behind_each_other(one.activation_set, int(one.activation_set.max()) + 1, tiling.repeat),
    )


def _behind_each_other(numbers: IntArray, count: int, repeat: int) -> IntArray:
    """Return numbers below `count` once for each repeat, each time behind those before."""
    repeated: IntArray = (np.arange(repeat)[:, None] * count + numbers).ravel()
    return repeated


def _of_a_product(order: str, group_stack: IntArray, group_n: IntArray, tiling: Tiling, height: int) -> TaskSequence:
    stacks, k_tiles = tiling.stacks(height), tiling.k_tiles
    groups, k_position = len(group_stack), order.index("k")
    # Groups that pass between two steps of the k loop: none if it is innermost, a panel, or all of them.
    inner = (groups, _inner_trips(order, stacks, tiling.n_tiles), 1)[k_position]
    index = np.arange(groups).reshape(-1, 1, inner)
    group = np.broadcast_to(index, (groups // inner, k_tiles, inner)).ravel()
    k = np.broadcast_to(np.arange(k_tiles)[:, None], (groups // inner, k_tiles, inner)).ravel()
    stack, n = group_stack[group], group_n[group]
    coordinate = {"m": (stack, stacks), "n": (n, tiling.n_tiles), "k": (k, k_tiles)}
    return TaskSequence(stack, n, k, _reuse_set(order, "n", coordinate), _reuse_set(order, "m", coordinate))


def _inner_trips(order: str, stacks: int, n_tiles: int) -> int:
    return {"m": stacks, "n": n_tiles}[order[2]] if order[2] != "k" else 1


def _reuse_set(order: str, free_loop: str, coordinate: dict[str, tuple[IntArray, int]]) -> IntArray:
    """Return the iteration of the loops outside `free_loop`, the one that does not index the operand."""
    number = np.zeros(len(coordinate["k"][0]), np.int64)
    for loop in order[: order.index(free_loop)]:
        values, trips = coordinate[loop]
        number = number * trips + values
    return number


@dataclass(frozen=True, eq=False)
class Visits:
    """The visits of a layer, one entry for each output tile (m, n) that a visit touches, in order.

    `last_task` is 1 for the tasks that end a visit. `first` and `last` tell whether it is the tile's first or last
    visit, `before` is the index of the tile's visit before, -1 for the first one.
    """

    last_task: IntArray
    m: IntArray
    n: IntArray
    first: IntArray
    last: IntArray
    before: IntArray


def visits_of(tasks: TaskSequence, tiling: Tiling, height: int) -> Visits:
    """Return the visits of these tasks; a stack of several m tiles makes one entry for each, lowest m first."""
    group = tasks.stack * tiling.n_tiles + tasks.n
    ends = np.append(group[1:] != group[:-1], True)
    stack = tasks.stack[ends]
    m = (tiling.first_m(stack, height)[:, None] + np.arange(height)).ravel()
    n = np.repeat(tasks.n[ends], height)
    if height > 1:
        exists = np.stack([tiling.has_place(stack, place, height) for place in range(height)], 1).ravel() == 1
        m, n = m[exists], n[exists]
    tile = m * tiling.n_tiles + n
    by_tile = np.argsort(tile, kind="stable")
    again = tile[by_tile][1:] == tile[by_tile][:-1]
    before = np.full(len(tile), -1)
    before[by_tile[1:][again]] = by_tile[:-1][again]
    last = np.ones(len(tile), np.int64)
    last[by_tile[:-1][again]] = 0
    return Visits(ends.astype(np.int64), m, n, (before < 0).astype(np.int64), last, before)
