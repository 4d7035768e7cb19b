"""Links: what an operand of one layer needs of the outputs of another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.units import IntArray

__all__ = ["Columns", "Link", "Needs", "Offset", "Operand", "placed_link"]

Operand = Literal["x", "w"]
"""The activation [K, N] or the weight [M, K] of a layer."""

_Named = Literal["same", "features", "all"]
_NAMES = get_args(_Named)


@dataclass(frozen=True, eq=False)
class Columns:
    """Features of a range of columns: what windows of a convolution or a pooling need.

    Column i of the operand needs the columns `low[i]` to before `high[i]`; equal ones are none. A tile needs all from
    the lowest to the highest of its columns. `taps` successive rows of the operand come from one feature: kh * kw
    where the operand is an im2col matrix. Raises ConfigError naming `edge.needs`.
    """

    low: IntArray
    high: IntArray
    taps: int = 1

    def __post_init__(self) -> None:
        """Check that there is a range for each column."""
        shapes = (np.shape(self.low), np.shape(self.high))
        if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
            raise ConfigError("edge.needs", f"columns of shapes {shapes[0]} and {shapes[1]}", "two vectors of a length")
        if self.taps < 1:
            raise ConfigError("edge.needs", f"{self.taps} taps", "at least 1: the rows that come from one feature")


Needs: TypeAlias = _Named | Columns
"""`same`: the outputs with these features and columns. `features`: all features of these columns. `all`: everything."""

Offset: TypeAlias = int | tuple[int, ...]
"""One offset, or one for each repeat of the consumer: heads, sequences, groups and time steps read different parts."""


@dataclass(frozen=True)
class Link:
    """What an operand needs of a producer's outputs, which are features x columns.

    The features lie on the axis `features_on` of the operand, the columns on its other one: on k those of activations
    and of K in attention, on m those of V. Index i on these axes stands for feature i + `feature_offset` and column
    i + `column_offset`; what the producer does not have is not needed. `feature_span` and `column_span` say which
    indices, first to before last, come from this producer (None: all). `features`, counted from the offset, are needed
    instead of those that `needs` would give. All features of `needs` "features" are those of the span.

    The outputs of a producer with repeats lie one below the other: feature f of its repeat r is feature r * M + f.
    Where the consumer has repeats, an offset may be a tuple with one for each of them; `of_repeat` takes one out.

    `in_place` says that the operand is read as the producer writes it, with nothing but requantization and a table
    function between. Every other operand lies at a place of its own, and the link is a wait and nothing else.

    Raises ConfigError naming `edge.<field>`.
    """

    operand: Operand
    needs: Needs = "same"
    features_on: Literal["k", "m"] = "k"
    feature_offset: Offset = 0
    column_offset: Offset = 0
    feature_span: tuple[int, int] | None = None
    column_span: tuple[int, int] | None = None
    features: tuple[int, int] | None = None
    in_place: bool = False

    def __post_init__(self) -> None:
        """Check every field, and that the ones given go together."""
        if self.operand not in get_args(Operand):
            raise ConfigError("edge.operand", repr(self.operand), ", ".join(get_args(Operand)))
        if not isinstance(self.needs, Columns) and self.needs not in _NAMES:
            hint = nearest_name(str(self.needs), _NAMES)
            raise ConfigError("edge.needs", repr(self.needs), f"{', '.join(_NAMES)} or Columns", hint)
        axes = {"x": ("k",), "w": ("k", "m")}[self.operand]
        if self.features_on not in axes:
            raise ConfigError("edge.features_on", repr(self.features_on), f"{' or '.join(axes)} for {self.operand}")
        if self.in_place and replace(self, in_place=False) != Link("x"):
            raise ConfigError("edge.in_place", True, "False for all but the whole activation with needs 'same'")

    def of_repeat(self, repeat: int) -> Link:
        """Return the link as it is for one repeat of the consumer, counted from 0."""
        if isinstance(self.feature_offset, int) and isinstance(self.column_offset, int):
            return self
        return replace(
            self,
            feature_offset=_at(self.feature_offset, repeat),
            column_offset=_at(self.column_offset, repeat),
        )

    @property
    def columns_on(self) -> Literal["m", "n", "k"]:
        """The axis of the operand on which the columns lie."""
        if self.features_on == "m":
            return "k"
        return "n" if self.operand == "x" else "m"


@contextmanager
def placed_link(place: str) -> Iterator[None]:
    """Name the place of a link instead of `edge` in a ConfigError that the code inside raises."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            f"{place}{error.field.removeprefix('edge')}", error.found, error.accepted, error.hint
        ) from error


def _at(offset: Offset, repeat: int) -> int:
    return offset if isinstance(offset, int) else offset[repeat]
