"""The settings of the output-stationary systolic array."""

from __future__ import annotations

from typing import Annotated

from panacea_sim.bounds import Count, Parts
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import Step
from panacea_sim.machines.shared.vector_settings import SLICE_PRODUCTS

__all__ = ["SaOsHardware", "sa_os_hardware"]


class SaOsHardware(Hardware):
    """Rows and columns of 8-bit multipliers, each of which keeps the sum of one output of a tile.

    The rows of the array are those of a weight tile, its columns are `tile_n`.
    """

    array_rows: Annotated[Parts, Step("rate", "rows")]
    tile_n: Annotated[Count, Step("rate", "columns")]

    @property
    def tile_m(self) -> int:
        """Rows of a weight tile: those of the array."""
        return self.array_rows

    @property
    def cells(self) -> int:
        """Multipliers of two 8-bit numbers."""
        return self.array_rows * self.tile_n

    @property
    def multipliers(self) -> int:
        """Multipliers of two 4-bit slices."""
        return self.cells * SLICE_PRODUCTS


def sa_os_hardware(hardware: Hardware) -> SaOsHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, SaOsHardware)
    return hardware
