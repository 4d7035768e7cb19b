"""Masked layers: layers without operands, of which only the skip masks are drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from panacea_sim.bounds import Seed, Size
from panacea_sim.checks import require_kind, require_share
from panacea_sim.errors import ConfigError
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.units import ceil_div

__all__ = ["MaskedLayer"]


@dataclass(frozen=True)
class MaskedLayer:
    """A layer of which only the sizes and the skip masks are known: 7-bit weights and 8-bit activations.

    Each operand has one HO slice, of which every vector is skipped with probability `rho_w` or `rho_x`, independently.
    The masks are drawn when they are asked for, the same for the same `seed` and sizes. Outputs are dense, 8 bits wide.
    No values can travel through such a layer. Raises ConfigError naming `layer.<field>`.
    """

    name: str
    M: int
    K: int
    N: int
    rho_w: float
    rho_x: float
    seed: int

    output = None
    """No layer follows: outputs are dense."""
    source = None
    """Activations are in DRAM from the start."""

    def __post_init__(self) -> None:
        """Validate every field and make numpy scalars plain numbers."""
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError("layer.name", repr(self.name), "text that is not empty")
        checked = {
            **{field: require_kind(f"layer.{field}", getattr(self, field), Size) for field in ("M", "K", "N")},
            **{field: require_share(f"layer.{field}", getattr(self, field)) for field in ("rho_w", "rho_x")},
            "seed": require_kind("layer.seed", self.seed, Seed),
        }
        for field, value in checked.items():
            # The only way to normalise a field of a frozen dataclass.
            object.__setattr__(self, field, value)

    @property
    def recipe(self) -> dict[str, object]:
        """The arguments that draw the same masks again."""
        return asdict(self)

    def skip_masks(self, v: int) -> tuple[BoolArray, BoolArray]:
        """Draw the masks for vectors of length `v`: bool [1, ceil(M / v), K] and bool [1, ceil(N / v), K]."""
        rng_w, rng_x = (Generator(PCG64(child)) for child in SeedSequence(self.seed).spawn(2))
        return (
            _drawn(rng_w, (1, ceil_div(self.M, v), self.K), self.rho_w),
            _drawn(rng_x, (1, ceil_div(self.N, v), self.K), self.rho_x),
        )


def _drawn(rng: Generator, shape: tuple[int, int, int], rho: float) -> BoolArray:
    # Half the width of the default type takes half the time, and 2^-24 is fine enough for a share.
    return rng.random(shape, np.float32) < np.float32(rho)
