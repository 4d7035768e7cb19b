"""The machine of the diagram in docs/model.md, as a description."""

from __future__ import annotations

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Memory, Port, Queue, Store
from panacea_sim.machines.panacea.decoder import activation_decoder, weight_decoder
from panacea_sim.machines.panacea.dispatcher import dispatcher, pea_queue
from panacea_sim.machines.panacea.encoder import encoder
from panacea_sim.machines.panacea.pea import pe_array, sum_queue, task_cycles
from panacea_sim.machines.shared.accumulator import accumulator
from panacea_sim.machines.shared.ppu import ppu
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.streams import (
    WRITE_BACK,
    activation_stream,
    output_stream,
    partial_sum_stream,
    weight_stream,
)
from panacea_sim.memory.channel_device import channel_device

__all__ = ["describe"]


def describe(program: Program) -> Description:
    """Return the description of the machine that works through the program.

    `s_dma` and PSUM are there only where partial sums are kept between visits; PSUM is taken out of OMEM.
    """
    hardware, keeps = program.hardware, program.keeps_partial_sums
    psum_bytes = hardware.psum_bytes if keeps else 0
    streams = [
        Port("w_dma", hardware.w_dma_priority, hardware.outstanding),
        Port("x_dma", hardware.x_dma_priority, hardware.outstanding),
        Port(WRITE_BACK, hardware.o_dma_priority, hardware.outstanding),
        Port("s_dma", hardware.s_dma_priority, hardware.outstanding),
    ]
    return Description(
        components=_components(program),
        queues=_queues(program),
        stores=(Store("w_loaded"), Store("x_loaded"), *((Store("s_loaded"),) if keeps else ())),
        memories=(
            Memory("WMEM", hardware.wmem_bytes),
            Memory("AMEM", hardware.amem_bytes),
            Memory("OMEM", hardware.omem_bytes - psum_bytes),
            *((Memory("PSUM", psum_bytes),) if keeps else ()),
        ),
        channels=tuple(Channel(f"dram{number}", channel_device(hardware)) for number in range(hardware.dram_channels)),
        ports=tuple(streams if keeps else streams[:-1]),
    )


def _components(program: Program) -> tuple[Component, ...]:
    hardware = program.hardware
    cycles = task_cycles(program)
    return (
        weight_stream(program),
        activation_stream(program),
        weight_decoder(program),
        activation_decoder(program),
        dispatcher(program),
        *(pe_array(program, pea, cycles[:, pea]) for pea in range(hardware.n_pea)),
        accumulator(program),
        *((partial_sum_stream(program),) if program.keeps_partial_sums else ()),
        ppu(program),
        encoder(program),
        output_stream(program),
    )


def _queues(program: Program) -> tuple[Queue, ...]:
    hardware = program.hardware
    depth, peas = hardware.queue_depth, range(hardware.n_pea)
    return (
        Queue("q_w", depth),
        Queue("q_x", depth),
        *(Queue(pea_queue(pea), depth) for pea in peas),
        *(Queue(sum_queue(pea), depth, hardware.pea_latency_cycles) for pea in peas),
        *((Queue("q_s", depth),) if program.keeps_partial_sums else ()),
        Queue("q_ppu", depth),
        Queue("q_encode", depth),
        Queue("q_o", depth),
    )
