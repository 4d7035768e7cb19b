"""What the layers of transformers need of each other, element by element, against tensors of labels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from naive_links import Needs, Output, needed

from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.attention import Attention
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.model_table import Decoder, Vision
from panacea_sim.workload.networks.profile import density_profile
from panacea_sim.workload.networks.transformer import add_decoder, add_vision

_SIZE = 2
"""Features of a head."""

_SHAPES = [(2, 2, 1), (2, 2, 2), (4, 2, 1), (4, 2, 3), (6, 2, 2)]
"""Heads, heads of keys and values, sequences."""


def _decoder(heads: int, kv_heads: int, *, qkv: str = "split", position: str = "added", form: str = "relu") -> Decoder:
    return Decoder.model_validate(
        {"name": "tiny", "source": "", "family": "decoder", "hidden": heads * _SIZE, "layers": 2, "heads": heads,
         "kv_heads": kv_heads, "ffn": 3, "vocabulary": 7, "qkv": qkv, "ffn_form": form, "position": position}
    )  # fmt: skip


def _graph(model: Decoder, batch: int, queries: int, keys: int) -> LayerGraph:
    builder = NetworkBuilder(density_profile("dense"))
    add_decoder(builder, model, Attention(model.heads, model.kv_heads, _SIZE, batch, queries, keys))
    return builder.graph


def _labels(layer: str, features: int, batch: int, tokens: int, first: int = 0) -> np.ndarray:
    """Return what a layer writes, [batch, tokens, features], each element its own name."""
    labels = np.empty((batch, tokens, features), object)
    for sequence, token, feature in np.ndindex(labels.shape):
        labels[sequence, token, feature] = (layer, first + feature, sequence * tokens + token)
    return labels


def _heads(labels: np.ndarray, heads: int) -> np.ndarray:
    """Return [batch, heads, tokens, features of a head], as attention does it."""
    batch, tokens, _ = labels.shape
    return labels.reshape(batch, tokens, heads, _SIZE).transpose(0, 2, 1, 3)


def _each_alone(matrix: np.ndarray) -> Needs:
    return {place: {label} for place, label in np.ndenumerate(matrix) if label is not None}


def _spread_along(matrix: np.ndarray, axis: int) -> Needs:
    """Return needs of which each element needs all along an axis."""
    return {
        place: set(matrix[:, place[1]] if axis == 0 else matrix[place[0], :]) - {None}
        for place, label in np.ndenumerate(matrix)
        if label is not None
    }


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("qkv", ["split", "fused"])
@pytest.mark.parametrize(("queries", "keys"), [(3, 3), (1, 4)])
@pytest.mark.parametrize(("heads", "kv_heads", "batch"), _SHAPES)
def test_attention_needs_its_own_heads(  # the cases
    heads: int,
    kv_heads: int,
    batch: int,
    queries: int,
    keys: int,
    qkv: str,
    rotary: bool,  # noqa: FBT001
) -> None:
    """QK, PV and the projection need what tensors that are reshaped and transposed lead to; older keys are in DRAM."""
    model = _decoder(heads, kv_heads, qkv=qkv, position="rotary" if rotary else "added")
    graph = _graph(model, batch, queries, keys)
    width, kv_width = heads * _SIZE, kv_heads * _SIZE
    names = ("q", "k", "v") if qkv == "split" else ("qkv",) * 3
    starts = (0, 0, 0) if qkv == "split" else (0, width, width + kv_width)
    widths = (width, kv_width, kv_width)
    q, k, v = (
        _heads(_labels(f"block1.{name}", count, batch, queries, start), count // _SIZE)
        for name, count, start in zip(names, widths, starts, strict=True)
    )
    old = np.full((keys - queries, _SIZE), None, object)
    group = heads // kv_heads
    context = np.empty((batch, heads, queries, _SIZE), object)
    for repeat, (sequence, head) in enumerate(product(range(batch), range(kv_heads))):
        members = range(head * group, (head + 1) * group)
        x = np.concatenate([q[sequence, member] for member in members]).T
        w = np.concatenate([old, k[sequence, head]])
        assert needed(graph, "block1.qk", "x", repeat) == (_spread_along(x, 0) if rotary else _each_alone(x))
        assert needed(graph, "block1.qk", "w", repeat) == (_spread_along(w, 1) if rotary else _each_alone(w))
        values = np.concatenate([old, v[sequence, head]]).T
        assert needed(graph, "block1.pv", "w", repeat) == _each_alone(values)
        scores = np.empty((keys, group * queries), object)
        for key, query in np.ndindex(scores.shape):
            scores[key, query] = ("block1.qk", repeat * keys + key, query)
        assert needed(graph, "block1.pv", "x", repeat) == _spread_along(scores, 0)
        for place, query, feature in np.ndindex(group, queries, _SIZE):
            label = ("block1.pv", repeat * _SIZE + feature, place * queries + query)
            context[sequence, members[place], query, feature] = label
    merged = context.transpose(0, 2, 1, 3).reshape(batch * queries, width).T
    assert needed(graph, "block1.out", "x") == _each_alone(merged)


def _everything_behind(graph: LayerGraph, output: Output, known: dict[Output, set[Output]]) -> set[Output]:
    """Return all outputs that one needs, at any distance."""
    if output not in known:
        name, row, column = output
        layer = graph.nodes[name]["layer"]
        repeat, row = divmod(row, layer.M)
        direct: set[Output] = set()
        x, w = needed(graph, name, "x", repeat), needed(graph, name, "w", repeat)
        for k in range(layer.K):
            direct |= x.get((k, column), set()) | w.get((row, k), set())
        known[output] = direct.union(*(_everything_behind(graph, before, known) for before in direct))
    return known[output]


@pytest.mark.parametrize(("queries", "keys"), [(2, 2), (1, 3)])
def test_older_terms_of_the_stream_were_written_before(queries: int, keys: int) -> None:
    """Two terms of the residual stream are enough: what they need holds all that was added before, in their columns."""
    graph = _graph(_decoder(2, 1), 2, queries, keys)
    known: dict[Output, set[Output]] = {}
    for column in range(2 * queries):
        behind = _everything_behind(graph, ("block1.ffn1", 0, column), known)
        for older in ("block0.out", "block0.ffn2", "block1.out"):
            assert {(older, feature, column) for feature in range(4)} <= behind


def test_norms_need_all_features_of_a_token() -> None:
    """Layers behind a norm need every feature of their column, of both terms of the latest addition."""
    graph = _graph(_decoder(2, 2, form="gated"), 2, 3, 3)
    for name, terms in (("q", ("block0.down", "block0.out")), ("up", ("block1.out", "block0.down"))):
        found = needed(graph, f"block1.{name}", "x")
        assert found == {
            (k, n): {(term, feature, n) for term in terms for feature in range(4)} for k in range(4) for n in range(6)
        }
    down = needed(graph, "block1.down", "x")
    assert down == {(k, n): {("block1.gate", k, n), ("block1.up", k, n)} for k in range(3) for n in range(6)}


@pytest.mark.parametrize(("batch", "tokens"), [(1, 3), (2, 3), (3, 1)])
def test_the_head_looks_at_last_tokens(batch: int, tokens: int) -> None:
    """Column s of the head needs the last token of sequence s."""
    graph = _graph(_decoder(2, 2), batch, tokens, tokens)
    expected = {
        (k, s): {(term, f, (s + 1) * tokens - 1) for term in ("block1.ffn2", "block1.out") for f in range(4)}
        for k in range(4)
        for s in range(batch)
    }
    assert needed(graph, "head", "x") == expected


def test_projections_of_a_narrow_embedding() -> None:
    """The first block reads the projected embeddings without a norm; the head reads the second projection in place."""
    model = _decoder(2, 2).model_copy(update={"embedding": 3})
    graph = _graph(model, 2, 3, 3)
    assert needed(graph, "block0.q", "x") == {(k, n): {("project_in", k, n)} for k in range(4) for n in range(6)}
    expected = {("project_in", f, 5) for f in range(4)} | {("block0.out", f, 5) for f in range(4)}
    assert needed(graph, "block0.ffn1", "x")[0, 5] == expected
    assert [link.in_place for link in graph.edges["project_out", "head"]["links"]] == [True]


def test_class_tokens_stand_before_the_patches() -> None:
    """Token 0 of an image is in DRAM, token t is patch t - 1; the classifier reads token 0."""
    model = Vision.model_validate(
        {"name": "tiny", "source": "", "family": "vision", "hidden": 4, "layers": 1, "heads": 2, "kv_heads": 2,
         "ffn": 3, "qkv": "fused", "ffn_form": "gelu", "position": "added", "image": 4, "patch": 2, "classes": 3}
    )  # fmt: skip
    builder = NetworkBuilder(density_profile("dense"))
    add_vision(builder, model, Attention(2, 2, _SIZE, 2, 5, 5))
    found = needed(builder.graph, "block0.qkv", "x")
    assert found == {
        (k, image * 5 + token): {("patch", f, image * 4 + token - 1) for f in range(4)}
        for k in range(4)
        for image in range(2)
        for token in range(1, 5)
    }
    head = needed(builder.graph, "head", "x")
    assert head[0, 1] == {(term, f, 5) for term in ("block0.ffn2", "block0.out") for f in range(4)}
