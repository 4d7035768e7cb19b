"""What the RLE decoders do to encoded tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.tile_format import TileShape, unpack_tile
from panacea_sim.quant.rle import from_signed_nibbles
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = [
    "ActivationDecoderWorker",
    "WeightDecoderWorker",
    "WeightTile",
]


@dataclass(frozen=True, eq=False)
class WeightTile:
    """A decoded weight tile: signed `lo` [groups, K, v], `ho` [S, groups, K, v], `stored` [S, groups, K]."""

    lo: npt.NDArray[np.int8]
    ho: npt.NDArray[np.int8]
    stored: BoolArray


class WeightDecoderWorker:
    """Unpacks weight tiles; vectors that are not stored come back as zeros."""

    def __init__(self, program: Program, layers: Sequence[GemmLayer]) -> None:
        self._program = program
        self._labels = program.task_labels
        self._may_be_raw = panacea_hardware(program.hardware).may_be_raw
        self._ho_slices = [len(layer.weight_slices.ho) for layer in layers]

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the decoded tiles of this task's stack, as a list."""
        number = self._labels.layer[firing]
        tiling = panacea_work(self._program.layers[number].plan.work).tiling
        first, k = int(self._labels.m[firing]), self._labels.k[firing]
        slices = self._ho_slices[number]
        decoded = []
        for m, data in enumerate(inputs[0][0], first):
            sizes = (int(tiling.row_groups[m]), int(tiling.depths[k]), tiling.v, tiling.tile_k)
            shape = TileShape(slices, *sizes, self._may_be_raw)
            tile = unpack_tile(data, shape, np.zeros(slices, np.uint8))
            decoded.append(WeightTile(from_signed_nibbles(tile.lo), from_signed_nibbles(tile.ho), tile.stored))
        return (decoded,)


class ActivationDecoderWorker:
    """Unpacks activation tiles; vectors that are not stored come back as the frequent slice."""

    def __init__(self, program: Program, layers: Sequence[GemmLayer]) -> None:
        self._program = program
        self._labels = program.task_labels
        self._may_be_raw = panacea_hardware(program.hardware).may_be_raw
        self._frequent = [np.array(layer.frequent, np.uint8) for layer in layers]

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the decoded tile of this task."""
        number = self._labels.layer[firing]
        tiling = panacea_work(self._program.layers[number].plan.work).tiling
        n, k = self._labels.n[firing], self._labels.k[firing]
        frequent = self._frequent[number]
        groups, depth = int(tiling.column_groups[n]), int(tiling.depths[k])
        shape = TileShape(len(frequent), groups, depth, tiling.v, tiling.tile_k, self._may_be_raw)
        (data,) = inputs[0][0]
        return (unpack_tile(data, shape, frequent),)
