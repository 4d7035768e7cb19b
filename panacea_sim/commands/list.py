"""`panacea-sim list`: what the machine can be built of."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.console import Console

from panacea_sim.commands.dram import print_devices
from panacea_sim.hardware.config import field_sources, list_presets, load_hardware
from panacea_sim.report.terminal import print_sources

__all__ = ["list_command"]


def list_command(what: Annotated[Literal["hardware", "dram"], typer.Argument(help="What to list.")]) -> None:
    """List the hardware presets, or the DRAM devices, with the source of their figures."""
    console = Console()
    if what == "dram":
        print_devices(console)
        return
    for preset in list_presets():
        console.print(f"[bold]{preset}[/bold]")
        print_sources(console, load_hardware(preset).model_dump(), field_sources(preset))
