"""What each thing that a run counts takes: the figures of a table, for the memories and the DRAM of one machine."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from panacea_sim.description.costs import (
    DRAM_READ,
    DRAM_READ_BURSTS,
    DRAM_WRITTEN,
    DRAM_WRITTEN_BURSTS,
    READ_BYTES,
    WRITTEN_BYTES,
)
from panacea_sim.description.inventory import CUSTOM_DEVICE, Inventory, Sram
from panacea_sim.energy.dram_events import DramEvents, dram_events, list_event_devices
from panacea_sim.energy.ranges import ZERO, Range, exact
from panacea_sim.energy.sram import bank_figures, bank_sizes
from panacea_sim.energy.table import Cell, EnergyTable
from panacea_sim.units import BITS_PER_BYTE

__all__ = ["Category", "DramWay", "Price", "Prices", "SramCells", "bank_case", "category_of", "outside_text"]

Category: TypeAlias = Literal["static", "DRAM", "buffer", "core"]
DramWay: TypeAlias = Literal["lump", "events"]

_BYTES = {DRAM_READ, DRAM_WRITTEN}
_BURSTS = {DRAM_READ_BURSTS, DRAM_WRITTEN_BURSTS}
_PJ_PER_MW_SECOND = 10**9


@dataclass(frozen=True)
class SramCells:
    """The kind of cells in each of the three cases: a case has dynamic energy and leakage of one kind."""

    low: Cell
    nominal: Cell
    high: Cell


@dataclass(frozen=True)
class Price:
    """What one takes in pJ, None with the `reason` why nobody knows; not `charged` is what is charged otherwise."""

    pj: Range | None
    reason: str = ""
    charged: bool = True


_ELSEWHERE = Price(ZERO, charged=False)


def category_of(operation: str) -> Category:
    """Return where the field shows an operation: DRAM, on-chip memories, or the core."""
    if operation in _BYTES | _BURSTS:
        return "DRAM"
    memory, point, kind = operation.rpartition(".")
    return "buffer" if memory and point and kind in {READ_BYTES, WRITTEN_BYTES} else "core"


@dataclass(frozen=True)
class Prices:
    """The prices on a machine: a table, the cells of its memories, and how DRAM is charged.

    `device` is the one whose figures are taken, where the machine's own has a name that tells nothing.
    """

    table: EnergyTable
    inventory: Inventory
    clock_hz: int
    cells: SramCells
    dram: DramWay
    device: str

    def of(self, operation: str) -> Price:
        """Return the price of one elementary operation."""
        category = category_of(operation)
        if category == "buffer":
            memory, _, kind = operation.rpartition(".")
            return self._of_sram(memory, "read_pj_per_byte" if kind == READ_BYTES else "write_pj_per_byte")
        if category == "DRAM":
            return self._of_dram(operation)
        figure = self.table.operations.get(operation)
        if figure is None:
            return Price(None, f"the table {self.table.name!r} has no figure for {operation}")
        return Price(figure.range)

    def leakage_of(self, memory: Sram) -> Price:
        """Return what a memory leaks in a cycle, all banks together."""
        one_bank = self._of_sram(memory.name, "leakage_mw")
        if one_bank.pj is None:
            return one_bank
        return Price(one_bank.pj.times(memory.banks * self._pj_per_mw_cycle))

    def background(self) -> Price:
        """Return what the channels take in each cycle; with events a row is open, in the low case none."""
        if self.dram == "lump":
            figure = self.table.dram_figure(self.device)
            # Where there is none, the bytes say so.
            return _ELSEWHERE if figure is None else Price(Range.of(exact(figure.background_pj_per_cycle)))
        events = self._events
        if events is None:
            return self._no_events()
        power = Range(events.background_closed_mw, events.background_open_mw, events.background_open_mw)
        return Price(power.times(self.inventory.dram_channels * self._pj_per_mw_cycle))

    def activate(self) -> Price:
        """Return what opening and closing a row takes."""
        return self._of_event("activate_pj")

    def refresh(self) -> Price:
        """Return what one refresh of a channel takes."""
        return self._of_event("refresh_pj")

    @property
    def _pj_per_mw_cycle(self) -> Fraction:
        return Fraction(_PJ_PER_MW_SECOND, self.clock_hz)

    @property
    def _events(self) -> DramEvents | None:
        # Events are those of the device that ran.
        return dram_events(self.device) if self.device == self.inventory.dram else None

    def _of_event(self, name: str) -> Price:
        if self.dram == "lump":
            return _ELSEWHERE
        return self._no_events() if self._events is None else Price(Range.of(getattr(self._events, name)))

    def _of_dram(self, operation: str) -> Price:
        if (operation in _BURSTS) != (self.dram == "events"):
            return _ELSEWHERE if self.dram == "lump" or self._events is not None else self._no_events()
        if self.dram == "events":
            return self._of_event("read_pj" if operation == DRAM_READ_BURSTS else "write_pj")
        figure = self.table.dram_figure(self.device)
        if figure is None:
            return self._no_lump()
        written = operation == DRAM_WRITTEN and figure.written is not None
        bit = figure.written if written else figure.read
        assert bit is not None
        return Price(bit.range.times(BITS_PER_BYTE))

    def _no_lump(self) -> Price:
        return Price(None, f"the table {self.table.name!r} has no DRAM figure for {self._device_text}")

    def _no_events(self) -> Price:
        named = f": those of {self.inventory.dram!r} were counted" if self.device != self.inventory.dram else ""
        known = ", ".join(list_event_devices())
        return Price(None, f"no energy of events is known for {self._device_text}{named}; known: {known}")

    @property
    def _device_text(self) -> str:
        return "a device without a name" if self.device == CUSTOM_DEVICE else repr(self.device)

    def _of_sram(self, name: str, figure: str) -> Price:
        memory = next((each for each in self.inventory.memories if each.name == name), None)
        if memory is None:
            return Price(None, f"the machine's inventory has no memory {name!r}")
        found = bank_case(memory, self.cells, figure)
        return Price(None, outside_text(memory)) if found is None else Price(found)


def bank_case(memory: Sram, cells: SramCells, figure: str) -> Range | None:
    """Return a figure of one bank of a memory, in each case of its cells; None outside the sizes that have figures."""
    size_bytes = Fraction(memory.size_bytes, memory.banks)
    banks = [bank_figures(cell, size_bytes) for cell in (cells.low, cells.nominal, cells.high)]
    found: list[Fraction] = [getattr(bank, figure) for bank in banks if bank is not None]
    return Range(*found) if len(found) == len(banks) else None


def outside_text(memory: Sram) -> str:
    """Return why a memory has no figures."""
    least, most = bank_sizes()
    of_bank = memory.size_bytes / memory.banks
    return f"{memory.name} has {memory.banks} banks of {of_bank:,g} bytes; figures reach from {least} to {most}"
