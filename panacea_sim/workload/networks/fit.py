"""Connections whose sizes fit: a link of a network may ask for nothing that its producer does not write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.workload.link import Columns, Link, Offset
from panacea_sim.workload.network import LayerGraph, add_links
from panacea_sim.workload.networks.gemm import Gemm

__all__ = ["connect", "layer_of", "offsets"]


def connect(graph: LayerGraph, producer: str, consumer: str, *links: Link) -> None:
    """Add links that ask only for what there is.

    Raises ConfigError naming `edge.<field>` as `add_link` does, and for indices that the operand does not have or that
    lead to features or columns that the producer does not write.
    """
    add_links(graph, producer, consumer, links)
    for link in links:
        _check_fit(layer_of(graph, producer), layer_of(graph, consumer), link)


def layer_of(graph: LayerGraph, name: str) -> Gemm:
    """Return the product of this name."""
    found: Gemm = graph.nodes[name]["layer"]
    return found


def offsets(values: Sequence[int]) -> Offset:
    """Return offsets for all repeats: one number where they are equal, or where there is one for all."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _check_fit(producer: Gemm, consumer: Gemm, link: Link) -> None:
    sizes = {"m": consumer.M, "n": consumer.N, "k": consumer.K}
    features = _spanned("feature_span", link.feature_span, sizes[link.features_on], consumer)
    columns = _spanned("column_span", link.column_span, sizes[link.columns_on], consumer)
    if link.needs == "all":
        return
    if link.features is not None:
        features = link.features
    elif isinstance(link.needs, Columns):
        features = (features[0] // link.needs.taps, -(-features[1] // link.needs.taps))
    if isinstance(link.needs, Columns):
        columns = _window_ends(link.needs, columns)
    _check_inside("features", features, link.feature_offset, producer.M * producer.repeat, producer)
    _check_inside("columns", columns, link.column_offset, producer.N, producer)


def _spanned(field: str, span: tuple[int, int] | None, size: int, consumer: Gemm) -> tuple[int, int]:
    first, end = span or (0, size)
    if not 0 <= first < end <= size:
        accepted = f"first and end with 0 <= first < end <= {size}, the size of {consumer.name!r} there"
        raise ConfigError(f"edge.{field}", f"{first} .. {end}", accepted)
    return first, end


def _window_ends(needs: Columns, span: tuple[int, int]) -> tuple[int, int]:
    low, high = needs.low[span[0] : span[1]], needs.high[span[0] : span[1]]
    some = low < high
    return (int(low[some].min()), int(high[some].max())) if np.any(some) else (0, 0)


def _check_inside(what: str, needed: tuple[int, int], offset: Offset, count: int, producer: Gemm) -> None:
    all_offsets = (offset,) if isinstance(offset, int) else offset
    low, high = needed[0] + min(all_offsets), needed[1] + max(all_offsets)
    if low < 0 or high > count:
        accepted = f"{what} in 0 .. {count - 1}, which {producer.name!r} writes"
        hint = "Give offsets and spans of the edge that lead to them, or needs: all"
        raise ConfigError("edge", f"{what} {low} .. {high - 1}", accepted, hint)
