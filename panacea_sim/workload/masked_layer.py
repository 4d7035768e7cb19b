"""Masked layers: layers without operands, of which only the skip masks are drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from panacea_sim.bounds import Count, Seed, Size
from panacea_sim.checks import require_flag, require_kind, require_share
from panacea_sim.errors import ConfigError
from panacea_sim.quant.slicing import activation_ho_factors, weight_ho_factors
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.quant.widths import SLICE_BITS, require_activation_bits, require_weight_bits
from panacea_sim.units import FloatArray, ceil_div

__all__ = ["MaskedLayer"]


_DRAWN_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class MaskedLayer:
    """A layer of which only the sizes and the skip masks are known, by default of 7-bit weights and 8-bit activations.

    Of each HO slice every vector is skipped with probability `rho_w` or `rho_x`, independently; `rho_w` may be a tuple
    with a share for each HO slice. The masks are drawn when they are asked for, the same for the same `seed` and sizes.
    Outputs are dense, 8 bits wide. No values can travel through such a layer. `repeat` products of this size, each with
    operands of its own, follow each other as one layer; where they are `sequential`, each needs all outputs of the one
    before. Each output passes the PPU `passes` times, once to be
    requantized and then for vector work that follows. `kind` and `block` say what the layer is in its network, for
    reports. Raises ConfigError naming `layer.<field>`.
    """

    name: str
    M: int
    K: int
    N: int
    rho_w: float | tuple[float, ...]
    rho_x: float
    seed: int
    weight_bits: int = 7
    activation_bits: int = 8
    repeat: int = 1
    passes: int = 1
    kind: str = ""
    block: str = ""
    sequential: bool = False

    output = None
    """No layer follows: outputs are dense."""
    source = None
    """Activations are in DRAM from the start."""
    is_symmetric = False
    """Activations are unsigned."""

    def __post_init__(self) -> None:
        """Validate every field and make numpy scalars plain numbers."""
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError("layer.name", repr(self.name), "text that is not empty")
        checked: dict[str, object] = {
            **{
                field: require_kind(f"layer.{field}", getattr(self, field), Size) for field in ("M", "K", "N", "repeat")
            },
            "passes": require_kind("layer.passes", self.passes, Count),
            "sequential": require_flag("layer.sequential", self.sequential),
            "rho_x": require_share("layer.rho_x", self.rho_x),
            "seed": require_kind("layer.seed", self.seed, Seed),
            "weight_bits": require_weight_bits("layer.weight_bits", self.weight_bits),
            "activation_bits": require_activation_bits("layer.activation_bits", self.activation_bits),
        }
        checked["rho_w"] = _shares(self.rho_w, self.ho_slices[0])
        for field, value in checked.items():
            # The only way to normalise a field of a frozen dataclass.
            object.__setattr__(self, field, value)

    @property
    def recipe(self) -> dict[str, object]:
        """The arguments that draw the same masks again; those that have their default are left out."""
        given = asdict(self)
        return {each.name: given[each.name] for each in fields(self) if given[each.name] != each.default}

    @property
    def ho_slices(self) -> tuple[int, int]:
        """How many HO slices the weight and the activation have."""
        return len(weight_ho_factors(self.weight_bits)), len(activation_ho_factors(self.activation_bits, SLICE_BITS))

    def skip_masks(self, v: int) -> tuple[BoolArray, BoolArray]:
        """Draw the masks for vectors of length `v`: bool [S_w, ceil(M / v), K] and bool [S_x, ceil(N / v), K].

        S counts the HO slices. The vectors of the products lie behind each other along the middle axis.
        """
        weight_slices, activation_slices = self.ho_slices
        rng_w, rng_x = (Generator(PCG64(child)) for child in SeedSequence(self.seed).spawn(2))
        return (
            _drawn(rng_w, (weight_slices, self.repeat * ceil_div(self.M, v), self.K), np.array(self.rho_w)),
            _drawn(rng_x, (activation_slices, self.repeat * ceil_div(self.N, v), self.K), np.array(self.rho_x)),
        )


def _shares(rho_w: object, slices: int) -> float | tuple[float, ...]:
    """Return a share for all HO slices, or one for each as a tuple."""
    if not isinstance(rho_w, tuple | list):
        return require_share("layer.rho_w", rho_w)
    if len(rho_w) != slices:
        raise ConfigError("layer.rho_w", f"{len(rho_w)} shares", f"one share, or {slices}: one for each HO slice")
    return tuple(require_share("layer.rho_w", share) for share in rho_w)


def _drawn(rng: Generator, shape: tuple[int, int, int], shares: FloatArray) -> BoolArray:
    # Half the width of the default type takes half the time, and 2^-24 is fine enough for a share. The numbers are the
    # same however many are drawn at once.
    mask = np.empty(shape, np.bool_)
    for of_slice, share in zip(mask, np.broadcast_to(shares, len(mask)).astype(np.float32), strict=True):
        flat = of_slice.reshape(-1)
        for first in range(0, len(flat), _DRAWN_AT_ONCE):
            block = flat[first : first + _DRAWN_AT_ONCE]
            np.less(rng.random(len(block), np.float32), share, out=block)
    return mask
