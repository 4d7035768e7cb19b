"""Synthetic layers: random operands whose HO vectors are skipped at a wanted rate."""
# ruff: noqa: N803 (M, K and N are the field's names)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import PCG64, Generator, SeedSequence

from panacea_sim.bounds import Count, Seed, Size
from panacea_sim.checks import require_kind, require_share
from panacea_sim.quant.slicing import activation_ho_factors, frequent_slices, weight_ho_factors
from panacea_sim.quant.widths import (
    SLICE_BITS,
    require_activation_bits,
    require_lo_bits,
    require_weight_bits,
    require_zero_point,
)
from panacea_sim.units import ceil_div
from panacea_sim.workload.gemm_layer import GemmLayer

# Wide enough for every operand; wider integers would only cost memory.
_Values = npt.NDArray[np.int16]

__all__ = ["synthetic_layer"]

_WEIGHT_RADIX = 8
_MAX_LEVELS = 1 << SLICE_BITS


def synthetic_layer(  # noqa: PLR0913 (a recipe has as many parts; all but six are by keyword)
    M: int,
    K: int,
    N: int,
    rho_w: float,
    rho_x: float,
    seed: int,
    *,
    weight_bits: int = 7,
    activation_bits: int = 8,
    lo_bits: int = 4,
    zero_point: int | None = None,
    v: int = 4,
    name: str | None = None,
) -> GemmLayer:
    """Return a layer with random operands, the same for the same arguments.

    Every HO vector (`v` rows, or `v` tokens, at one k and slice) is skipped with probability `rho_w` or `rho_x`,
    independently; every other one has at least one slice that is not the frequent one. 4-bit operands have no HO slice,
    so that their rho has no effect. The zero point is in the middle of the range by default. The weight does not depend
    on N, nor the activation on M. `synthetic_layer(**layer.recipe)` draws the layer again. Raises ConfigError naming
    `layer.<argument>`.
    """
    width = require_activation_bits("layer.activation_bits", activation_bits)
    recipe = _Recipe(
        M,
        K,
        N,
        rho_w,
        rho_x,
        seed,
        weight_bits=weight_bits,
        activation_bits=width,
        lo_bits=lo_bits,
        zero_point=1 << (width - 1) if zero_point is None else zero_point,
        v=v,
        name=f"synthetic_{M}x{K}x{N}" if name is None else name,
    )
    rng_w, rng_x = (Generator(PCG64(child)) for child in SeedSequence(recipe.seed).spawn(2))
    return GemmLayer(
        recipe.name,
        _draw_weight(rng_w, recipe),
        _draw_activation(rng_x, recipe),
        recipe.zero_point,
        recipe.weight_bits,
        recipe.activation_bits,
        recipe.lo_bits,
        recipe=asdict(recipe),
    )


@dataclass(frozen=True)
class _Recipe:
    """The arguments of `synthetic_layer`, checked, as plain numbers."""

    M: int
    K: int
    N: int
    rho_w: float
    rho_x: float
    seed: int
    weight_bits: int
    activation_bits: int
    lo_bits: int
    zero_point: int
    v: int
    name: str

    def __post_init__(self) -> None:
        """Check every argument that the layer itself cannot, and those that the drawing relies on."""
        checked = {
            **{field: require_kind(f"layer.{field}", getattr(self, field), Size) for field in ("M", "K", "N")},
            **{field: require_share(f"layer.{field}", getattr(self, field)) for field in ("rho_w", "rho_x")},
            "v": require_kind("layer.v", self.v, Count),
            "seed": require_kind("layer.seed", self.seed, Seed),
            "weight_bits": require_weight_bits("layer.weight_bits", self.weight_bits),
            "lo_bits": require_lo_bits("layer.lo_bits", self.lo_bits, self.activation_bits),
            "zero_point": require_zero_point("layer.zero_point", self.zero_point, self.activation_bits),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)


def _draw_weight(rng: Generator, recipe: _Recipe) -> npt.NDArray[np.signedinteger]:
    """Draw weights [M, K]: magnitudes of the HO slices first, then a sign that keeps skipped slices at 0."""
    shape = (recipe.M, recipe.K)
    factors = weight_ho_factors(recipe.weight_bits)
    magnitudes = _draw_offsets(rng, (len(factors), *shape), recipe.rho_w, recipe.v, _WEIGHT_RADIX)
    ho = _weighted_sum(magnitudes, factors)
    negative = rng.integers(0, 2, shape, dtype=np.int8) == 1
    if len(factors) > 1:
        # A negative value with a lower HO slice of 0 borrows from the upper one: its lower slice would be -8.
        negative &= (magnitudes[0] > 0) | (magnitudes[-1] == 0)
    lo = rng.integers(0, _WEIGHT_RADIX, shape, dtype=np.int16)
    weight = np.where(negative, -(ho + lo + 1), ho + lo)
    lowest = 1 - (1 << (recipe.weight_bits - 1))
    dtype = np.int8 if recipe.weight_bits <= np.iinfo(np.int8).bits else np.int16
    return np.maximum(weight, lowest).astype(dtype)


def _draw_activation(rng: Generator, recipe: _Recipe) -> npt.NDArray[np.unsignedinteger]:
    """Draw activations [K, N]: every HO slice as its distance from r, going round, then the LO field."""
    bits, lo_bits = recipe.activation_bits, recipe.lo_bits
    factors = activation_ho_factors(bits, lo_bits)
    levels = min(_MAX_LEVELS, 1 << (bits - lo_bits))
    shape = (len(factors), recipe.N, recipe.K)
    offsets = _draw_offsets(rng, shape, recipe.rho_x, recipe.v, levels).swapaxes(1, 2)
    frequent = np.array(frequent_slices(recipe.zero_point, bits, lo_bits), np.int16)
    ho = (offsets + frequent[:, None, None]) % levels
    lo = rng.integers(0, 1 << lo_bits, (recipe.K, recipe.N), dtype=np.int16)
    return (_weighted_sum(ho, factors) + lo).astype(np.uint8 if bits <= np.iinfo(np.uint8).bits else np.uint16)


def _draw_offsets(rng: Generator, shape: tuple[int, int, int], rho: float, v: int, levels: int) -> _Values:
    """Draw how far every slice is from the frequent one, in 0 .. levels - 1, for slices of `shape` [S, rows, K].

    Vectors are `v` rows; one that is skipped has zeros only, another one at least one number that is not 0.
    """
    slices, rows, k = shape
    groups = ceil_div(rows, v)
    offsets = rng.integers(0, levels, shape, dtype=np.int16)
    lanes_in_group = np.minimum(v, rows - v * np.arange(groups))[:, None]
    forced_rows = v * np.arange(groups)[:, None] + rng.integers(0, lanes_in_group, (slices, groups, k))
    forced_values = rng.integers(1, levels, forced_rows.shape, dtype=np.int16)
    np.put_along_axis(offsets, forced_rows, forced_values, axis=1)
    skipped = rng.random(forced_rows.shape) < rho
    offsets[np.repeat(skipped, v, axis=1)[:, :rows]] = 0
    return offsets


def _weighted_sum(slices: _Values, factors: Sequence[int]) -> _Values:
    total = np.zeros(slices.shape[1:], np.int16)
    for slice_, factor in zip(slices, factors, strict=True):
        total += slice_ * np.int16(factor)
    return total
