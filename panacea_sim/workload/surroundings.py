"""What a network says of a layer with operands: vector work behind it, how its products follow, and its labels."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.bounds import Count
from panacea_sim.checks import require_flag, require_kind
from panacea_sim.errors import ConfigError

__all__ = ["ALONE", "InNetwork", "Surroundings"]


@dataclass(frozen=True)
class Surroundings:
    """What a layer has around it in its network.

    Each output passes the PPU `passes` times, vector work included. `sequential`: each product needs all outputs of the
    one before. `kind` and `block` are labels for reports. Raises ConfigError naming `layer.<field>`.
    """

    passes: int = 1
    sequential: bool = False
    kind: str = ""
    block: str = ""

    def __post_init__(self) -> None:
        """Check every field."""
        require_kind("layer.passes", self.passes, Count)
        require_flag("layer.sequential", self.sequential)
        for field in ("kind", "block"):
            if not isinstance(getattr(self, field), str):
                raise ConfigError(f"layer.{field}", repr(getattr(self, field)), "text")


ALONE = Surroundings()
"""Those of a layer of which no network is known."""


class InNetwork:
    """A layer that has `surroundings`: what they say, as if the layer said it."""

    surroundings: Surroundings

    @property
    def passes(self) -> int:
        """How often outputs pass the PPU."""
        return self.surroundings.passes

    @property
    def sequential(self) -> bool:
        """Whether a product waits for the one before; if not, all have their operands from the start."""
        return self.surroundings.sequential

    @property
    def kind(self) -> str:
        """What the layer is in its network, for reports."""
        return self.surroundings.kind

    @property
    def block(self) -> str:
        """The part of the network that the layer stands in, for reports."""
        return self.surroundings.block
