"""The RLE encoder of the output path: its timing array, and how it packs the next layer's activation tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.steps import Give, Take
from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.tile_format import pack_tile
from panacea_sim.quant.slicing import AnyIntArray, slice_activations
from panacea_sim.quant.vectors import group_activation_vectors, skipped_activation_vectors
from panacea_sim.units import ceil_div, repeated
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat

__all__ = ["EncoderWorker", "encode_output_tile", "encoder", "pack_activations"]


def encoder(program: Program) -> Component:
    """Return `encoder`: it encodes the HO slices of an output tile, in each format; dense outputs pass in 0 cycles."""
    codec_bytes_per_cycle = panacea_hardware(program.hardware).codec_bytes_per_cycle
    ho_bytes = program.of_writes(lambda written: written.output_bytes.ho)
    return Component(
        "encoder",
        "codecs",
        len(ho_bytes),
        service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.ho, codec_bytes_per_cycle)),
        takes=(Take("q_encode", program.first_writes()),),
        gives=(Give("q_o", repeated(1, len(ho_bytes))),),
        labels=program.write_labels,
        size_bytes=ho_bytes,
        role="codec",
        actions=(action_of("encoded_bytes", "bytes", ho_bytes),),
    )


def pack_activations(activation: AnyIntArray, form: OutputFormat, v: int, tile_k: int) -> bytes:
    """Return the bytes of one activation tile [K, columns] in the given format."""
    slices = slice_activations(activation, form.bits, form.lo_bits)
    lo = group_activation_vectors(slices.lo[None], (0,), v)[0]
    ho = group_activation_vectors(slices.ho, form.frequent, v)
    return pack_tile(lo, ho, skipped_activation_vectors(slices.ho, form.frequent, v), tile_k)


def encode_output_tile(
    tile: npt.NDArray[np.unsignedinteger], form: OutputFormat | None, v: int, tile_k: int
) -> list[bytes]:
    """Return the pieces of an output tile [rows, columns]: the next layer's activation tiles, or dense 8-bit rows."""
    if form is None:
        return [tile.astype(np.uint8).tobytes()]
    parts = range(0, len(tile), tile_k)
    return [pack_activations(tile[first : first + tile_k], form, v, tile_k) for first in parts]


class EncoderWorker:
    """Packs each output tile."""

    def __init__(self, program: Program, layers: Sequence[GemmLayer]) -> None:
        self._labels = program.write_labels
        self._forms = [layer.output for layer in layers]
        self._hardware = panacea_hardware(program.hardware)

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the pieces of the output tile."""
        form = self._forms[self._labels.layer[firing]]
        return (encode_output_tile(inputs[0][0], form, self._hardware.v, self._hardware.tile_k),)
