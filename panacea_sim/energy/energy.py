"""The energy of a run: what it counted, times the figures of a table, by component, category and layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import get_args

from panacea_sim.energy.counts import WorkCounts, layer_counts, run_counts
from panacea_sim.energy.prices import Category, DramWay, Price, Prices, SramCells, category_of
from panacea_sim.energy.ranges import Range, summed
from panacea_sim.energy.table import Cell, EnergyTable
from panacea_sim.trace.summary import Summary

__all__ = ["CATEGORIES", "Charge", "Energy", "RunEnergy", "energy_of"]

CATEGORIES: tuple[Category, ...] = get_args(Category)
"""The parts of a bar, as the field stacks them."""

_DRAM = "DRAM"
"""The component to which goes what all channels take together."""

_OPERATIONS_A_MAC = 2


@dataclass(frozen=True)
class Charge:
    """What a component is charged for one kind of thing: how many, what one takes in pJ, or why nobody knows."""

    component: str
    category: Category
    what: str
    count: int
    price: Price

    @property
    def pj(self) -> Range | None:
        """The energy in pJ."""
        return None if self.price.pj is None else self.price.pj.times(self.count)


@dataclass(frozen=True)
class Energy:
    """The energy of a run or of a layer: its charges, and the dense MACs and the cycles that it took."""

    name: str
    charges: tuple[Charge, ...]
    macs: int
    cycles: int

    @cached_property
    def known(self) -> Range:
        """The sum of all charges that have a figure, in pJ."""
        return summed(charge.pj for charge in self.charges if charge.pj is not None)

    @property
    def unknown(self) -> tuple[Charge, ...]:
        """The charges without a figure that are not for nothing."""
        return tuple(charge for charge in self.charges if charge.pj is None and charge.count)

    @property
    def total(self) -> Range | None:
        """The energy in pJ; None where a charge has no figure."""
        return None if self.unknown else self.known

    def of_category(self, category: Category) -> Range | None:
        """Return what a category takes; None where one of its charges has no figure."""
        return self._sum_of([charge for charge in self.charges if charge.category == category])

    def of_component(self, component: str) -> Range | None:
        """Return what a component takes; None where one of its charges has no figure."""
        return self._sum_of([charge for charge in self.charges if charge.component == component])

    @property
    def components(self) -> tuple[str, ...]:
        """The components that are charged, in the machine's order, then memories and DRAM."""
        return tuple(dict.fromkeys(charge.component for charge in self.charges))

    @property
    def pj_per_mac(self) -> Range | None:
        """The energy of a MAC of the dense product, whatever was skipped."""
        return self.total.times(Fraction(1, self.macs)) if self.total and self.macs else None

    @property
    def tops_per_watt(self) -> Range | None:
        """Operations of the dense product for each pJ, two a MAC: 10^12 a second and watt. High is the best case."""
        return None if self.total is None else self.total.inverse(_OPERATIONS_A_MAC * self.macs)

    def _sum_of(self, charges: Sequence[Charge]) -> Range | None:
        if any(charge.pj is None and charge.count for charge in charges):
            return None
        return summed(charge.pj for charge in charges if charge.pj is not None)


@dataclass(frozen=True, eq=False)
class RunEnergy:
    """The energy of a run, the prices that it was charged, and what its machine has for which nobody has a figure."""

    run: Energy
    prices: Prices
    summary: Summary

    @property
    def left_out(self) -> tuple[str, ...]:
        """Parts of the machine for which nobody has a figure."""
        return self.prices.inventory.left_out

    @property
    def seconds(self) -> Fraction:
        """How long the run took, exactly."""
        return Fraction(self.summary.makespan_cycles, self.summary.clock_hz)

    @property
    def padding_bytes(self) -> int | None:
        """Bytes that bursts moved without anybody asking; None where there are no bursts."""
        dram = self.summary.dram
        return dram.burst_bytes - dram.read_bytes - dram.write_bytes if dram.burst_bytes else None

    @cached_property
    def layers(self) -> tuple[Energy, ...] | None:
        """The energy of each layer, which add up to that of the run; None where layers overlap."""
        counts = layer_counts(self.summary)
        return None if counts is None else tuple(_charged(each, self.prices) for each in counts)

    @property
    def energy_delay(self) -> Range | None:
        """Energy times time, in joule seconds."""
        return None if self.run.total is None else self.run.total.times(self.seconds / 10**12)


def energy_of(summary: Summary, table: EnergyTable, dram: DramWay = "lump", device: str | None = None) -> RunEnergy:
    """Return the energy of a run by a table.

    DRAM is charged by the bit (`lump`) or by its events. `device` is the one whose lump figure is taken, by default the
    one that ran. Raises ConfigError for a run that did not count operations.
    """
    counts = run_counts(summary)
    inventory = summary.inventory
    assert inventory is not None

    def prices(cells: SramCells) -> Prices:
        return Prices(table, inventory, summary.clock_hz, cells, dram, device or inventory.dram)

    chosen = prices(_cells(table, lambda cell: _sram_pj(counts, prices(SramCells(cell, cell, cell)))))
    return RunEnergy(_charged(counts, chosen), chosen, summary)


def _cells(table: EnergyTable, sram_pj: Callable[[Cell], Fraction]) -> SramCells:
    """Return the cells with which all memories of the run together take least, those of the table, and the most."""
    by_energy = sorted(table.sram.cells, key=sram_pj)
    return SramCells(by_energy[0], table.sram.nominal, by_energy[-1])


def _sram_pj(counts: WorkCounts, prices: Prices) -> Fraction:
    charges = _charged(counts, prices).charges
    return summed(each.pj for each in charges if each.category in {"static", "buffer"} and each.pj is not None).nominal


def _charged(counts: WorkCounts, prices: Prices) -> Energy:
    return Energy(counts.name, tuple(_charges(counts, prices)), counts.macs, counts.cycles)


def _charges(counts: WorkCounts, prices: Prices) -> Iterator[Charge]:
    for component, operations in counts.operations.items():
        for operation, count in operations.items():
            price = prices.of(operation)
            if price.charged:
                yield Charge(component, category_of(operation), operation, count, price)
    for group in counts.uncounted:
        yield Charge(group, "core", "operations", 1, Price(None, "the machine does not say what computing costs"))
    for memory in prices.inventory.memories:
        yield Charge(memory.name, "static", "leakage_cycles", counts.cycles, prices.leakage_of(memory))
    yield from _dram_charges(counts, prices)


def _dram_charges(counts: WorkCounts, prices: Prices) -> Iterator[Charge]:
    """Return what belongs to all channels together."""
    shared = (
        ("activates", counts.activates, prices.activate()),
        ("refreshes", counts.refreshes, prices.refresh()),
        ("background_cycles", counts.cycles, prices.background()),
    )
    for what, count, price in shared:
        is_nothing = price.pj is not None and price.pj.high == 0
        if price.charged and not is_nothing:
            yield Charge(_DRAM, "DRAM", what, count or 0, price)
