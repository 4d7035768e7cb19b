"""What lies in the DRAM image of a program: where weight tiles are, and whether outputs are what they should be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panacea_sim.errors import InvariantError
from panacea_sim.machines.panacea.encoder import encode_output_tile
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["check_outputs", "check_packed", "weight_addresses"]


def weight_addresses(planned: PlannedLayer) -> IntArray:
    """Return the address of every weight tile [m, k]: those of a stack lie behind each other."""
    height, sizes = planned.plan.height, planned.plan.work.weight.total
    before = np.zeros_like(sizes)
    for place in range(1, height):
        upper = before[place::height]
        upper += before[place - 1 :: height][: len(upper)] + sizes[place - 1 :: height][: len(upper)]
    return np.repeat(planned.layout.weight, height, axis=0)[: len(sizes)] + before


def check_packed(what: str, at: tuple[int, ...], found_bytes: int, planned_bytes: int) -> None:
    """Raise InvariantError if a tile was packed into other bytes than it was planned with."""
    if found_bytes != planned_bytes:
        tile = ", ".join(map(str, at))
        raise InvariantError(f"{what} tile {tile} takes {found_bytes} bytes, but was planned with {planned_bytes}")


def check_outputs(
    planned: PlannedLayer, layer: GemmLayer, wanted: FunctionalPass, is_at: Callable[[int, bytes], bool]
) -> None:
    """Raise InvariantError for an output tile whose pieces do not lie where the plan says; `is_at` looks there."""
    tiling = panacea_work(planned.plan.work).tiling
    for (m, n), first in np.ndenumerate(planned.layout.output[..., 0]):
        rows = slice(m * tiling.tile_m, (m + 1) * tiling.tile_m)
        columns = slice(n * tiling.tile_n, (n + 1) * tiling.tile_n)
        address = int(first)
        for piece in encode_output_tile(wanted.output[rows, columns], layer.output, tiling.v, tiling.tile_k):
            if not is_at(address, piece):
                raise InvariantError(f"output tile {m}, {n} of {layer.name} was written wrong")
            address += len(piece)
