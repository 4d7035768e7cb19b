"""What a kind of machine is: a builder that turns layers and hardware into work, a description and workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.choices import ChosenValues
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.description.worker import Worker
from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.registry import registered
from panacea_sim.machines.shared.inventory import inventory_of
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.relief import shared_relief
from panacea_sim.mapping.work import LayerWork
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.networks.profile import Quantization

__all__ = ["Machine", "Values", "described", "machine_of"]


class Values(Protocol):
    """The values of a run: they travel through the workers or are checked afterwards, and are compared in the end."""

    @property
    def workers(self) -> Mapping[str, Worker]:
        """What each component does, by its name; nothing where values do not travel."""
        ...

    @property
    def accumulators(self) -> Sequence[npt.NDArray[np.int32]]:
        """What came out: the accumulators of each layer, int32 [M, N], of R products [R, M, N].

        Those of checked values are there after `exact`.
        """
        ...

    def exact(self) -> bool:
        """Return whether every accumulator equals the plain integer product.

        Raises InvariantError if the accumulators are right but a written output is not.
        """
        ...


class Machine(ABC):
    """A kind of machine. Engines, traces and reports know nothing of it but the description that it builds.

    `name` is what `hardware.machine` says, `settings` the model of its hardware, and `actions` names everything that
    its components count, with or without partial sums. `values_ways` says how it can handle values: those beside "off"
    need a method each. `rates` names the fields of the hardware behind the service or latency of its own parts: groups
    of components, queues and stores. `quantization` says which densities of a profile are those of its operands,
    and `counts_masks` whether anything is skipped: otherwise masks decide nothing.
    `requantizes` says that `own` makes other operands of a layer.
    """

    name: str
    settings: type[Hardware]
    actions: tuple[str, ...]
    values_ways: tuple[ChosenValues, ...] = ("travel", "off")
    rates: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    quantization: Quantization = "aqs"
    counts_masks: bool = True
    requantizes: bool = False

    def check(self, layer: AnyLayer) -> None:  # noqa: B027  # a machine may take all layers
        """Raise ConfigError for a layer that this machine does not accept, its operands unread."""

    def own(self, layer: GemmLayer) -> GemmLayer:
        """Return the layer in the quantization of this machine, in which it multiplies; by default as it comes."""
        return layer

    def idle_densities(self, layer: MaskedLayer, hardware: Hardware) -> frozenset[str]:  # noqa: ARG002  # the same
        """Return the densities of a layer with masks, `rho_w` and `rho_x`, that decide nothing on this machine.

        Without `counts_masks` none of them does, nor does any other mask.
        """
        return frozenset()

    def policy(self, chosen: QuantizationPolicy) -> QuantizationPolicy:
        """Return how real operands become integers for this machine, where `chosen` is asked for; by default so.

        `own` leaves such a layer as it is.
        """
        return chosen

    @abstractmethod
    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> LayerWork:
        """Return what a layer asks of this hardware; `computed` are its numbers, where somebody needs them.

        A layer with operands comes as `own` makes it.
        """

    def heights(self, hardware: Hardware) -> tuple[int, ...]:  # noqa: ARG002  # those that have a choice look at it
        """Return how many weight tiles a stack may have, which is fetched and multiplied as one."""
        return (1,)

    def height_settings(self, height: int) -> dict[str, object]:  # noqa: ARG002  # the same
        """Return the settings of the hardware that leave only stacks of this height open."""
        return {}

    def least_cycles(self, work: LayerWork, hardware: Hardware, height: int) -> int:  # noqa: ARG002  # the same
        """Return cycles that no mapping with stacks of this height can be below, for its multiplications alone."""
        return 0

    def pooled_cycles(self, work: LayerWork, hardware: Hardware) -> int | None:  # noqa: ARG002  # the same
        """Return cycles that no split of the operators among kinds can be below; None where all are of one kind."""
        return None

    def sized(self, hardware: Hardware, size: int) -> dict[str, object]:  # noqa: ARG002  # the same
        """Return the settings of the machine with arithmetic of a size, 1, 2 and so on; none where it has one size."""
        return {}

    def relief(self, kind: str, name: str) -> tuple[str, ...]:
        """Return the fields of the hardware that relieve what an explanation found, the likeliest first.

        `kind` is that of a stretch of the critical path or of a limit, `name` the group, queue, memory or stream.
        """
        return self.rates.get(name) or shared_relief(kind, name)

    @abstractmethod
    def describe(self, program: Program) -> Description:
        """Return the description of the machine that works through the program; `described` calls this."""

    def inventory(self, hardware: Hardware) -> Inventory:
        """Return what the machine is built of; one that names no units has no area of arithmetic."""
        return inventory_of(hardware)

    def units(self, hardware: Hardware) -> int:  # noqa: ARG002  # the same
        """Return how many components serve every task side by side."""
        return 1

    def step_bytes(self, hardware: Hardware) -> int:  # noqa: ARG002  # the same
        """Return the bytes in which the steps and cycles of a task on one of these components are kept."""
        return 8

    def work_bytes(self, layer: AnyLayer, hardware: Hardware, *, settled: bool) -> int:  # noqa: ARG002  # the same
        """Return the bytes of what a layer's work is computed from, beside its operands, before or after `settle`.

        They follow from the sizes of the layer, and from its widths if it has masks only.
        """
        return 0

    def batched(self, works: Sequence[LayerWork]) -> LayerWork | None:  # noqa: ARG002  # the same
        """Return the work of layers of one shape as that of one layer; None if each has to run alone.

        It is that of a layer of all their products, for which the machine must describe what it does for each of them,
        one behind the other.
        """
        return None

    def settle(self, program: Program) -> None:  # noqa: B027  # most machines keep nothing
        """Let go of what was only needed to choose the mapping of the program's layers."""

    def values(
        self,
        program: Program,  # those in which values travel look at them
        layers: Sequence[GemmLayer],
        functional: Sequence[FunctionalPass],
    ) -> Values:
        """Return the workers of a run in which values travel, and their comparison with what the layers compute."""
        raise NotImplementedError(self._without_a_way("travel"))

    def checked_values(
        self,
        program: Program,  # those that check look at them
        layers: Sequence[GemmLayer],
        functional: Sequence[FunctionalPass],
    ) -> Values:
        """Return values that a pass without events checks, whose `exact` runs it. They have no workers."""
        raise NotImplementedError(self._without_a_way("check"))

    def load_check(self) -> None:
        """Compile that pass, or load it, so that other processes find it."""
        raise NotImplementedError(self._without_a_way("check"))

    def _without_a_way(self, way: ChosenValues) -> str:
        return f"machine {self.name!r} has no method for {way!r}, which its `values_ways` name"


def machine_of(hardware: Hardware) -> Machine:
    """Return the kind of machine that `hardware.machine` names."""
    return cast("Machine", registered(hardware.machine))


def described(program: Program) -> Description:
    """Return the description of the machine that works through the program.

    Raises InvariantError if a component counts an action that the machine does not name.
    """
    machine = machine_of(program.hardware)
    description = machine.describe(program)
    for part in description.components:
        for action in part.actions:
            if action.name not in machine.actions:
                known = ", ".join(machine.actions)
                message = (
                    f"{part.name} of machine {machine.name!r} counts {action.name!r}, which is none of its actions"
                )
                raise InvariantError(f"{message}: {known}. Add it to the machine's `actions`")
    return description
