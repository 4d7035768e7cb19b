"""The DMA streams: timing arrays of `w_dma`, `x_dma` and `o_dma`, and the DRAM image that they read and write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panacea_sim.machine.description import Acquire, Component, Put, Release, Requests, Take
from panacea_sim.machine.program import Program
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.mapping.layout import split_over_channels
from panacea_sim.mapping.plan import BYTES_PER_PARTIAL_SUM
from panacea_sim.units import IntArray

__all__ = [
    "REGION",
    "ReadWorker",
    "WriteWorker",
    "activation_addresses",
    "activation_stream",
    "output_addresses",
    "output_stream",
    "weight_addresses",
    "weight_stream",
]

REGION = {"w": "WMEM", "x": "AMEM"}
"""The memory that holds the encoded tiles of an operand."""


def weight_stream(program: Program) -> Component:
    """Return `w_dma`: it fetches encoded weight tiles into WMEM."""
    size_bytes = program.joined(lambda layer: layer.plan.weight_loads.size_bytes)
    return _read_stream("w", program, weight_addresses(program), size_bytes, program.weight_load_labels())


def activation_stream(program: Program) -> Component:
    """Return `x_dma`: it fetches encoded activation tiles into AMEM."""
    size_bytes = program.joined(lambda layer: layer.plan.activation_loads.size_bytes)
    return _read_stream("x", program, activation_addresses(program), size_bytes, program.activation_load_labels())


def output_stream(program: Program) -> Component:
    """Return `o_dma`: it writes output tiles and then frees their partial sums in OMEM."""
    labels = program.group_labels()
    groups = len(labels.m)
    size_bytes = program.joined(lambda layer: layer.output_bytes.total[layer.plan.group_m, layer.plan.group_n])
    return Component(
        "o_dma",
        "memory",
        groups,
        requests=_requests(program, output_addresses(program), size_bytes, write=True),
        takes=(Take("q_o", np.ones(groups, np.int64)),),
        releases=(Release("OMEM", program.group_outputs() * BYTES_PER_PARTIAL_SUM),),
        labels=labels,
        size_bytes=size_bytes,
    )


def weight_addresses(program: Program) -> IntArray:
    """Return the DRAM address of every weight fetch."""
    return program.joined(lambda layer: layer.layout.weight[layer.plan.weight_loads.tile])


def activation_addresses(program: Program) -> IntArray:
    """Return the DRAM address of every activation fetch."""
    return program.joined(lambda layer: layer.layout.activation[layer.plan.activation_loads.tile])


def output_addresses(program: Program) -> IntArray:
    """Return the DRAM address of every output tile, in the order of the groups."""
    return program.joined(
        lambda layer: layer.layout.output[layer.plan.group_m * layer.plan.work.tiling.n_tiles + layer.plan.group_n]
    )


def _read_stream(
    operand: str, program: Program, address: IntArray, size_bytes: IntArray, labels: TileLabels
) -> Component:
    return Component(
        f"{operand}_dma",
        "memory",
        len(size_bytes),
        requests=_requests(program, address, size_bytes, write=False),
        acquires=(Acquire(REGION[operand], size_bytes),),
        puts=(Put(f"{operand}_loaded"),),
        labels=labels,
        size_bytes=size_bytes,
    )


def _requests(program: Program, address: IntArray, size_bytes: IntArray, *, write: bool) -> Requests:
    hardware = program.hardware
    parts = split_over_channels(address, size_bytes, hardware.dram_channels, hardware.interleave_bytes)
    return Requests(
        parts.offsets, parts.channel, parts.address, parts.size_bytes, np.full(len(parts.channel), write, np.bool_)
    )


class ReadWorker:
    """Reads the bytes of a tile from the DRAM image."""

    def __init__(self, image: dict[int, bytes], address: IntArray) -> None:
        self._image = image
        self._address: list[int] = address.tolist()

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:  # noqa: ARG002  # a read has no inputs
        """Return the bytes of this fetch."""
        return (self._image[self._address[firing]],)


class WriteWorker:
    """Writes the bytes of an output tile into the DRAM image."""

    def __init__(self, image: dict[int, bytes], address: IntArray) -> None:
        self._image = image
        self._address: list[int] = address.tolist()

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Write the bytes of this tile."""
        self._image[self._address[firing]] = inputs[0][0]
        return ()
