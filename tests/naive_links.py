"""What links ask for, element by element, in plain Python: a second writing of their meaning, repeats included."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.network import LayerGraph, links_into

Output = tuple[str, int, int]
"""A layer, the feature (of repeat r those from r * M on) and the column of one of its outputs."""

Needs = dict[tuple[int, int], set[Output]]
"""For each element of an operand, (row, column) in W [M, K] or x [K, N], the outputs that it needs."""


def needed(graph: LayerGraph, consumer: str, operand: str, repeat: int = 0) -> Needs:
    """Return what each element of an operand of a layer's repeat needs; elements that need nothing are left out."""
    layer = graph.nodes[consumer]["layer"]
    sizes = {"m": layer.M, "k": layer.K, "n": layer.N}
    found: Needs = defaultdict(set)
    for producer, link in links_into(graph, consumer):
        if link.operand != operand:
            continue
        made = graph.nodes[producer]["layer"]
        other = "m" if operand == "w" else "n"
        axes = ("k", other) if link.features_on == "k" else (other, "k")
        for feature in _inside(sizes[axes[0]], link.feature_span):
            for column in _inside(sizes[axes[1]], link.column_span):
                at = {axes[0]: feature, axes[1]: column}
                place = (at["m"], at["k"]) if operand == "w" else (at["k"], at["n"])
                found[place].update(
                    (producer, f, c)
                    for f in _features(link, feature, sizes[axes[0]], made.M * made.repeat, repeat)
                    for c in _columns(link, column, made.N, repeat)
                )
    return {place: outputs for place, outputs in found.items() if outputs}


def _inside(size: int, span: tuple[int, int] | None) -> range:
    return range(size) if span is None else range(*span)


def _features(link: Link, index: int, size: int, count: int, repeat: int) -> Iterator[int]:
    offset = link.feature_offset if isinstance(link.feature_offset, int) else link.feature_offset[repeat]
    if link.needs == "all":
        wanted = list(range(count))
    elif link.features is not None:
        wanted = [offset + feature for feature in range(*link.features)]
    elif link.needs == "features":
        wanted = [offset + feature for feature in _inside(size, link.feature_span)]
    elif isinstance(link.needs, Columns):
        wanted = [offset + index // link.needs.taps]
    else:
        wanted = [offset + index]
    return (feature for feature in wanted if 0 <= feature < count)


def _columns(link: Link, index: int, count: int, repeat: int) -> Iterator[int]:
    offset = link.column_offset if isinstance(link.column_offset, int) else link.column_offset[repeat]
    if link.needs == "all":
        wanted = range(count)
    elif isinstance(link.needs, Columns):
        wanted = range(int(link.needs.low[index]) + offset, int(link.needs.high[index]) + offset)
    else:
        wanted = range(index + offset, index + offset + 1)
    return (column for column in wanted if 0 <= column < count)
