"""Values on: the operands in the DRAM image of a program, and the workers that handle its slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from panacea_sim.description.worker import Worker
from panacea_sim.machines.panacea.decoder import ActivationDecoderWorker, WeightDecoderWorker
from panacea_sim.machines.panacea.dispatcher import DispatcherWorker
from panacea_sim.machines.panacea.image import weight_addresses
from panacea_sim.machines.panacea.pea import PeaWorker
from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.accumulator import AccumulatorWorker
from panacea_sim.machines.shared.encoded_tiles import output_pieces, pack_activations, pack_weights
from panacea_sim.machines.shared.image import check_packed
from panacea_sim.machines.shared.image_values import ImageValues
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.quant.slicing import WeightSlices
from panacea_sim.workload.functional import FunctionalPass, offline_compensation
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat

__all__ = ["TravellingValues"]


class TravellingValues(ImageValues):
    """The values that travel through the machine, in slices."""

    def __init__(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> None:
        hardware = panacea_hardware(program.hardware)
        self._layers = layers
        self._peas = hardware.n_pea
        self._may_be_raw = hardware.may_be_raw
        offline = [offline_compensation(layer) for layer in layers]
        sums = AccumulatorWorker(program, layers, self._peas, offline)
        super().__init__(
            program, functional, sums, output_pieces(hardware.v, hardware.tile_k, may_be_raw=hardware.may_be_raw)
        )
        for planned, layer in zip(program.layers, layers, strict=True):
            self._store_operands(planned, layer)
        self.workers: dict[str, Worker] = self._build_workers()

    def _store_operands(self, planned: PlannedLayer, layer: GemmLayer) -> None:
        tiling = panacea_work(planned.plan.work).tiling
        for (m, k), address in np.ndenumerate(weight_addresses(planned)):
            tile = _weight_tile(layer, tiling.rows_of(m), tiling.depth_of(k))
            data = pack_weights(tile, tiling.v, tiling.tile_k, may_be_raw=self._may_be_raw)
            self.image[int(address)] = data
            check_packed("weight", (m, k), len(data), int(planned.plan.work.weight.total[m, k]))
        if not planned.reads_in_place:
            self._store_activations(planned, layer)

    def _store_activations(self, planned: PlannedLayer, layer: GemmLayer) -> None:
        tiling = panacea_work(planned.plan.work).tiling
        form = OutputFormat(1.0, layer.zero_point, layer.activation_bits, layer.lo_bits, layer.frequent)
        for (n, k), address in np.ndenumerate(planned.layout.activation):
            tile = layer.activation_columns[tiling.depth_of(k), tiling.columns_of(n)]
            data = pack_activations(tile, form, tiling.v, tiling.tile_k, may_be_raw=self._may_be_raw)
            self.image[int(address)] = data
            check_packed("activation", (n, k), len(data), int(planned.plan.work.activation.total[n, k]))

    def _build_workers(self) -> dict[str, Worker]:
        program, layers = self._program, self._layers
        return {
            **self._streams([piece for planned in program.layers for piece in _fetched_weights(planned)]),
            "w_decoder": WeightDecoderWorker(program, layers),
            "x_decoder": ActivationDecoderWorker(program, layers),
            "dispatcher": DispatcherWorker(self._peas),
            **{f"pea{pea}": PeaWorker(program, layers, pea) for pea in range(self._peas)},
            **self._output_path("encoder"),
        }


def _fetched_weights(planned: PlannedLayer) -> Iterator[list[int]]:
    """Return the addresses of the weight tiles that each fetch brings."""
    tiling, height = planned.plan.work.tiling, planned.plan.height
    stack = tiling.stack_of(np.arange(tiling.repeat * tiling.m_tiles), height)
    pieces: dict[int, list[int]] = {}
    for (m, k), address in np.ndenumerate(weight_addresses(planned)):
        pieces.setdefault(int(stack[m]) * tiling.k_tiles + k, []).append(int(address))
    return (pieces[tile] for tile in planned.plan.weight_loads.tile.tolist())


def _weight_tile(layer: GemmLayer, rows: slice, depth: slice) -> WeightSlices:
    slices = layer.weight_slices
    return WeightSlices(slices.lo[rows, depth], slices.ho[:, rows, depth], slices.ho_factors)
