"""Values that travel, from the DRAM image of a program and back into it, and their comparison at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from panacea_sim.description.worker import Worker
from panacea_sim.machines.shared.accumulator import AccumulatorWorker
from panacea_sim.machines.shared.image import check_outputs, check_packed
from panacea_sim.machines.shared.packer import PackerWorker, Pieces
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
from panacea_sim.workload.functional import Codes, FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["ImageValues", "RivalValues", "TilePacking"]


class TilePacking(Protocol):
    """How tiles lie in DRAM on a machine."""

    def weight(self, planned: PlannedLayer, layer: GemmLayer, m: int, k: int) -> bytes:
        """Return the bytes of a weight tile."""
        ...

    def activation(self, planned: PlannedLayer, layer: GemmLayer, n: int, k: int) -> bytes:
        """Return the bytes of an activation tile; n is numbered over all products."""
        ...

    def output(self, tile: Codes, form: OutputFormat | WeightFormat | None) -> list[bytes]:
        """Return the pieces of an output tile in a format, None for dense; none of a tile of which nothing is read."""
        ...


class ImageValues:
    """The values that travel through a machine, from the DRAM image and back into it.

    `image` maps the address of a tile to its bytes. `workers`, which a machine adds, maps component names to what they
    do. After the run, `accumulators` holds what came out, int32 [M, N] for each layer, [R, M, N] for one of R products.
    """

    workers: Mapping[str, Worker]

    def __init__(
        self, program: Program, functional: Sequence[FunctionalPass], sums: AccumulatorWorker, pieces: Pieces
    ) -> None:
        self.image: dict[int, bytes] = {}
        self._program = program
        self._functional = functional
        self._sums = sums
        self._pieces = pieces

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
        for planned, wanted in zip(self._program.layers, self._functional, strict=True):
            check_outputs(planned, wanted, self._pieces, lambda address, piece: self.image.get(address) == piece)
        return True

    def _streams(self, weights: Sequence[Sequence[int]]) -> dict[str, Worker]:
        """Return the workers that read; `weights` has the addresses of the weight tiles that each fetch brings."""
        return {
            "w_dma": ReadWorker(self.image, weights),
            "x_dma": ReadWorker(self.image, [[address] for address in activation_addresses(self._program).tolist()]),
        }

    def _output_path(self, packer: str) -> dict[str, Worker]:
        """Return the workers from the accumulator on; `packer` is the name of the component in front of `o_dma`."""
        program = self._program
        workers: dict[str, Worker] = {
            "accumulator": self._sums,
            "ppu": PpuWorker(program, self._functional),
            packer: PackerWorker(program, self._functional, self._pieces),
            WRITE_BACK: WriteWorker(self.image, output_addresses(program)),
        }
        if program.keeps_partial_sums:
            workers["s_dma"] = PartialSumWorker(program)
        return workers


class RivalValues(ImageValues):
    """The values that travel through a machine of single weight tiles whose components multiply all bits.

    Nothing is compensated off line. The components of `compute` give their sums to the accumulator through `sum_queues`
    queues.
    """

    def __init__(
        self,
        program: Program,
        layers: Sequence[GemmLayer],
        functional: Sequence[FunctionalPass],
        packing: TilePacking,
        compute: Mapping[str, Worker],
        sum_queues: int,
        packer: str = "packer",
    ) -> None:
        nothing = [np.zeros(len(layer.weight_rows), np.int64) for layer in layers]
        sums = AccumulatorWorker(program, layers, sum_queues, nothing)
        super().__init__(program, functional, sums, packing.output)
        for planned, layer in zip(program.layers, layers, strict=True):
            self._store_operands(planned, layer, packing)
        fetched = program.joined(lambda each: each.layout.weight.ravel()[each.plan.weight_loads.tile])
        streams = self._streams([[address] for address in fetched.tolist()])
        self.workers = {**streams, **compute, **self._output_path(packer)}

    def _store_operands(self, planned: PlannedLayer, layer: GemmLayer, packing: TilePacking) -> None:
        operands = (
            ("weight", planned.layout.weight, planned.plan.work.weight, packing.weight),
            ("activation", planned.layout.activation, planned.plan.work.activation, packing.activation),
        )
        for what, addresses, sizes, pack in operands:
            for (row, k), address in np.ndenumerate(addresses):
                data = pack(planned, layer, row, k)
                self.image[int(address)] = data
                check_packed(what, (row, k), len(data), int(sizes.total[row, k]))
