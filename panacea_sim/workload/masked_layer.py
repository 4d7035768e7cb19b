"""Masked layers: layers without operands, of which only the skip masks are drawn."""

from __future__ import annotations

from collections.abc import Iterator
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
from panacea_sim.workload.vector_stage import VectorStage
from panacea_sim.workload.written_format import WrittenFormat, check_forms

__all__ = ["MaskedLayer"]

_DRAWN_AT_ONCE = 1 << 20

_OPERANDS = 2
"""Weight and activation have the first two streams of random numbers of a layer."""

_ACTIVATION = 1
"""The one of the activation."""


@dataclass(frozen=True)
class MaskedLayer:
    """A layer of which only the sizes and the skip masks are known, by default of 7-bit weights and 8-bit activations.

    Of each HO slice every vector is skipped with probability `rho_w` or `rho_x`, independently; `rho_w` may be a tuple
    with a share for each HO slice. The masks are drawn when they are asked for, the same for the same `seed` and sizes.
    Outputs are written in each of the `formats`, densely and 8 bits wide where there are none. No values can travel
    through such a layer. `repeat` products of this size, each with operands of its own, follow each other as one layer;
    where they are `sequential`, each needs all outputs of the one before. Each output passes the PPU `passes` times,
    once to be requantized and then for vector work that follows. `kind` and `block` say what the layer is in its
    network, for reports. `feeds_stage` and `stage` count where vector work is not fused: then the layer writes its
    outputs for a vector stage, the one behind it or that of a later layer, and `formats` are those of the results. The
    products of a sequential layer need results of each other: it has no stage. Raises ConfigError naming
    `layer.<field>`.
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
    formats: tuple[WrittenFormat, ...] = ()
    feeds_stage: bool = False
    stage: VectorStage | None = None

    output = None
    """Outputs have no values, whose format it could be."""
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
        require_flag("layer.feeds_stage", self.feeds_stage)
        if self.stage is not None and not self.feeds_stage:
            raise ConfigError("layer.feeds_stage", False, "True for a layer with a stage behind it")
        if self.stage is not None and self.sequential:
            raise ConfigError("layer.stage", "a stage behind products that need each other", "none, or not sequential")
        self._check_formats()
        for field, value in checked.items():
            # The only way to normalise a field of a frozen dataclass.
            object.__setattr__(self, field, value)

    def _check_formats(self) -> None:
        ends = [written.features[-1][1] for written in self.formats]
        check_forms([each.form for each in self.formats], ends, self.repeat * self.M)

    @property
    def recipe(self) -> dict[str, object]:
        """The arguments that draw the same masks again; those that have their default are left out."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        changed = {each.name: given[each.name] for each in fields(self) if given[each.name] != each.default}
        # Numbers and words need no copies, which take long in networks of many layers.
        if self.formats:
            changed["formats"] = tuple([dict(vars(each)) for each in self.formats])
        if self.stage is not None:
            changed["stage"] = asdict(self.stage)
        return changed

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

    def written_vectors(self, number: int, lanes: int, length: int) -> Iterator[tuple[int, BoolArray]]:
        """Draw the skip masks of the outputs in one of the formats, [S, lanes, length], a few lanes at a time.

        Yields the first lane of each block, of one HO slice after the other, and the block, bool [lanes, length]. What
        is read in place is drawn as the activation masks of the layer that reads it.
        """
        form = self.formats[number]
        seed, child = (self.seed, _OPERANDS + number) if form.seed is None else (form.seed, _ACTIVATION)
        rng = Generator(PCG64(SeedSequence(seed, spawn_key=(child,))))
        at_once = max(1, _DRAWN_AT_ONCE // length)
        for share in np.array(form.skipped, np.float32):
            for first in range(0, lanes, at_once):
                shape = (min(at_once, lanes - first), length)
                yield first, rng.random(shape, np.float32) < share


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
