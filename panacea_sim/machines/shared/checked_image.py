"""Values that are checked without events: what the components of a rival do to every tile, task after task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from panacea_sim.machines.shared.image_values import RivalValues, TilePacking
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.streams import WRITE_BACK
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["CheckedImage", "TileProduct"]


class TileProduct(Protocol):
    """What the components that multiply make of the tiles of a task."""

    def __call__(self, task: int, weight: list[bytes], activation: list[bytes]) -> IntArray:
        """Return the sums [rows, columns], with padding or without; raises InvariantError for steps not as planned."""
        ...


class CheckedImage(RivalValues):
    """The values of a run that travel nowhere: a pass in the order of the mapping does what the components would do.

    Tiles are read from the image where their fetches find them, multiplied by `product`, added up by the accumulator,
    requantized, packed and written back, by what does so where values travel. `image` may be changed before `exact`.
    """

    def __init__(
        self,
        program: Program,
        layers: Sequence[GemmLayer],
        functional: Sequence[FunctionalPass],
        packing: TilePacking,
        product: TileProduct,
    ) -> None:
        super().__init__(program, layers, functional, packing, {}, 1)
        self._units, self.workers = self.workers, {}
        self._product = product
        self._partial_sums: dict[tuple[int, int, int], object] = {}
        self._finished = self._written = 0
        self._first = program.first_writes()
        self._last = program.joined(lambda layer: layer.plan.visits.last)
        self._returns = program.joined(lambda layer: layer.plan.partial_sums.returned)

    def exact(self) -> bool:
        """Run the pass, and return whether every accumulator equals the plain integer product.

        Raises InvariantError where work is not as planned, or where the accumulators are right but a written output is
        not; CodecError for bytes that are no tile.
        """
        self._work_through()
        return super().exact()

    def _work_through(self) -> None:
        program, units = self._program, self._units
        weights, activations = _fetches(program)
        given, visit = program.sums_given[0], 0
        sums: IntArray | int = 0
        for task in range(len(given)):
            (weight,) = units["w_dma"].fire(int(weights[task]), [])
            (activation,) = units["x_dma"].fire(int(activations[task]), [])
            sums = sums + self._product(task, weight, activation)
            if given[task]:
                self._end_visit(visit, sums)
                sums, visit = 0, visit + 1

    def _end_visit(self, visit: int, sums: IntArray | int) -> None:
        """Join the sums of a visit with those of visits before; after the last one the tile is written."""
        labels = self._program.visit_labels
        tile_of = int(labels.layer[visit]), int(labels.m[visit]), int(labels.n[visit])
        kept = (self._partial_sums.pop(tile_of, None),)
        found = self._units["accumulator"].fire(visit, [(sums,), kept])
        if self._last[visit]:
            self._write(found[0])
        elif self._returns[visit]:
            self._partial_sums[tile_of] = found[1]

    def _write(self, tile: object) -> None:
        """Make codes of a finished tile, and write them in every format in which they are read."""
        units = self._units
        (made,) = units["ppu"].fire(self._finished, [(tile,)])
        self._finished += 1
        taken: tuple[object, ...] = (made,)
        while taken or not (self._written == len(self._first) or self._first[self._written]):
            (pieces,) = units["packer"].fire(self._written, [taken])
            units[WRITE_BACK].fire(self._written, [(pieces,)])
            self._written += 1
            taken = ()


def _fetches(program: Program) -> tuple[IntArray, IntArray]:
    """Return for each task which fetches bring its weight tile and its activation tile."""
    return (
        program.offset(lambda each: each.plan.weight_loads.need, lambda each: len(each.plan.weight_loads.tile)),
        program.offset(lambda each: each.plan.activation_loads.need, lambda each: len(each.plan.activation_loads.tile)),
    )
