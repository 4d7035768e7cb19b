"""The command `network`: the layers of a network, and what they need of each other, without a run."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from panacea_sim.commands.options import Json, Settings
from panacea_sim.commands.workload_options import (
    Batch,
    Context,
    Data,
    Phase,
    Profile,
    Shape,
    Tokens,
    WeightBits,
)

__all__ = ["network_command"]


def network_command(  # noqa: PLR0913  # its options
    workload: Annotated[
        str, typer.Argument(help="A model (`panacea-sim list workloads`), or a .csv, .yaml or .onnx file.")
    ],
    *,
    phase: Phase = None,
    tokens: Tokens = None,
    context: Context = None,
    batch: Batch = None,
    weight_bits: WeightBits = None,
    profile: Profile = None,
    data: Data = None,
    shape: Shape = None,
    hardware: Annotated[str, typer.Option(help="Preset or YAML file: its tiles are counted.")] = "panacea",
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Show the layers of a network, their sizes and dependences."""
    from panacea_sim.hardware.config import load_hardware, parse_settings
    from panacea_sim.report.network import network_content, print_network
    from panacea_sim.report.tables import output_console
    from panacea_sim.running.network_file import NetworkSizes, network_of

    machine = load_hardware(hardware, parse_settings(settings or [], hardware))
    sizes = NetworkSizes(phase, tokens, context, batch, data, tuple(shape or ()))
    graph = network_of(workload, sizes, weight_bits, profile, machine)
    tile_sizes = (machine.tile_m, machine.tile_k, machine.tile_n)
    if as_json:
        print(json.dumps(network_content(graph, tile_sizes), indent=2))  # noqa: T201  # rich would wrap it
    else:
        print_network(output_console(), graph, tile_sizes)
