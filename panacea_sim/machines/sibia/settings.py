"""The settings of the Sibia machine."""

from __future__ import annotations

from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.shared.vector_settings import CodedHardware, OperatorHardware

__all__ = ["SibiaHardware", "sibia_hardware"]


class SibiaHardware(OperatorHardware, CodedHardware):
    """PE arrays whose operators multiply two vectors of signed 4-bit slices, and codecs for the operand that skips."""


def sibia_hardware(hardware: Hardware) -> SibiaHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, SibiaHardware)
    return hardware
