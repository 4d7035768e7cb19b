"""Dense operands cut into digits of equal width: how their tiles lie in DRAM, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.machines.shared.dense_work import BYTE_BITS, DenseWork, dense_work_of
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.tile_format import pack_nibbles, unpack_nibbles
from panacea_sim.machines.shared.vector_values import Factors, VectorTile
from panacea_sim.quant.slicing import AnyIntArray
from panacea_sim.units import ceil_div
from panacea_sim.workload.functional import Codes
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["DigitTiles"]

_Digits = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class DigitTiles:
    """Packs and reads tiles of digits of 4 or 8 bits, least significant first; the upper one of signed codes is signed.

    A tile has one plane for each digit, [groups, K, v], padded with zeros where it is ragged.
    """

    program: Program
    layers: Sequence[GemmLayer]
    digit_bits: int

    def factors(self) -> list[Factors]:
        """Return what the digits of weights and activations of each layer stand for."""
        works = [dense_work_of(layer.plan.work) for layer in self.program.layers]
        return [(self._factors(w.stored_weight_bits), self._factors(w.stored_activation_bits)) for w in works]

    def weight(self, planned: PlannedLayer, layer: GemmLayer, m: int, k: int) -> bytes:
        """Return the bytes of a weight tile."""
        work = dense_work_of(planned.plan.work)
        rows = layer.weight_rows[work.tiling.rows_of(m), work.tiling.depth_of(k)]
        return self._packed_vectors(rows, work.tiling.v, work.stored_weight_bits)

    def activation(self, planned: PlannedLayer, layer: GemmLayer, n: int, k: int) -> bytes:
        """Return the bytes of an activation tile; n is numbered over all products."""
        work = dense_work_of(planned.plan.work)
        columns = layer.activation_columns[work.tiling.depth_of(k), work.tiling.columns_of(n)].T
        return self._packed_vectors(columns, work.tiling.v, work.stored_activation_bits)

    def output(self, tile: Codes, form: OutputFormat | WeightFormat | None) -> list[bytes]:
        """Return an output tile as one piece; none of a tile of which nothing is read."""
        bits = BYTE_BITS if form is None else form.bits
        return [self._packed(_digits(tile, self.digit_bits, ceil_div(bits, self.digit_bits)))] if len(tile) else []

    def read_weight(self, firing: int, pieces: list[bytes]) -> VectorTile:
        """Return the weight tile of a task; codes are signed."""
        work, k = self._place(firing)
        m = int(self.program.task_labels.m[firing])
        shape = (int(work.tiling.row_groups[m]), int(work.tiling.depths[k]), work.tiling.v)
        return self._read(pieces, work.stored_weight_bits, shape, is_signed=True)

    def read_activation(self, firing: int, pieces: list[bytes]) -> VectorTile:
        """Return the activation tile of a task."""
        work, k = self._place(firing)
        n = int(self.program.task_labels.n[firing])
        shape = (int(work.tiling.column_groups[n]), int(work.tiling.depths[k]), work.tiling.v)
        layer = self.layers[self.program.task_labels.layer[firing]]
        return self._read(pieces, work.stored_activation_bits, shape, is_signed=layer.is_symmetric)

    def _place(self, firing: int) -> tuple[DenseWork, int]:
        labels = self.program.task_labels
        return dense_work_of(self.program.layers[labels.layer[firing]].plan.work), int(labels.k[firing])

    def _factors(self, stored_bits: int) -> list[int]:
        return [1 << shift for shift in range(0, stored_bits, self.digit_bits)]

    def _packed_vectors(self, lanes: AnyIntArray, v: int, stored_bits: int) -> bytes:
        """Return the bytes of codes [lanes, K]."""
        count, depth = lanes.shape
        padded = np.zeros((ceil_div(count, v) * v, depth), np.int64)
        padded[:count] = lanes
        vectors = padded.reshape(-1, v, depth).swapaxes(1, 2)
        return self._packed(_digits(vectors, self.digit_bits, stored_bits // self.digit_bits))

    def _packed(self, digits: npt.NDArray[np.uint8]) -> bytes:
        return digits.tobytes() if self.digit_bits == BYTE_BITS else pack_nibbles(digits)

    def _read(
        self, pieces: list[bytes], stored_bits: int, shape: tuple[int, int, int], *, is_signed: bool
    ) -> VectorTile:
        (data,) = pieces
        count = stored_bits // self.digit_bits
        size = count * shape[0] * shape[1] * shape[2]
        flat = np.frombuffer(data, np.uint8) if self.digit_bits == BYTE_BITS else unpack_nibbles(data, size)
        planes: _Digits = flat.reshape(count, *shape).astype(np.int16)
        if is_signed:
            planes[-1] -= (planes[-1] >> (self.digit_bits - 1)) << self.digit_bits
        return VectorTile(planes, np.ones(planes.shape[:-1], np.bool_))


def _digits(codes: npt.NDArray[Any], digit_bits: int, count: int) -> npt.NDArray[np.uint8]:
    """Return the digits of codes, [digit, *shape], as bit patterns."""
    wide = codes.astype(np.int64)
    mask = (1 << digit_bits) - 1
    return np.stack([(wide >> (digit * digit_bits)) & mask for digit in range(count)]).astype(np.uint8)
