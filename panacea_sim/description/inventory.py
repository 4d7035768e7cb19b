"""What a machine is built of, as far as energy and area ask: memories with their banks, units, the DRAM device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CUSTOM_DEVICE", "Inventory", "Sram"]

CUSTOM_DEVICE = "custom"
"""What stands for a DRAM device that has no name of its own."""


@dataclass(frozen=True)
class Sram:
    """An on-chip memory of so many equal banks."""

    name: str
    size_bytes: int
    banks: int


@dataclass(frozen=True)
class Inventory:
    """The parts of a machine.

    `units` counts the units of arithmetic of each group of components, by names that a table of areas knows. `left_out`
    says what the machine has besides, for which nobody has a figure. `dram` names the device of each channel.
    """

    memories: tuple[Sram, ...]
    units: Mapping[str, Mapping[str, int]]
    left_out: tuple[str, ...]
    dram: str
    dram_channels: int
