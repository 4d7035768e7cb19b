"""What stands around the components that multiply: memories, channels and ports, and for most machines all the rest."""

from __future__ import annotations

from collections.abc import Sequence

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Memory, Port, Queue, Store
from panacea_sim.machines.shared.accumulator import accumulator
from panacea_sim.machines.shared.channels import dram_channels
from panacea_sim.machines.shared.ppu import ppu
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.streams import (
    WRITE_BACK,
    activation_stream,
    output_stream,
    partial_sum_stream,
    stage_stream,
    weight_stream,
)

__all__ = ["around", "framed", "output_queues"]


def framed(program: Program, components: Sequence[Component], queues: Sequence[Queue]) -> Description:
    """Return the machine of these components and queues, with what all machines have beside them.

    PSUM is there only where partial sums are kept between visits, and is taken out of OMEM. VMEM is there only where a
    vector stage follows a layer.
    """
    hardware, keeps, has_stages = program.hardware, program.keeps_partial_sums, program.has_stages
    psum_bytes = hardware.psum_bytes if keeps else 0
    streams = [
        Port("w_dma", hardware.w_dma_priority, hardware.outstanding),
        Port("x_dma", hardware.x_dma_priority, hardware.outstanding),
        Port(WRITE_BACK, hardware.o_dma_priority, hardware.outstanding),
        *((Port("s_dma", hardware.s_dma_priority, hardware.outstanding),) if keeps else ()),
        *((Port("v_dma", hardware.x_dma_priority, hardware.outstanding),) if has_stages else ()),
    ]
    return Description(
        components=tuple(components),
        queues=tuple(queues),
        stores=(Store("w_loaded"), Store("x_loaded"), *((Store("s_loaded"),) if keeps else ())),
        memories=(
            Memory("WMEM", hardware.wmem_bytes),
            Memory("AMEM", hardware.amem_bytes),
            Memory("OMEM", hardware.omem_bytes - psum_bytes),
            *((Memory("PSUM", psum_bytes),) if keeps else ()),
            *((Memory("VMEM", hardware.vmem_bytes),) if has_stages else ()),
        ),
        channels=dram_channels(hardware),
        ports=tuple(streams),
    )


def around(
    program: Program, compute: Sequence[Component], sum_queues: Sequence[str], packer: Component
) -> tuple[Component, ...]:
    """Return all components, in the order of reports, of a machine whose `compute` gives its sums to `sum_queues`.

    `s_dma` is there only where partial sums are kept between visits, `v_dma` where a vector stage follows a layer.
    """
    return (
        weight_stream(program),
        activation_stream(program),
        *compute,
        accumulator(program, sum_queues),
        *((partial_sum_stream(program),) if program.keeps_partial_sums else ()),
        *((stage_stream(program),) if program.has_stages else ()),
        ppu(program),
        packer,
        output_stream(program),
    )


def output_queues(program: Program) -> tuple[Queue, ...]:
    """Return the queues behind the accumulator."""
    depth = program.hardware.queue_depth
    return (
        *((Queue("q_s", depth),) if program.keeps_partial_sums else ()),
        Queue("q_ppu", depth),
        *((Queue("q_v", depth),) if program.has_stages else ()),
        Queue("q_encode", depth),
        Queue("q_o", depth),
    )
