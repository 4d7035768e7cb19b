"""The graph of layers: which layers there are, and whose outputs each of them needs.

Its layers are those that can run, or, before a network has operands or masks, the sizes of its products (`Gemm`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import networkx as nx

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.link import Columns, Link, placed_link
from panacea_sim.workload.networks.gemm import Gemm

__all__ = [
    "LayerGraph",
    "LayerLink",
    "add_layer",
    "add_link",
    "add_links",
    "all_links",
    "layers_in_order",
    "link_layers",
    "links_into",
]

LayerGraph: TypeAlias = "nx.DiGraph[str]"
"""Nodes are names, each with its `layer`; an edge leads from producer to consumer and has `links`, a tuple of Link."""

LayerLink: TypeAlias = tuple[str, str, Link]
"""The names of producer and consumer, and a link between them."""


def add_layer(graph: LayerGraph, layer: Layer | Gemm) -> None:
    """Add a layer that needs nothing of the others yet; raises ConfigError for a name that comes twice."""
    if layer.name in graph:
        raise ConfigError("layer.name", f"{layer.name!r} twice", "a name of its own for each layer of a network")
    graph.add_node(layer.name, layer=layer)


def add_link(graph: LayerGraph, producer: str, consumer: str, link: Link) -> None:
    """Let an operand of `consumer` need outputs of `producer`, beside what it needs already.

    A producer may serve both operands, or one in several parts: an edge has as many links. Raises ConfigError for a
    layer that the graph does not have, for column ranges that are not those of the operand, and for an operand read in
    place that is not the outputs of one producer.
    """
    add_links(graph, producer, consumer, (link,))


def add_links(graph: LayerGraph, producer: str, consumer: str, links: Sequence[Link]) -> None:
    """Add several links between two layers at once, each as `add_link` does."""
    for field, name in (("from", producer), ("to", consumer)):
        if name not in graph:
            raise ConfigError(f"edge.{field}", repr(name), "a layer of the network", nearest_name(name, graph))
    layer = graph.nodes[consumer]["layer"]
    together = [*(other for _, other in links_into(graph, consumer)), *links]
    for link in links:
        if isinstance(link.needs, Columns):
            _check_columns(link.needs, link, layer)
        _check_offsets(link, layer)
    for operand in {link.operand for link in links}:
        of_operand = [other for other in together if other.operand == operand]
        if any(other.in_place for other in of_operand):
            _check_in_place(graph.nodes[producer]["layer"], layer, len(of_operand))
    before = graph.get_edge_data(producer, consumer, {"links": ()})["links"]
    graph.add_edge(producer, consumer, links=(*before, *links))


def link_layers(graph: LayerGraph, links: Sequence[LayerLink], place: str) -> None:
    """Add links between layers that run in the order in which the graph has them: a producer comes before its consumer.

    Raises ConfigError as `add_link` does, and for a producer that is no layer before; `place`, with the number of the
    link in brackets, stands instead of `edge`.
    """
    position = {name: number for number, name in enumerate(graph)}
    for number, (producer, consumer, link) in enumerate(links):
        with placed_link(f"{place}[{number}]"):
            if {producer, consumer} <= position.keys() and position[producer] >= position[consumer]:
                hint = "Layers run in the order in which they are given"
                raise ConfigError("edge.from", repr(producer), f"a layer before {consumer!r}", hint)
            add_link(graph, producer, consumer, link)


def all_links(graph: LayerGraph) -> tuple[LayerLink, ...]:
    """Return all links of a graph, consumer after consumer."""
    return tuple((producer, consumer, link) for consumer in graph for producer, link in links_into(graph, consumer))


def links_into(graph: LayerGraph, consumer: str) -> list[tuple[str, Link]]:
    """Return all links into a layer, each with the producer's name."""
    producers = graph.predecessors(consumer)
    return [(producer, link) for producer in producers for link in graph.edges[producer, consumer]["links"]]


def layers_in_order(graph: LayerGraph) -> list[str]:
    """Return the names in the order in which the layers run: topological, and as inserted where that leaves a choice.

    Raises ConfigError if layers wait for each other in a circle.
    """
    inserted = {name: number for number, name in enumerate(graph)}
    try:
        return list(nx.lexicographical_topological_sort(graph, inserted.__getitem__))
    except nx.NetworkXUnfeasible:
        names = [str(edge[0]) for edge in nx.find_cycle(graph)]
        circle = " -> ".join(map(repr, (*names, names[0])))
        raise ConfigError("network.edges", circle, "layers of which none needs its own outputs") from None


def _check_offsets(link: Link, layer: Layer | Gemm) -> None:
    repeats = layer.repeat
    for field in ("feature_offset", "column_offset"):
        offset = getattr(link, field)
        if isinstance(offset, tuple) and len(offset) != repeats:
            accepted = f"one offset, or {repeats}: one for each repeat of {layer.name!r}"
            raise ConfigError(f"edge.{field}", f"{len(offset)} offsets", accepted)


def _check_columns(needs: Columns, link: Link, layer: Layer | Gemm) -> None:
    wanted = {"m": layer.M, "n": layer.N, "k": layer.K}[link.columns_on]
    if len(needs.low) != wanted:
        raise ConfigError(
            "edge.needs",
            f"ranges for {len(needs.low)} columns",
            f"{wanted}: one for each {link.columns_on} of {layer.name!r}",
        )


def _check_in_place(producer: Layer | Gemm, consumer: Layer | Gemm, count: int) -> None:
    found = f"{producer.M} x {producer.N} outputs for {consumer.K} x {consumer.N} activations, {count} producers"
    sizes = (producer.M, producer.N, producer.repeat)
    if (*sizes, count) != (consumer.K, consumer.N, 1, 1) or consumer.repeat > 1:
        raise ConfigError("edge.in_place", found, "one producer, whose outputs are the activations as they are")
