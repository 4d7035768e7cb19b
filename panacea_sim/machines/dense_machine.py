"""What machines that skip nothing have in common."""

from __future__ import annotations

from collections.abc import Sequence

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.machines.rival import Rival
from panacea_sim.machines.shared.dense_work import DenseWork, batched_dense
from panacea_sim.machines.shared.own_operands import byte_policy, eight_bits
from panacea_sim.mapping.work import LayerWork
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["DenseMachine"]


class DenseMachine(Rival):
    """A machine that multiplies every element, by default of operands of 8 bits."""

    counts_masks = False

    def own(self, layer: GemmLayer) -> GemmLayer:
        """Return the layer with operands of 8 bits."""
        return eight_bits(layer)

    def policy(self, chosen: QuantizationPolicy) -> QuantizationPolicy:
        """Return the policy of operands of 8 bits."""
        return byte_policy(chosen)

    def batched(self, works: Sequence[LayerWork]) -> DenseWork | None:
        """Return the work of layers of one class as that of a layer of so many products."""
        return batched_dense(works)
