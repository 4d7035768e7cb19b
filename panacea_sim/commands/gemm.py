"""The command `gemm`: one layer from a file, simulated and reported."""

from __future__ import annotations

from panacea_sim.commands.options import LayerFile, SimulationOptions, with_simulation_options

__all__ = ["gemm_command"]


@with_simulation_options
def gemm_command(layer: LayerFile, options: SimulationOptions) -> None:
    """Simulate your own layer."""
    from panacea_sim.commands.simulation import simulate
    from panacea_sim.running.scenario import Scenario

    simulate(Scenario(layer.stem, layer), options)
