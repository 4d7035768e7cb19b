"""The command `run`: a scenario, simulated and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.options import SimulationOptions, with_simulation_options

__all__ = ["run_command"]


@with_simulation_options
def run_command(
    scenario: Annotated[Path, typer.Argument(help="A scenario script, or the scenario.yaml of a run folder.")],
    options: SimulationOptions,
) -> None:
    """Run a scenario and report where the time went."""
    from panacea_sim.commands.scenario_file import check_scenario_file

    check_scenario_file(scenario)
    from panacea_sim.commands.simulation import simulate
    from panacea_sim.running.scenario import load_scenario

    simulate(load_scenario(scenario), options)
