"""What moving the elements of a tensor makes of its terms: transpose, reshape, broadcast, slice, pad, pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TypeVar

import numpy as np

from panacea_sim.onnx_models.terms import Axis, Dim, Term, axes_of, hull, merged
from panacea_sim.units import IntArray
from panacea_sim.workload.networks.convolution import Ranges, ranges_through

__all__ = [
    "broadcast",
    "column_ranges",
    "hull_through",
    "in_windows",
    "placed_at",
    "reshaped",
    "sliced",
    "transposed",
]

_Item = TypeVar("_Item")


def transposed(term: Term, order: Sequence[int]) -> Term:
    """Return the term with its dimensions in another order."""
    return replace(
        term,
        shape=tuple(term.shape[dim] for dim in order),
        dims=tuple(term.dims[dim] for dim in order),
        box=tuple(term.box[dim] for dim in order),
    )


def reshaped(term: Term, shape: Sequence[int]) -> Term:
    """Return the term of the same elements in another shape; it needs everything where no strides say that."""
    if 0 in shape or prod(shape) != prod(term.shape):
        return term.everything(shape)
    dims: list[Dim] = []
    box: list[tuple[int, int]] = []
    for old, new in _groups(term.shape, shape):
        found = _regrouped(term, old, [shape[dim] for dim in new])
        if found is None:
            return term.everything(shape)
        dims.extend(found[0])
        box.extend(found[1])
    return replace(term, shape=tuple(shape), dims=tuple(dims), box=tuple(box))


def broadcast(term: Term, shape: Sequence[int]) -> Term:
    """Return the term of a tensor that is repeated along dimensions in front of it, and along those of one element."""
    ahead = len(shape) - len(term.shape)
    if ahead < 0:
        return term.everything(shape)
    dims = [axes_of(extent) for extent in shape[:ahead]]
    box = [(0, extent) for extent in shape[:ahead]]
    for own, extent, dim, inside in zip(term.shape, shape[ahead:], term.dims, term.box, strict=True):
        if own not in (1, extent):
            return term.everything(shape)
        dims.append(dim if own == extent else axes_of(extent))
        box.append(inside if own == extent else (0, extent))
    return replace(term, shape=tuple(shape), dims=tuple(dims), box=tuple(box))


def sliced(term: Term, dim: int, start: int, step: int, count: int) -> Term | None:
    """Return the term of `count` elements along a dimension, None if none of them comes from the source."""
    first, end = term.box[dim]
    numbers = start + step * np.arange(count)
    inside = np.flatnonzero((numbers >= first) & (numbers < end))
    if not len(inside):
        return None
    begin, count_inside = int(inside[0]), len(inside)
    shape = _replaced(term.shape, dim, count)
    found = _cut(merged(term.dims[dim]), int(numbers[begin]) - first, step, count_inside)
    if found is None:
        spread = term.spread_over([dim])
        dims = _replaced(spread.dims, dim, axes_of(count))
        return replace(spread, shape=shape, dims=dims, box=_replaced(spread.box, dim, (0, count)))
    axes, feature, column = found
    return replace(
        term,
        shape=shape,
        dims=_replaced(term.dims, dim, axes),
        box=_replaced(term.box, dim, (begin, begin + count_inside)),
        feature=term.feature + feature,
        column=term.column + column,
    )


def placed_at(term: Term, dim: int, start: int, extent: int) -> Term:
    """Return the term of a longer tensor in which the old one begins at `start` of a dimension."""
    first, end = term.box[dim]
    shape = _replaced(term.shape, dim, extent)
    return replace(term, shape=shape, box=_replaced(term.box, dim, (first + start, end + start)))


def in_windows(term: Term, dims: Sequence[int], windows: Ranges, shape: Sequence[int]) -> Term:
    """Return the term of a tensor of which each element along some dimensions needs a range of those before.

    `dims` are the batch and the axes of the images; `windows` has a range of pixels for each pixel of `shape`.
    """
    features, _, _ = term.positions(dims)
    others = [dim for dim in range(len(term.shape)) if dim not in dims]
    if features.any() or any(axis.column for dim in others for axis in term.dims[dim]):
        return term.everything(shape)
    new, box, stride = list(term.dims), list(term.box), 1
    for dim in reversed(dims):
        new[dim], box[dim] = axes_of(shape[dim], 0, stride), (0, shape[dim])
        stride *= shape[dim]
    ranges = hull_through(windows, column_ranges(term, dims))
    spread = tuple(axis for axis in term.spread if not axis.column)
    return replace(term, shape=tuple(shape), dims=tuple(new), box=tuple(box), column=0, spread=spread, ranges=ranges)


def column_ranges(term: Term, dims: Sequence[int]) -> Ranges:
    """Return the columns of the source that each index of some dimensions needs, first to before last."""
    _, column, inside = term.positions(dims)
    below, above = hull(term.spread, "column")
    low, high = term.column + column + below, term.column + column + above + 1
    if term.ranges is not None:
        low, high = hull_through((low, high), term.ranges)
    return np.where(inside, low, 0), np.where(inside, high, 0)


def hull_through(outer: Ranges, inner: Ranges) -> Ranges:
    """Return for each range of elements the columns from the first to the last that any of them needs."""
    low, high = inner
    if np.all(low < high) and np.all(np.diff(low) >= 0) and np.all(np.diff(high) >= 0):
        return ranges_through(outer, inner)
    some = outer[0] < outer[1]
    first, last = np.where(some, outer[0], 0), np.where(some, outer[1] - 1, 0)
    beyond = int(high.max(initial=0)) + 1
    empty = low >= high
    least = _least_of(np.where(empty, beyond, low), first, last)
    most = -_least_of(np.where(empty, 0, -high), first, last)
    some &= least < most
    return np.where(some, least, 0), np.where(some, most, 0)


def _least_of(values: IntArray, first: IntArray, last: IntArray) -> IntArray:
    """Return the least value from each first to each last index, by the least of all spans of a power of two."""
    spans = [values]
    while 2 ** len(spans) <= len(values):
        half = 2 ** (len(spans) - 1)
        spans.append(np.minimum(spans[-1][:-half], spans[-1][half:]))
    level = np.frexp(last - first + 1)[1] - 1
    least = np.empty_like(first)
    for number, of_level in enumerate(spans):
        at = level == number
        least[at] = np.minimum(of_level[first[at]], of_level[last[at] + 1 - 2**number])
    return least


def _groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Return which dimensions of two shapes hold the same elements, as few in a group as can be."""
    groups: list[tuple[list[int], list[int]]] = []
    left, right = 0, 0
    while left < len(old) or right < len(new):
        group: tuple[list[int], list[int]] = ([], [])
        counts = [1, 1]
        while True:
            if left < len(old) and (counts[0] < counts[1] or (counts[0] == counts[1] and not group[0])):
                group[0].append(left)
                counts[0] *= old[left]
                left += 1
            elif right < len(new) and (counts[1] < counts[0] or not group[1]):
                group[1].append(right)
                counts[1] *= new[right]
                right += 1
            else:
                break
        groups.append(group)
    return groups


def _regrouped(term: Term, old: Sequence[int], extents: list[int]) -> tuple[list[Dim], list[tuple[int, int]]] | None:
    """Return dimensions of other extents, and their box, for the elements of some dimensions of a term."""
    if len(old) == len(extents) == 1:
        return [term.dims[old[0]]], [term.box[old[0]]]
    axes = merged(axis for dim in old for axis in term.dims[dim])
    partial = [number for number, dim in enumerate(old) if term.box[dim] != (0, term.shape[dim])]
    box = [(0, extent) for extent in extents]
    inside = list(extents)
    if partial:
        outer = partial[0]
        before = prod(term.shape[dim] for dim in old[:outer])
        if len(partial) > 1 or before > 1:
            return None
        behind = prod(term.shape[dim] for dim in old[outer + 1 :])
        first, end = (edge * behind for edge in term.box[old[outer]])
        number = next((number for number, extent in enumerate(extents) if extent > 1), 0)
        within = prod(extents[number + 1 :])
        if first % within or end % within:
            return None
        box[number] = (first // within, end // within)
        inside[number] = (end - first) // within
    dims = _split(axes, inside)
    return None if dims is None else (dims, box)


def _split(axes: Dim, extents: Sequence[int]) -> list[Dim] | None:
    """Return axes cut at the borders of dimensions of these extents, None where a border lies inside of a step."""
    rest = list(axes)
    dims: list[Dim] = []
    for extent in reversed(extents):
        needed = extent
        dim: list[Axis] = []
        while needed > 1:
            axis = rest.pop()
            if axis.size > needed:
                if axis.size % needed:
                    return None
                outer = axis.size // needed
                rest.append(Axis(outer, axis.feature * needed, axis.column * needed))
                axis = Axis(needed, axis.feature, axis.column)
            elif needed % axis.size:
                return None
            dim.insert(0, axis)
            needed //= axis.size
        dims.insert(0, tuple(dim))
    return dims


def _cut(axes: Dim, start: int, step: int, count: int) -> tuple[Dim, int, int] | None:
    """Return axes from an element on, and where it lies; None where that is not the part of an axis."""
    if not axes:
        return ((), 0, 0) if count == 1 else None
    outer, *inner = axes
    if not inner:
        cut = axes_of(count, outer.feature * step, outer.column * step)
        return cut, outer.feature * start, outer.column * start
    size = prod(axis.size for axis in inner)
    last = start + step * (count - 1)
    if start // size == last // size:
        found = _cut(tuple(inner), start % size, step, count)
        number = start // size
        return found and (found[0], found[1] + outer.feature * number, found[2] + outer.column * number)
    if step == 1 and start % size == 0 and count % size == 0:
        number = start // size
        return (
            (*axes_of(count // size, outer.feature, outer.column), *inner),
            outer.feature * number,
            outer.column * number,
        )
    return None


def _replaced(items: tuple[_Item, ...], at: int, item: _Item) -> tuple[_Item, ...]:
    return (*items[:at], item, *items[at + 1 :])
