"""What installed packages add, for the terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from panacea_sim.energy.table import energy_table, list_tables
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import list_added_hardware, load_hardware
from panacea_sim.hardware.dram.devices import dram_device, list_devices
from panacea_sim.hardware.registry import machine_names, settings_of
from panacea_sim.plugins import Kind, Plugin, plugin_path, plugins
from panacea_sim.report.tables import Column, print_table
from panacea_sim.workload.networks.load import load_network
from panacea_sim.workload.networks.model_table import list_added_workloads

__all__ = ["print_added_workloads", "print_plugins"]

_COLUMNS = (Column("adds", "word"), Column("name", "name"), Column("package", "name"), Column("found at", "name"))
_CHECKS: dict[Kind, tuple[Callable[[], object], Callable[[str], object]]] = {
    "machines": (machine_names, settings_of),
    "hardware": (list_added_hardware, load_hardware),
    "dram_devices": (list_devices, lambda name: dram_device(name, "DEVICE")),
    "energy_tables": (list_tables, energy_table),
    "workloads": (list_added_workloads, load_network),
}
"""What finds the names of a kind taken, and what uses one of them."""


def print_plugins(console: Console) -> None:
    """Print all entry points for this package, and behind them what is wrong with those that cannot be used."""
    added = plugins()
    if not added:
        console.print("No installed package adds anything: docs/plugins.md says how one does")
        return
    print_table(console, _COLUMNS, [(each.kind, each.name, each.package, each.value) for each in added])
    faults = dict.fromkeys(fault for each in added if (fault := _fault(each)))
    for fault in faults:
        console.print(f"Cannot be used: {fault}", markup=False, highlight=False, soft_wrap=True)


def print_added_workloads(console: Console) -> None:
    """Print the networks that packages add, each with its file."""
    for name in list_added_workloads():
        text = f"{name}, of a package: {plugin_path('workloads', name)}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _fault(plugin: Plugin) -> str:
    names, use = _CHECKS[plugin.kind]
    try:
        names()
        use(plugin.name)
    except ConfigError as error:
        return str(error)
    return ""
