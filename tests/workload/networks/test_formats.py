"""The formats that the layers of a network write: which, of which features, how sparse, and in which order."""

from __future__ import annotations

import networkx as nx
import pytest
from case_counts import at_most
from hypothesis import given
from naive_waits import read_features
from profile_figures import densities
from strategies import linked_programs

from panacea_sim.errors import ConfigError
from panacea_sim.machines.shared.program import Program
from panacea_sim.workload.link import Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link, layers_in_order
from panacea_sim.workload.networks.formats import written_formats
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.zoo import build
from panacea_sim.workload.written_format import WrittenFormat


def _formats(graph: LayerGraph) -> dict[str, tuple[WrittenFormat, ...]]:
    order = layers_in_order(graph)
    return written_formats(graph, order, {name: number for number, name in enumerate(order)})


@at_most(150)
@given(linked_programs())
def test_what_is_read_is_written(program: Program) -> None:
    """Each producer writes the features that any element needs, once a form, in the order of the first readers."""
    wanted: dict[str, dict[tuple[str, str, int], set[int]]] = {name: {} for name in program.graph}
    for layer in program.layers:
        consumer: MaskedLayer = program.graph.nodes[layer.plan.name]["layer"]
        for producer, link, features in read_features(program.graph, layer.plan.name):
            vectors_on = "features" if link.features_on == "m" else "columns"
            form = (link.operand, vectors_on, consumer.weight_bits if link.operand == "w" else consumer.activation_bits)
            if features:
                wanted[producer].setdefault(form, set()).update(features)
        if consumer.sequential and consumer.repeat > 1:  # its own steps
            own = wanted[consumer.name].setdefault(("x", "columns", consumer.activation_bits), set())
            own.update(range(consumer.M * consumer.repeat))
    found = {
        name: {
            tuple(written.form): {feature for pair in written.features for feature in range(*pair)}
            for written in formats
        }
        for name, formats in _formats(program.graph).items()
    }
    assert found == wanted
    assert {name: list(forms) for name, forms in found.items()} == {name: list(forms) for name, forms in wanted.items()}


def test_attention_over_a_fused_weight() -> None:
    """Queries are an activation, keys weights with vectors on columns, values weights with vectors on features."""
    graph = build("gpt-2", "prefill", 16, None, 1)
    qkv, qk, pv, out = (_formats(graph)[f"block0.{name}"] for name in ("qkv", "qk", "pv", "out"))
    w_share, x_share = (
        {kind: (densities(kind)[operand],) for kind in ("qk", "pv", "out", "ffn")} for operand in range(2)
    )
    assert qkv == (
        WrittenFormat("x", "columns", 8, ((0, 768),), x_share["qk"]),
        WrittenFormat("w", "columns", 7, ((768, 1536),), w_share["qk"]),
        WrittenFormat("w", "features", 7, ((1536, 2304),), w_share["pv"]),
    )
    # Scores of all 12 heads; heads side by side; the stream.
    assert qk == (WrittenFormat("x", "columns", 8, ((0, 12 * 16),), x_share["pv"]),)
    assert pv == (WrittenFormat("x", "columns", 8, ((0, 768),), x_share["out"]),)
    assert out == (WrittenFormat("x", "columns", 8, ((0, 768),), x_share["ffn"]),)
    assert _formats(graph)["head"] == ()


def _graph(*layers: Gemm) -> LayerGraph:
    graph: LayerGraph = nx.DiGraph()
    for layer in layers:
        add_layer(graph, layer)
    return graph


def _gemm(name: str, m: int, k: int, n: int, rho_x: float = 0.5, **more: object) -> Gemm:
    return Gemm(name, "Gemm", "ffn", "", m, k, n, rho_w=(0.25,), rho_x=rho_x, **more)  # type: ignore[arg-type]


def test_a_format_is_as_sparse_as_for_its_first_reader() -> None:
    """Later readers of the same form add features; what is read in place has the masks of its reader."""
    graph = _graph(_gemm("a", 8, 4, 4), _gemm("b", 4, 3, 4, 0.75), _gemm("c", 4, 8, 4, 0.25))
    add_link(graph, "a", "c", Link("x", in_place=True))
    assert _formats(graph)["a"] == (WrittenFormat("x", "columns", 8, ((0, 8),), (0.25,), seed=2),)
    add_link(graph, "a", "b", Link("x", feature_offset=2))
    assert _formats(graph)["a"] == (WrittenFormat("x", "columns", 8, ((0, 8),), (0.75,)),)


def test_features_that_nobody_reads_are_not_written() -> None:
    """Two parts with a gap between them are two ranges; a link to columns that there are not reads nothing."""
    graph = _graph(_gemm("a", 20, 4, 4), _gemm("b", 4, 3, 4), _gemm("c", 4, 5, 4))
    add_link(graph, "a", "b", Link("x"))
    add_link(graph, "a", "c", Link("x", feature_offset=10))
    add_link(graph, "a", "c", Link("w", column_offset=4))
    assert _formats(graph)["a"] == (WrittenFormat("x", "columns", 8, ((0, 3), (10, 15)), (0.5,)),)


def test_steps_read_the_step_before() -> None:
    """A repeat of a sequential layer reads the one before, also where no other layer reads any."""
    assert _formats(_graph(_gemm("lstm", 8, 2, 1, repeat=3, sequential=True)))["lstm"] == (
        WrittenFormat("x", "columns", 8, ((0, 24),), (0.5,)),
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (("y", "columns", 8, ((0, 1),), (0.5,)), r"format\.operand: found 'y'; accepted: x, w"),
        (("x", "features", 8, ((0, 1),), (0.5,)), r"format\.vectors_on: found 'features'; accepted: columns"),
        (("w", "features", 8, ((0, 1),), (0.5,)), r"format\.bits: found 8; accepted: 4, 7, 10"),
        (("x", "columns", 8, (), (0.5,)), r"format\.features: found \(\); accepted: ranges first \.\. before last"),
        (("x", "columns", 8, ((0, 2), (2, 3)), (0.5,)), r"format\.features: found \(\(0, 2\), \(2, 3\)\)"),
        (("x", "columns", 8, ((-1, 2),), (0.5,)), r"format\.features: found \(\(-1, 2\),\)"),
        (("x", "columns", 12, ((0, 1),), (0.5,)), r"format\.skipped: found 1 shares; accepted: 2: one for each HO"),
        (("x", "columns", 8, ((0, 1),), (1.5,)), r"format\.skipped: found 1\.5"),
        (("x", "columns", 8, ((0, 1),), (0.5,), -1), r"format\.seed: found -1"),
    ],
)
def test_bad_fields(fields: tuple[object, ...], text: str) -> None:
    """Each field is refused by its name."""
    with pytest.raises(ConfigError, match=text):
        WrittenFormat(*fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("formats", "text"),
    [
        (((0, 9),), r"layer\.formats: found features 0 \.\. 8; accepted: those that it has, 0 \.\. 7"),
        (
            ((0, 4), (4, 8)),
            r"layer\.formats: found \('x', 'columns', 8\) twice; accepted: each operand, axis and width",
        ),
    ],
)
def test_formats_that_a_layer_cannot_have(formats: tuple[tuple[int, int], ...], text: str) -> None:
    """A layer has no features beyond its rows, of all repeats, and writes each form once."""
    written = tuple(WrittenFormat("x", "columns", 8, (pair,), (0.5,)) for pair in formats)
    with pytest.raises(ConfigError, match=text):
        MaskedLayer("layer", 4, 4, 4, 0.5, 0.5, 0, repeat=2, formats=written)
