"""The settings of the Bit-Fusion machine."""

from __future__ import annotations

from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.shared.vector_settings import OperatorHardware

__all__ = ["BitfusionHardware", "bitfusion_hardware"]


class BitfusionHardware(OperatorHardware):
    """PE arrays whose operators multiply two vectors of 4-bit digits."""


def bitfusion_hardware(hardware: Hardware) -> BitfusionHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, BitfusionHardware)
    return hardware
