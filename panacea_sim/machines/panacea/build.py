"""The Panacea machine: the diagram in docs/model.md, as a builder of descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from panacea_sim.choices import ChosenValues
from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.description.parts import Queue
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.machines.machine import Machine, Values
from panacea_sim.machines.panacea.dispatcher import dispatcher
from panacea_sim.machines.panacea.pea import (
    MOST_HO_SLICES,
    OPERATORS,
    pe_arrays,
    pea_work,
    settle_steps,
    widest_steps,
)
from panacea_sim.machines.panacea.settings import PanaceaHardware, panacea_hardware
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.panacea.work import PanaceaWork, panacea_work
from panacea_sim.machines.shared.accumulator import accumulator
from panacea_sim.machines.shared.codecs import activation_decoder, encoder, weight_decoder
from panacea_sim.machines.shared.dealer import pea_queue, sum_queue
from panacea_sim.machines.shared.encoded_outputs import encoded_outputs, masked_outputs
from panacea_sim.machines.shared.frame import framed
from panacea_sim.machines.shared.inventory import CODED_PARTS, inventory_of
from panacea_sim.machines.shared.layer_outputs import layer_outputs, ppu_passes
from panacea_sim.machines.shared.ppu import ppu
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.machines.shared.slice_steps import batched_steps
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling, shared_tiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.machines.shared.streams import (
    activation_stream,
    output_stream,
    partial_sum_stream,
    stage_stream,
    weight_stream,
)
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.quant.operands import signed_hint
from panacea_sim.units import ceil_div
from panacea_sim.workload.functional import FunctionalPass, functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["MACHINE", "Panacea"]

_HEIGHTS = {"off": (1,), "on": (2,), "auto": (1, 2)}
"""How many weight tiles a stack may have, for each setting of double-tile processing."""


class Panacea(Machine):
    """Asymmetrically quantized GEMMs on PE arrays that skip frequent slices and compensate for them."""

    name = "panacea"
    settings = PanaceaHardware
    actions = (
        "read_bytes",
        "decoded_bytes",
        "dealt_bytes",
        *(f"{operator}_steps" for operator in OPERATORS),
        "accumulated_outputs",
        "written_bytes",
        "requantized_outputs",
        "encoded_bytes",
    )
    values_ways: tuple[ChosenValues, ...] = ("travel", "check", "off")
    rates = MappingProxyType(
        {
            "w_decoder": ("codec_bytes_per_cycle",),
            "x_decoder": ("codec_bytes_per_cycle",),
            "encoder": ("codec_bytes_per_cycle",),
            "dispatcher": ("sram_bytes_per_cycle",),
            "pea": ("n_dwo+n_swo", "n_dwo", "n_swo", "n_cs", "n_pea", "dtp"),
            "q_sum*": ("pea_latency_cycles", "queue_depth"),
        }
    )

    def check(self, layer: AnyLayer) -> None:
        """Raise ConfigError for symmetric activations: zero points and frequent slices are those of unsigned codes."""
        if layer.is_symmetric:
            found = f"symmetric codes in {layer.name!r}"
            raise ConfigError("layer.activation", found, "unsigned codes, on this machine", signed_hint())

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> PanaceaWork:
        """Return the tiles, bytes and operator steps of a layer."""
        chosen = panacea_hardware(hardware)
        sizes = (layer.M, layer.K, layer.N, chosen.tile_m, chosen.tile_k, chosen.tile_n)
        tiling = shared_tiling(SlicedTiling(*sizes, chosen.v, repeat=layer.repeat))
        masks = SkipMasks.of(layer, chosen.v)
        outputs, stage = layer_outputs(
            tiling, layer, chosen, _encoded(tiling, layer, computed, may_be_raw=chosen.may_be_raw)
        )
        return PanaceaWork(
            tiling,
            outputs,
            computed,
            masks,
            passes=ppu_passes(layer, chosen),
            sequential=layer.sequential,
            weight_bits=layer.weight_bits,
            activation_bits=layer.activation_bits,
            stage=stage,
            may_be_raw=chosen.may_be_raw,
        )

    def batched(self, works: Sequence[LayerWork]) -> PanaceaWork | None:
        """Return the work of layers of one shape as that of a layer of so many products."""
        return batched_steps([panacea_work(work) for work in works])

    def heights(self, hardware: Hardware) -> tuple[int, ...]:
        """Return the heights that double-tile processing leaves open."""
        return _HEIGHTS[panacea_hardware(hardware).dtp]

    def height_settings(self, height: int) -> dict[str, object]:
        """Return the setting of double-tile processing that leaves only stacks of this height open."""
        return {"dtp": "on" if height > 1 else "off"}

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:
        """Return the cycles of the busiest PEA."""
        cycles = pea_work(panacea_work(work), panacea_hardware(hardware), height).cycles
        return int(cycles.sum((2, 3), dtype=np.int64).sum(0).max())

    def pooled_cycles(self, work: LayerWork, hardware: Hardware) -> int:
        """Return the cycles of the busiest PEA if its DWOs and SWOs were of one kind, never rounded up."""
        sliced, built = panacea_work(work), panacea_hardware(hardware)
        steps = sliced.dwo.sum((0, 2, 3), dtype=np.int64) + sliced.swo.sum((0, 2, 3), dtype=np.int64)
        return ceil_div(int(steps.max()), built.n_dwo + built.n_swo)

    def describe(self, program: Program) -> Description:
        """Return the machine that works through the program."""
        return framed(program, _components(program), _queues(program))

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of: an operator multiplies two vectors, a CS adds one."""
        built = panacea_hardware(hardware)
        units = {"multiply_4b": built.multipliers, "compensate_32b": built.n_pea * built.n_cs * built.v}
        return inventory_of(hardware, {"pea": units}, CODED_PARTS)

    def units(self, hardware: Hardware) -> int:
        """Return the number of PEAs."""
        return panacea_hardware(hardware).n_pea

    def step_bytes(self, hardware: Hardware) -> int:
        """Return the bytes of the steps of a task on a PEA, from the most that two tiles with any slices can have."""
        return np.dtype(widest_steps(panacea_hardware(hardware))).itemsize

    def work_bytes(self, layer: AnyLayer, hardware: Hardware, *, settled: bool) -> int:
        """Return the bytes of the skip masks, and until then of the stored vectors that are counted from them."""
        v = panacea_hardware(hardware).v
        slices = max(layer.ho_slices) if isinstance(layer, MaskedLayer) else MOST_HO_SLICES
        return layer.repeat * (ceil_div(layer.M, v) + ceil_div(layer.N, v)) * layer.K * (slices + 3 * (not settled))

    def settle(self, program: Program) -> None:
        """Keep only the totals of the steps of large layers."""
        for layer in program.layers:
            settle_steps(panacea_work(layer.plan.work), panacea_hardware(program.hardware), layer.plan.height)

    def values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> TravellingValues:
        """Return the values that travel through the machine."""
        return TravellingValues(program, layers, functional)

    def checked_values(
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        """Return the values of a run that a compiled pass checks; needs numba."""
        # It takes a while to import and need not be installed.
        from panacea_sim.machines.panacea.check.values import CheckedValues  # noqa: PLC0415

        return CheckedValues(program, layers, functional)

    def load_check(self) -> None:
        """Compile that pass, or load it: a layer of one element is checked."""
        hardware = load_hardware("panacea")
        layer = GemmLayer("element", np.ones((1, 1), np.int8), np.ones((1, 1), np.uint8), 0)
        computed = functional_pass(layer)
        plan = plan_layer(layer.name, self.work(layer, hardware, computed), hardware, "mnk", 1)
        self.checked_values(plan_program(hardware, [plan]), [layer], [computed]).exact()


def _encoded(tiling: SlicedTiling, layer: Layer, computed: FunctionalPass | None, *, may_be_raw: bool) -> OutputBytes:
    """Return the bytes of the outputs, encoded for those who read them."""
    if isinstance(layer, MaskedLayer):
        return masked_outputs(tiling, layer, may_be_raw=may_be_raw)
    if computed is not None and layer.read_formats:
        return encoded_outputs(tiling, layer, computed, may_be_raw=may_be_raw)
    return dense_outputs(tiling)


MACHINE = Panacea()
"""What the registry of machines finds under the name of this package."""


def _components(program: Program) -> tuple[Component, ...]:
    hardware = panacea_hardware(program.hardware)
    codec, peas = hardware.codec_bytes_per_cycle, hardware.n_pea
    return (
        weight_stream(program),
        activation_stream(program),
        weight_decoder(program, codec),
        activation_decoder(program, codec),
        dispatcher(program),
        *pe_arrays(program),
        accumulator(program, [sum_queue(pea) for pea in range(peas)]),
        *((partial_sum_stream(program),) if program.keeps_partial_sums else ()),
        *((stage_stream(program),) if program.has_stages else ()),
        ppu(program),
        encoder(program, codec),
        output_stream(program),
    )


def _queues(program: Program) -> tuple[Queue, ...]:
    hardware = panacea_hardware(program.hardware)
    depth, peas = hardware.queue_depth, range(hardware.n_pea)
    return (
        Queue("q_w", depth),
        Queue("q_x", depth),
        *(Queue(pea_queue(pea), depth) for pea in peas),
        *(Queue(sum_queue(pea), depth, hardware.pea_latency_cycles) for pea in peas),
        *((Queue("q_s", depth),) if program.keeps_partial_sums else ()),
        Queue("q_ppu", depth),
        *((Queue("q_v", depth),) if program.has_stages else ()),
        Queue("q_encode", depth),
        Queue("q_o", depth),
    )
