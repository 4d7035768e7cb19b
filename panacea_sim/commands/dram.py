"""The command `dram`: one DRAM channel alone, driven by a list of requests."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from panacea_sim.choices import Map, Page, Policy
from panacea_sim.commands.options import Json
from panacea_sim.commands.written import written

if TYPE_CHECKING:
    from panacea_sim.hardware.dram.devices import DramDevice
    from panacea_sim.memory.replay import ChannelRequest, Replay

__all__ = ["dram_command"]

_NO_AGE_CAP = 1 << 60
"""A channel alone is compared with public simulators, which have none."""


def dram_command(  # the options of the command line
    device: Annotated[str, typer.Argument(help="A device (see `list dram`) or the YAML file of one.")],
    *,
    requests: Annotated[
        Path,
        typer.Option(
            help="CSV with the columns cycle,address,bytes,op in order of arrival (op: read or write), "
            "or a trace of DRAMsim3 or Ramulator 2."
        ),
    ],
    address_map: Annotated[Map, typer.Option("--map", help="The lowest address bits.")] = "bank_group_low",
    policy: Annotated[Policy, typer.Option(help="Which waiting request goes first.")] = "fr_fcfs",
    page: Annotated[Page, typer.Option(help="Whether rows stay open.")] = "open",
    as_json: Json = False,
    per_request: Annotated[Path | None, typer.Option(help="CSV to write: the cycles of every request.")] = None,
) -> None:
    """Drive one DRAM channel alone with a list of requests.

    Cycles are those of the device clock.
    """
    from panacea_sim.commands.dram_request_file import check_work, read_requests
    from panacea_sim.hardware.dram.devices import dram_device
    from panacea_sim.memory.params import dram_params
    from panacea_sim.memory.replay import replay

    found = dram_device(device, "DEVICE")
    asked = read_requests(requests, found, address_map)
    check_work(requests, asked, found)
    params = dram_params(found, None, address_map=address_map, policy=policy, page=page, age_cap_cycles=_NO_AGE_CAP)
    outcome = replay(params, asked)
    if per_request is not None:
        _write_cycles(per_request, outcome)
    figures = {"device": device, **_figures(found, asked, outcome)}
    if as_json:
        print(json.dumps(figures, indent=2))  # noqa: T201  # rich would wrap it
    else:
        _print_figures(figures)


def _figures(device: DramDevice, requests: Sequence[ChannelRequest], outcome: Replay) -> dict[str, Any]:
    ns = device.clock_ps / 1000
    latency_ns = (outcome.ready_cycle - outcome.arrival_cycle) * ns
    span_cycles = int(outcome.ready_cycle.max() - outcome.arrival_cycle.min())
    size_bytes = sum(request.size_bytes for request in requests)
    bursts = outcome.row_hits + outcome.row_misses
    return {
        "requests": len(requests),
        "bytes": size_bytes,
        "span_ns": span_cycles * ns,
        "bandwidth_gbps": size_bytes / (span_cycles * ns),
        "peak_gbps": device.peak_gbps,
        "row_hits": outcome.row_hits,
        "row_misses": outcome.row_misses,
        "activates": outcome.activates,
        "bursts": bursts,
        "burst_bytes": bursts * device.burst_bytes,
        "refreshes": outcome.refreshes,
        "min_latency_ns": float(latency_ns.min()),
        "mean_latency_ns": float(latency_ns.mean()),
        "max_latency_ns": float(latency_ns.max()),
        "refresh_share": outcome.refresh_cycles / span_cycles,
    }


def _print_figures(figures: Mapping[str, Any]) -> None:
    from panacea_sim.report.tables import output_console, print_pairs

    print_pairs(output_console(), dict(_readable(name, value) for name, value in figures.items()))


def _readable(name: str, value: Any) -> tuple[str, str]:  # noqa: ANN401  # text, a count or a real number
    """Return a figure for people: its unit goes from the name to the value."""
    from panacea_sim.units import duration_text

    plain, _, unit = name.rpartition("_")
    if unit == "ns":
        return plain.replace("_", " "), duration_text(value * 1e-9)
    if unit == "gbps":
        return plain.replace("_", " "), f"{value:,.3f} GB/s"
    if unit == "share":
        return name.replace("_", " "), f"{value:.2%}"
    return name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value)


def _write_cycles(path: Path, outcome: Replay) -> None:
    columns = (outcome.arrival_cycle, outcome.start_cycle, outcome.ready_cycle)
    with (
        written(path, force=True, option="--per-request") as (beside,),
        beside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["arrival_cycle", "start_cycle", "ready_cycle"])
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
