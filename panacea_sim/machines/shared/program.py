"""What the machine has to do: planned layers one after the other, as arrays over all their firings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import networkx as nx
import numpy as np

from panacea_sim.hardware.config import Hardware
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.mapping.layout import DramLayout, dram_layout
from panacea_sim.mapping.loads import Loads
from panacea_sim.mapping.outputs import OutputBytes, Writes
from panacea_sim.mapping.plan import LayerPlan, check_output_tile
from panacea_sim.mapping.sequential import own_outputs_needed
from panacea_sim.mapping.stage import StagePlan
from panacea_sim.mapping.waits import outputs_needed
from panacea_sim.units import IntArray, narrow, repeated
from panacea_sim.workload.link import Operand
from panacea_sim.workload.network import LayerGraph, layers_in_order, links_into

__all__ = ["PlannedLayer", "Program", "Written", "plan_program"]

_NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Written:
    """Tiles that are written: bytes and places, [m, n, format], the firings, and the outputs [m, n] held in OMEM."""

    output_bytes: OutputBytes
    writes: Writes
    address: IntArray
    held_outputs: IntArray


@dataclass(frozen=True, eq=False)
class PlannedLayer:
    """A layer with its plan and its place in DRAM.

    `reads_in_place` says that its activations are what another layer of the run writes, where it writes it. Otherwise
    they lie at a place of their own.
    """

    plan: LayerPlan
    layout: DramLayout
    reads_in_place: bool = False

    @property
    def tile_outputs(self) -> IntArray:
        """The number of outputs in each output tile, in the order in which they are finished."""
        outputs: IntArray = narrow(self.plan.work.outputs)[self.plan.output_m, self.plan.output_n]
        return outputs

    @property
    def output_bytes(self) -> OutputBytes:
        """The bytes of the layer's outputs."""
        return self.plan.work.output_bytes

    @property
    def written(self) -> tuple[Written, ...]:
        """What is written: the outputs, and what a stage makes of them."""
        outputs = Written(self.output_bytes, self.plan.writes, self.layout.output, self.plan.work.outputs)
        if self.plan.stage is None or self.plan.work.stage is None:
            return (outputs,)
        nothing = np.zeros_like(self.plan.work.outputs)
        made = self.plan.work.stage.output_bytes
        return (outputs, Written(made, self.plan.stage.writes, self.layout.stage_output, nothing))


@dataclass(frozen=True, eq=False)
class Program:
    """All layers of a run on one hardware, in the order of their graph, which says what each needs of the others."""

    hardware: Hardware
    layers: tuple[PlannedLayer, ...]
    graph: LayerGraph

    def outputs_before(self, operand: Operand) -> list[IntArray]:
        """Return how many writes of the run must be over before each tile of an operand is read, by layer.

        Tiles are flat, as fetches number them. Where several producers serve an operand, the latest tells; of a
        sequential layer the product before is one of them.
        """
        first = np.cumsum([0, *(layer.plan.write_count for layer in self.layers)]).tolist()
        number = {layer.plan.name: at for at, layer in enumerate(self.layers)}
        counts = []
        for layer in self.layers:
            needed = own_outputs_needed(layer.plan, operand, _operand_tiles(layer.plan, operand))
            needed += first[number[layer.plan.name]] * (needed > 0)
            for name, link in links_into(self.graph, layer.plan.name):
                if link.operand == operand:
                    of_producer = outputs_needed(link, layer.plan, self.layers[number[name]].plan)
                    np.maximum(needed, of_producer + first[number[name]] * (of_producer > 0), out=needed)
            counts.append(needed)
        return counts

    @property
    def has_waits(self) -> bool:
        """Whether any operand needs outputs of the run."""
        return self.graph.number_of_edges() > 0 or any(layer.plan.work.sequential for layer in self.layers)

    @cached_property
    def keeps_partial_sums(self) -> bool:
        """Whether any layer visits an output tile more than once, so that `s_dma` and PSUM are needed."""
        return any(layer.plan.partial_sums.firings for layer in self.layers)

    def joined(self, of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
        """Return an array over the firings of all layers, from the one of each layer."""
        return _of_layers(self.layers, of_layer)

    def _later(self, of_layer: Callable[[PlannedLayer], IntArray]) -> Callable[[], IntArray]:
        """Return a function that joins, for what few need. It must not know the program, which keeps what it gives."""
        layers = self.layers
        return lambda: _of_layers(layers, of_layer)

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
            self._later(lambda layer: _first_m(layer, layer.plan.tasks.stack)),
            self._later(lambda layer: layer.plan.tasks.n),
            self._later(lambda layer: layer.plan.tasks.k),
        )

    @cached_property
    def visit_labels(self) -> TileLabels:
        """The labels of the accumulator, which fires once for each output tile of a visit."""
        numbers = self._numbers(lambda layer: len(layer.plan.visits.m))
        m, n = self._later(lambda layer: layer.plan.visits.m), self._later(_visit_n)
        return TileLabels(numbers, m, n, repeated(NO_TILE, len(numbers)))

    @cached_property
    def output_labels(self) -> TileLabels:
        """The labels of the PPU, which fires for each finished output tile, and then for the tiles of a stage."""
        numbers = self._numbers(
            lambda layer: layer.plan.output_count + (0 if layer.plan.stage is None else len(layer.plan.stage.m))
        )
        m = self._later(lambda layer: _with_stage(layer.plan.output_m, layer.plan.stage, "m"))
        n = self._later(lambda layer: _with_stage(layer.plan.output_n, layer.plan.stage, "n"))
        return TileLabels(numbers, m, n, repeated(NO_TILE, len(numbers)))

    @cached_property
    def write_labels(self) -> TileLabels:
        """The labels of components that fire once for each finished output tile and format in which it is written."""
        numbers = self._numbers(lambda layer: layer.plan.write_count)
        m, n = self._later(_written_m), self._later(_written_n)
        return TileLabels(numbers, m, n, repeated(NO_TILE, len(numbers)))

    @cached_property
    def weight_load_labels(self) -> TileLabels:
        """The labels of the weight fetches; m is that of a stack's first tile."""
        numbers = self._numbers(lambda layer: len(layer.plan.weight_loads.tile))
        m = self._later(lambda layer: _first_m(layer, _row(layer.plan.weight_loads, layer)))
        k = self._later(lambda layer: _k(layer.plan.weight_loads, layer))
        return TileLabels(numbers, m, repeated(NO_TILE, len(numbers)), k)

    @cached_property
    def activation_load_labels(self) -> TileLabels:
        """The labels of the activation fetches; n is numbered over all products of a layer."""
        numbers = self._numbers(lambda layer: len(layer.plan.activation_loads.tile))
        n = self._later(lambda layer: _row(layer.plan.activation_loads, layer))
        k = self._later(lambda layer: _k(layer.plan.activation_loads, layer))
        return TileLabels(numbers, repeated(NO_TILE, len(numbers)), n, k)

    @cached_property
    def partial_sum_labels(self) -> TileLabels:
        """The labels of the fetches and returns of partial sums."""
        numbers = self._numbers(lambda layer: layer.plan.partial_sums.firings)
        m = self._later(lambda layer: layer.plan.visits.m[layer.plan.partial_sums.visit])
        n = self._later(lambda layer: _visit_n(layer)[layer.plan.partial_sums.visit])
        return TileLabels(numbers, m, n, repeated(NO_TILE, len(numbers)))

    @cached_property
    def sums_given(self) -> list[IntArray]:
        """For each place in a stack, whether a task hands the sums of that place's tile over (1) or not (0)."""
        places = range(max(layer.plan.height for layer in self.layers))
        return [_joined([_sums_given(layer.plan, place) for layer in self.layers]) for place in places]

    @cached_property
    def one_per_task(self) -> IntArray:
        """A one for each tile task: the tokens of a queue that every task passes."""
        return repeated(1, sum(layer.plan.task_count for layer in self.layers))

    @cached_property
    def tile_outputs(self) -> IntArray:
        """The number of outputs in each finished output tile."""
        return self.joined(lambda layer: layer.tile_outputs)

    @cached_property
    def visit_outputs(self) -> IntArray:
        """The number of outputs in the tile of each visit."""
        return self.of_visits(lambda layer: layer.plan.work.outputs)

    def of_visits(self, of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
        """Return for each visit what a layer has for its output tile, [m, n]."""
        return self.joined(lambda layer: narrow(of_layer(layer))[layer.plan.visits.m, layer.plan.visits.n])

    def of_writes(self, of_written: Callable[[Written], IntArray]) -> IntArray:
        """Return for each write of a tile what there is for it, [m, n, format]."""
        return self.joined(
            lambda layer: _joined([_of_writes(each.writes, narrow(of_written(each))) for each in layer.written])
        )

    def finished_tiles(self) -> IntArray:
        """Return 1 for each write that is the last one of an output tile, else 0, as those of stages are."""
        return self.joined(
            lambda layer: _joined([each.writes.last * (each.held_outputs.any()) for each in layer.written])
        )

    def written_formats(self) -> IntArray:
        """Return for each write the number of the format among those of its layer."""
        return self.joined(lambda layer: _joined([each.writes.form for each in layer.written]))

    def first_writes(self) -> IntArray:
        """Return 1 for each write that is the first one of its tile, else 0."""
        return self.joined(lambda layer: _joined([each.writes.first for each in layer.written]))

    @cached_property
    def stage_read_labels(self) -> TileLabels:
        """The labels of the component that reads the inputs of vector stages."""
        numbers = self._numbers(lambda layer: 0 if layer.plan.stage is None else len(layer.plan.stage.read_m))
        m = self._later(lambda layer: _NOTHING if layer.plan.stage is None else layer.plan.stage.read_m)
        n = self._later(lambda layer: _NOTHING if layer.plan.stage is None else layer.plan.stage.read_n)
        return TileLabels(numbers, m, n, repeated(NO_TILE, len(numbers)))

    @property
    def has_stages(self) -> bool:
        """Whether any layer has a vector stage behind it, so that `v_dma` and VMEM are needed."""
        return any(layer.plan.stage is not None for layer in self.layers)

    def of_post_processing(
        self, of_layer: Callable[[PlannedLayer], IntArray], of_stage: Callable[[PlannedLayer, StagePlan], IntArray]
    ) -> IntArray:
        """Return for each firing of the PPU what there is: of the output tiles of a layer, then of its stage."""
        return self.joined(
            lambda layer: (
                of_layer(layer)
                if layer.plan.stage is None
                else np.concatenate([of_layer(layer), of_stage(layer, layer.plan.stage)])
            )
        )

    def of_weights(self, of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
        """Return for each tile task what a layer has for its weights, [stack, k]."""
        return self.joined(lambda layer: narrow(of_layer(layer)).ravel()[layer.plan.weight_tile])

    def of_activations(self, of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
        """Return for each tile task what a layer has for its activations, [n, k]."""
        return self.joined(lambda layer: narrow(of_layer(layer)).ravel()[layer.plan.activation_tile])

    def _numbers(self, firings: Callable[[PlannedLayer], int]) -> IntArray:
        if len(self.layers) == 1:
            return repeated(0, firings(self.layers[0]))
        return np.repeat(np.arange(len(self.layers)), [firings(layer) for layer in self.layers])


def plan_program(hardware: Hardware, layers: Sequence[LayerPlan], graph: LayerGraph | None = None) -> Program:
    """Return the program that runs these layers in the order of their graph, laid out in DRAM one behind the other.

    Each layer comes as its plan, named as its node. Without a graph none needs another, and they run in the order
    given. Raises ConfigError if layers wait for each other in a circle, and MappingError if an output tile does not fit
    OMEM beside the partial sums of another layer.
    """
    if graph is None:
        graph = nx.DiGraph()
        graph.add_nodes_from(plan.name for plan in layers)
    keeps_partial_sums = any(plan.partial_sums.firings for plan in layers)
    given = {plan.name: plan for plan in layers}
    planned: dict[str, PlannedLayer] = {}
    start = 0
    for name in layers_in_order(graph):
        plan = given[name]
        check_output_tile(plan.work, hardware, keeps_partial_sums=keeps_partial_sums)
        written = [
            _written_activation(planned[each])
            for each, link in links_into(graph, name)
            if link.in_place and _is_as_read(planned[each].output_bytes, plan)
        ]
        layout = dram_layout(start, plan, hardware.dram_alignment_bytes, *written)
        planned[name] = PlannedLayer(plan, layout, reads_in_place=bool(written))
        start = layout.end
    return Program(hardware, tuple(planned.values()), graph)


def _operand_tiles(plan: LayerPlan, operand: Operand) -> int:
    return (plan.weight if operand == "w" else plan.work.activation).ho.size


def _is_as_read(written: OutputBytes, plan: LayerPlan) -> bool:
    """Return whether a layer could read what is written in place: it consists of the layer's activation tiles."""
    return written.pieces is not None and np.array_equal(written.pieces, plan.work.activation.total)


def _written_activation(source: PlannedLayer) -> IntArray:
    """Return the addresses of the next layer's activation tiles [n, k] in the outputs of `source`."""
    tiling = source.plan.work.tiling
    per_tile = tiling.tile_m // tiling.tile_k
    offsets = source.output_bytes.piece_offsets(per_tile)
    m = np.arange(offsets.shape[1]) // per_tile
    address: IntArray = source.layout.output[m, :, source.output_bytes.in_place].T + offsets
    return address


def _first_m(layer: PlannedLayer, stack: IntArray) -> IntArray:
    return layer.plan.work.tiling.first_m(stack, layer.plan.height)


def _written_m(layer: PlannedLayer) -> IntArray:
    return _joined([each.writes.m for each in layer.written])


def _written_n(layer: PlannedLayer) -> IntArray:
    return _joined([each.writes.n for each in layer.written])


def _with_stage(of_tiles: IntArray, stage: StagePlan | None, axis: Literal["m", "n"]) -> IntArray:
    if stage is None:
        return of_tiles
    of_stage: IntArray = getattr(stage, axis)
    return np.concatenate([of_tiles, of_stage])


def _of_writes(writes: Writes, of_tiles: IntArray) -> IntArray:
    """Return for each write what there is for its tile and format, [m, n, format]."""
    written: IntArray = of_tiles[writes.m, writes.n, writes.form]
    return written


def _visit_n(layer: PlannedLayer) -> IntArray:
    return layer.plan.visits.n


def _row(loads: Loads, layer: PlannedLayer) -> IntArray:
    """Return the stack, or n tile, of each fetch."""
    return loads.tile // layer.plan.work.tiling.k_tiles


def _k(loads: Loads, layer: PlannedLayer) -> IntArray:
    return loads.tile % layer.plan.work.tiling.k_tiles


def _of_layers(layers: Sequence[PlannedLayer], of_layer: Callable[[PlannedLayer], IntArray]) -> IntArray:
    """Return an array over the firings of all layers; labels that hold this do not hold the program, a circle."""
    return _joined([of_layer(layer) for layer in layers])


def _joined(arrays: Sequence[IntArray]) -> IntArray:
    """Return the arrays one behind the other, without a copy if there is only one."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _sums_given(plan: LayerPlan, place: int) -> IntArray:
    if plan.height == 1 and place == 0:
        return plan.visits.last_task
    exists = plan.work.tiling.has_place(plan.tasks.stack, place, plan.height)
    return plan.visits.last_task * exists * (place < plan.height)
