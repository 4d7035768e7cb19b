"""Codecs of the run-length code: the decoders of operands, and the encoder of the output path."""

from __future__ import annotations

from collections.abc import Callable

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.steps import Give
from panacea_sim.machines.shared.fetched_tiles import tile_need, tile_release
from panacea_sim.machines.shared.packer import packer
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.units import IntArray, ceil_div
from panacea_sim.workload.link import Operand

__all__ = ["activation_decoder", "encoder", "weight_decoder"]

_Table = Callable[[PlannedLayer], IntArray]


def weight_decoder(program: Program, codec_bytes_per_cycle: int) -> Component:
    """Return `w_decoder`: it decodes the HO part of a weight tile for every task; LO slices pass by it."""
    return _decoder("w", program, codec_bytes_per_cycle, program.of_weights, lambda layer: layer.plan.weight.ho)


def activation_decoder(program: Program, codec_bytes_per_cycle: int) -> Component:
    """Return `x_decoder`: it decodes the HO part of an activation tile for every task."""
    of_tasks = program.of_activations
    return _decoder("x", program, codec_bytes_per_cycle, of_tasks, lambda layer: layer.plan.work.activation.ho)


def _decoder(
    operand: Operand,
    program: Program,
    codec_bytes_per_cycle: int,
    of_tasks: Callable[[_Table], IntArray],
    tile_bytes: _Table,
) -> Component:
    """Return the decoder of an operand; `of_tasks` gives each task what a table has for its tile of the operand."""
    ho_bytes = of_tasks(tile_bytes)
    tasks = len(ho_bytes)
    return Component(
        f"{operand}_decoder",
        "codecs",
        tasks,
        service_cycles=of_tasks(lambda layer: ceil_div(tile_bytes(layer), codec_bytes_per_cycle)),
        needs=(tile_need(program, operand),),
        releases=(tile_release(program, operand),),
        gives=(Give(f"q_{operand}", program.one_per_task),),
        labels=program.task_labels,
        size_bytes=ho_bytes,
        role="codec",
        actions=(action_of("decoded_bytes", "bytes", ho_bytes),),
    )


def encoder(program: Program, codec_bytes_per_cycle: int) -> Component:
    """Return `encoder`: it encodes the HO slices of an output tile, in each format; dense outputs pass in 0 cycles."""
    ho_bytes = program.of_writes(lambda written: written.output_bytes.ho)
    return packer(
        "encoder",
        program,
        section="codecs",
        service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.ho, codec_bytes_per_cycle)),
        size_bytes=ho_bytes,
        actions=(action_of("encoded_bytes", "bytes", ho_bytes),),
    )
