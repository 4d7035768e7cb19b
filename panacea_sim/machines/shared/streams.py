"""The DMA streams: timing arrays of `w_dma`, `x_dma`, `o_dma` and `s_dma`, and how they use the DRAM image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.steps import Acquire, Put, Release, Requests, Take, Wait
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.mapping.layout import ChannelParts, split_over_channels
from panacea_sim.mapping.loads import Loads
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.units import IntArray
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
    "weight_stream",
]

REGION = {"w": "WMEM", "x": "AMEM"}
"""The memory that holds the encoded tiles of an operand."""

WRITE_BACK = "o_dma"
"""The component whose firings write output tiles, and for which fetches of what other layers write wait."""


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
    """Return `o_dma`: it writes finished output tiles and then frees their accumulators in OMEM."""
    labels = program.output_labels
    firings = len(labels.m)
    size_bytes = program.joined(lambda layer: layer.output_bytes.total[layer.plan.output_m, layer.plan.output_n])
    return Component(
        WRITE_BACK,
        "memory",
        firings,
        requests=_as_requests(_split(program, output_addresses(program), size_bytes), np.ones(firings, np.bool_)),
        takes=(Take("q_o", np.ones(firings, np.int64)),),
        releases=(Release("OMEM", program.tile_outputs * BYTES_PER_PARTIAL_SUM),),
        labels=labels,
        size_bytes=size_bytes,
        role="write_back",
        actions=(action_of("written_bytes", "bytes", size_bytes),),
    )


def partial_sum_stream(program: Program) -> Component:
    """Return `s_dma`: it gives partial sums their place in PSUM and, where they spill, writes and reads them.

    A firing without bytes makes no request: it only acquires or releases.
    """
    plans = [layer.plan.partial_sums for layer in program.layers]
    is_return = np.concatenate([plan.is_return for plan in plans])
    held_bytes = np.concatenate([plan.held_bytes for plan in plans])
    size_bytes = np.concatenate([plan.moved_bytes for plan in plans])
    after = program.offset(
        # An index of nothing stays nothing: the count of firings to wait for is one more than the last of them.
        lambda layer: layer.plan.partial_sums.after - 1,
        lambda layer: layer.plan.partial_sums.firings,
    )
    return Component(
        "s_dma",
        "memory",
        len(is_return),
        requests=_partial_sum_requests(program, size_bytes > 0, is_return.astype(np.bool_)),
        takes=(Take("q_s", is_return),),
        waits=(Wait("s_dma", after + 1),),
        acquires=(Acquire("PSUM", held_bytes * (1 - is_return)),),
        releases=(Release("PSUM", held_bytes * is_return),),
        puts=(Put("s_loaded"),),
        labels=program.partial_sum_labels,
        size_bytes=size_bytes,
        role="spill",
        actions=(
            action_of("read_bytes", "bytes", size_bytes * (1 - is_return)),
            action_of("written_bytes", "bytes", size_bytes * is_return),
        ),
    )


def activation_addresses(program: Program) -> IntArray:
    """Return the DRAM address of every activation fetch."""
    return program.joined(lambda layer: layer.layout.activation.ravel()[layer.plan.activation_loads.tile])


def output_addresses(program: Program) -> IntArray:
    """Return the DRAM address of every output tile, in the order in which they are finished."""
    return program.joined(lambda layer: layer.layout.output[layer.plan.output_m, layer.plan.output_n])


def _partial_sum_requests(program: Program, moved: BoolArray, write: BoolArray) -> Requests:
    """Return the requests of the firings that move a tile; a tile is split over the channels once."""
    tiles = [layer.layout.partial_sums for layer in program.layers]
    outputs = [layer.plan.work.outputs for layer in program.layers]
    first = np.cumsum([0, *(address.size for address in tiles)])
    address, size_bytes = (np.concatenate([each.ravel() for each in arrays]) for arrays in (tiles, outputs))
    # One more tile, without bytes, for the firings that move none.
    split = _split(program, np.append(address, 0), np.append(size_bytes * BYTES_PER_PARTIAL_SUM, 0))
    labels = program.partial_sum_labels
    n_tiles = np.array([layer.plan.work.tiling.n_tiles for layer in program.layers])
    tile = first[labels.layer] + labels.m * n_tiles[labels.layer] + labels.n
    return _as_requests(split.taken(np.where(moved, tile, first[-1])), write)


def _waits(program: Program, operand: Operand, loads: Sequence[Loads]) -> tuple[Wait, ...]:
    """Return the wait of a fetch for the last output tile that it needs; none where no layer makes the operand."""
    if not program.graph.number_of_edges():
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
    fetched = [loads.tile + first for (_, _, loads), first in zip(operands, tiles[:-1], strict=True)]
    size_bytes = np.concatenate([loads.size_bytes for _, _, loads in operands])
    return Component(
        f"{operand}_dma",
        "memory",
        len(size_bytes),
        requests=_as_requests(split.taken(np.concatenate(fetched)), np.zeros(len(size_bytes), np.bool_)),
        waits=_waits(program, operand, [loads for _, _, loads in operands]),
        acquires=(Acquire(REGION[operand], size_bytes),),
        puts=(Put(f"{operand}_loaded"),),
        labels=labels,
        size_bytes=size_bytes,
        role="fetch",
        actions=(action_of("read_bytes", "bytes", size_bytes),),
    )


def _as_requests(parts: ChannelParts, write: BoolArray) -> Requests:
    """Return the parts as requests, where `write` says which of the firings write."""
    return Requests(
        parts.offsets, parts.channel, parts.address, parts.size_bytes, np.repeat(write, np.diff(parts.offsets))
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
