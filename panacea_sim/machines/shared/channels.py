"""The DRAM channels of a machine."""

from __future__ import annotations

from panacea_sim.description.parts import Channel
from panacea_sim.hardware.config import Hardware
from panacea_sim.memory.channel_device import channel_device

__all__ = ["dram_channels"]


def dram_channels(hardware: Hardware) -> tuple[Channel, ...]:
    """Return the channels, all with the same device."""
    return tuple(Channel(f"dram{number}", channel_device(hardware)) for number in range(hardware.dram_channels))
