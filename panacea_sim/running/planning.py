"""How layers are planned otherwise than their scenario says: in given mappings, or on a machine that is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from panacea_sim.description.description import Description

__all__ = ["AS_SCENARIO", "GivenMapping", "Planning"]


@dataclass(frozen=True)
class GivenMapping:
    """The loop order of a layer, and how many weight tiles are stacked."""

    order: str
    height: int


@dataclass(frozen=True)
class Planning:
    """What decides the plan of a run beside its scenario.

    `mappings` has one for each layer, which is taken whatever the hardware leaves open; None: as the scenario says.
    `change` makes another machine of the description of each; other processes must be able to import it.
    """

    mappings: tuple[GivenMapping, ...] | None = None
    change: Callable[[Description], Description] | None = None

    def of_layer(self, number: int) -> Planning:
        """Return the planning of one layer that runs alone."""
        if self.mappings is None:
            return self
        return Planning((self.mappings[number],), self.change)


AS_SCENARIO = Planning()
"""Nothing but what the scenario says."""
