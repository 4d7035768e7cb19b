"""The energy of a stored run, on what its table and its DRAM allow."""

from __future__ import annotations

from panacea_sim.energy.charging import Charging
from panacea_sim.energy.energy import RunEnergy, energy_of
from panacea_sim.energy.prices import DramWay
from panacea_sim.energy.table import DEFAULT_TABLE, EnergyTable, energy_table
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["charging", "check_device", "stored_energy"]


def stored_energy(
    run: StoredRun, table: str = DEFAULT_TABLE, dram: DramWay = "lump", device: str | None = None
) -> RunEnergy:
    """Return the energy of a run by a table, by its name or path; `dram` and `device` are as `energy_of` has them.

    Raises ConfigError for a partial run, an unknown table, and a device that cannot stand for the one that ran.
    """
    if run.summary is None:
        raise ConfigError(f"{run.path}", "a partial run, whose counts are not known", "a run that came to its end")
    figures = energy_table(table)
    if device is not None:
        _check_way(device, dram)
        check_device(device, figures, None if run.summary.inventory is None else run.summary.inventory.dram)
    return energy_of(run.summary, figures, dram, device)


def charging(table: str, dram: DramWay, device: str | None) -> Charging:
    """Return how a table, a way and a device charge runs, some of which may have no figures.

    Raises ConfigError for options that do not fit together.
    """
    figures = energy_table(table)
    if device is not None:
        _check_way(device, dram)
        check_device(device, figures, None)
    return Charging(figures, dram, device)


def _check_way(device: str, dram: DramWay) -> None:
    if dram == "events":
        raise ConfigError("--device", f"{device!r} beside --dram events", "--dram lump: events are those that ran")


def check_device(device: str, table: EnergyTable, ran: str | None) -> None:
    """Raise ConfigError for a device without a figure, and for one in place of a device that ran and has one."""
    if ran != device and ran is not None and table.dram_figure(ran) is not None:
        raise ConfigError("--device", f"{device!r} for a run on {ran!r}", "no other device, as this one has a figure")
    if table.dram_figure(device) is None:
        raise ConfigError("--device", repr(device), f"one of {', '.join(table.dram)}", nearest_name(device, table.dram))
