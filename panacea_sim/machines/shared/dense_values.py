"""Values on machines that store operands as they are: the DRAM image, the workers, and the comparison at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from panacea_sim.description.worker import Worker
from panacea_sim.machines.shared.accumulator import AccumulatorWorker
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
from panacea_sim.workload.functional import Codes, FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["ImageValues", "TilePacking"]


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
    """The values that travel through a machine of single weight tiles, from the DRAM image and back into it.

    Nothing is compensated off line: the components of `compute` multiply all bits. They give their sums to the
    accumulator through `sum_queues` queues. `packer` is the name of the component in front of `o_dma`.
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
        self.image: dict[int, bytes] = {}
        self._program, self._functional, self._packing, self._packer = program, functional, packing, packer
        for planned, layer in zip(program.layers, layers, strict=True):
            self._store_operands(planned, layer)
        nothing = [np.zeros(len(layer.weight_rows), np.int64) for layer in layers]
        self._sums = AccumulatorWorker(program, layers, sum_queues, nothing)
        self.workers: dict[str, Worker] = {**self._streams(), **compute, **self._output_path()}

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
            check_outputs(planned, wanted, self._packing.output, self._is_at)
        return True

    def _is_at(self, address: int, piece: bytes) -> bool:
        return self.image.get(address) == piece

    def _store_operands(self, planned: PlannedLayer, layer: GemmLayer) -> None:
        operands = (
            ("weight", planned.layout.weight, planned.plan.work.weight, self._packing.weight),
            ("activation", planned.layout.activation, planned.plan.work.activation, self._packing.activation),
        )
        for what, addresses, sizes, pack in operands:
            for (row, k), address in np.ndenumerate(addresses):
                data = pack(planned, layer, row, k)
                self.image[int(address)] = data
                check_packed(what, (row, k), len(data), int(sizes.total[row, k]))

    def _streams(self) -> dict[str, Worker]:
        program = self._program
        weights = program.joined(lambda each: each.layout.weight.ravel()[each.plan.weight_loads.tile])
        return {
            "w_dma": ReadWorker(self.image, [[address] for address in weights.tolist()]),
            "x_dma": ReadWorker(self.image, [[address] for address in activation_addresses(program).tolist()]),
        }

    def _output_path(self) -> dict[str, Worker]:
        program = self._program
        workers: dict[str, Worker] = {
            "accumulator": self._sums,
            "ppu": PpuWorker(program, self._functional),
            self._packer: PackerWorker(program, self._functional, self._packing.output),
            WRITE_BACK: WriteWorker(self.image, output_addresses(program)),
        }
        if program.keeps_partial_sums:
            workers["s_dma"] = PartialSumWorker(program)
        return workers
