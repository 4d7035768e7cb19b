"""The command `map`: the ways to map a layer, with predicted bytes and bounds, and simulated cycles for some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from panacea_sim.commands.options import Json, LayerFile, Settings
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.hardware.config import Hardware
    from panacea_sim.running.mapping_choice import Candidate
    from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["map_command"]


def map_command(
    layer: LayerFile,
    *,
    hardware: Annotated[str, typer.Option(help="Preset or YAML file.")] = "panacea",
    settings: Settings = None,
    simulate: Annotated[int, typer.Option(help="How many of the best mappings to simulate.")] = 3,
    as_json: Json = False,
) -> None:
    """Show the ways to map a layer, with their bytes and bounds.

    The best of them are simulated too.
    """
    if simulate < 0:
        raise ConfigError("--simulate", simulate, "a whole number >= 0")
    _map_layer(layer, hardware, settings or [], simulate=simulate, as_json=as_json)


def _map_layer(path: Path, hardware: str, settings: list[str], *, simulate: int, as_json: bool) -> None:
    """Print the mappings of a LAYER.npz file, the least bound first, and simulate the first `simulate` of them.

    Raises ConfigError for bad input, and if no mapping fits.
    """
    from panacea_sim.hardware.config import load_hardware, parse_settings, with_settings
    from panacea_sim.report.mapping import print_candidates
    from panacea_sim.report.tables import output_console
    from panacea_sim.running.mapping_choice import Candidate, mapping_settings
    from panacea_sim.running.prepare import layer_candidates
    from panacea_sim.workload.npz import load_layer

    layer = load_layer(path)
    machine = load_hardware(hardware, parse_settings(settings, hardware))
    found = sorted(layer_candidates(layer, machine), key=Candidate.rank)
    rows = [_row(candidate) for candidate in found]
    for candidate, row in list(zip(found, rows, strict=True))[:simulate]:
        if candidate.plan is not None:
            chosen = mapping_settings(machine, candidate.order, candidate.height)
            row["simulated_cycles"] = _simulated_cycles(layer, with_settings(machine, chosen))
    if as_json:
        print(json.dumps({"layer": layer.name, "candidates": rows}, indent=2))  # noqa: T201  # rich would wrap it
    else:
        print_candidates(output_console(), layer.name, rows)


def _simulated_cycles(layer: GemmLayer, hardware: Hardware) -> int:
    from panacea_sim.running.run import RunOptions, run
    from panacea_sim.running.scenario import Scenario
    from panacea_sim.trace.options import TraceOptions

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
