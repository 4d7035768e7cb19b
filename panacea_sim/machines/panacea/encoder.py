"""The RLE encoder of the output path: its timing array."""

from __future__ import annotations

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.shared.packer import packer
from panacea_sim.machines.shared.program import Program
from panacea_sim.units import ceil_div

__all__ = ["encoder"]


def encoder(program: Program) -> Component:
    """Return `encoder`: it encodes the HO slices of an output tile, in each format; dense outputs pass in 0 cycles."""
    codec_bytes_per_cycle = panacea_hardware(program.hardware).codec_bytes_per_cycle
    ho_bytes = program.of_writes(lambda written: written.output_bytes.ho)
    return packer(
        "encoder",
        program,
        section="codecs",
        service_cycles=program.of_writes(lambda written: ceil_div(written.output_bytes.ho, codec_bytes_per_cycle)),
        size_bytes=ho_bytes,
        actions=(action_of("encoded_bytes", "bytes", ho_bytes),),
    )
