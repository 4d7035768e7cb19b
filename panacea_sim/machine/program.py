"""What the machine has to do: planned layers one after the other, as arrays over all their firings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from panacea_sim.hardware.config import Hardware
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.mapping.layout import DramLayout, dram_layout
from panacea_sim.mapping.outputs import OutputBytes
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.units import IntArray

__all__ = ["PlannedLayer", "Program", "plan_program"]


@dataclass(frozen=True, eq=False)
class PlannedLayer:
    """A layer with its plan, the bytes of its outputs and its place in DRAM."""

    plan: LayerPlan
    output_bytes: OutputBytes
    layout: DramLayout


@dataclass(frozen=True, eq=False)
class Program:
    """All layers of a run on one hardware."""

    hardware: Hardware
    layers: tuple[PlannedLayer, ...]

    def joined(self, of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
        """Return an array over the firings of all layers, from the one of each layer."""
        return np.concatenate([of_layer(layer) for layer in self.layers])

    def offset(self, of_layer: Callable[[PlannedLayer], IntArray], count: Callable[[PlannedLayer], int]) -> IntArray:
        """Return an array of indices over all layers; each layer's indices begin after the `count` of those before."""
        before = np.cumsum([0, *(count(layer) for layer in self.layers)])
        return np.concatenate([of_layer(layer) + first for layer, first in zip(self.layers, before[:-1], strict=True)])

    def task_labels(self) -> TileLabels:
        """Return the labels of components that fire once for each tile task."""
        return TileLabels(
            self._numbers(lambda layer: layer.plan.tasks),
            self.joined(lambda layer: layer.plan.m),
            self.joined(lambda layer: layer.plan.n),
            self.joined(lambda layer: layer.plan.k),
        )

    def group_labels(self) -> TileLabels:
        """Return the labels of components that fire once for each output tile."""
        numbers = self._numbers(lambda layer: layer.plan.groups)
        m = self.joined(lambda layer: layer.plan.group_m)
        n = self.joined(lambda layer: layer.plan.group_n)
        return TileLabels(numbers, m, n, np.full_like(m, NO_TILE))

    def weight_load_labels(self) -> TileLabels:
        """Return the labels of the weight fetches."""
        numbers = self._numbers(lambda layer: len(layer.plan.weight_loads.tile))
        m = self.joined(lambda layer: layer.plan.weight_loads.tile // layer.plan.work.tiling.k_tiles)
        k = self.joined(lambda layer: layer.plan.weight_loads.tile % layer.plan.work.tiling.k_tiles)
        return TileLabels(numbers, m, np.full_like(m, NO_TILE), k)

    def activation_load_labels(self) -> TileLabels:
        """Return the labels of the activation fetches."""
        numbers = self._numbers(lambda layer: len(layer.plan.activation_loads.tile))
        n = self.joined(lambda layer: layer.plan.activation_loads.tile // layer.plan.work.tiling.k_tiles)
        k = self.joined(lambda layer: layer.plan.activation_loads.tile % layer.plan.work.tiling.k_tiles)
        return TileLabels(numbers, np.full_like(n, NO_TILE), n, k)

    def last_of_group(self) -> IntArray:
        """Return 1 for the tasks that end the K loop of an output tile, 0 for the others."""
        return self.joined(lambda layer: (layer.plan.k == layer.plan.work.tiling.k_tiles - 1).astype(np.int64))

    def group_outputs(self) -> IntArray:
        """Return the number of outputs in each output tile."""
        return self.joined(lambda layer: layer.plan.work.outputs[layer.plan.group_m, layer.plan.group_n])

    def _numbers(self, firings: Callable[[PlannedLayer], int]) -> IntArray:
        return np.repeat(np.arange(len(self.layers)), [firings(layer) for layer in self.layers])


def plan_program(hardware: Hardware, layers: list[tuple[LayerPlan, OutputBytes]]) -> Program:
    """Return the program that runs these planned layers in order, laid out in DRAM one behind the other."""
    planned: list[PlannedLayer] = []
    start = 0
    for plan, output_bytes in layers:
        work = plan.work
        layout = dram_layout(
            start, work.weight.total, work.activation.total, output_bytes.total, hardware.dram_alignment_bytes
        )
        planned.append(PlannedLayer(plan, output_bytes, layout))
        start = layout.end
    return Program(hardware, tuple(planned))
