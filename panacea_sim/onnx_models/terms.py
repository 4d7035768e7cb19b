"""Where the elements of a tensor come from: terms, each the outputs of one product as they lie in the tensor.

Whatever only moves elements changes the strides of a term, so that a link to the product can be as exact as the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

import numpy as np

from panacea_sim.units import IntArray
from panacea_sim.workload.networks.convolution import Ranges

__all__ = ["Axis", "Dim", "Source", "Term", "axes_of", "distinct", "hull", "merged"]


@dataclass(frozen=True)
class Axis:
    """`size` steps, each so many features and columns of the source further."""

    size: int
    feature: int
    column: int

    @property
    def is_still(self) -> bool:
        """Whether its steps lead nowhere: the axis repeats elements."""
        return self.feature == 0 and self.column == 0


Dim: TypeAlias = tuple[Axis, ...]
"""A dimension of a tensor as axes, the outermost first; their sizes multiply to its extent in the box of a term."""


@dataclass(frozen=True)
class Source:
    """A product's outputs: features (of all repeats, one below the other) x columns."""

    layer: str
    features: int
    columns: int


@dataclass(frozen=True, eq=False)
class Term:
    """Elements of a tensor of `shape` that come from one source: those inside of `box`, first to before last.

    The element at the box's first corner needs the output at `feature` and `column`, and the others are strides away,
    dimension by dimension. Each needs all outputs that `spread` leads to from there. With `ranges` a column is the
    number of a range of columns, as a pooling makes them.
    """

    source: Source
    shape: tuple[int, ...]
    dims: tuple[Dim, ...]
    box: tuple[tuple[int, int], ...]
    feature: int = 0
    column: int = 0
    spread: Dim = ()
    ranges: Ranges | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What is equal in equal terms."""
        ranges = None if self.ranges is None else id(self.ranges[0])
        return (self.source, self.shape, self.dims, self.box, self.feature, self.column, self.spread, ranges)

    def everything(self, shape: Sequence[int] | None = None) -> Term:
        """Return the term of a tensor of which each element needs all outputs of the source."""
        return whole(self.source, self.shape if shape is None else shape)

    def positions(self, dims: Sequence[int]) -> tuple[IntArray, IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Return feature, column and whether it lies in the box, for each index of some dimensions, the last fastest.

        Both are counted from the first corner.
        """
        feature, column, inside = np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.bool_)
        for dim in dims:
            of_dim = self._along(dim)
            feature = (feature[:, None] + of_dim[0]).ravel()
            column = (column[:, None] + of_dim[1]).ravel()
            inside = (inside[:, None] & of_dim[2]).ravel()
        return feature, column, inside

    def spread_over(self, dims: Iterable[int]) -> Term:
        """Return the term in which each element needs what those along some dimensions needed."""
        spread, new, box = list(self.spread), list(self.dims), list(self.box)
        for dim in dims:
            spread.extend(axis for axis in self.dims[dim] if not axis.is_still and axis.size > 1)
            new[dim] = axes_of(self.shape[dim])
            box[dim] = (0, self.shape[dim])
        return replace(self, dims=tuple(new), box=tuple(box), spread=merged(spread))

    def _along(self, dim: int) -> tuple[IntArray, IntArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        extent, (first, end) = self.shape[dim], self.box[dim]
        feature, column = np.zeros(extent, np.int64), np.zeros(extent, np.int64)
        inner_feature, inner_column = np.zeros(1, np.int64), np.zeros(1, np.int64)
        for axis in self.dims[dim]:
            steps = np.arange(axis.size)
            inner_feature = (inner_feature[:, None] + steps * axis.feature).ravel()
            inner_column = (inner_column[:, None] + steps * axis.column).ravel()
        feature[first:end], column[first:end] = inner_feature, inner_column
        inside = np.zeros(extent, np.bool_)
        inside[first:end] = True
        return feature, column, inside


def whole(source: Source, shape: Sequence[int]) -> Term:
    """Return the term of a tensor of which each element needs all outputs of a source."""
    spread = merged((Axis(source.features, 1, 0), Axis(source.columns, 0, 1)))
    dims = tuple(axes_of(extent) for extent in shape)
    return Term(source, tuple(shape), dims, tuple((0, extent) for extent in shape), spread=spread)


def axes_of(extent: int, feature: int = 0, column: int = 0) -> Dim:
    """Return a dimension that is one axis, none where it has one element."""
    return () if extent == 1 else (Axis(extent, feature, column),)


def merged(axes: Iterable[Axis]) -> Dim:
    """Return axes of which none goes on where the one inside of it ends."""
    found: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        if found and (found[-1].feature, found[-1].column) == (axis.feature * axis.size, axis.column * axis.size):
            found[-1] = Axis(found[-1].size * axis.size, axis.feature, axis.column)
        else:
            found.append(axis)
    return tuple(found)


def hull(axes: Iterable[Axis], what: str) -> tuple[int, int]:
    """Return how far axes reach below and above their first element, in features or columns."""
    reach = [getattr(axis, what) * (axis.size - 1) for axis in axes]
    return sum(least for least in reach if least < 0), sum(most for most in reach if most > 0)


def distinct(terms: Iterable[Term], most: int = 256) -> tuple[Term, ...]:
    """Return terms each once; where they are too many, one that needs everything for each source."""
    found = {term.key: term for term in terms if prod(end - first for first, end in term.box)}
    if len(found) <= most:
        return tuple(found.values())
    return tuple({term.source: term.everything() for term in found.values()}.values())
