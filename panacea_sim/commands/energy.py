"""The command `energy`: what a run takes in pJ, by a table of figures, and what its machine takes in mm2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from panacea_sim.commands.options import ChargedDevice, DramCharge, Json, RunFolderPath, Table
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.energy.charging import Charging
    from panacea_sim.energy.energy import RunEnergy
    from panacea_sim.energy.table import EnergyTable
    from panacea_sim.trace.stored_run import StoredRun

__all__ = ["charging", "check_device", "energy_command"]


def energy_command(
    run: RunFolderPath,
    *,
    table: Table = "default",
    dram: DramCharge = "lump",
    device: ChargedDevice = None,
    as_json: Json = False,
) -> None:
    """Say what energy a run takes, and what area its machine.

    Energy is what the run counted, times the figures of a table.
    """
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.energy.area import area_of
    from panacea_sim.energy.entry import energy_entry
    from panacea_sim.report.energy import print_energy
    from panacea_sim.report.tables import output_console

    found = _energy(opened_run(run), table, dram, device)
    area = area_of(found.prices.inventory, found.prices.table, found.prices.cells)
    if as_json:
        print(json.dumps(energy_entry(found, area), indent=2, ensure_ascii=False))  # noqa: T201  # rich would wrap it
    else:
        print_energy(output_console(), found, area)


def charging(table: str, dram: Literal["lump", "events"], device: str | None) -> Charging:
    """Return how `--table`, `--dram` and `--device` charge runs, some of which may have no figures.

    Raises ConfigError for options that do not fit together.
    """
    from panacea_sim.energy.charging import Charging
    from panacea_sim.energy.table import energy_table

    figures = energy_table(table)
    if device is not None:
        _check_way(device, dram)
        check_device(device, figures, None)
    return Charging(figures, dram, device)


def _check_way(device: str, dram: Literal["lump", "events"]) -> None:
    if dram == "events":
        raise ConfigError("--device", f"{device!r} beside --dram events", "--dram lump: events are those that ran")


def _energy(run: StoredRun, table: str, dram: Literal["lump", "events"], device: str | None) -> RunEnergy:
    from panacea_sim.energy.energy import energy_of
    from panacea_sim.energy.table import energy_table

    if run.summary is None:
        raise ConfigError(f"{run.path}", "a partial run, whose counts are not known", "a run that came to its end")
    figures = energy_table(table)
    if device is not None:
        _check_way(device, dram)
        check_device(device, figures, None if run.summary.inventory is None else run.summary.inventory.dram)
    return energy_of(run.summary, figures, dram, device)


def check_device(device: str, table: EnergyTable, ran: str | None) -> None:
    """Raise ConfigError for a device without a figure, and for one in place of a device that ran and has one."""
    from panacea_sim.errors import nearest_name

    if ran != device and ran is not None and table.dram_figure(ran) is not None:
        raise ConfigError("--device", f"{device!r} for a run on {ran!r}", "no other device, as this one has a figure")
    if table.dram_figure(device) is None:
        raise ConfigError("--device", repr(device), f"one of {', '.join(table.dram)}", nearest_name(device, table.dram))
