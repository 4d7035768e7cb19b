"""The graph of layers: its order, its links, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import networkx as nx
import numpy as np
import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link, add_links, layers_in_order, links_into
from panacea_sim.workload.networks.gemm import Gemm

X, W = Link("x"), Link("w")


def _graph(*names: str) -> LayerGraph:
    """Return layers of M = 2, K = 3, N = 4 without a link."""
    graph: LayerGraph = nx.DiGraph()
    for name in names:
        add_layer(graph, MaskedLayer(name, 2, 3, 4, 0.5, 0.5, 1))
    return graph


def _ranges(count: int) -> Columns:
    return Columns(np.arange(count), np.arange(count) + 1)


def test_layers_run_as_inserted_where_links_leave_a_choice() -> None:
    """The order is topological; among layers that could go next the one that was inserted first does."""
    graph = _graph("d", "a", "c", "b")
    assert layers_in_order(graph) == ["d", "a", "c", "b"]
    add_link(graph, "b", "d", X)
    assert layers_in_order(graph) == ["a", "c", "b", "d"]
    add_link(graph, "c", "a", W)
    assert layers_in_order(graph) == ["c", "a", "b", "d"]


def test_a_layer_may_need_another_for_several_reasons() -> None:
    """Links are kept side by side: of one producer for both operands, and of several for one."""
    graph = _graph("qkv", "other", "qk")
    links = [("qkv", X), ("qkv", W), ("other", Link("w", "all", feature_offset=2))]
    for producer, link in links:
        add_link(graph, producer, "qk", link)
    assert links_into(graph, "qk") == links
    assert links_into(graph, "qkv") == []


def test_offsets_of_repeats() -> None:
    """A link may have an offset for each repeat of its reader, of which one is taken out; other numbers are refused."""
    graph: LayerGraph = nx.DiGraph()
    for name in ("v", "pv"):
        add_layer(graph, Gemm(name, "Gemm", "pv", "", 2, 3, 4, repeat=3))
    link = Link("w", feature_offset=(0, 2, 4), column_offset=7)
    add_link(graph, "v", "pv", link)
    assert [link.of_repeat(repeat) for repeat in range(3)] == [
        Link("w", feature_offset=first, column_offset=7) for first in (0, 2, 4)
    ]
    assert X.of_repeat(2) is X
    text = r"^edge\.column_offset: found 2 offsets; accepted: one offset, or 3: one for each repeat of 'pv'"
    with pytest.raises(ConfigError, match=text):
        add_link(graph, "v", "pv", Link("w", column_offset=(1, 2)))


def test_an_operand_in_place_has_one_link() -> None:
    """Several links at once are checked together: what is read in place is the outputs of one layer."""
    graph: LayerGraph = nx.DiGraph()
    for name in ("a", "b"):
        add_layer(graph, Gemm(name, "Gemm", "ffn", "", 3, 3, 3))
    with pytest.raises(ConfigError, match=r"^edge\.in_place: found 3 x 3 outputs for 3 x 3 activations, 2 producers"):
        add_links(graph, "a", "b", (Link("x", in_place=True), X))
    add_links(graph, "a", "b", (Link("x", in_place=True), W))
    assert len(links_into(graph, "b")) == 2


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        (["aa"], "network.edges: found 'a' -> 'a'; accepted: layers of which none needs its own outputs"),
        (["ab", "bc", "cb"], "network.edges: found 'b' -> 'c' -> 'b'; accepted: layers of which none"),
    ],
)
def test_a_circle_is_named(edges: list[str], text: str) -> None:
    """Layers that wait for each other are refused with their names, in the order of the wait."""
    graph = _graph("a", "b", "c")
    for producer, consumer in edges:
        add_link(graph, producer, consumer, X)
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        layers_in_order(graph)


def test_columns_lie_on_the_other_axis() -> None:
    """The axis without the features is that of the columns, and there are ranges for each of its indices."""
    for link, axis, size in ((X, "n", 4), (W, "m", 2), (Link("w", features_on="m"), "k", 3)):
        assert link.columns_on == axis
        graph = _graph("a", "b")
        add_link(graph, "a", "b", Link(link.operand, _ranges(size), link.features_on))
        text = rf"^edge\.needs: found ranges for 5 columns; accepted: {size}: one for each {axis} of 'b'"
        with pytest.raises(ConfigError, match=text):
            add_link(graph, "a", "b", Link(link.operand, _ranges(5), link.features_on))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"operand": "y"}, "edge.operand: found 'y'; accepted: x, w"),
        ({"needs": "feature"}, "edge.needs: found 'feature'; accepted: same, features, all or Columns. Did you mean"),
        ({"features_on": "m"}, "edge.features_on: found 'm'; accepted: k for x"),
        ({"operand": "w", "features_on": "n"}, "edge.features_on: found 'n'; accepted: k or m for w"),
        ({"in_place": True, "needs": "all"}, "edge.in_place: found True; accepted: False for all but the whole"),
        ({"in_place": True, "operand": "w"}, "edge.in_place: found True; accepted: False for all but the whole"),
        ({"in_place": True, "feature_offset": 1}, "edge.in_place: found True; accepted: False for all but the whole"),
    ],
)
def test_refused_link(fields: dict[str, Any], text: str) -> None:
    """A link that says nothing, or what cannot be, is refused with the field."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        Link(**{"operand": "x"} | fields)


@pytest.mark.parametrize(
    ("low", "high", "taps", "text"),
    [
        ([0], [1, 2], 1, "edge.needs: found columns of shapes (1,) and (2,); accepted: two vectors of a length"),
        ([[0]], [[1]], 1, "edge.needs: found columns of shapes (1, 1) and (1, 1); accepted: two vectors"),
        ([0], [1], 0, "edge.needs: found 0 taps; accepted: at least 1"),
    ],
)
def test_refused_columns(low: list[Any], high: list[Any], taps: int, text: str) -> None:
    """Column ranges have two ends each, and features at least one row."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        Columns(np.array(low), np.array(high), taps)


@pytest.mark.parametrize(
    ("producer", "consumer", "text"),
    [
        ("c", "a", "edge.from: found 'c'; accepted: a layer of the network"),
        ("a", "layer", "edge.to: found 'layer'; accepted: a layer of the network"),
    ],
)
def test_refused_end(producer: str, consumer: str, text: str) -> None:
    """Both ends of a link are layers of the graph."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        add_link(_graph("a", "b"), producer, consumer, X)


def test_what_is_read_in_place_has_one_producer_of_its_size() -> None:
    """Outputs that are read where they are written are the whole activation, and no other layer makes a part of it."""
    in_place = Link("x", in_place=True)
    with pytest.raises(ConfigError, match=r"^edge\.in_place: found 2 x 4 outputs for 3 x 4 activations, 1 producers"):
        add_link(_graph("a", "b"), "a", "b", in_place)
    for first, second in ((in_place, X), (X, in_place)):
        graph = _graph("b", "c")
        add_layer(graph, MaskedLayer("a", 3, 3, 4, 0.5, 0.5, 1))
        add_link(graph, "a", "b", W)
        add_link(graph, "a", "b", first)
        with pytest.raises(ConfigError, match=r"activations, 2 producers; accepted: one producer"):
            add_link(graph, "a", "b", second)


def test_a_name_is_that_of_one_layer() -> None:
    """A second layer of a name is refused."""
    with pytest.raises(ConfigError, match=r"^layer\.name: found 'a' twice; accepted: a name of its own for each"):
        _graph("a", "a")
