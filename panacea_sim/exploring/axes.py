"""Axes of a design space: their values, in a grid and in a Latin hypercube."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Any, TypeAlias

from annotated_types import Ge
from numpy.random import PCG64, Generator
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from panacea_sim.bounds import Seed
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.validation import config_error

__all__ = ["Axes", "LatinHypercube", "Range", "Settings", "axis_of", "grid", "latin_hypercube"]

Settings: TypeAlias = dict[str, object]
"""What a point sets: the values of all axes, in the order of the axes."""

_MOST_POINTS = 1_000_000
_Number = int | float


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Range(_Part):
    """Numbers from `low` to `high`, both included.

    A grid takes every `step` of them (whole numbers: 1), or `count` of them, evenly spread; `log` spreads their
    logarithms. Numbers between whole ends are whole.
    """

    low: _Number
    high: _Number
    step: Annotated[_Number, Ge(0)] | None = None
    count: Annotated[int, Ge(2)] | None = None
    log: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> Range:
        if self.high < self.low:
            raise ConfigError("axis", f"{self.low} to {self.high}", "a high that is not below low")
        if self.log and self.low <= 0:
            raise ConfigError("axis", f"low {self.low}", "a low above 0 where log is true")
        if self.step is not None and (self.step == 0 or self.count is not None or self.log):
            raise ConfigError("axis", f"step {self.step}", "a step above 0, without count and log")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether all of its numbers are whole."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step or 0))

    def values(self) -> list[_Number]:
        """Return the numbers that a grid takes; raises ConfigError where it is not said how many."""
        if self.count is not None:
            shares = [number / (self.count - 1) for number in range(self.count)]
            return list(dict.fromkeys(map(self._between, shares)))
        if self.step is None and (self.log or not self.is_whole):
            raise ConfigError("axis", f"{self.low} to {self.high}", "a count, or a step, where a grid is asked for")
        step = self.step or 1
        steps = math.floor((self.high - self.low) / step * (1 + 1e-12)) + 1
        return [self.low + number * step for number in range(steps)]

    def at(self, share: float) -> _Number:
        """Return the number at a share of the range, in 0 .. 1 without 1, each whole number as often as any other."""
        if self.step is not None or self.count is not None:
            values = self.values()
            return values[int(share * len(values))]
        if not self.is_whole:
            return self._between(share)
        low, high = (math.log(self.low), math.log(self.high + 1)) if self.log else (self.low, self.high + 1)
        found = low + share * (high - low)
        return min(int(self.high), math.floor(math.exp(found) + 1e-9 if self.log else found))

    def _between(self, share: float) -> _Number:
        if self.log:
            found = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + share * (self.high - self.low)
        return round(found) if self.is_whole else found


class LatinHypercube(_Part):
    """So many points, of which each axis has one in each of so many equal parts of its range."""

    points: Annotated[int, Ge(1)]
    seed: Seed = 0


Axes: TypeAlias = Mapping[str, list[Any] | Range]
"""The values of each axis by its name, or the range in which they lie."""


def axis_of(name: str, given: object) -> list[Any] | Range:
    """Return what was given as the values of an axis; raises ConfigError with its name for anything else."""
    place = f"sweep.axes.{name}"
    if isinstance(given, Range) or (isinstance(given, list) and given):
        return given
    if not isinstance(given, dict):
        raise ConfigError(place, repr(given), "a list of values, or a range: {low: 1, high: 8}")
    try:
        return Range(**given)
    except ValidationError as error:
        raise config_error(place, Range, error, "Correct the range at {path}") from error
    except ConfigError as error:
        raise ConfigError(place, error.found, error.accepted) from error


def grid(axes: Axes) -> Iterator[Settings]:
    """Return all combinations of the values of axes, the last axis fastest; raises ConfigError for too many."""
    values = {name: _values(name, axis) for name, axis in axes.items()}
    count = math.prod(map(len, values.values()))
    if count > _MOST_POINTS:
        hint = "Take fewer values, or a latin_hypercube"
        raise ConfigError("sweep.axes", f"{count:,} combinations", f"at most {_MOST_POINTS:,}", hint)
    return (dict(zip(values, each, strict=True)) for each in product(*values.values()))


def latin_hypercube(axes: Axes, sample: LatinHypercube) -> Iterator[Settings]:
    """Return the points of a sample, the same for the same axes and seed; equal ones once."""
    rng = Generator(PCG64(sample.seed))
    columns = []
    for name, axis in axes.items():
        shares = (rng.permutation(sample.points) + rng.random(sample.points)) / sample.points
        columns.append([_at(axis, float(share), name) for share in shares])
    met = set()
    for row in zip(*columns, strict=True):
        if repr(row) not in met:
            met.add(repr(row))
            yield dict(zip(axes, row, strict=True))


def _values(name: str, axis: Sequence[Any] | Range) -> Sequence[Any]:
    return _named(name, axis).values() if isinstance(axis, Range) else axis


def _at(axis: Sequence[Any] | Range, share: float, name: str) -> object:
    share = min(share, math.nextafter(1.0, 0.0))
    return _named(name, axis).at(share) if isinstance(axis, Range) else axis[int(share * len(axis))]


def _named(name: str, axis: Range) -> Range:
    """Return the range; raises ConfigError with the name of the axis for one of which no grid can be made."""
    if axis.step is None and axis.count is None:
        return axis
    try:
        axis.values()
    except ConfigError as error:
        raise ConfigError(f"sweep.axes.{name}", error.found, error.accepted) from error
    return axis
