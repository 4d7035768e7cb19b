"""The formats in which the layers of a network write their outputs, from what other layers read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from panacea_sim.units import IntArray, ceil_div
from panacea_sim.workload.link import Columns, Link, Offset
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, links_into
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.written_format import Form, WrittenFormat, form_read, joined_ranges

__all__ = ["features_read", "stage_producers", "written_formats"]

Ranges = tuple[tuple[int, int], ...]
Sizes = tuple[int, int, int, int]
"""M, K, N and the repeats of a layer."""


def written_formats(
    graph: LayerGraph, order: Sequence[str], seeds: Mapping[str, int]
) -> dict[str, tuple[WrittenFormat, ...]]:
    """Return the formats that each layer writes, in the order in which their first readers run.

    A layer that nobody reads has none: it writes densely. `order` is the order in which layers run, `seeds` those with
    which their masks are drawn. The layers must have densities.
    """
    found: dict[str, dict[Form, WrittenFormat]] = {name: {} for name in order}
    read: dict[str, dict[Form, list[tuple[int, int]]]] = {name: {} for name in order}
    for name in order:
        layer = graph.nodes[name]["layer"]
        for producer, link in _links_of(graph, name):
            features = features_read(link, _sizes(layer), _sizes(graph.nodes[producer]["layer"]))
            if not features:
                continue
            form = form_read(link, layer.weight_bits, layer.activation_bits)
            seed = seeds[name] if link.in_place else None
            found[producer].setdefault(form, WrittenFormat(*form, features, _skipped(layer, form), seed))
            read[producer].setdefault(form, []).extend(features)
    return {
        name: tuple(
            WrittenFormat(*form, joined_ranges(read[name][form]), first.skipped, first.seed)
            for form, first in forms.items()
        )
        for name, forms in found.items()
    }


def stage_producers(graph: LayerGraph, order: Sequence[str]) -> set[str]:
    """Return the layers whose outputs are inputs of a vector stage: of the one behind them, or of one that follows.

    An operand that comes from several layers comes from the stage behind the last of them, if that has several inputs.
    """
    number = {name: at for at, name in enumerate(order)}
    stages = {name: graph.nodes[name]["layer"].stage for name in order}
    found = {name for name, stage in stages.items() if stage is not None}
    for name in order:
        for operand in ("x", "w"):
            producers = {each for each, link in links_into(graph, name) if link.operand == operand}
            stage = stages[max(producers, key=number.__getitem__)] if producers else None
            if stage is not None and stage.inputs > 1:
                found |= producers
    return found


@lru_cache(maxsize=512)
def features_read(link: Link, consumer: Sizes, producer: Sizes) -> Ranges:
    """Return the features of a producer that a link leads to, over all repeats of both."""
    sizes = dict(zip("mkn", consumer[:3], strict=True))
    first, end = link.feature_span or (0, sizes[link.features_on])
    if first >= end:
        return ()
    low, high = np.array(first), np.array(end)
    if link.features is not None:
        low, high = np.array(link.features[0]), np.array(link.features[1])
    elif isinstance(link.needs, Columns):
        low, high = low // link.needs.taps, ceil_div(high, link.needs.taps)
    count = producer[3] * producer[0]
    if link.needs == "all" and link.features is None:
        low, high = np.zeros(1, np.int64), np.full(1, count)
    else:
        offset = _offsets(link.feature_offset, consumer[3])
        low, high = np.maximum(low + offset, 0), np.minimum(high + offset, count)
    some = (low < high) & _reads_columns(link, sizes[link.columns_on], consumer[3], producer[2])
    low, high = np.broadcast_to(low, some.shape)[some], np.broadcast_to(high, some.shape)[some]
    return joined_ranges(set(zip(low.tolist(), high.tolist(), strict=True)))


def _links_of(graph: LayerGraph, name: str) -> list[tuple[str, Link]]:
    """Return the links into a layer; each repeat of a sequential one needs all of the one before."""
    layer, links = graph.nodes[name]["layer"], links_into(graph, name)
    if layer.sequential and layer.repeat > 1:
        links.append((name, Link("x", "all")))
    return links


def _reads_columns(link: Link, size: int, repeats: int, count: int) -> np.ndarray:
    """Return for each repeat whether any of the producer's `count` columns is read."""
    first, end = link.column_span or (0, size)
    if link.needs == "all":
        return np.full(repeats, first < end)
    offset = _offsets(link.column_offset, repeats)
    if isinstance(link.needs, Columns):
        low, high = link.needs.low[first:end], link.needs.high[first:end]
        found = [
            bool((np.maximum(low + each, 0) < np.minimum(high + each, count)).any()) for each in set(offset.tolist())
        ]
        of_offset = dict(zip(set(offset.tolist()), found, strict=True))
        return np.array([of_offset[each] for each in offset.tolist()])
    some: np.ndarray = np.maximum(first + offset, 0) < np.minimum(end + offset, count)
    return some


def _offsets(offset: Offset, repeats: int) -> IntArray:
    return np.broadcast_to(np.array(offset, np.int64), (repeats,))


def _sizes(layer: Gemm | MaskedLayer) -> Sizes:
    return layer.M, layer.K, layer.N, layer.repeat


def _skipped(layer: Gemm | MaskedLayer, form: Form) -> tuple[float, ...]:
    """Return the shares of skipped vectors that a reader has in each HO slice of the operand."""
    share = layer.rho_w if form.operand == "w" else layer.rho_x
    assert share is not None  # checked before
    return share if isinstance(share, tuple) else (share,) * form.ho_slices
