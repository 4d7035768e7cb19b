"""The area of a machine, as far as figures reach: units of arithmetic and on-chip memories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from panacea_sim.description.inventory import Inventory
from panacea_sim.energy.prices import SramCells, bank_case, outside_text
from panacea_sim.energy.ranges import Range, summed
from panacea_sim.energy.table import EnergyTable

__all__ = ["Area", "AreaPart", "area_of"]

_UM2_PER_MM2 = 10**6

UNSOURCED_SHARE = Fraction(1, 5)
"""What a line beside the area adds for logic without a figure."""


@dataclass(frozen=True)
class AreaPart:
    """So many units of one kind in a group, or banks of a memory, with their area in mm2 or why nobody knows it."""

    component: str
    what: str
    count: int
    kind: Literal["compute", "SRAM"]
    mm2: Range | None
    reason: str = ""


@dataclass(frozen=True)
class Area:
    """The parts of a machine that have a figure, and those that have none."""

    parts: tuple[AreaPart, ...]

    @property
    def known(self) -> Range:
        """The area of all parts with a figure, in mm2."""
        return summed(part.mm2 for part in self.parts if part.mm2 is not None)

    @property
    def compute(self) -> Range:
        """The area of the units of arithmetic with a figure, in mm2."""
        return summed(part.mm2 for part in self.parts if part.mm2 is not None and part.kind == "compute")

    @property
    def unknown(self) -> tuple[AreaPart, ...]:
        """The parts without a figure."""
        return tuple(part for part in self.parts if part.mm2 is None)

    @property
    def total(self) -> Range | None:
        """The area in mm2; None where a part has no figure, or the machine names no units of arithmetic."""
        has_units = any(part.kind == "compute" for part in self.parts)
        return self.known if has_units and not self.unknown else None

    @property
    def with_unsourced(self) -> Range | None:
        """The area with a fifth more arithmetic, for logic that has no figure."""
        return None if self.total is None else self.total + self.compute.times(UNSOURCED_SHARE)

    def tops_per_mm2(self, macs: int, seconds: Fraction) -> Range | None:
        """Return 10^12 operations of the dense product a second and mm2, two a MAC. High is the smallest area."""
        if self.total is None or not seconds:
            return None
        return self.total.inverse(2 * macs / (seconds * 10**12))


def area_of(inventory: Inventory, table: EnergyTable, cells: SramCells) -> Area:
    """Return the area of a machine by a table, its memories of these cells."""
    return Area((*_units(inventory, table), *_memories(inventory, cells)))


def _units(inventory: Inventory, table: EnergyTable) -> Iterator[AreaPart]:
    for group, units in inventory.units.items():
        for unit, count in units.items():
            figure = table.area.get(unit)
            if figure is None:
                yield AreaPart(group, unit, count, "compute", None, f"table {table.name!r} has no area of {unit}")
            else:
                mm2 = figure.range.times(Fraction(count, _UM2_PER_MM2))
                yield AreaPart(group, unit, count, "compute", mm2)


def _memories(inventory: Inventory, cells: SramCells) -> Iterator[AreaPart]:
    for memory in inventory.memories:
        bank = bank_case(memory, cells, "area_mm2")
        if bank is None:
            yield AreaPart(memory.name, "banks", memory.banks, "SRAM", None, outside_text(memory))
        else:
            yield AreaPart(memory.name, "banks", memory.banks, "SRAM", bank.times(memory.banks))
