"""The operands of a layer, packed into the DRAM image."""

from __future__ import annotations

import numpy as np

from panacea_sim.machines.panacea.image import weight_addresses
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.compiled.tile_code import ByteArray, Code, empty_tile, most_bytes, pack_operand
from panacea_sim.machines.shared.image import check_packed
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.units import IntArray
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["pack_layer"]


def pack_layer(planned: PlannedLayer, layer: GemmLayer, code: Code, image: ByteArray) -> None:
    """Write the weight tiles into the image, and the activation tiles unless another layer of the run writes them.

    `code` is that of HO parts. Raises InvariantError if a tile does not have its planned bytes.
    """
    work = panacea_work(planned.plan.work)
    tiling, slices = work.tiling, layer.weight_slices
    weight = slices.lo.view(np.uint8), slices.ho.view(np.uint8), np.zeros(len(slices.ho), np.int64)
    planned_tiles = weight_addresses(planned), work.weight.total
    _pack("weight", weight, tiling.most_row_groups, tiling, code, planned_tiles, image)
    if not planned.reads_in_place:
        of_tokens = layer.activation_slices
        activation = (
            np.ascontiguousarray(of_tokens.lo.T),
            np.ascontiguousarray(of_tokens.ho.swapaxes(1, 2)),
            np.array(layer.frequent, np.int64),
        )
        planned_tiles = planned.layout.activation, work.activation.total
        _pack("activation", activation, tiling.most_column_groups, tiling, code, planned_tiles, image)


def _pack(  # an operand, its tiles and their place
    what: str,
    slices: tuple[ByteArray, ByteArray, IntArray],
    groups: int,
    tiling: SlicedTiling,
    code: Code,
    planned_tiles: tuple[IntArray, IntArray],
    image: ByteArray,
) -> None:
    lo, ho, frequent = slices
    tile = empty_tile(len(ho), groups, tiling.tile_k, tiling.v)
    packed = np.zeros(most_bytes(tile, code[0]), np.uint8)
    address, planned_bytes = (np.ascontiguousarray(each, np.int64) for each in planned_tiles)
    found_bytes = np.zeros_like(planned_bytes)
    rows, tiles = len(lo) // tiling.repeat, len(address) // tiling.repeat
    for product in range(tiling.repeat):
        own, those = slice(product * rows, (product + 1) * rows), slice(product * tiles, (product + 1) * tiles)
        of_product = lo[own], np.ascontiguousarray(ho[:, own]), frequent
        planned_of_product = address[those], planned_bytes[those]
        pack_operand(of_product, tile, code, *planned_of_product, image, packed, found_bytes[those])
    for i, k in np.argwhere(found_bytes != planned_bytes).tolist():
        check_packed(what, (i, k), int(found_bytes[i, k]), int(planned_bytes[i, k]))
