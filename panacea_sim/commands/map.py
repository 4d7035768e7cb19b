"""The command `map`: the ways to map a layer, with predicted bytes and bounds, and simulated cycles for some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware, load_hardware, parse_settings, with_settings
from panacea_sim.report.mapping import print_candidates
from panacea_sim.running.mapping_choice import Candidate
from panacea_sim.running.prepare import layer_candidates
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.npz import load_layer

__all__ = ["map_command"]


def map_command(
    layer: Annotated[Path, typer.Argument(help="A LAYER.npz file.")],
    hardware: Annotated[str, typer.Option(help="Preset or YAML file.")] = "panacea",
    settings: Annotated[list[str] | None, typer.Option("--set", help="One field, as hardware.dtp=off.")] = None,
    simulate: Annotated[int, typer.Option(help="How many of the best mappings to simulate.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the candidates as JSON.")] = False,  # noqa: FBT002  # typer's form of a flag
) -> None:
    """Show the ways to map a layer onto the machine, with their bytes and bounds."""
    _map_layer(layer, hardware, parse_settings(settings or ()), simulate=simulate, as_json=as_json)


def _map_layer(path: Path, hardware: str, settings: dict[str, object], *, simulate: int, as_json: bool) -> None:
    """Print the mappings of a LAYER.npz file, the least bound first, and simulate the first `simulate` of them.

    Raises ConfigError for bad input, and if no mapping fits.
    """
    if simulate < 0:
        raise ConfigError("--simulate", simulate, "a whole number >= 0")
    layer = load_layer(path)
    machine = load_hardware(hardware, settings)
    found = sorted(layer_candidates(layer, machine), key=Candidate.rank)
    rows = [_row(candidate) for candidate in found]
    for candidate, row in list(zip(found, rows, strict=True))[:simulate]:
        if candidate.plan is not None:
            row["simulated_cycles"] = _simulated_cycles(layer, with_settings(machine, candidate.settings))
    if as_json:
        print(json.dumps({"layer": layer.name, "candidates": rows}, indent=2))  # noqa: T201  # rich would wrap it
    else:
        print_candidates(Console(), layer.name, rows)


def _simulated_cycles(layer: GemmLayer, hardware: Hardware) -> int:
    scenario = Scenario("map", layer, hardware, values=False)
    return run(scenario, RunOptions(trace=TraceOptions("off"))).summary.makespan_cycles


def _row(candidate: Candidate) -> dict[str, Any]:
    plan = candidate.plan
    return {
        "loop_order": candidate.order,
        "double_tile": candidate.height > 1,
        "weight_resident": None if plan is None else plan.weight_loads.resident,
        "activation_resident": None if plan is None else plan.activation_loads.resident,
        "read_bytes": candidate.read_bytes,
        "write_bytes": candidate.write_bytes,
        "bound_cycles": candidate.bound_cycles,
        "busiest": candidate.busiest,
        "simulated_cycles": None,
        "obstacle": candidate.obstacle,
    }
