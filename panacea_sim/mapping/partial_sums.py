"""Partial sums of output tiles that are visited more than once: where they stay, and what goes to DRAM and back.

Each such tile has its place in the PSUM region from its first to its last visit if all fit at once. Otherwise every
visit reads the tile from DRAM and writes it back. One stream, `s_dma`, does both: a fetch acquires the place (and
reads, unless it is the tile's first visit), a return gives it up (and writes, unless it is the last).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import MappingError
from panacea_sim.mapping.order import Visits
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray, narrow, repeated

__all__ = [
    "BYTES_PER_PARTIAL_SUM",
    "FEWER_VISITS",
    "SMALLER_TILES",
    "PartialSums",
    "least_spilled_bytes",
    "plan_partial_sums",
]

BYTES_PER_PARTIAL_SUM = 4
"""An accumulator is an int32."""

FEWER_VISITS, SMALLER_TILES = "put k innermost in hardware.loop_order", "lower hardware.tile_n"
"""Ways out where partial sums do not fit; the first one helps where sums stay in the PEAs as long as k goes on."""

NO_PARTIAL_SUM = -1


@dataclass(frozen=True, eq=False)
class PartialSums:
    """The firings of `s_dma` for one layer, in order, and what they have to do with the visits.

    Firing i belongs to visit `visit[i]` and is a return if `is_return[i]`, otherwise a fetch. It moves `moved_bytes[i]`
    (0: the tile stays on chip); a fetch acquires, a return releases `held_bytes[i]` of PSUM. `after[i]` counts the
    firings that must have ended before, so that a tile is written before it is read. `fetch_of[t]` is the fetch of
    visit t and `returned[t]` whether it has a return; NO_PARTIAL_SUM and 0 for tiles that are visited once.
    """

    visit: IntArray
    is_return: IntArray
    moved_bytes: IntArray
    held_bytes: IntArray
    after: IntArray
    fetch_of: IntArray
    returned: IntArray
    spills: bool

    @property
    def firings(self) -> int:
        """Number of firings of `s_dma`."""
        return len(self.visit)


def plan_partial_sums(
    visits: Visits, outputs: IntArray, region_bytes: int, *, may_spill: bool, remedy: str = FEWER_VISITS
) -> PartialSums:
    """Return the plan for the partial sums; `outputs` holds the outputs in the tile of each visit.

    Raises MappingError, with `remedy` as one of the ways out, if they do not fit and may not spill, or if not even one
    tile fits.
    """
    tile_bytes = outputs * BYTES_PER_PARTIAL_SUM
    several = (visits.first == 0) | (visits.last == 0)
    if not several.any():
        return _no_partial_sums(len(outputs))
    begins, ends = several & (visits.first == 1), several & (visits.last == 1)
    live = np.cumsum(tile_bytes * begins) - np.append(0, np.cumsum(tile_bytes * ends)[:-1])
    largest_live, largest_tile = int(live.max()), int(tile_bytes[several].max())
    spills = largest_live > region_bytes
    if spills and (not may_spill or largest_tile > region_bytes):
        needed = largest_live if not may_spill else largest_tile
        raise MappingError(
            f"PSUM holds {region_bytes} bytes, but the partial sums of this loop order need {needed} at once: "
            f"{needed - region_bytes} bytes are missing. Raise hardware.psum_bytes, {remedy}"
            f"{'' if may_spill else ', or set hardware.spill=allow'}"
        )
    fetched, returned = (several, several) if spills else (begins, ends)
    ahead = int(spills and largest_tile * 2 <= region_bytes)
    return _interleave(visits, tile_bytes, fetched, returned, ahead=ahead, spills=spills)


def least_spilled_bytes(tiling: Tiling, order: str, height: int, region_bytes: int) -> int:
    """Return the bytes of partial sums that a loop order has to spill at least, without planning it.

    They spill where the output tiles between two steps of the k loop do not fit together, and then every visit but a
    tile's first reads them and every one but its last writes them.
    """
    open_stacks = tiling.stacks(height) if order.index("k") < order.index("m") else 1
    open_columns = tiling.n_tiles if order.index("k") < order.index("n") else 1
    if open_stacks * open_columns == 1:
        return 0
    open_rows = tiling.M if open_stacks > 1 else min(tiling.M, height * tiling.tile_m)
    open_tokens = tiling.N if open_columns > 1 else min(tiling.N, tiling.tile_n)
    if open_rows * open_tokens * BYTES_PER_PARTIAL_SUM <= region_bytes:
        return 0
    return 2 * tiling.repeat * (tiling.k_tiles - 1) * tiling.M * tiling.N * BYTES_PER_PARTIAL_SUM


def _interleave(
    visits: Visits, tile_bytes: IntArray, fetched: IntArray, returned: IntArray, *, ahead: int, spills: bool
) -> PartialSums:
    """Put fetches and returns into one order: the fetch of a visit precedes the return of the visit `ahead` of it."""
    fetches, returns = np.flatnonzero(fetched), np.flatnonzero(returned)
    # A fetch may overtake the return of the visit before it, never that of its own tile's last visit, which is older.
    place = np.concatenate([2 * (fetches - ahead), 2 * returns + 1])
    in_order = np.argsort(place, kind="stable")
    visit = np.concatenate([fetches, returns])[in_order]
    is_return = np.concatenate([np.zeros_like(fetches), np.ones_like(returns)])[in_order]
    fetch_of, return_of = np.full(len(tile_bytes), NO_PARTIAL_SUM), np.full(len(tile_bytes), NO_PARTIAL_SUM)
    fetch_of[visit[is_return == 0]] = np.flatnonzero(is_return == 0)
    return_of[visit[is_return == 1]] = np.flatnonzero(is_return == 1)
    if not spills:
        fetch_of = _fetch_of_first_visit(visits, fetch_of)
    reads = (is_return == 0) & (visits.first[visit] == 0)
    writes = (is_return == 1) & (visits.last[visit] == 0)
    after = np.where(reads, return_of[visits.before[visit]] + 1, 0)
    moved_bytes = np.where(reads | writes, tile_bytes[visit], 0) * spills
    return PartialSums(
        narrow(visit),
        is_return.astype(np.int8),
        narrow(moved_bytes),
        narrow(tile_bytes[visit]),
        narrow(after * spills),
        narrow(fetch_of),
        (return_of >= 0).astype(np.int8),
        spills,
    )


def _fetch_of_first_visit(visits: Visits, fetch_of: IntArray) -> IntArray:
    """Let every visit of a tile that stays on chip refer to the one fetch that gave it its place."""
    tile = visits.m * (visits.n.max() + 1) + visits.n
    _, first, tile_number = np.unique(tile, return_index=True, return_inverse=True)
    return fetch_of[first[tile_number]]


def _no_partial_sums(visits: int) -> PartialSums:
    none = np.zeros(0, np.int64)
    return PartialSums(
        none, none, none, none, none, repeated(NO_PARTIAL_SUM, visits), repeated(0, visits), spills=False
    )
