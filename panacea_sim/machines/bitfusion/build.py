"""The Bit-Fusion machine: every digit of 4 bits of a weight meets every one of an activation."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.bitfusion.settings import BitfusionHardware, bitfusion_hardware
from panacea_sim.machines.dense_machine import DenseMachine
from panacea_sim.machines.machine import Values
from panacea_sim.machines.shared.checked_image import CheckedImage
from panacea_sim.machines.shared.dense_work import DenseWork, dense_work, dense_work_of, stored_width
from panacea_sim.machines.shared.digit_tiles import DigitTiles
from panacea_sim.machines.shared.image_values import RivalValues
from panacea_sim.machines.shared.inventory import DEALING
from panacea_sim.machines.shared.own_operands import all_bits, whole_policy
from panacea_sim.machines.shared.pe_arrays import (
    PEA_ACTIONS,
    dense_machine,
    dense_steps,
    least_dense_cycles,
    operator_inventory,
)
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.vector_values import VectorProducts, dealing_workers
from panacea_sim.mapping.work import LayerWork
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer

__all__ = ["MACHINE", "Bitfusion"]


class Bitfusion(DenseMachine):
    """Dense products of any width on PE arrays of 4-bit multipliers."""

    name = "bitfusion"
    settings = BitfusionHardware
    actions = (*PEA_ACTIONS, "product_steps")
    rates = MappingProxyType(
        {
            "dispatcher": ("sram_bytes_per_cycle",),
            "pea": ("n_operators", "n_pea"),
            "q_sum*": ("pea_latency_cycles", "queue_depth"),
        }
    )

    def own(self, layer: GemmLayer) -> GemmLayer:
        """Return the layer with all bits of its codes."""
        return all_bits(layer)

    def policy(self, chosen: QuantizationPolicy) -> QuantizationPolicy:
        """Return a policy without zero points that are moved and bits that are dropped."""
        return whole_policy(chosen)

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> DenseWork:
        """Return the tiles and bytes of a layer."""
        stored = tuple(stored_width(bits, SLICE_BITS) for bits in (layer.weight_bits, layer.activation_bits))
        v = bitfusion_hardware(hardware).v
        return dense_work(layer, hardware, computed, v, (stored[0], stored[1]), digit_bits=SLICE_BITS)

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:  # noqa: ARG002  # there is one
        """Return the cycles of the busiest PEA."""
        dense = dense_work_of(work)
        return least_dense_cycles(dense, bitfusion_hardware(hardware), _digit_pairs(dense))

    def describe(self, program: Program) -> Description:
        """Return the machine that works through the program."""
        return dense_machine(program, bitfusion_hardware(program.hardware), "product_steps", pair_steps)

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of: the multipliers of its operators."""
        return operator_inventory(bitfusion_hardware(hardware), (DEALING,))

    def sized(self, hardware: Hardware, size: int) -> dict[str, object]:  # noqa: ARG002  # of any hardware
        """Return the machine with so many operators in each PEA."""
        return {"n_operators": size}

    def units(self, hardware: Hardware) -> int:
        """Return the number of PEAs."""
        return bitfusion_hardware(hardware).n_pea

    def values(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> Values:
        """Return the values that travel through the machine."""
        peas, tiles = self.units(program.hardware), DigitTiles(program, layers, SLICE_BITS)
        read = (tiles.read_weight, tiles.read_activation)
        workers = dealing_workers(program, peas, read, tiles.factors(), pair_steps)
        return RivalValues(program, layers, functional, tiles, workers, peas)

    def checked_values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        """Return the same values, checked without events."""
        tiles = DigitTiles(program, layers, SLICE_BITS)
        read = (tiles.read_weight, tiles.read_activation)
        product = VectorProducts(program, read, tiles.factors(), pair_steps)
        return CheckedImage(program, layers, functional, tiles, product)


def pair_steps(layer: PlannedLayer) -> IntArray:
    """Return the steps [task, PEA]: every pair of digits of two elements is one."""
    return dense_steps(layer, _digit_pairs(dense_work_of(layer.plan.work)))


def _digit_pairs(work: DenseWork) -> int:
    return work.stored_weight_bits * work.stored_activation_bits // SLICE_BITS**2


MACHINE = Bitfusion()
"""What the registry of machines finds under the name of this package."""
