"""Which device stands behind a channel of the hardware."""

from __future__ import annotations

from functools import lru_cache

from panacea_sim.hardware.config import Hardware
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.device import Device, IdealDevice
from panacea_sim.memory.params import dram_params

__all__ = ["channel_device"]


@lru_cache(maxsize=64)
def channel_device(hardware: Hardware) -> Device:
    """Return the device of one DRAM channel; all channels have one alike, which holds no state."""
    device = hardware.dram_device
    if device is None:
        return IdealDevice(hardware.dram_bytes_per_cycle, hardware.dram_latency_cycles)
    params = dram_params(
        device,
        hardware.clock_hz,
        address_map=hardware.dram_map,
        policy=hardware.dram_policy,
        page=hardware.dram_page,
        age_cap_cycles=hardware.dram_age_cap_cycles,
    )
    return BankedDevice(params)
