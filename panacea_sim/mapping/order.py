"""Loop orders: in which sequence the machine works through the tasks of a layer, and which reuse that gives.

A task is one k tile of a stack: one weight tile, or two that share their activation tile (double-tile processing).
A visit is a run of successive tasks on the same output tiles, after which the PEAs hand over what they have summed up.
Machines that keep no sums hand them over after every task.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray, narrow

__all__ = ["LOOP_ORDERS", "TaskSequence", "Visits", "task_sequence", "visits_of"]

LOOP_ORDERS = tuple("".join(order) for order in permutations("mnk"))
"""The six orders, outermost loop first."""


@dataclass(frozen=True, eq=False)
class TaskSequence:
    """The tasks in issue order: stack and tile coordinates of each; `trips` has the length of each loop of `order`.

    Stacks are numbered over all products of a layer, n and k inside one; loops are those of one product.
    """

    order: str
    trips: dict[str, int]
    stack: IntArray
    n: IntArray
    k: IntArray

    def reuse_set(self, free_loop: str, tasks: IntArray) -> IntArray:
        """Return to which reuse set of the operand that `free_loop` does not index these tasks belong.

        It is the set of tiles that the operand touches inside that loop: product, and iteration of the loops around it.
        """
        number, inside = np.divmod(self.stack[tasks].astype(np.int64), self.trips["m"])
        coordinate = {"m": inside, "n": self.n[tasks], "k": self.k[tasks]}
        for loop in self.order[: self.order.index(free_loop)]:
            number = number * self.trips[loop] + coordinate[loop]
        return number


def task_sequence(order: str, group_stack: IntArray, group_n: IntArray, tiling: Tiling, height: int) -> TaskSequence:
    """Return the tasks of a layer in the given loop order, product after product.

    `group_stack` and `group_n` are the tile groups of a product in issue order, which is the order of the loops over m
    and n; `order` says where among them the loop over k stands.
    """
    one = _of_a_product(order, group_stack, group_n, tiling, height)
    if tiling.repeat == 1:
        return one
    before = np.arange(tiling.repeat)[:, None] * tiling.stacks(height)
    stack = narrow((before + one.stack).ravel())
    return TaskSequence(order, one.trips, stack, np.tile(one.n, tiling.repeat), np.tile(one.k, tiling.repeat))


def _of_a_product(order: str, group_stack: IntArray, group_n: IntArray, tiling: Tiling, height: int) -> TaskSequence:
    stacks, k_tiles = tiling.stacks(height), tiling.k_tiles
    groups, k_position = len(group_stack), order.index("k")
    # Groups that pass between two steps of the k loop: none if it is innermost, a panel, or all of them.
    inner = (groups, _inner_trips(order, stacks, tiling.n_tiles), 1)[k_position]
    shape = (groups // inner, k_tiles, inner)
    stack, n = (narrow(axis).reshape(-1, 1, inner) for axis in (group_stack, group_n))
    k = narrow(np.arange(k_tiles))[:, None]
    trips = {"m": stacks, "n": tiling.n_tiles, "k": k_tiles}
    return TaskSequence(order, trips, *(np.broadcast_to(axis, shape).ravel() for axis in (stack, n, k)))


def _inner_trips(order: str, stacks: int, n_tiles: int) -> int:
    return {"m": stacks, "n": n_tiles}[order[2]] if order[2] != "k" else 1


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


def visits_of(tasks: TaskSequence, tiling: Tiling, height: int, *, task_visits: bool = False) -> Visits:
    """Return the visits of these tasks; a stack of several m tiles makes one entry for each, lowest m first.

    With `task_visits` each task is a visit of its own.
    """
    ends = np.append((tasks.stack[1:] != tasks.stack[:-1]) | (tasks.n[1:] != tasks.n[:-1]) | task_visits, True)
    stack = tasks.stack[ends].astype(np.int64)
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
    last = np.ones(len(tile), np.bool_)
    last[by_tile[:-1][again]] = False
    return Visits(
        ends.astype(np.int8), narrow(m), narrow(n), (before < 0).astype(np.int8), last.astype(np.int8), narrow(before)
    )
