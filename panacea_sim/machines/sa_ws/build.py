"""The weight-stationary systolic array: each processing element keeps a weight while all columns of a tile pass."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from panacea_sim.description.costs import MULTIPLY_8B
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.dense_machine import DenseMachine
from panacea_sim.machines.machine import Values
from panacea_sim.machines.sa_ws.settings import SaWsHardware, sa_ws_hardware
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
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer

__all__ = ["MACHINE", "SaWs"]


class SaWs(DenseMachine):
    """Dense 8-bit products on a weight-stationary systolic array."""

    name = "sa_ws"
    settings = SaWsHardware
    actions = ARRAY_ACTIONS
    rates = MappingProxyType({"array": ("tile_k", "array_columns", "tile_n")})

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> DenseWork:
        """Return the tiles and bytes of a layer."""
        return dense_work(layer, hardware, computed, task_visits=True)

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:  # noqa: ARG002  # there is one
        """Return the cycles of the array: loop orders change nothing."""
        tiling = work.tiling
        fold = _fold_cycles(tiling.rows[:, None, None], tiling.depths, tiling.columns[:, None])
        return int(fold.sum())

    def describe(self, program: Program) -> Description:
        """Return the machine that works through the program."""
        return systolic_machine(program, task_cycles, sa_ws_hardware(program.hardware).cells)

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of: the cells of its array."""
        return inventory_of(hardware, {"array": {MULTIPLY_8B: sa_ws_hardware(hardware).cells}})

    def sized(self, hardware: Hardware, size: int) -> dict[str, object]:
        """Return an array of 3 x 4 times the square of a size, and the most columns of a tile whose sums fit PSUM."""
        rows, columns = array_shape(size)
        tile_n = max(1, hardware.psum_bytes // (columns * BYTES_PER_PARTIAL_SUM))
        return {"tile_k": rows, "array_columns": columns, "tile_n": tile_n}

    def values(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> Values:
        """Return the values that travel through the machine."""
        return array_values(program, layers, functional)

    def checked_values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        """Return the same values, checked without events."""
        return checked_array_values(program, layers, functional)


def task_cycles(layer: PlannedLayer) -> IntArray:
    """Return the cycles of each task."""
    return _fold_cycles(*task_shapes(layer))


def _fold_cycles(m: IntArray, k: IntArray, n: IntArray) -> IntArray:
    """Return the cycles of tiles of these sizes: k to load the weights, then the columns pass, skewed by k and m.

    Loading is not hidden behind the tile before.
    """
    return k + n + k + m - 2


MACHINE = SaWs()
"""What the registry of machines finds under the name of this package."""
