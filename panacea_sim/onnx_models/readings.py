"""Links of a product to those whose outputs its operands are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from panacea_sim.onnx_models.moves import column_ranges, hull_through, reshaped
from panacea_sim.onnx_models.terms import Term, hull
from panacea_sim.onnx_models.views import ImageView, MatrixView
from panacea_sim.units import IntArray
from panacea_sim.workload.link import Columns, Link, Needs, Operand
from panacea_sim.workload.networks.fit import offsets

__all__ = ["image_links", "matrix_links"]

LinkFrom = tuple[str, Link]


def matrix_links(terms: Iterable[Term], view: MatrixView, operand: Operand) -> list[LinkFrom]:
    """Return the links of an operand that is the matrices of a tensor with these terms."""
    rows, columns = (prod(view.shape[dim] for dim in dims) for dims in (view.rows, view.columns))
    return _each_once(((term.source.layer, _matrix_link(term, view, operand)) for term in terms), (rows, columns))


def image_links(terms: Iterable[Term], view: ImageView) -> list[LinkFrom]:
    """Return the links of an im2col matrix of images with these terms."""
    depth = view.convolution.depth
    return _each_once(((term.source.layer, _image_link(term, view)) for term in terms), (depth, depth))


def _each_once(links: Iterable[LinkFrom], sizes: tuple[int, int]) -> list[LinkFrom]:
    """Return links each once, without those that ask for nothing that another one to the layer does not ask for.

    `sizes` are those of the operand: its rows and columns.
    """
    found = list(dict.fromkeys(links))
    whole = {layer for layer, link in found if link.needs == "all"}
    found = [(layer, link) for layer, link in found if link.needs == "all" or layer not in whole]
    wide: dict[tuple[object, ...], list[Link]] = {}
    for layer, link in found:
        if link.needs == "features":
            wide.setdefault(_place(layer, link), []).append(link)
    return [
        (layer, link)
        for layer, link in found
        if link.needs != "same" or not any(_covers(other, link, sizes) for other in wide.get(_place(layer, link), ()))
    ]


def _place(layer: str, link: Link) -> tuple[object, ...]:
    """Return what is equal in links that ask for the same columns of a layer."""
    return (layer, link.operand, link.features_on, link.column_offset, link.column_span, link.feature_span)


def _covers(wide: Link, link: Link, sizes: tuple[int, int]) -> bool:
    """Return whether a link to a range of features asks for all those that a link index by index asks for."""
    assert wide.features is not None
    rows, columns = sizes
    on_rows = link.operand == "x" or link.features_on == "m"
    first, end = link.feature_span or link.features or (0, rows if on_rows else columns)
    low, high = np.array(wide.feature_offset) + wide.features[0], np.array(wide.feature_offset) + wide.features[1]
    least, most = np.array(link.feature_offset) + first, np.array(link.feature_offset) + end
    return bool(np.all(low <= least) and np.all(most <= high))


@dataclass(frozen=True)
class _Part:
    """Which features a reader needs: those of its index from `first` on, or, with `count`, so many for every index.

    `span` has the indices that count, None for all.
    """

    first: int
    count: int | None
    span: tuple[int, int] | None


def _matrix_link(term: Term, view: MatrixView, operand: Operand) -> Link:
    seen = reshaped(term, view.shape)
    features_on: Literal["k", "m"] = "k"
    feature_dims, column_dims = (view.rows, view.columns) if operand == "x" else (view.columns, view.rows)
    if operand == "w" and _has_features_on_rows(seen, view):
        features_on, feature_dims, column_dims = "m", view.rows, view.columns
    everything = Link(operand, "all", features_on)
    for dim, number in view.fixed:
        first, end = seen.box[dim]
        if seen.dims[dim] or not first <= number < end:
            return everything
    repeats = _repeat_offsets(seen, view)
    part = _features(seen, feature_dims, column_dims)
    if repeats is None or part is None:
        return everything
    feature_offsets, column_offsets = repeats
    feature_offset = offsets([part.first + seen.feature + each for each in feature_offsets])
    columns = _columns(seen, feature_dims, column_dims)
    if isinstance(columns, _Aligned):
        return Link(
            operand,
            "same" if part.count is None else "features",
            features_on,
            feature_offset,
            offsets([columns.first + each for each in column_offsets]),
            part.span,
            columns.span,
            None if part.count is None else (0, part.count),
        )
    if seen.ranges is not None and any(column_offsets):
        return everything
    low, high = columns
    if _is_everything(seen, part, feature_offset, (low, high), column_offsets):
        return everything
    return Link(
        operand,
        Columns(low, high),
        features_on,
        feature_offset,
        offsets(column_offsets),
        part.span,
        None,
        None if part.count is None else (0, part.count),
    )


def _has_features_on_rows(term: Term, view: MatrixView) -> bool:
    """Return whether features lie along the rows of a weight, as in the V of attention."""
    feature, column, _ = term.positions(view.rows)
    return bool(feature.any() or (not column.any() and term.positions(view.columns)[1].any()))


def _image_link(term: Term, view: ImageView) -> Link:
    convolution = view.convolution
    window, groups = convolution.window, convolution.groups
    pixels = (0, *range(2, len(term.shape)))
    part = _features(term, (1,), pixels)
    if part is None or term.positions((1,))[1].any():
        return Link("x", "all")
    low, high = column_ranges(term, pixels)
    column = int(low[0])
    if np.array_equal(low, column + np.arange(len(low))) and np.array_equal(high, low + 1):
        needs: Needs = convolution.needs
    else:
        column = 0
        needs = Columns(*hull_through(window.ranges(), (low, high)), taps=window.taps)
    in_group = convolution.in_channels // groups
    features = None if part.count is None else (0, part.count)
    span, feature_offset = part.span, offsets([part.first + term.feature])
    if features is None and groups > 1:
        if span is None:
            feature_offset = offsets([part.first + term.feature + group * in_group for group in range(groups)])
        else:
            # A span is the same for all repeats: they wait for all channels that come from there.
            feature_offset, features, span = term.feature, (0, span[1] - span[0]), None
    elif groups > 1:
        span = None
    taps = window.taps
    if isinstance(needs, Columns) and _is_everything(term, part, feature_offset, (needs.low, needs.high), [0]):
        return Link("x", "all")
    return Link(
        "x",
        needs,
        feature_offset=feature_offset,
        column_offset=column,
        feature_span=span and (span[0] * taps, span[1] * taps),
        features=features,
    )


def _repeat_offsets(term: Term, view: MatrixView) -> tuple[list[int], list[int]] | None:
    """Return how many features and columns each repeat is further, None if not all of them read the term."""
    features, columns, inside = np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.bool_)
    for each in view.repeats:
        if each.dim is None or term.shape[each.dim] == 1:
            feature, column = np.zeros(each.extent, np.int64), np.zeros(each.extent, np.int64)
            within = np.ones(each.extent, np.bool_)
        else:
            feature, column, within = term.positions([each.dim])
        features = (features[:, None] + feature).ravel()
        columns = (columns[:, None] + column).ravel()
        inside = (inside[:, None] & within).ravel()
    return (features.tolist(), columns.tolist()) if inside.all() else None


def _features(term: Term, feature_dims: tuple[int, ...], column_dims: tuple[int, ...]) -> _Part | None:
    """Return which features the indices of some dimensions need; None where that is no range."""
    feature, _, inside = term.positions(feature_dims)
    across, _, inside_columns = term.positions(column_dims)
    below, above = hull(term.spread, "feature")
    numbers = np.flatnonzero(inside)
    begin, end = int(numbers[0]), int(numbers[-1]) + 1
    contiguous = end - begin == len(numbers)
    span = (begin, end) if len(numbers) < len(feature) and contiguous else None
    own, others = feature[inside], across[inside_columns]
    if contiguous and not others.any() and below == above == 0 and _counts(own):
        return _Part(-begin, None, span)
    first = int(own.min() + others.min()) + below
    last = int(own.max() + others.max()) + above
    return _Part(first, last - first + 1, span)


@dataclass(frozen=True)
class _Aligned:
    """Columns that are those of the reader: index i needs column i + `first`; `span` has those that count."""

    first: int
    span: tuple[int, int] | None


def _columns(
    term: Term, feature_dims: tuple[int, ...], column_dims: tuple[int, ...]
) -> _Aligned | tuple[IntArray, IntArray]:
    """Return which columns each index of some dimensions needs."""
    _, column, inside = term.positions(column_dims)
    _, across, inside_features = term.positions(feature_dims)
    numbers = np.flatnonzero(inside)
    begin, end = int(numbers[0]), int(numbers[-1]) + 1
    others = across[inside_features]
    still = not others.any() and hull(term.spread, "column") == (0, 0)
    if still and term.ranges is None and end - begin == len(numbers) and _counts(column[inside]):
        return _Aligned(term.column - begin, (begin, end) if len(numbers) < len(column) else None)
    if not others.any():
        return column_ranges(term, column_dims)
    # Along the other dimensions columns differ too: each index needs all of these.
    below, above = hull(term.spread, "column")
    low = term.column + column + below + int(others.min())
    high = term.column + column + above + int(others.max()) + 1
    if term.ranges is not None:
        low, high = hull_through((low, high), term.ranges)
    return np.where(inside, low, 0), np.where(inside, high, 0)


def _counts(numbers: IntArray) -> bool:
    return bool(np.array_equal(numbers, np.arange(len(numbers))))


def _is_everything(
    term: Term,
    part: _Part,
    feature_offset: int | tuple[int, ...],
    columns: tuple[IntArray, IntArray],
    column_offsets: list[int],
) -> bool:
    """Return whether each index needs all columns and features of the source."""
    if part.count != term.source.features or feature_offset != 0 or any(column_offsets):
        return False
    return not columns[0].any() and bool(np.all(columns[1] == term.source.columns))
