"""The settings of the SIMD machine."""

from __future__ import annotations

from typing import ClassVar

from panacea_sim.description.costs import MULTIPLY_8B
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.shared.vector_settings import SLICE_PRODUCTS, OperatorHardware

__all__ = ["SimdHardware", "simd_hardware"]


class SimdHardware(OperatorHardware):
    """PE arrays whose operators multiply two vectors of 8-bit elements."""

    multiply: ClassVar[str] = MULTIPLY_8B

    @property
    def multipliers(self) -> int:
        """Multipliers of two 4-bit slices: one of 8 bits counts as four."""
        return self.products_per_cycle * SLICE_PRODUCTS


def simd_hardware(hardware: Hardware) -> SimdHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, SimdHardware)
    return hardware
