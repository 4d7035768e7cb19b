"""`panacea-sim list`: what the machine can be built of, and what it can run."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["list_command"]


def list_command(
    what: Annotated[
        Literal["hardware", "dram", "layers", "workloads", "energy", "plugins"], typer.Argument(help="What to list.")
    ],
) -> None:
    """List presets, devices, layers, networks, tables or plugins."""
    from panacea_sim.report.tables import output_console

    console = output_console()
    if what == "dram":
        from panacea_sim.report.devices import print_devices

        print_devices(console)
        return
    if what == "layers":
        from panacea_sim.report.samples import print_samples

        print_samples(console)
        return
    if what == "energy":
        from panacea_sim.report.energy_tables import print_energy_tables

        print_energy_tables(console)
        return
    if what == "workloads":
        from panacea_sim.report.network import print_models
        from panacea_sim.report.plugins import print_added_workloads
        from panacea_sim.workload.networks.model_table import list_models

        print_models(console, list_models())
        print_added_workloads(console)
        return
    if what == "plugins":
        from panacea_sim.report.plugins import print_plugins

        print_plugins(console)
        return
    from panacea_sim.hardware.config import field_sources, list_added_hardware, list_presets, load_hardware
    from panacea_sim.report.terminal import print_sources

    for preset in (*list_presets(), *list_added_hardware()):
        console.print(f"[bold]{preset}[/bold]")
        print_sources(console, load_hardware(preset).model_dump(), field_sources(preset))
