"""Loop nests in plain Python, judge of the vectorised plans: who is fetched, visited and spilled how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, product

__all__ = ["Moved", "fetched_bytes", "fits_at_once", "loop_nest", "moved_bytes", "spilled_bytes", "visits"]

Task = dict[str, int]
"""The counters of the three loops."""

Sizes = Callable[[int, int], int]
"""The bytes of a tile, from its two coordinates."""


@dataclass(frozen=True)
class Moved:
    """The bytes that a layer reads and writes."""

    weight: int
    activation: int
    spilled_each_way: int
    output: int


def loop_nest(order: str, trips: Task) -> list[Task]:
    """Return the tasks of three nested loops, `order` naming the outermost first."""
    return [dict(zip(order, counters, strict=True)) for counters in product(*(range(trips[loop]) for loop in order))]


def fetched_bytes(order: str, tasks: list[Task], operand: str, size: Sizes, capacity_bytes: int) -> int:
    """Return the bytes fetched of an operand that the loops `operand` ("mk" or "nk") index.

    The third loop makes it touch the same tiles again: what it touches inside is its reuse set.
    """
    (free_loop,) = set(order) - set(operand)
    outside = order[: order.index(free_loop)]
    reuse_sets: dict[tuple[int, ...], set[tuple[int, int]]] = {}
    for task in tasks:
        reuse_sets.setdefault(tuple(task[loop] for loop in outside), set()).add((task[operand[0]], task[operand[1]]))
    set_bytes = [sum(size(*tile) for tile in tiles) for tiles in reuse_sets.values()]
    if max(set_bytes) <= capacity_bytes:
        return sum(set_bytes)
    return sum(size(task[operand[0]], task[operand[1]]) for task in tasks)


def visits(tasks: list[Task], m_tiles: int, height: int) -> list[tuple[int, int]]:
    """Return the output tiles (m, n) in the order in which the machine hands over sums of them."""
    runs = [key for key, _ in groupby(tasks, key=lambda task: (task["m"], task["n"]))]
    return [(m, n) for stack, n in runs for m in range(stack * height, min((stack + 1) * height, m_tiles))]


def fits_at_once(visited: list[tuple[int, int]], size: Sizes, capacity_bytes: int) -> bool:
    """Return whether all tiles that are visited again fit, each from its first to its last visit."""
    held: set[tuple[int, int]] = set()
    for at, tile in enumerate(visited):
        if visited.count(tile) > 1:
            held.add(tile)
        if sum(size(*each) for each in held) > capacity_bytes:
            return False
        if tile not in visited[at + 1 :]:
            held.discard(tile)
    return True


def spilled_bytes(visited: list[tuple[int, int]], size: Sizes, capacity_bytes: int) -> int:
    """Return the bytes of partial sums that are written, which is what is read again: all visits but one a tile."""
    if fits_at_once(visited, size, capacity_bytes):
        return 0
    return _sum(size, visited) - _sum(size, set(visited))


def moved_bytes(
    order: str,
    tiles: tuple[int, int, int],
    height: int,
    sizes: dict[str, Sizes],
    capacity_bytes: dict[str, int],
) -> Moved:
    """Return what a layer of (m, n, k) `tiles` moves.

    Sizes are those of tiles w [m, k], x [n, k], psum [m, n] and o [m, n]; capacities those of the memories behind.
    """
    m_tiles, n_tiles, k_tiles = tiles
    tasks = loop_nest(order, {"m": -(-m_tiles // height), "n": n_tiles, "k": k_tiles})

    def stack_bytes(stack: int, k: int) -> int:
        return sum(sizes["w"](m, k) for m in range(stack * height, min((stack + 1) * height, m_tiles)))

    visited = visits(tasks, m_tiles, height)
    return Moved(
        fetched_bytes(order, tasks, "mk", stack_bytes, capacity_bytes["w"]),
        fetched_bytes(order, tasks, "nk", sizes["x"], capacity_bytes["x"]),
        spilled_bytes(visited, sizes["psum"], capacity_bytes["psum"]),
        _sum(sizes["o"], set(visited)),
    )


def _sum(size: Sizes, tiles: Iterable[tuple[int, int]]) -> int:
    return sum(size(*tile) for tile in tiles)
