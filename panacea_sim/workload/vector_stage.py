"""Vector work behind a layer as a stage of its own, which reads from DRAM what the layer has written."""

from __future__ import annotations

from dataclasses import dataclass

from panacea_sim.bounds import Count
from panacea_sim.checks import require_flag, require_kind

__all__ = ["VectorStage"]


@dataclass(frozen=True)
class VectorStage:
    """Vector work over the outputs of a layer, and over those of others of the same size.

    Its elements pass the PPU `passes` times, once to be requantized. It has `inputs` operands, the outputs of the layer
    among them. `reduces` says that a result needs all features of its column: they pass the PPU once before the first
    result is made. Raises ConfigError naming `stage.<field>`.
    """

    passes: int
    inputs: int = 1
    reduces: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        require_kind("stage.passes", self.passes, Count)
        require_kind("stage.inputs", self.inputs, Count)
        require_flag("stage.reduces", self.reduces)
