"""The SIMD machine: every PE array multiplies its rows with all columns, 8 bits by 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.dense_machine import DenseMachine
from panacea_sim.machines.machine import Values
from panacea_sim.machines.shared.checked_image import CheckedImage
from panacea_sim.machines.shared.dense_work import BYTE_BITS, DenseWork, dense_work, dense_work_of
from panacea_sim.machines.shared.digit_tiles import DigitTiles
from panacea_sim.machines.shared.image_values import RivalValues
from panacea_sim.machines.shared.inventory import DEALING
from panacea_sim.machines.shared.pe_arrays import (
    PEA_ACTIONS,
    dense_machine,
    dense_steps,
    least_dense_cycles,
    operator_inventory,
)
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.vector_values import VectorProducts, dealing_workers
from panacea_sim.machines.simd.settings import SimdHardware, simd_hardware
from panacea_sim.mapping.work import LayerWork
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer

__all__ = ["MACHINE", "Simd"]


class Simd(DenseMachine):
    """Dense 8-bit products on PE arrays, also of operands with fewer bits."""

    name = "simd"
    settings = SimdHardware
    actions = (*PEA_ACTIONS, "mac_steps")
    rates = MappingProxyType(
        {
            "dispatcher": ("sram_bytes_per_cycle",),
            "pea": ("n_operators", "n_pea"),
            "q_sum*": ("pea_latency_cycles", "queue_depth"),
        }
    )

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> DenseWork:
        """Return the tiles and bytes of a layer."""
        return dense_work(layer, hardware, computed, simd_hardware(hardware).v)

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:  # noqa: ARG002  # there is one
        """Return the cycles of the busiest PEA."""
        return least_dense_cycles(dense_work_of(work), simd_hardware(hardware))

    def describe(self, program: Program) -> Description:
        """Return the machine that works through the program."""
        return dense_machine(program, simd_hardware(program.hardware), "mac_steps", dense_steps)

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of: the multipliers of its operators."""
        return operator_inventory(simd_hardware(hardware), (DEALING,))

    def sized(self, hardware: Hardware, size: int) -> dict[str, object]:  # noqa: ARG002  # of any hardware
        """Return the machine with so many operators in each PEA."""
        return {"n_operators": size}

    def units(self, hardware: Hardware) -> int:
        """Return the number of PEAs."""
        return simd_hardware(hardware).n_pea

    def values(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> Values:
        """Return the values that travel through the machine."""
        peas, tiles = self.units(program.hardware), DigitTiles(program, layers, BYTE_BITS)
        read = (tiles.read_weight, tiles.read_activation)
        workers = dealing_workers(program, peas, read, tiles.factors(), dense_steps)
        return RivalValues(program, layers, functional, tiles, workers, peas)

    def checked_values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        """Return the same values, checked without events."""
        tiles = DigitTiles(program, layers, BYTE_BITS)
        read = (tiles.read_weight, tiles.read_activation)
        product = VectorProducts(program, read, tiles.factors(), dense_steps)
        return CheckedImage(program, layers, functional, tiles, product)


MACHINE = Simd()
"""What the registry of machines finds under the name of this package."""
