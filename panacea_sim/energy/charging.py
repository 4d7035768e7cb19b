"""How runs are charged where several are, or one that may have no figures: a table, a way for DRAM, a device."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.energy.energy import RunEnergy, energy_of
from panacea_sim.energy.prices import DramWay
from panacea_sim.energy.table import EnergyTable, energy_table
from panacea_sim.trace.summary import Summary

__all__ = ["Charging", "default_charging"]


@dataclass(frozen=True)
class Charging:
    """A table, and how DRAM is charged; `device` is the one whose figure runs get whose own device has none."""

    table: EnergyTable
    dram: DramWay = "lump"
    device: str | None = None

    @property
    def text(self) -> str:
        """What people are told of it."""
        way = "by the bit" if self.dram == "lump" else "by its events"
        instead = "" if self.device is None else f" (as {self.device} where it has no figure)"
        return f"{self.table.name}, DRAM {way}{instead}"

    def of(self, summary: Summary) -> RunEnergy:
        """Return the energy of a run; raises ConfigError for one that did not count operations."""
        ran = None if summary.inventory is None else summary.inventory.dram
        has_figure = ran is not None and self.table.dram_figure(ran) is not None
        return energy_of(summary, self.table, self.dram, None if has_figure else self.device)


def default_charging() -> Charging:
    """Return how runs are charged where nobody says it."""
    return Charging(energy_table())
