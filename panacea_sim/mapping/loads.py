"""Which operand tiles are fetched when, how long they stay, and when their space is free again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import MappingError
from panacea_sim.units import IntArray, narrow

__all__ = ["Loads", "plan_loads"]


@dataclass(frozen=True, eq=False)
class Loads:
    """The fetches of one operand into its memory region.

    Fetch j brings tile `tile[j]` (a flat index) of `size_bytes[j]`. Task i needs fetch `need[i]` and gives
    `release_bytes[i]` back when the decoder has served it. `resident` says whether each tile is fetched once for each
    reuse set.
    """

    tile: IntArray
    size_bytes: IntArray
    need: IntArray
    release_bytes: IntArray
    resident: bool


def plan_loads(  # an operand, its region and the rule
    region: str,
    capacity_bytes: int,
    tile_bytes: IntArray,
    task_tile: IntArray,
    reuse_set: Callable[[IntArray], IntArray],
    *,
    must_stay: bool,
    batch: int = 1,
) -> Loads:
    """Return the fetches for tasks that use the tiles `task_tile` in this order.

    `tile_bytes` is indexed by flat tile. `reuse_set` gives the number of the set to which tasks belong: if the largest
    set of distinct tiles fits the region, each tile is fetched once for each set, otherwise once for each task. Sets of
    the layers of a `batch` follow each other, as many of each.

    Raises MappingError if a single tile does not fit, or with `must_stay` a reuse set, or if the sets of some layers of
    a batch fit and those of others do not.
    """
    largest = int(tile_bytes.max())
    if largest > capacity_bytes:
        raise MappingError(
            f"{region} holds {capacity_bytes} bytes, but a tile needs {largest}: {largest - capacity_bytes} bytes are "
            f"missing. Raise hardware.{region.lower()}_bytes or lower hardware.tile_k"
        )
    # The loops around a reuse set all index the operand, so a tile lies in one set and is fetched once for it.
    tasks = narrow(np.arange(len(task_tile)))
    first_use = np.full(len(tile_bytes), -1)
    first_use[task_tile[::-1]] = tasks[::-1]
    used = np.flatnonzero(first_use >= 0)
    first_use = first_use[used]
    set_bytes = np.bincount(reuse_set(first_use), weights=tile_bytes[used])
    largest_set = int(set_bytes.max())
    resident = largest_set <= capacity_bytes
    if batch > 1 and not resident and (set_bytes.reshape(batch, -1).max(1) <= capacity_bytes).any():
        raise MappingError(f"{region} holds the reuse sets of some layers of a batch only")
    if must_stay and not resident:
        raise MappingError(
            f"{region} holds {capacity_bytes} bytes, but the tiles that must stay need {largest_set}: "
            f"{largest_set - capacity_bytes} bytes are missing. Raise hardware.{region.lower()}_bytes, choose another "
            f"hardware.loop_order, or set hardware.residency=auto"
        )
    sizes = narrow(tile_bytes)
    if not resident:
        # Each task uses a fetch of its own, whose space is free when the task is over.
        size_bytes = sizes[task_tile]
        return Loads(task_tile, size_bytes, tasks, size_bytes, resident)
    tile = used[np.argsort(first_use)]
    fetch_of_tile = np.empty(len(tile_bytes), tasks.dtype)
    fetch_of_tile[tile] = np.arange(len(tile))
    need: IntArray = fetch_of_tile[task_tile]
    return Loads(narrow(tile), sizes[tile], need, _ring_releases(need, sizes[tile]), resident)


def _ring_releases(need: IntArray, size_bytes: IntArray) -> IntArray:
    """Return the bytes that become free after each task.

    The region is a ring: the space of a tile is free once its last use, and that of every tile fetched before it, is
    over.
    """
    last_use = np.empty(len(size_bytes), np.int64)
    last_use[need] = np.arange(len(need))
    released = np.zeros(len(need), np.int64)
    np.add.at(released, np.maximum.accumulate(last_use), size_bytes)
    return narrow(released)
