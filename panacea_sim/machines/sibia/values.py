"""Values on the Sibia machine: tiles of signed slices, one operand in the run-length code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panacea_sim.machines.shared.encoded_tiles import encode_output_tile, pack_weights
from panacea_sim.machines.shared.own_operands import signed_codes
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.tile_format import TileShape, pack_nibbles, unpack_nibbles, unpack_tile
from panacea_sim.machines.shared.vector_values import Factors, Unpack, VectorTile
from panacea_sim.machines.sibia.settings import SibiaHardware
from panacea_sim.machines.sibia.work import SibiaWork, sibia_work_of
from panacea_sim.quant.rle import from_signed_nibbles, to_nibbles
from panacea_sim.quant.slicing import WeightSlices, slice_weights, weight_ho_factors
from panacea_sim.quant.vectors import group_weight_vectors
from panacea_sim.quant.widths import SIGNED_BITS
from panacea_sim.workload.functional import Codes
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.link import Operand
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["DecoderWorker", "SignedTiles"]


@dataclass(frozen=True, eq=False)
class SignedTiles:
    """Packs and reads tiles of signed slices; activations are sliced as weights are, their columns as rows.

    A coded tile lies as Panacea's do; a raw one is its LO and its HO slices, [slice, groups, K, v].
    """

    program: Program
    layers: Sequence[GemmLayer]
    hardware: SibiaHardware

    def factors(self) -> list[Factors]:
        """Return what the slices of weights and activations of each layer stand for."""
        of_activation = (1, *weight_ho_factors(SIGNED_BITS))
        return [((1, *layer.weight_slices.ho_factors), of_activation) for layer in self.layers]

    def weight(self, planned: PlannedLayer, layer: GemmLayer, m: int, k: int) -> bytes:
        """Return the bytes of a weight tile."""
        work = sibia_work_of(planned.plan.work)
        rows, depth = work.tiling.rows_of(m), work.tiling.depth_of(k)
        slices = layer.weight_slices
        tile = WeightSlices(slices.lo[rows, depth], slices.ho[:, rows, depth], slices.ho_factors)
        return self._packed(tile, is_raw=work.raw == "w")

    def activation(self, planned: PlannedLayer, layer: GemmLayer, n: int, k: int) -> bytes:
        """Return the bytes of an activation tile; n is numbered over all products."""
        work = sibia_work_of(planned.plan.work)
        codes = layer.activation_columns[work.tiling.depth_of(k), work.tiling.columns_of(n)]
        return self._packed(slice_weights(codes.T, SIGNED_BITS), is_raw=work.raw == "x")

    def output(self, tile: Codes, form: OutputFormat | WeightFormat | None) -> list[bytes]:
        """Return the pieces of an output tile: activations as signed slices, in the run-length code."""
        v, tile_k = self.hardware.v, self.hardware.tile_k
        if not isinstance(form, OutputFormat):
            return encode_output_tile(tile, form, v, tile_k, may_be_raw=self.hardware.may_be_raw)
        codes = signed_codes(tile, form.zero_point, form.bits)
        signed = WeightFormat("k", SIGNED_BITS)
        return encode_output_tile(codes, signed, v, tile_k, may_be_raw=self.hardware.may_be_raw)

    def read(self, operand: Operand) -> Unpack:
        """Return what reads the tiles of an operand for a task."""
        return lambda firing, pieces: self._read(operand, firing, pieces)

    def _packed(self, tile: WeightSlices, *, is_raw: bool) -> bytes:
        v, tile_k = self.hardware.v, self.hardware.tile_k
        if not is_raw:
            return pack_weights(tile, v, tile_k, may_be_raw=self.hardware.may_be_raw)
        return pack_nibbles(to_nibbles(group_weight_vectors(np.concatenate([tile.lo[None], tile.ho]), v)))

    def _read(self, operand: Operand, firing: int, pieces: list[bytes]) -> VectorTile:
        labels, (data,) = self.program.task_labels, pieces
        work = sibia_work_of(self.program.layers[labels.layer[firing]].plan.work)
        shape = _tile_shape(work, operand, int(labels.m[firing]), int(labels.n[firing]), int(labels.k[firing]))
        planes = (1 + shape.ho_slices, shape.groups, shape.depth)
        stored = np.ones(planes, np.bool_)
        if work.raw == operand:
            nibbles = unpack_nibbles(data, int(np.prod(planes)) * shape.v).reshape(*planes, shape.v)
        else:
            tile = unpack_tile(data, shape, np.zeros(shape.ho_slices, np.uint8))
            nibbles = np.concatenate([tile.lo[None], tile.ho])
            stored[1:] = tile.stored
        packs = operand == "x" and work.packed is not None
        return VectorTile(from_signed_nibbles(nibbles).astype(np.int16), stored, packs)


def _tile_shape(work: SibiaWork, operand: Operand, m: int, n: int, k: int) -> TileShape:
    tiling = work.tiling
    groups = tiling.row_groups[m] if operand == "w" else tiling.column_groups[n]
    masks = work.masks.weight if operand == "w" else work.masks.activation
    return TileShape(len(masks), int(groups), int(tiling.depths[k]), tiling.v, tiling.tile_k, work.may_be_raw)


class DecoderWorker:
    """Makes slices of the tiles of one operand."""

    def __init__(self, read: Callable[[int, Any], VectorTile]) -> None:
        self._read = read

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the tile of this task."""
        return (self._read(firing, inputs[0][0]),)
