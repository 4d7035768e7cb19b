"""The command `run`: a scenario or a network, simulated and reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panacea_sim.commands.options import SimulationOptions, with_simulation_options
from panacea_sim.commands.workload_options import (
    Batch,
    ClipTo,
    Context,
    Data,
    Phase,
    Profile,
    SampleNumber,
    Shape,
    Tokens,
    WeightBits,
)

if TYPE_CHECKING:
    from panacea_sim.commands.model_run import ModelOperands
    from panacea_sim.hardware.config import Hardware
    from panacea_sim.running.network_file import NetworkSizes

__all__ = ["run_command"]


@with_simulation_options
def run_command(  # noqa: PLR0913  # its options
    scenario: Annotated[
        Path | None,
        typer.Argument(
            help="A scenario script, the scenario.yaml of a run folder, or a network: .csv, .yaml or .onnx."
        ),
    ] = None,
    *,
    workload: Annotated[str | None, typer.Option(help="A model (`panacea-sim list workloads`) instead.")] = None,
    phase: Phase = None,
    tokens: Tokens = None,
    context: Context = None,
    batch: Batch = None,
    weight_bits: WeightBits = None,
    profile: Profile = None,
    shape: Shape = None,
    data: Data = None,
    sample: SampleNumber = None,
    clip_to: ClipTo = None,
    options: SimulationOptions,
) -> None:
    """Run a scenario or a network and report where the time went.

    --set with commas is an axis of a grid.
    """
    from panacea_sim.commands.quick_sweep import asks_for_axes, run_axes
    from panacea_sim.commands.scenario_file import asked_network, check_scenario_file, refuse_network_options

    network = asked_network(scenario, workload)
    of_a_network = {
        "--phase": phase,
        "--tokens": tokens,
        "--context": context,
        "--batch": batch,
        "--weight-bits": weight_bits,
        "--profile": profile,
        "--shape": shape or None,
        "--data": data,
        "--sample": sample,
        "--clip-to": clip_to,
    }
    if network is None:
        assert scenario is not None
        refuse_network_options(scenario, of_a_network)
        check_scenario_file(scenario)
    if asks_for_axes(options):
        run_axes(scenario, network, of_a_network, options)
        return
    if network is None:
        assert scenario is not None
        from panacea_sim.commands.simulation import simulate
        from panacea_sim.running.scenario import load_scenario

        simulate(load_scenario(scenario), options)
        return
    from panacea_sim.commands.model_run import ModelOperands, check_model_options
    from panacea_sim.hardware.config import load_hardware, parse_settings
    from panacea_sim.running.network_file import NetworkSizes

    check_model_options(data, sample, clip_to, profile)
    options = options.with_trace("off")
    sizes = NetworkSizes(phase, tokens, context, batch, data, tuple(shape or ()))
    hardware = load_hardware(options.hardware or "panacea", parse_settings(options.settings or (), options.hardware))
    if data is None:
        _run_densities(network, sizes, weight_bits, profile, hardware, options)
    else:
        _run_operands(network, sizes, ModelOperands(data, sample, clip_to, weight_bits), hardware, options)


def _run_densities(
    name: str,
    sizes: NetworkSizes,
    weight_bits: int | None,
    profile: str | None,
    hardware: Hardware,
    options: SimulationOptions,
) -> None:
    from panacea_sim.commands.simulation import simulate
    from panacea_sim.running.network import network_scenario
    from panacea_sim.running.network_file import network_of

    graph = network_of(name, sizes, weight_bits, profile, hardware)
    simulate(network_scenario(graph, hardware), options)


def _run_operands(
    name: str, sizes: NetworkSizes, operands: ModelOperands, hardware: Hardware, options: SimulationOptions
) -> None:
    from panacea_sim.commands.model_run import operands_of_model
    from panacea_sim.commands.simulation import check_place, simulate
    from panacea_sim.running.network_file import check_sizes

    check_sizes(name, sizes)
    # What takes minutes begins when it is known that its results have a place.
    check_place(Path(name).stem, options)
    with operands_of_model(Path(name), operands, hardware) as (scenario, notes):
        simulate(scenario, options, notes)
