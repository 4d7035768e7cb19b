"""The command `energy`: what a run takes in pJ, by a table of figures, and what its machine takes in mm2."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from panacea_sim.commands.options import Json, RunFolderPath

__all__ = ["energy_command"]


def energy_command(
    run: RunFolderPath,
    *,
    table: Annotated[str, typer.Option(help="Table of figures (list energy), or a YAML file of your own.")] = "default",
    dram: Annotated[Literal["lump", "events"], typer.Option(help="Charge DRAM by the bit, or by its events.")] = "lump",
    device: Annotated[
        str | None, typer.Option(help="DRAM whose figure is taken, where the run's own is ideal or has none.")
    ] = None,
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
