"""Real operands of a layer as they were observed: its weight, and what it was multiplied with, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.checks import require_row_numbers
from panacea_sim.errors import ConfigError
from panacea_sim.units import FloatArray

__all__ = ["ObservedLayer", "Sample", "held_out_count", "observed_layer"]

_MATRIX, _PRODUCTS = 2, 3
_HELD_OUT_SHARE = 4
"""One of so many samples is held out."""

RealArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Sample:
    """The operands of one sample: `weight` [R, M, K] and `activation` [R, K, N], real; R is 1 for a single product."""

    weight: RealArray
    activation: RealArray


@dataclass(eq=False)
class ObservedLayer:
    """A layer with its samples, in the order in which they were observed.

    `is_dynamic`: its weight is the output of other layers, another one in each sample. `bias` is [R, M] in real units.
    So many of the last samples are held out as `judging` says: None is a quarter of them.
    """

    name: str
    is_dynamic: bool = False
    bias: FloatArray | None = None
    samples: list[Sample] = field(default_factory=list)
    judging: int | None = None

    def add(self, weight: npt.ArrayLike, activation: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> None:
        """Add a sample: weight [M, K] and activation [K, N], of R products [R, M, K] and [R, K, N].

        Raises ConfigError for other shapes, numbers that are not finite, and a weight that is not that of the samples
        before, if it is not dynamic.
        """
        place = f"layer {self.name!r}"
        # A weight that comes again as the very array that is kept need not be looked at once more.
        is_kept = bool(self.samples) and weight is self.samples[0].weight
        weights = self.samples[0].weight if is_kept else _real_products(f"{place}, weight", weight)
        activations = _real_products(f"{place}, activation", activation)
        if len(weights) != len(activations) or weights.shape[2] != activations.shape[1]:
            found = f"weight {np.shape(weight)} and activation {np.shape(activation)}"
            raise ConfigError(place, found, "[M, K] and [K, N], of R products [R, M, K] and [R, K, N]")
        if self.samples:
            weights = self._same_weight(place, weights)
        elif bias is not None:
            rows = weights.shape[:2] if np.ndim(bias) == _MATRIX else weights.shape[1:2]
            self.bias = require_row_numbers(f"{place}, bias", bias, *rows).reshape(weights.shape[:2])
        self.samples.append(Sample(weights, activations))

    def _same_weight(self, place: str, weights: RealArray) -> RealArray:
        """Return the weight of a further sample: an unchanging one is kept once."""
        first = self.samples[0].weight
        if self.is_dynamic:
            if len(weights) != len(first):
                raise ConfigError(place, f"{len(weights)} products", f"{len(first)}, as in the samples before")
            return weights
        if weights is not first and not np.array_equal(weights, first):
            hint = "Say dynamic_weight=True for a weight that other layers make"
            raise ConfigError(place, "a weight that has changed", "one weight in all samples", hint)
        return first

    @property
    def calibrating(self) -> Sequence[Sample]:
        """The samples that choose scales and zero points."""
        return self.samples[: self._first_held_out] or self.samples

    @property
    def held_out(self) -> Sequence[Sample]:
        """The samples that judge, at least one; a single sample does both."""
        return self.samples[self._first_held_out :]

    @property
    def _first_held_out(self) -> int:
        count = len(self.samples)
        return count - (held_out_count(count) if self.judging is None else self.judging)


def observed_layer(
    name: str, weight: npt.ArrayLike, activation: npt.ArrayLike, bias: npt.ArrayLike | None = None
) -> ObservedLayer:
    """Return a layer with its samples: `activation` has one axis more than `weight`, the first, where it is several.

    Raises ConfigError naming the layer, as `ObservedLayer.add` does, and where there is no sample.
    """
    given = np.asarray(activation)
    samples = given if given.ndim == np.ndim(weight) + 1 else given[None]
    if not len(samples):
        raise ConfigError(f"layer {name!r}, activation", "no samples", "at least one")
    observed = ObservedLayer(name)
    for sample in samples:
        observed.add(weight, sample, bias)
    return observed


def held_out_count(samples: int) -> int:
    """Return how many of the samples are held out: a quarter, rounded down, but at least one."""
    return max(1, samples // _HELD_OUT_SHARE) if samples else 0


def _real_products(place: str, array: npt.ArrayLike) -> RealArray:
    """Return real matrices [R, rows, columns], as float32 where they are no wider."""
    numbers: npt.NDArray[Any] = np.asarray(array)
    if numbers.dtype.kind not in "fiu":
        raise ConfigError(place, f"{numbers.dtype} numbers", "real numbers")
    if numbers.ndim not in (_MATRIX, _PRODUCTS) or not numbers.size:
        raise ConfigError(place, f"shape {numbers.shape}", "a matrix that is not empty, or one for each product")
    if not np.all(np.isfinite(numbers)):
        raise ConfigError(place, f"{np.count_nonzero(~np.isfinite(numbers))} values that are not finite", "numbers")
    kept: type[np.floating[Any]] = np.float32 if numbers.dtype.itemsize <= np.dtype(np.float32).itemsize else np.float64
    # A copy: who observes may write into the array again.
    return numbers.astype(kept).reshape(-1, *numbers.shape[-2:])
