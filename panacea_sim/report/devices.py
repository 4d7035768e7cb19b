"""The DRAM devices as a table for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from panacea_sim.hardware.dram.devices import IDEAL, dram_device, list_devices

__all__ = ["print_devices"]


def print_devices(console: Console) -> None:
    """Print the devices with their peak, organisation and the source of their figures."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    devices = {name: dram_device(name, "DEVICE") for name in list_devices()}
    table.add_column("device", no_wrap=True)
    for column in ("GB/s", "ps", "banks", "row B", "burst B", "CL", "RCD", "RP", "RAS", "RFC", "REFI"):
        table.add_column(column, justify="right", no_wrap=True)
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
        table.add_row(name, f"{device.peak_gbps:.1f}", *(str(figure) for figure in figures))
    console.print(table)
    for name, device in devices.items():
        console.print(f"{name}: {device.source}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"One channel each; times in cycles of its clock, period in ps. {IDEAL}: see `list hardware`.")
