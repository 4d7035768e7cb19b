"""The DRAM devices as a table for the terminal."""

from __future__ import annotations

from rich.console import Console

from panacea_sim.hardware.dram.devices import IDEAL, dram_device, list_devices
from panacea_sim.report.tables import Column, print_table

__all__ = ["print_devices"]

_FIGURES = ("GB/s", "ps", "banks", "row B", "burst B", "CL", "RCD", "RP", "RAS", "RFC", "REFI")
_COLUMNS = (Column("device", "name"), *(Column(title) for title in _FIGURES))


def print_devices(console: Console) -> None:
    """Print the devices with their peak, organisation and the source of their figures."""
    devices = {name: dram_device(name, "DEVICE") for name in list_devices()}
    rows = []
    for name, device in devices.items():
        figures = (
            device.clock_ps,
            device.bank_groups * device.banks_per_group,
            device.row_bytes,
            device.burst_bytes,
            device.cl_cycles,
            device.rcd_read_cycles,
            device.rp_cycles,
            device.ras_cycles,
            device.rfc_cycles,
            device.refi_cycles,
        )
        rows.append([name, f"{device.peak_gbps:.1f}", *(str(figure) for figure in figures)])
    print_table(console, _COLUMNS, rows)
    for name, device in devices.items():
        console.print(f"{name}: {device.source}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"One channel each; times in cycles of its clock, period in ps. {IDEAL}: see `list hardware`.")
