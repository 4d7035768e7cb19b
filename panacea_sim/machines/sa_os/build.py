"""The output-stationary systolic array: each processing element adds up one output, tile after tile along K."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from panacea_sim.description.costs import MULTIPLY_8B
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.dense_machine import DenseMachine
from panacea_sim.machines.machine import Values
from panacea_sim.machines.sa_os.settings import SaOsHardware, sa_os_hardware
from panacea_sim.machines.shared.dense_work import DenseWork, dense_work
from panacea_sim.machines.shared.inventory import inventory_of
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.systolic import (
    ARRAY_ACTIONS,
    array_shape,
    array_values,
    checked_array_values,
    systolic_machine,
    task_shapes,
)
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer

__all__ = ["MACHINE", "SaOs"]


class SaOs(DenseMachine):
    """Dense 8-bit products on an output-stationary systolic array."""

    name = "sa_os"
    settings = SaOsHardware
    actions = ARRAY_ACTIONS
    rates = MappingProxyType({"array": ("array_rows", "tile_n", "tile_k")})

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> DenseWork:
        """Return the tiles and bytes of a layer."""
        return dense_work(layer, hardware, computed)

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:  # noqa: ARG002  # there is one
        """Return the cycles of the array in a loop order that fills it once for each output tile."""
        tiling = work.tiling
        filled = tiling.rows[:, None] + tiling.columns - 2
        return int(tiling.K * filled.size + filled.sum())

    def describe(self, program: Program) -> Description:
        """Return the machine that works through the program."""
        return systolic_machine(program, task_cycles, sa_os_hardware(program.hardware).cells)

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of: the cells of its array."""
        return inventory_of(hardware, {"array": {MULTIPLY_8B: sa_os_hardware(hardware).cells}})

    def sized(self, hardware: Hardware, size: int) -> dict[str, object]:  # noqa: ARG002  # of any hardware
        """Return an array of 3 x 4 times the square of a size."""
        rows, columns = array_shape(size)
        return {"array_rows": rows, "tile_n": columns}

    def values(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> Values:
        """Return the values that travel through the machine."""
        return array_values(program, layers, functional)

    def checked_values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        """Return the same values, checked without events."""
        return checked_array_values(program, layers, functional)


def task_cycles(layer: PlannedLayer) -> IntArray:
    """Return the cycles of each task: its depth, and at the end of a visit until the last element has its last input.

    Row i begins i cycles later than the first one and column j so many more. Draining overlaps with the next tile.
    """
    rows, depth, columns = task_shapes(layer)
    skew = layer.plan.visits.last_task * (rows + columns - 2)
    cycles: IntArray = depth + skew
    return cycles


MACHINE = SaOs()
"""What the registry of machines finds under the name of this package."""
