"""The DMA streams: timing arrays of `w_dma`, `x_dma`, `o_dma` and `s_dma`, and how they use the DRAM image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from panacea_sim.description.actions import Action, action_of
from panacea_sim.description.component import Component
from panacea_sim.description.costs import cost_of, costs_of_action, read_of, written_of
from panacea_sim.description.steps import Acquire, Give, Put, Release, Requests, Take, Wait
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.mapping.layout import ChannelParts, split_over_channels
from panacea_sim.mapping.loads import Loads
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.mapping.stage import RAW_BYTES
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.units import IntArray, narrow, repeated
from panacea_sim.workload.link import Operand

__all__ = [
    "REGION",
    "WRITE_BACK",
    "PartialSumWorker",
    "ReadWorker",
    "WriteWorker",
    "activation_addresses",
    "activation_stream",
    "output_addresses",
    "output_stream",
    "partial_sum_stream",
    "stage_stream",
    "weight_stream",
]

REGION = {"w": "WMEM", "x": "AMEM"}
"""The memory that holds the encoded tiles of an operand."""

_NOTHING = np.zeros(0, np.int64)

WRITE_BACK = "o_dma"
"""The component that writes output tiles, and for whose firings fetches of what other layers write wait."""


def weight_stream(program: Program) -> Component:
    """Return `w_dma`: it fetches encoded weight tiles into WMEM, once the layers that make them have written them."""
    operands = [(layer.layout.weight, layer.plan.weight.total, layer.plan.weight_loads) for layer in program.layers]
    return _read_stream("w", program, operands, program.weight_load_labels)


def activation_stream(program: Program) -> Component:
    """Return `x_dma`: it fetches encoded activation tiles into AMEM, once the layers before have written them."""
    operands = [
        (layer.layout.activation, layer.plan.work.activation.total, layer.plan.activation_loads)
        for layer in program.layers
    ]
    return _read_stream("x", program, operands, program.activation_load_labels)


def output_stream(program: Program) -> Component:
    """Return `o_dma`: it writes finished output tiles in all of their formats and then frees their space in OMEM."""
    size_bytes = program.of_writes(lambda written: written.output_bytes.total)
    firings = len(size_bytes)
    held_bytes = program.joined(_freed_bytes)
    return Component(
        WRITE_BACK,
        "memory",
        firings,
        requests=_as_requests(_split(program, output_addresses(program), size_bytes), np.ones(firings, np.bool_)),
        takes=(Take("q_o", repeated(1, firings)),),
        releases=(Release("OMEM", held_bytes),),
        labels=program.write_labels,
        size_bytes=size_bytes,
        role="write_back",
        actions=(action_of("written_bytes", "bytes", size_bytes),),
        costs=(cost_of(read_of("OMEM"), lambda: size_bytes),),
    )


def _freed_bytes(layer: PlannedLayer) -> IntArray:
    """Return the bytes of OMEM that each write frees: those of an output tile with its last one."""
    freed = [
        narrow(each.held_outputs * BYTES_PER_PARTIAL_SUM)[each.writes.m, each.writes.n] * each.writes.last
        for each in layer.written
    ]
    return freed[0] if len(freed) == 1 else np.concatenate(freed)


def stage_stream(program: Program) -> Component:
    """Return `v_dma`: it fetches the inputs of vector stages into VMEM, once the layer has written its outputs."""
    size_bytes = program.joined(_stage_read_bytes)
    firings = len(size_bytes)
    split = _split(program, program.joined(_stage_addresses), size_bytes)
    complete = program.joined(lambda layer: _NOTHING if layer.plan.stage is None else layer.plan.stage.last_input)
    return Component(
        "v_dma",
        "memory",
        firings,
        requests=_as_requests(split, np.zeros(firings, np.bool_)),
        waits=(Wait(WRITE_BACK, _stage_waits(program)),),
        acquires=(Acquire("VMEM", size_bytes),),
        gives=(Give("q_v", complete),),
        labels=program.stage_read_labels,
        size_bytes=size_bytes,
        role="fetch",
        actions=(action_of("read_bytes", "bytes", size_bytes),),
        costs=(cost_of(written_of("VMEM"), lambda: size_bytes),),
    )


def _stage_read_bytes(layer: PlannedLayer) -> IntArray:
    stage = layer.plan.stage
    if stage is None:
        return _NOTHING
    return layer.plan.work.outputs[stage.read_m, stage.read_n] * RAW_BYTES


def _stage_addresses(layer: PlannedLayer) -> IntArray:
    """Return the address of each tile that a stage reads: the layer's own outputs are its first input."""
    stage = layer.plan.stage
    if stage is None:
        return _NOTHING
    inputs = np.concatenate([layer.layout.output, layer.layout.stage_inputs], 2)
    address: IntArray = inputs[stage.read_m, stage.read_n, stage.read_input]
    return address


def _stage_waits(program: Program) -> IntArray:
    """Return how many writes must be over before each read of a stage: that of the tile, if it is the layer's own."""
    waits, before = [], 0
    for layer in program.layers:
        stage, writes = layer.plan.stage, layer.plan.writes
        if stage is not None:
            written = np.zeros(layer.plan.work.outputs.shape, np.int64)
            written[writes.m, writes.n] = before + np.arange(1, len(writes.m) + 1)
            waits.append(written[stage.read_m, stage.read_n] * (stage.read_input == 0))
        before += layer.plan.write_count
    return np.concatenate(waits)


def partial_sum_stream(program: Program) -> Component:
    """Return `s_dma`: it gives partial sums their place in PSUM and, where they spill, writes and reads them.

    A firing without bytes makes no request: it only acquires or releases.
    """
    is_return = program.joined(lambda layer: layer.plan.partial_sums.is_return)
    held_bytes = program.joined(lambda layer: layer.plan.partial_sums.held_bytes)
    size_bytes = program.joined(lambda layer: layer.plan.partial_sums.moved_bytes)
    fetched = _moved("read_bytes", size_bytes, is_return == 0)
    returned = _moved("written_bytes", size_bytes, is_return == 1)
    # Partial sums lie in a part of OMEM.
    costs = costs_of_action(fetched, **{written_of("OMEM"): 1}) + costs_of_action(returned, **{read_of("OMEM"): 1})
    return Component(
        "s_dma",
        "memory",
        len(is_return),
        requests=_partial_sum_requests(program),
        takes=(Take("q_s", is_return),),
        waits=(Wait("s_dma", _firings_before(program)),),
        acquires=(Acquire("PSUM", held_bytes * (1 - is_return)),),
        releases=(Release("PSUM", held_bytes * is_return),),
        puts=(Put("s_loaded"),),
        labels=program.partial_sum_labels,
        size_bytes=size_bytes,
        role="spill",
        actions=(fetched, returned),
        costs=costs,
    )


def _firings_before(program: Program) -> IntArray:
    """Return how many firings of `s_dma` must have ended before each, over all layers; 0 for none."""
    if len(program.layers) == 1:
        return program.layers[0].plan.partial_sums.after
    # An index of nothing stays nothing: the count of firings to wait for is one more than the last of them.
    last = program.offset(
        lambda layer: layer.plan.partial_sums.after - 1,
        lambda layer: layer.plan.partial_sums.firings,
    )
    return last + 1


def _moved(name: str, size_bytes: IntArray, some: BoolArray) -> Action:
    """Return the action of moving bytes in some of the firings."""
    return Action(
        name,
        "bytes",
        lambda firing: size_bytes[firing] * some[firing],
        lambda runs: size_bytes.reshape(runs, -1).sum(1, where=some.reshape(runs, -1)).tolist(),
    )


def activation_addresses(program: Program) -> IntArray:
    """Return the DRAM address of every activation fetch."""
    return program.joined(lambda layer: layer.layout.activation.ravel()[layer.plan.activation_loads.tile])


def output_addresses(program: Program) -> IntArray:
    """Return the DRAM address at which each write of a tile begins."""
    return program.of_writes(lambda written: written.address)


def _partial_sum_requests(program: Program) -> Requests:
    """Return the requests of the firings that move a tile; a tile is split over the channels once."""
    tiles = [layer.layout.partial_sums for layer in program.layers]
    outputs = [layer.plan.work.outputs for layer in program.layers]
    first = np.cumsum([0, *(address.size for address in tiles)])
    address, size_bytes = (np.concatenate([each.ravel() for each in arrays]) for arrays in (tiles, outputs))
    # Each tile is read and written; one more, without bytes, is for the firings that move none.
    split = _split(
        program,
        np.concatenate([address, address, [0]]),
        np.concatenate([size_bytes, size_bytes, [0]]) * BYTES_PER_PARTIAL_SUM,
    )
    count = int(first[-1])
    layers = zip(program.layers, first.tolist(), strict=False)
    requested = [_requested_tiles(layer.plan, start, count) for layer, start in layers]
    write = np.repeat([False, True, False], [count, count, 1])
    return _as_requests(split, write, requested[0] if len(requested) == 1 else np.concatenate(requested))


def _requested_tiles(plan: LayerPlan, first: int, count: int) -> IntArray:
    """Return the request of each firing of `s_dma` for a layer whose tiles begin at `first` of `count`."""
    sums, visits = plan.partial_sums, plan.visits
    request = first + visits.m[sums.visit].astype(np.int64) * plan.work.tiling.n_tiles + visits.n[sums.visit]
    request[sums.is_return == 1] += count
    request[sums.moved_bytes == 0] = 2 * count
    return narrow(request)


def _waits(program: Program, operand: Operand, loads: Sequence[Loads]) -> tuple[Wait, ...]:
    """Return the wait of a fetch for the last output tile that it needs; none where the run makes no operand."""
    if not program.has_waits:
        return ()  # at once: most programs are candidates, whose single layer is only to be bounded
    before = program.outputs_before(operand)
    firings = np.concatenate([of_tile[each.tile] for of_tile, each in zip(before, loads, strict=True)])
    return (Wait(WRITE_BACK, firings),) if firings.any() else ()


def _read_stream(
    operand: Operand,
    program: Program,
    operands: Sequence[tuple[IntArray, IntArray, Loads]],
    labels: TileLabels,
) -> Component:
    """Return the stream that fetches tiles; `operands` has the address and bytes of each tile, and the loads, by layer.

    Tiles are split over the channels once, however often they are fetched.
    """
    tiles = np.cumsum([0, *(address.size for address, _, _ in operands)])
    split = _split(
        program,
        np.concatenate([address.ravel() for address, _, _ in operands]),
        np.concatenate([size_bytes.ravel() for _, size_bytes, _ in operands]),
    )
    all_loads = [loads for _, _, loads in operands]
    size_bytes, fetched = all_loads[0].size_bytes, all_loads[0].tile
    if len(all_loads) > 1:
        size_bytes = np.concatenate([loads.size_bytes for loads in all_loads])
        fetched = np.concatenate([loads.tile + first for loads, first in zip(all_loads, tiles[:-1], strict=True)])
    return Component(
        f"{operand}_dma",
        "memory",
        len(size_bytes),
        requests=_as_requests(split, np.zeros(tiles[-1], np.bool_), narrow(fetched)),
        waits=_waits(program, operand, all_loads),
        acquires=(Acquire(REGION[operand], size_bytes),),
        puts=(Put(f"{operand}_loaded"),),
        labels=labels,
        size_bytes=size_bytes,
        role="fetch",
        actions=(action_of("read_bytes", "bytes", size_bytes),),
        costs=(cost_of(written_of(REGION[operand]), lambda: size_bytes),),
    )


def _as_requests(parts: ChannelParts, write: BoolArray, request: IntArray | None = None) -> Requests:
    """Return the parts as requests, where `write` says which of them write; firings post them as `request` says."""
    return Requests(
        parts.offsets, parts.channel, parts.address, parts.size_bytes, np.repeat(write, np.diff(parts.offsets)), request
    )


def _split(program: Program, address: IntArray, size_bytes: IntArray) -> ChannelParts:
    return split_over_channels(address, size_bytes, program.hardware.dram_channels, program.hardware.interleave_bytes)


class ReadWorker:
    """Reads the pieces of a fetch from the DRAM image."""

    def __init__(self, image: Mapping[int, bytes], pieces: Sequence[Sequence[int]]) -> None:
        self._image = image
        self._pieces = pieces

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:  # noqa: ARG002  # a read has no inputs
        """Return the list of pieces of this fetch, as bytes."""
        return ([self._image[address] for address in self._pieces[firing]],)


class WriteWorker:
    """Writes the pieces of an output tile into the DRAM image, one behind the other."""

    def __init__(self, image: dict[int, bytes], address: IntArray) -> None:
        self._image = image
        self._address: list[int] = address.tolist()

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Write the pieces of this tile."""
        address = self._address[firing]
        for piece in inputs[0][0]:
            self._image[address] = piece
            address += len(piece)
        return ()


class PartialSumWorker:
    """Keeps partial sums, int32 tiles, between the visits of their output tile."""

    def __init__(self, program: Program) -> None:
        labels = program.partial_sum_labels
        self._tile = list(zip(labels.layer.tolist(), labels.m.tolist(), labels.n.tolist(), strict=True))
        self._is_return = program.joined(lambda layer: layer.plan.partial_sums.is_return)
        self._kept: dict[tuple[int, int, int], Any] = {}

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Keep the tile that comes back, or give the one that was kept, None if there is none yet."""
        tile = self._tile[firing]
        if self._is_return[firing]:
            self._kept[tile] = inputs[0][0]
            return (None,)
        return (self._kept.get(tile),)
