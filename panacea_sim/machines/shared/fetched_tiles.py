"""What a task needs of the tiles that streams have fetched, and what it releases of them."""

from __future__ import annotations

from collections.abc import Callable

from panacea_sim.description.steps import Need, Release
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.streams import REGION
from panacea_sim.mapping.loads import Loads
from panacea_sim.workload.link import Operand

__all__ = ["tile_need", "tile_release"]

_LOADS: dict[Operand, Callable[[PlannedLayer], Loads]] = {
    "w": lambda layer: layer.plan.weight_loads,
    "x": lambda layer: layer.plan.activation_loads,
}


def tile_need(program: Program, operand: Operand) -> Need:
    """Return the fetch of an operand that each task needs."""
    loads = _LOADS[operand]
    fetches = program.offset(lambda layer: loads(layer).need, lambda layer: len(loads(layer).tile))
    return Need(f"{operand}_loaded", fetches)


def tile_release(program: Program, operand: Operand) -> Release:
    """Return what each task releases of the memory of an operand."""
    return Release(REGION[operand], program.joined(lambda layer: _LOADS[operand](layer).release_bytes))
