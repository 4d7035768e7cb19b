"""Values on: the DRAM image of a program, the workers that handle its slices, and the comparison at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from panacea_sim.description.worker import Worker
from panacea_sim.machines.panacea.decoder import ActivationDecoderWorker, WeightDecoderWorker
from panacea_sim.machines.panacea.dispatcher import DispatcherWorker
from panacea_sim.machines.panacea.image import weight_addresses
from panacea_sim.machines.panacea.pea import PeaWorker
from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.accumulator import AccumulatorWorker
from panacea_sim.machines.shared.encoded_tiles import output_pieces, pack_activations, pack_weights
from panacea_sim.machines.shared.image import check_outputs, check_packed
from panacea_sim.machines.shared.packer import PackerWorker
from panacea_sim.machines.shared.ppu import PpuWorker
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.streams import (
    WRITE_BACK,
    PartialSumWorker,
    ReadWorker,
    WriteWorker,
    activation_addresses,
    output_addresses,
)
from panacea_sim.quant.slicing import WeightSlices
from panacea_sim.workload.functional import FunctionalPass, offline_compensation
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat

__all__ = ["TravellingValues"]


class TravellingValues:
    """The values that travel through the machine, from the DRAM image and back into it.

    `image` maps the address of a tile to its bytes. `workers` maps component names to what they do. After the run,
    `accumulators` holds what came out, int32 [M, N] for each layer, [R, M, N] for one of R products.
    """

    def __init__(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> None:
        self.image: dict[int, bytes] = {}
        self._program = program
        self._layers = layers
        self._functional = functional
        for planned, layer in zip(program.layers, layers, strict=True):
            self._store_operands(planned, layer)
        self._peas = panacea_hardware(program.hardware).n_pea
        self._sums = AccumulatorWorker(program, layers, self._peas, [offline_compensation(layer) for layer in layers])
        self.workers: dict[str, Worker] = self._build_workers()

    @property
    def accumulators(self) -> list[npt.NDArray[np.int32]]:
        """The accumulators of each layer, int32 [M, N], of R products [R, M, N]."""
        return self._sums.results

    def exact(self) -> bool:
        """Return whether every accumulator equals the plain integer product.

        Raises InvariantError if the accumulators are right but a written output is not.
        """
        if not all(
            np.array_equal(found, wanted.accumulator)
            for found, wanted in zip(self.accumulators, self._functional, strict=True)
        ):
            return False
        hardware = panacea_hardware(self._program.hardware)
        pieces = output_pieces(hardware.v, hardware.tile_k)
        for planned, wanted in zip(self._program.layers, self._functional, strict=True):
            check_outputs(planned, wanted, pieces, lambda address, piece: self.image.get(address) == piece)
        return True

    def _store_operands(self, planned: PlannedLayer, layer: GemmLayer) -> None:
        tiling = panacea_work(planned.plan.work).tiling
        for (m, k), address in np.ndenumerate(weight_addresses(planned)):
            data = _pack_weights(layer, tiling.rows_of(m), tiling.depth_of(k), tiling.v, tiling.tile_k)
            self.image[int(address)] = data
            check_packed("weight", (m, k), len(data), int(planned.plan.work.weight.total[m, k]))
        if not planned.reads_in_place:
            self._store_activations(planned, layer)

    def _store_activations(self, planned: PlannedLayer, layer: GemmLayer) -> None:
        tiling = panacea_work(planned.plan.work).tiling
        form = OutputFormat(1.0, layer.zero_point, layer.activation_bits, layer.lo_bits, layer.frequent)
        for (n, k), address in np.ndenumerate(planned.layout.activation):
            tile = layer.activation_columns[tiling.depth_of(k), tiling.columns_of(n)]
            data = pack_activations(tile, form, tiling.v, tiling.tile_k)
            self.image[int(address)] = data
            check_packed("activation", (n, k), len(data), int(planned.plan.work.activation.total[n, k]))

    def _build_workers(self) -> dict[str, Worker]:
        program, layers = self._program, self._layers
        hardware = panacea_hardware(program.hardware)
        weights = [piece for planned in program.layers for piece in _fetched_weights(planned)]
        activations = [[address] for address in activation_addresses(program).tolist()]
        workers: dict[str, Worker] = {
            "w_dma": ReadWorker(self.image, weights),
            "x_dma": ReadWorker(self.image, activations),
            "w_decoder": WeightDecoderWorker(program, layers),
            "x_decoder": ActivationDecoderWorker(program, layers),
            "dispatcher": DispatcherWorker(self._peas),
            **{f"pea{pea}": PeaWorker(program, layers, pea) for pea in range(self._peas)},
            "accumulator": self._sums,
            "ppu": PpuWorker(program, self._functional),
            "encoder": PackerWorker(program, self._functional, output_pieces(hardware.v, hardware.tile_k)),
            WRITE_BACK: WriteWorker(self.image, output_addresses(program)),
        }
        if program.keeps_partial_sums:
            workers["s_dma"] = PartialSumWorker(program)
        return workers


def _fetched_weights(planned: PlannedLayer) -> Iterator[list[int]]:
    """Return the addresses of the weight tiles that each fetch brings."""
    tiling, height = planned.plan.work.tiling, planned.plan.height
    stack = tiling.stack_of(np.arange(tiling.repeat * tiling.m_tiles), height)
    pieces: dict[int, list[int]] = {}
    for (m, k), address in np.ndenumerate(weight_addresses(planned)):
        pieces.setdefault(int(stack[m]) * tiling.k_tiles + k, []).append(int(address))
    return (pieces[tile] for tile in planned.plan.weight_loads.tile.tolist())


def _pack_weights(layer: GemmLayer, rows: slice, depth: slice, v: int, tile_k: int) -> bytes:
    slices = layer.weight_slices
    return pack_weights(WeightSlices(slices.lo[rows, depth], slices.ho[:, rows, depth], slices.ho_factors), v, tile_k)
