"""The Sibia machine: PE arrays for signed bit slices, of which zero HO vectors of one operand are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Take
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import Values
from panacea_sim.machines.rival import Rival
from panacea_sim.machines.shared.checked_image import CheckedImage
from panacea_sim.machines.shared.codecs import activation_decoder, encoder, weight_decoder
from panacea_sim.machines.shared.dealer import dealer
from panacea_sim.machines.shared.image_values import RivalValues
from panacea_sim.machines.shared.inventory import CODED_PARTS
from panacea_sim.machines.shared.own_operands import signed_policy, signed_slices
from panacea_sim.machines.shared.pe_arrays import PEA_ACTIONS, operator_inventory, operator_machine
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.vector_values import VectorProducts, VectorTile, dealing_workers
from panacea_sim.machines.sibia.settings import SibiaHardware, sibia_hardware
from panacea_sim.machines.sibia.values import DecoderWorker, SignedTiles
from panacea_sim.machines.sibia.work import SibiaWork, batched_sibia, has_raw_weight, sibia_work, sibia_work_of
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray, ceil_div
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer
from panacea_sim.workload.link import Operand
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["MACHINE", "Sibia"]


class Sibia(Rival):
    """Symmetrically quantized products on PE arrays that skip zero vectors of one operand."""

    name = "sibia"
    settings = SibiaHardware
    actions = (*PEA_ACTIONS, "decoded_bytes", "product_steps", "encoded_bytes")
    quantization = "sbr7"
    rates = MappingProxyType(
        {
            "w_decoder": ("codec_bytes_per_cycle",),
            "x_decoder": ("codec_bytes_per_cycle",),
            "encoder": ("codec_bytes_per_cycle",),
            "dispatcher": ("sram_bytes_per_cycle",),
            "pea": ("n_operators", "n_pea"),
            "q_sum*": ("pea_latency_cycles", "queue_depth"),
        }
    )

    def own(self, layer: GemmLayer) -> GemmLayer:
        """Return the layer with symmetric operands of 7 bits."""
        return signed_slices(layer)

    def idle_densities(self, layer: MaskedLayer, hardware: Hardware) -> frozenset[str]:
        """Return that of the weight where it is the raw operand for certain, as activations skip far more."""
        return frozenset({"rho_w"}) if has_raw_weight(layer, sibia_hardware(hardware).v) else frozenset()

    def policy(self, chosen: QuantizationPolicy) -> QuantizationPolicy:
        """Return the policy of symmetric operands of 7 bits."""
        return signed_policy(chosen)

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> SibiaWork:
        """Return the tiles, bytes and steps of a layer."""
        return sibia_work(layer, sibia_hardware(hardware), computed)

    def batched(self, works: Sequence[LayerWork]) -> SibiaWork | None:
        """Return the work of layers of one class as that of a layer of so many products."""
        return batched_sibia([sibia_work_of(work) for work in works])

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:  # noqa: ARG002  # there is one
        """Return the cycles of the busiest PEA."""
        cycles = ceil_div(sibia_work_of(work).steps, sibia_hardware(hardware).n_operators)
        return int(cycles.sum((2, 3), dtype=np.int64).sum(0).max())

    def describe(self, program: Program) -> Description:
        """Return the machine that works through the program."""
        hardware, one = sibia_hardware(program.hardware), program.one_per_task
        codec, depth = hardware.codec_bytes_per_cycle, hardware.queue_depth
        takes = (Take("q_w", one), Take("q_x", one))
        sources = (
            weight_decoder(program, codec),
            activation_decoder(program, codec),
            dealer(program, hardware.n_pea, hardware.sram_bytes_per_cycle, takes=takes),
        )
        queues = (Queue("q_w", depth), Queue("q_x", depth))
        last = encoder(program, codec)
        return operator_machine(program, hardware, sources, "product_steps", pea_steps, last, queues)

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of: the multipliers of its operators."""
        return operator_inventory(sibia_hardware(hardware), CODED_PARTS)

    def sized(self, hardware: Hardware, size: int) -> dict[str, object]:  # noqa: ARG002  # of any hardware
        """Return the machine with so many operators in each PEA."""
        return {"n_operators": size}

    def units(self, hardware: Hardware) -> int:
        """Return the number of PEAs."""
        return sibia_hardware(hardware).n_pea

    def work_bytes(self, layer: AnyLayer, hardware: Hardware, *, settled: bool) -> int:
        """Return the bytes of the skip masks, and until then of the stored vectors that are counted from them."""
        v = sibia_hardware(hardware).v
        return layer.repeat * (ceil_div(layer.M, v) + ceil_div(layer.N, v)) * layer.K * (1 + 3 * (not settled))

    def settle(self, program: Program) -> None:
        """Let the steps of large layers go: PEAs have theirs."""
        for layer in program.layers:
            work = sibia_work_of(layer.plan.work)
            if work.has_many_steps:
                work.forget_steps()

    def values(self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]) -> Values:
        """Return the values that travel through the machine."""
        hardware = sibia_hardware(program.hardware)
        tiles = SignedTiles(program, layers, hardware)
        dealing = dealing_workers(program, hardware.n_pea, (_decoded, _decoded), tiles.factors(), pea_steps)
        decoders = {f"{operand}_decoder": DecoderWorker(tiles.read(operand)) for operand in _OPERANDS}
        compute = {**decoders, **dealing}
        return RivalValues(program, layers, functional, tiles, compute, hardware.n_pea, packer="encoder")

    def checked_values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        """Return the same values, checked without events."""
        hardware = sibia_hardware(program.hardware)
        tiles = SignedTiles(program, layers, hardware)
        read = (tiles.read("w"), tiles.read("x"))
        product = VectorProducts(program, read, tiles.factors(), pea_steps)
        return CheckedImage(program, layers, functional, tiles, product)


_OPERANDS: tuple[Operand, ...] = ("w", "x")


def pea_steps(layer: PlannedLayer) -> IntArray:
    """Return the steps [task, PEA]."""
    tasks, steps = layer.plan.tasks, sibia_work_of(layer.plan.work).steps
    stacks, peas, _, k_tiles = steps.shape
    # They lie in memory in this order, those of the PEAs side by side.
    of_all: IntArray = steps.transpose(2, 3, 0, 1).reshape(-1, peas)
    of_tasks: IntArray = of_all[(tasks.n * np.int64(k_tiles) + tasks.k) * stacks + tasks.stack]
    return of_tasks


def _decoded(firing: int, tile: VectorTile) -> VectorTile:  # noqa: ARG001  # decoders have looked at it
    """Return what comes from a decoder as it is."""
    return tile


MACHINE = Sibia()
"""What the registry of machines finds under the name of this package."""
