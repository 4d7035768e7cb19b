"""What the machine has to do: planned layers one after the other, as arrays over all their firings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from panacea_sim.hardware.config import Hardware
from panacea_sim.mapping.graph import TileGroupGraph, network_graph
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.mapping.layout import DramLayout, dram_layout
from panacea_sim.mapping.outputs import OutputBytes
from panacea_sim.mapping.plan import LayerPlan, check_output_tile
from panacea_sim.units import IntArray

__all__ = ["PlannedLayer", "Program", "plan_program"]


@dataclass(frozen=True, eq=False)
class PlannedLayer:
    """A layer with its plan and its place in DRAM.

    `source` is the number of the layer whose outputs are its activations, None if they are in DRAM from the start.
    """

    plan: LayerPlan
    layout: DramLayout
    source: int | None = None

    @property
    def output_bytes(self) -> OutputBytes:
        """The bytes of the layer's outputs."""
        return self.plan.work.output_bytes


@dataclass(frozen=True, eq=False)
class Program:
    """All layers of a run on one hardware."""

    hardware: Hardware
    layers: tuple[PlannedLayer, ...]

    def graph(self) -> TileGroupGraph:
        """Return the dataflow graph of all layers; after a run its nodes carry their times."""
        return network_graph([layer.plan.graph for layer in self.layers], [layer.source for layer in self.layers])

    @property
    def keeps_partial_sums(self) -> bool:
        """Whether any layer visits an output tile more than once, so that `s_dma` and PSUM are needed."""
        return any(layer.plan.partial_sums.firings for layer in self.layers)

    def joined(self, of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
        """Return an array over the firings of all layers, from the one of each layer."""
        return _joined([of_layer(layer) for layer in self.layers])

    def offset(self, of_layer: Callable[[PlannedLayer], IntArray], count: Callable[[PlannedLayer], int]) -> IntArray:
        """Return an array of indices over all layers; each layer's indices begin after the `count` of those before.

        Negative indices stand for nothing and stay as they are.
        """
        before = np.cumsum([0, *(count(layer) for layer in self.layers)])
        indices = [of_layer(layer) for layer in self.layers]
        return _joined(
            [
                np.where(index < 0, index, index + first) if first else index
                for index, first in zip(indices, before[:-1], strict=True)
            ]
        )

    @cached_property
    def task_labels(self) -> TileLabels:
        """The labels of components that fire once for each tile task; m is that of a stack's first tile."""
        return TileLabels(
            self._numbers(lambda layer: layer.plan.task_count),
            self.joined(lambda layer: layer.plan.tasks.stack * layer.plan.height),
            self.joined(lambda layer: layer.plan.tasks.n),
            self.joined(lambda layer: layer.plan.tasks.k),
        )

    @cached_property
    def visit_labels(self) -> TileLabels:
        """The labels of the accumulator, which fires once for each output tile of a visit."""
        numbers = self._numbers(lambda layer: len(layer.plan.visits.m))
        return _without_k(numbers, self.joined(lambda layer: layer.plan.visits.m), self.joined(_visit_n))

    @cached_property
    def output_labels(self) -> TileLabels:
        """The labels of components that fire once for each finished output tile."""
        numbers = self._numbers(lambda layer: layer.plan.output_count)
        m = self.joined(lambda layer: layer.plan.output_m)
        return _without_k(numbers, m, self.joined(lambda layer: layer.plan.output_n))

    @cached_property
    def weight_load_labels(self) -> TileLabels:
        """The labels of the weight fetches; m is that of a stack's first tile."""
        numbers = self._numbers(lambda layer: len(layer.plan.weight_loads.tile))
        m = self.joined(
            lambda layer: layer.plan.weight_loads.tile // layer.plan.work.tiling.k_tiles * layer.plan.height
        )
        k = self.joined(lambda layer: layer.plan.weight_loads.tile % layer.plan.work.tiling.k_tiles)
        return TileLabels(numbers, m, np.full_like(m, NO_TILE), k)

    @cached_property
    def activation_load_labels(self) -> TileLabels:
        """The labels of the activation fetches."""
        numbers = self._numbers(lambda layer: len(layer.plan.activation_loads.tile))
        n = self.joined(lambda layer: layer.plan.activation_loads.tile // layer.plan.work.tiling.k_tiles)
        k = self.joined(lambda layer: layer.plan.activation_loads.tile % layer.plan.work.tiling.k_tiles)
        return TileLabels(numbers, np.full_like(n, NO_TILE), n, k)

    @cached_property
    def partial_sum_labels(self) -> TileLabels:
        """The labels of the fetches and returns of partial sums."""
        numbers = self._numbers(lambda layer: layer.plan.partial_sums.firings)
        m = self.joined(lambda layer: layer.plan.visits.m[layer.plan.partial_sums.visit])
        return _without_k(numbers, m, self.joined(lambda layer: _visit_n(layer)[layer.plan.partial_sums.visit]))

    @cached_property
    def sums_given(self) -> list[IntArray]:
        """For each place in a stack, whether a task hands the sums of that place's tile over (1) or not (0)."""
        places = range(max(layer.plan.height for layer in self.layers))
        return [_joined([_sums_given(layer.plan, place) for layer in self.layers]) for place in places]

    @cached_property
    def one_per_task(self) -> IntArray:
        """A one for each tile task: the tokens of a queue that every task passes."""
        return np.ones(sum(layer.plan.task_count for layer in self.layers), np.int64)

    @cached_property
    def visit_outputs(self) -> IntArray:
        """The number of outputs in the tile of each visit."""
        return self.joined(lambda layer: layer.plan.work.outputs[layer.plan.visits.m, layer.plan.visits.n])

    @cached_property
    def tile_outputs(self) -> IntArray:
        """The number of outputs in each finished tile."""
        return self.joined(lambda layer: layer.plan.work.outputs[layer.plan.output_m, layer.plan.output_n])

    def _numbers(self, firings: Callable[[PlannedLayer], int]) -> IntArray:
        return np.repeat(np.arange(len(self.layers)), [firings(layer) for layer in self.layers])


def plan_program(hardware: Hardware, layers: Sequence[tuple[LayerPlan, int | None]]) -> Program:
    """Return the program that runs these layers in order, laid out in DRAM one behind the other.

    Each layer comes with its plan and the number of the layer whose outputs it reads.
    Raises MappingError if an output tile does not fit OMEM beside the partial sums of another layer.
    """
    keeps_partial_sums = any(plan.partial_sums.firings for plan, _ in layers)
    planned: list[PlannedLayer] = []
    start = 0
    for plan, source in layers:
        check_output_tile(plan.work, hardware, keeps_partial_sums=keeps_partial_sums)
        written = None if source is None else _written_activation(planned[source])
        layout = dram_layout(start, plan, hardware.dram_alignment_bytes, written)
        planned.append(PlannedLayer(plan, layout, source))
        start = layout.end
    return Program(hardware, tuple(planned))


def _written_activation(source: PlannedLayer) -> IntArray:
    """Return the addresses of the next layer's activation tiles [n, k] in the outputs of `source`."""
    tiling = source.plan.work.tiling
    per_tile = tiling.tile_m // tiling.tile_k
    offsets = source.output_bytes.piece_offsets(per_tile)
    m = np.arange(offsets.shape[1]) // per_tile
    address: IntArray = source.layout.output[m].T + offsets
    return address


def _visit_n(layer: PlannedLayer) -> IntArray:
    return layer.plan.visits.n


def _without_k(numbers: IntArray, m: IntArray, n: IntArray) -> TileLabels:
    return TileLabels(numbers, m, n, np.full_like(m, NO_TILE))


def _joined(arrays: Sequence[IntArray]) -> IntArray:
    """Return the arrays one behind the other, without a copy if there is only one."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _sums_given(plan: LayerPlan, place: int) -> IntArray:
    if plan.height == 1 and place == 0:
        return plan.visits.last_task
    exists = plan.tasks.stack * plan.height + place < plan.work.tiling.m_tiles
    return plan.visits.last_task * exists * (place < plan.height)
