"""The work of a layer whose operands are stored as they are, every element in as many bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.shared.layer_outputs import layer_outputs, ppu_passes
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling, shared_tiling
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs, joined_outputs
from panacea_sim.mapping.work import LayerWork, TileBytes
from panacea_sim.quant.widths import MAX_ACTIVATION_BITS
from panacea_sim.units import IntArray, bits_to_bytes
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.written_format import Form, features_between

__all__ = ["BYTE_BITS", "DenseWork", "batched_dense", "dense_work", "dense_work_of", "stored_width"]

BYTE_BITS = 8


@dataclass(frozen=True, eq=False)
class DenseWork(LayerWork):
    """What a layer asks of a machine that skips nothing: masks decide neither its bytes nor its cycles.

    An element of the weight takes `stored_weight_bits`, one of the activation `stored_activation_bits`. Rows of weight
    tiles and columns of activation tiles are padded to the vectors of the tiling; a machine without vectors has v = 1.
    """

    tiling: SlicedTiling
    stored_weight_bits: int = field(default=BYTE_BITS, kw_only=True)
    stored_activation_bits: int = field(default=BYTE_BITS, kw_only=True)

    @cached_property
    def weight(self) -> TileBytes:
        """Bytes of the weight tiles [m, k]."""
        return _raw(self.tiling, self.tiling.row_groups, self.stored_weight_bits)

    @cached_property
    def activation(self) -> TileBytes:
        """Bytes of the activation tiles [n, k]."""
        groups = np.tile(self.tiling.column_groups, self.tiling.repeat)
        return _raw(self.tiling, groups, self.stored_activation_bits)

    def deciding(self) -> Iterable[np.ndarray]:
        """Return the stored widths; the sizes of the layer decide everything else."""
        return (np.array([self.stored_weight_bits, self.stored_activation_bits]),)


def dense_work(
    layer: Layer,
    hardware: Hardware,
    computed: FunctionalPass | None,
    v: int = 1,
    stored_bits: tuple[int, int] = (BYTE_BITS, BYTE_BITS),
    *,
    digit_bits: int = BYTE_BITS,
    task_visits: bool = False,
) -> DenseWork:
    """Return the work of a layer on this hardware, with vectors of length `v`.

    `stored_bits` are those of an element of weight and activation. Outputs are written in whole digits of `digit_bits`.
    With `task_visits` every task is a visit to its output tile.
    """
    sizes = (layer.M, layer.K, layer.N, hardware.tile_m, hardware.tile_k, hardware.tile_n)
    tiling = shared_tiling(SlicedTiling(*sizes, v, repeat=layer.repeat))
    outputs, stage = layer_outputs(tiling, layer, hardware, _raw_outputs(tiling, layer, computed, digit_bits))
    return DenseWork(
        tiling,
        outputs,
        computed,
        passes=ppu_passes(layer, hardware),
        sequential=layer.sequential,
        weight_bits=layer.weight_bits,
        activation_bits=layer.activation_bits,
        stage=stage,
        task_visits=task_visits,
        stored_weight_bits=stored_bits[0],
        stored_activation_bits=stored_bits[1],
    )


def dense_work_of(work: LayerWork) -> DenseWork:
    """Return the work as what it is: the layers of a program are planned by the builder that describes it."""
    assert isinstance(work, DenseWork)
    return work


def batched_dense(works: Sequence[LayerWork]) -> DenseWork | None:
    """Return the work of layers of one class as that of a layer of all their products; None where outputs differ."""
    first = dense_work_of(works[0])
    written = joined_outputs([work.output_bytes for work in works])
    if written is None:
        return None
    tiling = shared_tiling(replace(first.tiling, repeat=len(works) * first.tiling.repeat))
    return replace(first, tiling=tiling, output_bytes=written)


def _raw(tiling: SlicedTiling, groups: IntArray, bits: int) -> TileBytes:
    """Return the bytes of tiles with so many groups of lanes each, of which no part is coded."""
    size_bytes = bits_to_bytes(groups[:, None] * tiling.v * tiling.depths * bits)
    return TileBytes(np.zeros_like(size_bytes), size_bytes)


def _raw_outputs(tiling: SlicedTiling, layer: Layer, computed: FunctionalPass | None, digit_bits: int) -> OutputBytes:
    """Return the bytes of outputs in each of the formats in which they are read, or once densely."""
    bounds = np.append(0, np.cumsum(tiling.rows))
    read: list[tuple[Form, IntArray]] = []
    most_bits = MAX_ACTIVATION_BITS
    if isinstance(layer, MaskedLayer):
        read = [(each.form, features_between(each.features, bounds)) for each in layer.formats]
        most_bits = digit_bits if digit_bits == BYTE_BITS else MAX_ACTIVATION_BITS
    elif computed is not None and layer.read_formats:
        written = [each for each in computed.written if each.format is not None]
        read = [
            (each.format.form, np.diff(np.searchsorted(each.rows, bounds)))
            for each in written
            if each.format is not None
        ]
    if not read:
        return dense_outputs(tiling)
    total = [
        bits_to_bytes(features[:, None] * tiling.columns * stored_width(min(form.bits, most_bits), digit_bits))
        for form, features in read
    ]
    return OutputBytes(
        np.zeros((*tiling.outputs.shape, len(read)), np.int64), np.stack(total, 2), tuple(f for f, _ in read)
    )


def stored_width(bits: int, digit_bits: int) -> int:
    """Return in how many bits a code is stored, in whole digits."""
    return -(-bits // digit_bits) * digit_bits
