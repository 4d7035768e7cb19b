"""The command `dram`: one DRAM channel alone, driven by a list of requests."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from panacea_sim.dram_request_file import read_requests
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.dram.devices import IDEAL, DramDevice, dram_device, list_devices
from panacea_sim.machine.dram_params import Map, Page, Policy, dram_params
from panacea_sim.machine.dram_replay import ChannelRequest, Replay, replay

__all__ = ["dram_command", "print_devices"]

_NO_AGE_CAP = 1 << 60
"""A channel alone is compared with public simulators, which have none."""


def dram_command(  # the options of the command line
    device: Annotated[str, typer.Argument(help="A device (see `list dram`) or the YAML file of one.")],
    *,
    requests: Annotated[
        Path, typer.Option(help="CSV with the columns cycle,address,bytes,op in order of arrival; op: read or write.")
    ],
    address_map: Annotated[Map, typer.Option("--map", help="The lowest address bits.")] = "bank_group_low",
    policy: Annotated[Policy, typer.Option(help="Which waiting request goes first.")] = "fr_fcfs",
    page: Annotated[Page, typer.Option(help="Whether rows stay open.")] = "open",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    per_request: Annotated[Path | None, typer.Option(help="CSV to write: the cycles of every request.")] = None,
) -> None:
    """Drive one DRAM channel alone; cycles are those of the device clock."""
    found = dram_device(device, "DEVICE")
    asked = read_requests(requests)
    params = dram_params(found, None, address_map=address_map, policy=policy, page=page, age_cap_cycles=_NO_AGE_CAP)
    outcome = replay(params, asked)
    if per_request is not None:
        _write_cycles(per_request, outcome)
    figures = {"device": device, **_figures(found, asked, outcome)}
    if as_json:
        print(json.dumps(figures, indent=2))  # noqa: T201  # rich would wrap it
    else:
        _print_figures(Console(), figures)


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


def _figures(device: DramDevice, requests: Sequence[ChannelRequest], outcome: Replay) -> dict[str, Any]:
    ns = device.clock_ps / 1000
    latency_ns = (outcome.ready_cycle - outcome.arrival_cycle) * ns
    span_cycles = int(outcome.ready_cycle.max() - outcome.arrival_cycle.min())
    size_bytes = sum(request.size_bytes for request in requests)
    return {
        "requests": len(requests),
        "bytes": size_bytes,
        "span_ns": span_cycles * ns,
        "bandwidth_gbps": size_bytes / (span_cycles * ns),
        "peak_gbps": device.peak_gbps,
        "row_hits": outcome.row_hits,
        "row_misses": outcome.row_misses,
        "min_latency_ns": float(latency_ns.min()),
        "mean_latency_ns": float(latency_ns.mean()),
        "max_latency_ns": float(latency_ns.max()),
        "refresh_share": outcome.refresh_cycles / span_cycles,
    }


def _print_figures(console: Console, figures: Mapping[str, Any]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in figures.items():
        table.add_row(name, f"{value:,.3f}" if isinstance(value, float) else f"{value}")
    console.print(table)


def _write_cycles(path: Path, outcome: Replay) -> None:
    columns = np.stack([outcome.arrival_cycle, outcome.start_cycle, outcome.ready_cycle], axis=1)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["arrival_cycle", "start_cycle", "ready_cycle"])
            writer.writerows(columns.tolist())
    except OSError as error:
        raise ConfigError(str(path), str(error), "a file that can be written", "Check the path") from error
