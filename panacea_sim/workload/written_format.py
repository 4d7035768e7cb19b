"""Formats in which a layer writes its outputs: one for each way in which other layers read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Literal, NamedTuple, get_args

import numpy as np

from panacea_sim.checks import require_choice, require_integer, require_share
from panacea_sim.errors import ConfigError
from panacea_sim.quant.slicing import activation_ho_factors, weight_ho_factors
from panacea_sim.quant.widths import SLICE_BITS, require_activation_bits, require_weight_bits
from panacea_sim.units import IntArray
from panacea_sim.workload.link import Link, Operand

__all__ = [
    "Form",
    "VectorAxis",
    "WrittenFormat",
    "check_forms",
    "check_ranges",
    "features_between",
    "form_read",
    "joined_ranges",
]

_BOUNDS = 2

VectorAxis = Literal["columns", "features"]
"""The axis of the outputs along which v slices make a vector; streams of the run-length code run along the other."""


class Form(NamedTuple):
    """What tells two formats apart: as which operand outputs are read, the axis of its vectors, and its width in bits.

    The activation x and the K of attention have their vectors on columns, its V has them on features.
    """

    operand: Operand
    vectors_on: VectorAxis
    bits: int

    @property
    def ho_slices(self) -> int:
        """How many HO slices it has."""
        if self.operand == "w":
            return len(weight_ho_factors(self.bits))
        return len(activation_ho_factors(self.bits, SLICE_BITS))


@dataclass(frozen=True)
class WrittenFormat:
    """Outputs as others read them, of a layer without values: a form, the features that are read, and how sparse it is.

    `features` are ranges, first to before last, in rising order and apart from each other; feature f of repeat r of the
    layer is feature r * M + f. `skipped` is the share of skipped vectors in each HO slice: that of the first layer that
    reads it. `seed` is that of a layer that reads them in place, so that both know of the same vectors; None: nobody.

    Raises ConfigError naming `format.<field>`.
    """

    operand: Operand
    vectors_on: VectorAxis
    bits: int
    features: tuple[tuple[int, int], ...]
    skipped: tuple[float, ...]
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        require_choice("format.operand", self.operand, get_args(Operand))
        axes = get_args(VectorAxis) if self.operand == "w" else ("columns",)
        require_choice("format.vectors_on", self.vectors_on, axes)
        require_bits = require_weight_bits if self.operand == "w" else require_activation_bits
        require_bits("format.bits", self.bits)
        check_ranges(self.features)
        slices = self.form.ho_slices
        if len(self.skipped) != slices:
            accepted = f"{slices}: one for each HO slice of {self.bits} bits"
            raise ConfigError("format.skipped", f"{len(self.skipped)} shares", accepted)
        for share in self.skipped:
            require_share("format.skipped", share)
        if self.seed is not None:
            require_integer("format.seed", self.seed, 0)

    @property
    def form(self) -> Form:
        """What tells it apart from the other formats of a layer."""
        return Form(self.operand, self.vectors_on, self.bits)


def features_between(ranges: tuple[tuple[int, int], ...], bounds: IntArray) -> IntArray:
    """Return how many features of these ranges lie between each two successive bounds."""
    first, end = np.array(ranges).T
    before = np.clip(bounds[:, None] - first, 0, end - first).sum(1)
    counts: IntArray = np.diff(before)
    return counts


def form_read(link: Link, weight_bits: int, activation_bits: int) -> Form:
    """Return the form in which a layer with operands of these widths reads what a link leads to."""
    bits = weight_bits if link.operand == "w" else activation_bits
    return Form(link.operand, "features" if link.features_on == "m" else "columns", bits)


def joined_ranges(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return ranges in rising order, those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return tuple(joined)


def check_ranges(features: tuple[tuple[int, int], ...]) -> None:
    """Check ranges of features; raises ConfigError naming `format.features`."""
    accepted = "ranges first .. before last from 0 on, in rising order, with gaps between them"
    are_pairs = isinstance(features, tuple) and all(isinstance(p, tuple) and len(p) == _BOUNDS for p in features)
    bounds = [bound for pair in features for bound in pair] if are_pairs else []
    are_whole = all(isinstance(bound, Integral) for bound in bounds)
    if not bounds or not are_whole or bounds[0] < 0 or not all(low < high for low, high in pairwise(bounds)):
        raise ConfigError("format.features", features, accepted)


def check_forms(forms: Sequence[Form], ends: Iterable[int], features: int) -> None:
    """Check the formats of a layer with so many features, and where ranges end; raises ConfigError."""
    for end in ends:
        if end > features:
            found = f"features 0 .. {end - 1}"
            raise ConfigError("layer.formats", found, f"those that it has, 0 .. {features - 1}")
    for form in forms:
        if forms.count(form) > 1:
            raise ConfigError("layer.formats", f"{tuple(form)} twice", "each operand, axis and width once")
