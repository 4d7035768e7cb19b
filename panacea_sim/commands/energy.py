"""The command `energy`: what a run takes in pJ, by a table of figures, and what its machine takes in mm2."""

from __future__ import annotations

import json

from panacea_sim.commands.options import ChargedDevice, DramCharge, Json, RunFolderPath, Table

__all__ = ["energy_command"]


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
    from panacea_sim.energy.stored import stored_energy
    from panacea_sim.report.energy import print_energy
    from panacea_sim.report.tables import output_console

    found = stored_energy(opened_run(run), table, dram, device)
    area = area_of(found.prices.inventory, found.prices.table, found.prices.cells)
    if as_json:
        print(json.dumps(energy_entry(found, area), indent=2, ensure_ascii=False))  # noqa: T201  # rich would wrap it
    else:
        print_energy(output_console(), found, area)
