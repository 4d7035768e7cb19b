"""The graph of layers: which layers there are, and whose outputs each of them needs."""

from __future__ import annotations

from typing import TypeAlias

import networkx as nx

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.link import Columns, Link

__all__ = ["LayerGraph", "add_layer", "add_link", "layers_in_order", "links_into"]

LayerGraph: TypeAlias = "nx.DiGraph[str]"
"""Nodes are names, each with its `layer`; an edge leads from producer to consumer and has `links`, a tuple of Link."""


def add_layer(graph: LayerGraph, layer: Layer) -> None:
    """Add a layer that needs nothing of the others yet; raises ConfigError for a name that comes twice."""
    if layer.name in graph:
        raise ConfigError("layer.name", f"{layer.name!r} twice", "a name of its own for each layer of a chain")
    graph.add_node(layer.name, layer=layer)


def add_link(graph: LayerGraph, producer: str, consumer: str, link: Link) -> None:
    """Let an operand of `consumer` need outputs of `producer`, beside what it needs already.

    A producer may serve both operands, or one in several parts: an edge has as many links. Raises ConfigError for a
    layer that the graph does not have, for column ranges that are not those of the operand, and for an operand read in
    place that is not the outputs of one producer.
    """
    for field, name in (("from", producer), ("to", consumer)):
        if name not in graph:
            raise ConfigError(f"edge.{field}", repr(name), "a layer of the network", nearest_name(name, graph))
    layer = graph.nodes[consumer]["layer"]
    if isinstance(link.needs, Columns):
        _check_columns(link.needs, link, layer)
    others = [other for _, other in links_into(graph, consumer) if other.operand == link.operand]
    if any(other.in_place for other in (link, *others)):
        _check_in_place(graph.nodes[producer]["layer"], layer, 1 + len(others))
    links = graph.get_edge_data(producer, consumer, {"links": ()})["links"]
    graph.add_edge(producer, consumer, links=(*links, link))


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


def _check_columns(needs: Columns, link: Link, layer: Layer) -> None:
    wanted = {"m": layer.M, "n": layer.N, "k": layer.K}[link.columns_on]
    if len(needs.low) != wanted:
        raise ConfigError(
            "edge.needs",
            f"ranges for {len(needs.low)} columns",
            f"{wanted}: one for each {link.columns_on} of {layer.name!r}",
        )


def _check_in_place(producer: Layer, consumer: Layer, count: int) -> None:
    found = f"{producer.M} x {producer.N} outputs for {consumer.K} x {consumer.N} activations, {count} producers"
    if (producer.M, producer.N, count) != (consumer.K, consumer.N, 1):
        raise ConfigError("edge.in_place", found, "one producer, whose outputs are the activations as they are")
