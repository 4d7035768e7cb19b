"""Network files: every operator, what its layers need of each other, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from naive_links import Needs, needed
from profile_figures import densities

from panacea_sim.errors import ConfigError
from panacea_sim.workload.network import LayerGraph, layers_in_order
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.convolution import Convolution, TransposedConvolution, Window
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.im2col import col2im, convolution_operands
from panacea_sim.workload.networks.network_file import read_network_file
from panacea_sim.workload.networks.profile import density_profile

_HEAD = "kind: network\nlayers:\n"
_A = "  - {name: a, op: gemm, M: 4, K: 3, N: 6}\n"
_IMAGES = "  - {name: a, op: gemm, M: 6, K: 3, N: 40}\n"
"""Two images of 4 x 5 with 6 channels."""


def _graph(folder: Path, text: str, tile_m: int = 64) -> LayerGraph:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return read_network_file(path, NetworkBuilder(density_profile("measured")), tile_m)


def _layer(graph: LayerGraph, name: str) -> Gemm:
    layer = graph.nodes[name]["layer"]
    assert isinstance(layer, Gemm)
    return layer


def _expected(producer: str, features: int, matrix: np.ndarray, columns: int, first: int = 0) -> Needs:
    """Return what an im2col matrix of labels needs: its own feature, and the columns from the first to the last."""
    found: Needs = {}
    for row, column in np.ndindex(matrix.shape):
        met = matrix[:, column][matrix[:, column] >= 0] % columns
        taps = matrix[row][matrix[row] >= 0]
        feature = int(taps[0]) // columns - first
        if met.size and 0 <= feature < features:
            found[row, column] = {(producer, feature, int(c)) for c in range(met.min(), met.max() + 1)}
    return found


def _labels(channels: int, batch: int, size: tuple[int, ...]) -> np.ndarray:
    """Return images of which each element is channel * columns + column."""
    columns = batch * int(np.prod(size))
    labels = np.arange(channels * columns).reshape(channels, batch, *size)
    return np.moveaxis(labels, 0, 1)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "padding", "stride"), [((3, 2), ((1, 0), (0, 1)), 1), ((1, 1), ((0, 0),) * 2, 2)])
def test_convolutions_need_their_windows(
    tmp_path: Path, groups: int, kernel: tuple[int, int], padding: tuple[tuple[int, int], ...], stride: int
) -> None:
    """Each group needs its own channels, in the windows of its pixels, as the im2col matrix of labels has them."""
    text = (
        _HEAD
        + _IMAGES
        + (
            f"  - {{name: c, op: conv, in_channels: 6, out_channels: 12, size: [4, 5], batch: 2, "
            f"kernel: {list(kernel)}, padding: {[list(pads) for pads in padding]}, stride: {stride}, "
            f"groups: {groups}, from: a}}\n"
        )
    )
    graph = _graph(tmp_path, text)
    window = Window((4, 5), kernel, (stride, stride), padding, (1, 1), 2)
    convolution = Convolution(6, 12, window, groups)
    weight = np.zeros((12, 6 // groups, *kernel), np.int8)
    layer = _layer(graph, "c")
    for group, each in enumerate(convolution_operands(convolution, weight, _labels(6, 2, (4, 5)), -1)):
        assert (each.weight.shape[0], *each.activation.shape) == (layer.M, layer.K, layer.N)
        assert needed(graph, "c", "x", group) == _expected("a", 6, each.activation, 40)
    assert layer.repeat == groups


def test_packed_groups_stand_side_by_side(tmp_path: Path) -> None:
    """As many groups as fit T_M are one product, the rest another; multiplications are those without the zeros."""
    text = (
        _HEAD
        + _IMAGES
        + (
            "  - {name: c, op: conv, in_channels: 6, out_channels: 6, size: [4, 5], batch: 2, kernel: 3, padding: 1, "
            "groups: 6, depthwise: packed, from: a}\n"
            "  - {name: p, op: conv, in_channels: 6, out_channels: 2, size: [4, 5], batch: 2, kernel: 1, from: c}\n"
            "  - {name: d, op: conv, in_channels: 6, out_channels: 2, size: [4, 5], batch: 2, kernel: 3, from: c}\n"
        )
    )
    graph = _graph(tmp_path, text, tile_m=4)
    full, rest = _layer(graph, "c"), _layer(graph, "c.rest")
    assert (full.M, full.K, full.N, full.repeat, full.macs) == (4, 36, 40, 1, 4 * 9 * 40)
    assert (rest.M, rest.K, rest.N, rest.repeat, rest.macs) == (2, 18, 40, 1, 2 * 9 * 40)
    window = Window((4, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2)
    weight = np.zeros((6, 1, 3, 3), np.int8)
    operands = list(convolution_operands(Convolution(6, 6, window, 6), weight, _labels(6, 2, (4, 5)), -1, packed=4))
    for name, each in zip(("c", "c.rest"), operands, strict=True):
        assert needed(graph, name, "x") == _expected("a", 6, each.activation, 40)
    channel = [("c", 0), ("c", 1), ("c", 2), ("c", 3), ("c.rest", 0), ("c.rest", 1)]
    assert needed(graph, "p", "x") == {(k, n): {(*channel[k], n)} for k in range(6) for n in range(40)}
    plain = Window((4, 5), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 2)
    (matrix,) = convolution_operands(Convolution(6, 2, plain), np.zeros((2, 6, 3, 3), int), _labels(6, 2, (4, 5)), -1)
    first = _expected("c", 4, matrix.activation, 40)
    assert needed(graph, "d", "x") == first | _expected("c.rest", 2, matrix.activation, 40, first=4)


def test_a_pooling_between(tmp_path: Path) -> None:
    """Behind a pooling a convolution needs the pixels of the pooling's windows; a product those of its column."""
    text = _HEAD + (
        "  - {name: a, op: conv, in_channels: 1, out_channels: 2, size: [6], kernel: 1}\n"
        "  - {name: c, op: conv, in_channels: 2, out_channels: 1, size: [3], kernel: 2, "
        "from: {layer: a, pool: {kernel: 2, stride: 2}}}\n"
        "  - {name: fc, op: gemm, M: 5, K: 2, N: 1, from: {layer: a, pool: {kernel: 6, stride: 1}}}\n"
    )
    graph = _graph(tmp_path, text)
    rows = [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert needed(graph, "c", "x") == {
        (row, n): {("a", feature, column) for column in range(2 * n, 2 * n + 4)}
        for row, feature in rows
        for n in (0, 1)
    }
    assert needed(graph, "fc", "x") == {(k, 0): {("a", k, column) for column in range(6)} for k in (0, 1)}


def test_transposed_convolutions(tmp_path: Path) -> None:
    """A pixel needs the input pixels that reach it, with all features; the sums are vector work."""
    text = _HEAD + (
        "  - {name: t, op: conv_transpose, in_channels: 4, out_channels: 2, size: [3, 2], kernel: 3, stride: 2, "
        "padding: [[1, 0], [0, 1]], output_padding: 1, groups: 2, vector: [relu]}\n"
        "  - {name: c, op: conv, in_channels: 2, out_channels: 1, size: [7, 5], kernel: 1, from: t}\n"
    )
    graph = _graph(tmp_path, text)
    layer = _layer(graph, "t")
    assert (layer.M, layer.K, layer.N, layer.repeat, layer.vector) == (9, 2, 6, 2, ("col2im", "relu"))
    window = Window((7, 5), (3, 3), (2, 2), ((1, 0), (0, 1)), (1, 1))
    convolution = TransposedConvolution(1, 1, window)
    found = needed(graph, "c", "x")
    reached: dict[int, set[int]] = {}
    for pixel in range(6):
        product = np.zeros((9, 6), np.int64)
        product[:, pixel] = 1
        for place in np.flatnonzero(col2im(convolution, [product])):
            reached.setdefault(int(place), set()).add(pixel)
    expected = {
        (k, n): {("t", f, c) for f in range(18) for c in range(min(met), max(met) + 1)}
        for k in range(2)
        for n, met in reached.items()
    }
    assert found == expected


@pytest.mark.parametrize(("op", "gates"), [("lstm", 4), ("gru", 3)])
def test_recurrent_layers(tmp_path: Path, op: str, gates: int) -> None:
    """A step needs the inputs' gates of the step before, and whoever reads its state the same feature of each gate."""
    text = (
        _HEAD
        + _A
        + (
            f"  - {{name: r, op: {op}, input_size: 4, hidden_size: 2, steps: 3, batch: 2, from: a}}\n"
            "  - {name: s, op: gemm, M: 1, K: 2, N: 6, from: {layer: r, needs: same}}\n"
            "  - {name: f, op: gemm, M: 1, K: 2, N: 6, from: {layer: r, needs: features}}\n"
        )
    )
    graph = _graph(tmp_path, text)
    inputs, hidden = _layer(graph, "r.input"), _layer(graph, "r.hidden")
    assert (2 * gates, 4, 6) == (inputs.M, inputs.K, inputs.N)
    assert (hidden.M, hidden.K, hidden.N, hidden.repeat, hidden.sequential) == (2 * gates, 2, 2, 3, True)
    assert needed(graph, "r.input", "x") == {(k, n): {("a", k, n)} for k in range(4) for n in range(6)}
    assert needed(graph, "r.hidden", "x", 0) == {}
    for step in (1, 2):
        assert needed(graph, "r.hidden", "x", step) == {
            (k, b): {("r.input", f, (step - 1) * 2 + b) for f in range(2 * gates)} for k in range(2) for b in range(2)
        }
    state = {
        (k, step * 2 + b): {("r.input", g * 2 + k, step * 2 + b) for g in range(gates)}
        | {("r.hidden", step * 2 * gates + g * 2 + k, b) for g in range(gates)}
        for k in range(2)
        for step in range(3)
        for b in range(2)
    }
    assert needed(graph, "s", "x") == state
    assert needed(graph, "f", "x") == {(k, n): state[0, n] | state[1, n] for k, n in state}


@pytest.mark.timeout(60)
def test_many_steps(tmp_path: Path) -> None:
    """Links of many steps are added together: 8,000 steps take a second and not an hour."""
    text = _HEAD + (
        "  - {name: r, op: lstm, input_size: 4, hidden_size: 2, steps: 8000}\n"
        "  - {name: s, op: gemm, M: 1, K: 2, N: 8000, from: {layer: r, needs: same}}\n"
    )
    graph = _graph(tmp_path, text)
    assert [len(graph.edges[name, "s"]["links"]) for name in ("r.input", "r.hidden")] == [32000, 32000]


def test_attention_and_its_readers(tmp_path: Path) -> None:
    """Attention over fused layers: older keys are in DRAM; a norm behind it needs all heads of a token."""
    text = _HEAD + (
        "  - {name: q, op: gemm, M: 8, K: 3, N: 2}\n"
        "  - {name: kv, op: gemm, M: 8, K: 3, N: 2}\n"
        "  - {name: att, op: attention, block: b, heads: 4, kv_heads: 2, head_size: 2, queries: 1, keys: 5, batch: 2, "
        "q: q, k: kv, v: {layer: kv, offset: 4}}\n"
        "  - {name: o, op: gemm, M: 1, K: 8, N: 2, from: {layer: att, needs: features}}\n"
    )
    graph = _graph(tmp_path, text)
    qk, pv = _layer(graph, "att.qk"), _layer(graph, "att.pv")
    assert (qk.M, qk.K, qk.N, qk.repeat, qk.dynamic_weight, qk.kind, qk.block) == (5, 2, 2, 4, True, "qk", "b")
    assert (pv.M, pv.K, pv.N, pv.repeat, pv.weight_bits) == (2, 5, 2, 4, 7)
    assert needed(graph, "att.pv", "w", 3) == {(m, 4): {("kv", 4 + 2 + m, 1)} for m in range(2)}
    assert needed(graph, "att.qk", "w", 2) == {(4, k): {("kv", k, 1)} for k in range(2)}
    expected = {
        (k, s): {("att.pv", (2 * s + head) * 2 + f, member) for head in (0, 1) for member in (0, 1) for f in (0, 1)}
        for k in range(8)
        for s in range(2)
    }
    assert needed(graph, "o", "x") == expected


def test_links_as_they_are_spelled(tmp_path: Path) -> None:
    """The fields of a link say exactly what is read; a name alone stands for everything."""
    text = (
        _HEAD
        + _A
        + (
            "  - {name: b, op: gemm, M: 2, K: 4, N: 6, from: a}\n"
            "  - {name: c, op: gemm, M: 2, K: 6, N: 6, from: [{layer: a, feature_span: [0, 4]}, "
            "{layer: b, feature_span: [4, 6], feature_offset: -4}]}\n"
            "  - {name: d, op: gemm, M: 6, K: 2, N: 3, repeat: 2, dynamic_weight: true, "
            "from: {layer: a, operand: w, feature_offset: [0, 2]}}\n"
            "  - {name: e, op: gemm, M: 1, K: 4, N: 6, from: {layer: a, in_place: true}}\n"
        )
    )
    graph = _graph(tmp_path, text)
    everything = {("a", f, c) for f in range(4) for c in range(6)}
    assert needed(graph, "b", "x") == {(k, n): everything for k in range(4) for n in range(6)}
    assert needed(graph, "c", "x") == {
        (k, n): {("a", k, n) if k < 4 else ("b", k - 4, n)} for k in range(6) for n in range(6)
    }
    assert needed(graph, "d", "w", 1) == {(m, k): {("a", 2 + k, m)} for m in range(6) for k in range(2)}
    assert graph.edges["a", "e"]["links"][0].in_place


def test_layers_may_read_what_comes_later(tmp_path: Path) -> None:
    """The order of a file breaks ties only: a layer runs after what it reads."""
    text = _HEAD + "  - {name: z, op: gemm, M: 1, K: 4, N: 6, from: a}\n" + _A
    assert layers_in_order(_graph(tmp_path, text)) == ["a", "z"]


def test_densities_bits_and_labels(tmp_path: Path) -> None:
    """A layer may say its own bits, densities, kind and block; others take those of the profile."""
    text = _HEAD + (
        "  - {name: a, op: gemm, M: 1, K: 1, N: 1, weight_bits: 10, rho_w: 0.5, rho_x: 1, kind: ffn, block: first}\n"
        "  - {name: b, op: conv, in_channels: 1, out_channels: 1, size: [3], kernel: 1}\n"
    )
    graph = _graph(tmp_path, text)
    a, b = _layer(graph, "a"), _layer(graph, "b")
    assert (a.weight_bits, a.rho_w, a.rho_x, a.kind, a.block) == (10, (0.5, 0.5), 1.0, "ffn", "first")
    rho_w, rho_x = densities("conv")
    assert (b.weight_bits, b.rho_w, b.rho_x, b.kind, b.block) == (7, (rho_w,), rho_x, "conv", "")


def _b(depth: int, columns: int, more: str) -> str:
    """Return a second layer b with M = 1."""
    return f"  - {{name: b, op: gemm, M: 1, K: {depth}, N: {columns}, {more}}}\n"


def _first(more: str) -> str:
    """Return a file of one layer with M = 4 and K = 3."""
    return f"{_HEAD}  - {{name: a, op: gemm, M: 4, K: 3, {more}}}\n"


def test_the_documented_file(tmp_path: Path) -> None:
    """The example of docs/networks.md is read: a packed depthwise convolution, and a pooling over whole images."""
    page = (Path(__file__).parents[3] / "docs" / "networks.md").read_text(encoding="utf-8")
    (example,) = [
        text for text in re.findall(r"```yaml[^\n]*\n(.*?)```", page, re.DOTALL) if text.startswith("kind: network")
    ]
    graph = _graph(tmp_path, example)
    assert [(name, _layer(graph, name).macs) for name in graph] == [
        ("stem", 32 * 27 * 112**2),
        ("dw", 32 * 9 * 112**2),
        ("pw", 64 * 32 * 112**2),
        ("fc", 640),
    ]
    assert len(needed(graph, "fc", "x")[63, 0]) == 112**2


_CONV = "  - {name: c, op: conv, in_channels: 4, out_channels: 4, size: [6], kernel: 3, padding: 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: []\n", "net.yaml: kind: found nothing; accepted: only 'network'"),
        ("kind: net\nlayers: []\n", "net.yaml: kind: found 'net'; accepted: only 'network'"),
        (_HEAD + "  []\n", "net.yaml: layers: found []; accepted: a list"),
        (_HEAD + "  - {name: a, op: gem}\n", "net.yaml: layers[0].op: found 'gem'; accepted: gemm, conv"),
        (_HEAD + "  - {name: a}\n", "net.yaml: layers[0].op: found nothing; accepted: gemm, conv"),
        (_HEAD + "  - {name: a, op: gemm, M: 4, K: 3}\n", "layers[0].N: found nothing; accepted: a whole number in 1"),
        (_first("N: 0"), "layers[0].N: found 0; accepted: a whole number in 1"),
        (_first("N: 1, pad: 1"), "layers[0].pad: found an unknown field"),
        (_first("N: 1, rho_w: .nan"), "layers[0].rho_w: found nan; accepted: a n"),
        (_first("N: 1, rho_x: 1.5"), "layers[0].rho_x: found 1.5; accepted: a nu"),
        (_first("N: 1, weight_bits: 8"), "layers[0].weight_bits: found 8; accepted"),
        (_first("N: 1, vector: [gelu]"), "layers[0].vector: found 'gelu'; accepte"),
        (_HEAD + _A + _A, "net.yaml: layers[1].name: found 'a' twice"),
        (_HEAD + _A + _b(4, 6, "from: aa"), "layers[1].from[0]: layer: found 'aa'; ac"),
        (_HEAD + _A + _b(5, 6, "from: {layer: a, needs: same}"),
         "layers[1].from[0]: layer: found 4 features of 'a'; accepted: 5, as the layer reads"),
        (_HEAD + _A + _b(4, 7, "from: {layer: a, needs: features}"),
         "layers[1].from[0]: layer: found 6 columns of 'a'; accepted: 7, as the layer reads"),
        (_HEAD + _A + _b(4, 6, "from: {layer: a, needs: columns}"),
         "layers[1].from[0]: needs: found 'columns'; accepted: same, features, all: only convolutions"),
        (_HEAD + _A + _b(5, 6, "from: {layer: a, feature_span: [0, 5]}"),
         "layers[1].from[0]: edge: found features 0 .. 4; accepted: features in 0 .. 3, which 'a' writes"),
        (_HEAD + _A + _b(4, 6, "from: {layer: a, feature_span: [2, 9]}"),
         "layers[1].from[0]: edge.feature_span: found 2 .. 9; accepted: first and end with 0 <= first < end <= 4"),
        (_HEAD + _A + _b(4, 6, "repeat: 3, from: {layer: a, feature_offset: [0, 0, 1, 1]}"),
         "layers[1].from[0]: edge.feature_offset: found 4 offsets; accepted: one offset, or 3"),
        (_HEAD + _A + _b(5, 6, "from: {layer: a, in_place: true}"),
         "layers[1].from[0]: edge.in_place: found 4 x 6 outputs for 5 x 6 activations"),
        (_HEAD + _b(4, 6, "from: c") + "  - {name: c, op: gemm, M: 4, K: 4, N: 6, from: b}\n",
         "net.yaml: network.edges: found 'b' -> 'c' -> 'b'; accepted: layers of which none"),
        (_HEAD + _A + _CONV + ", stride: [1, 1], from: a}\n", "layers[1].stride: found 2 axes; accepted: 1,"),
        (_HEAD + _CONV + ", groups: 3}\n", "layers[0].groups: found 3; accepted: a divisor of in_channels = 4"),
        (_HEAD + _CONV.replace("[6]", "[1000000000]") + "}\n" + _CONV.replace("[6]", "[1000000000]").replace("c,", "d,")
         + ", from: c}\n", "layers[1].from[0]: size: found 1,000,000,000 output pixels; accepted: at most 33,554,432"),
        (_HEAD + _CONV + ", dilation: 9}\n", "layers[0].kernel: found 19 pixels on axis 0; accepted: at most 8"),
        (_HEAD + _A + _CONV + ", batch: 2, from: a}\n", "layers[1].from[0]: layer: found 6 columns of 'a'"),
        (_HEAD + _A + _CONV + ", from: {layer: a, pool: {kernel: 2, stride: 2}}}\n", "from[0]: pool: found a pooling"),
        (_HEAD + _CONV.replace("conv,", "conv_transpose,") + ", output_padding: 1}\n",
         "layers[0].output_padding: found 1; accepted: less than the stride, 1"),
        (_HEAD + _A + "  - {name: b, op: attention, heads: 2, head_size: 2, queries: 6, q: a, k: a, v: x}\n",
         "layers[1].v: found 'x'; accepted: a matrix product or convolution above it in the file"),
        (_HEAD + _A + "  - {name: b, op: attention, heads: 2, head_size: 3, queries: 6, q: a, k: a, v: a}\n",
         "layers[1].edge: found features 0 .. 5; accepted: features in 0 .. 3, which 'a' writes"),
        (_HEAD + _A + "  - {name: b, op: attention, heads: 2, head_size: 2, queries: 6, q: a, k: a, v: a, from: a}\n",
         "layers[1].from: found 1 layers; accepted: nothing: attention reads q, k and v"),
    ],
)  # fmt: skip
def test_refused_files(tmp_path: Path, text: str, message: str) -> None:
    """What is wrong in a file is told with its place, and what would be accepted."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        _graph(tmp_path, text)
