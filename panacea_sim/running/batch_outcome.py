"""What a batch of layers gave, and each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from panacea_sim.description.topology import Topology
from panacea_sim.engines.result import BatchResult
from panacea_sim.trace.summary import LayerSummary
from panacea_sim.units import IntArray

__all__ = ["BatchOutcome", "BatchedOutcome"]


@dataclass(frozen=True, eq=False)
class BatchOutcome:
    """What the layers of a batch gave, small enough to go from process to process.

    `actions` and `operations` have totals [layer].
    """

    result: BatchResult
    topology: Topology
    layers: tuple[LayerSummary, ...]
    actions: Mapping[str, Mapping[str, IntArray]]
    operations: Mapping[str, Mapping[str, IntArray]]

    def action_totals(self, times: IntArray) -> dict[str, dict[str, int]]:
        """Return the totals of each component's actions, those of each layer so many times."""
        return _totals(self.actions, times)

    def operation_totals(self, times: IntArray) -> dict[str, dict[str, int]]:
        """Return the totals of each component's operations, those of each layer so many times."""
        return _totals(self.operations, times)


def _totals(counted: Mapping[str, Mapping[str, IntArray]], times: IntArray) -> dict[str, dict[str, int]]:
    return {
        component: {name: int(np.dot(times, totals)) for name, totals in of_component.items()}
        for component, of_component in counted.items()
    }


@dataclass(frozen=True, eq=False)
class BatchedOutcome:
    """What one layer of a batch gave."""

    batch: BatchOutcome
    number: int

    @property
    def makespan_cycles(self) -> int:
        """The cycles of the layer."""
        return int(self.batch.result.makespan_cycles[self.number])

    @property
    def topology(self) -> Topology:
        """The machine on which the layer ran."""
        return self.batch.topology

    @property
    def summary(self) -> LayerSummary:
        """What a summary says of the layer."""
        return self.batch.layers[self.number]
