"""The settings of the weight-stationary systolic array."""

from __future__ import annotations

from typing import Annotated

from panacea_sim.bounds import Count, Parts
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import Step
from panacea_sim.machines.shared.vector_settings import SLICE_PRODUCTS

__all__ = ["SaWsHardware", "sa_ws_hardware"]


class SaWsHardware(Hardware):
    """Rows and columns of 8-bit multipliers, each of which keeps one weight of a tile.

    The rows of the array are `tile_k`, its columns are the rows of a weight tile.
    """

    array_columns: Annotated[Parts, Step("rate", "columns")]
    tile_k: Annotated[Count, Step("rate", "rows")]

    @property
    def tile_m(self) -> int:
        """Rows of a weight tile: the columns of the array."""
        return self.array_columns

    @property
    def cells(self) -> int:
        """Multipliers of two 8-bit numbers."""
        return self.tile_k * self.array_columns

    @property
    def multipliers(self) -> int:
        """Multipliers of two 4-bit slices."""
        return self.cells * SLICE_PRODUCTS


def sa_ws_hardware(hardware: Hardware) -> SaWsHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, SaWsHardware)
    return hardware
