"""Calibrated models: layers are those of arrays, and outputs those of a plain model of the integers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.calibration.calibrated import LayerRecord, calibrate, record_of  # noqa: E402
from panacea_sim.calibration.observed import ObservedLayer  # noqa: E402
from panacea_sim.calibration.policy import QuantizationPolicy  # noqa: E402
from panacea_sim.commands.main import main  # noqa: E402
from panacea_sim.errors import ConfigError  # noqa: E402
from panacea_sim.onnx_models import calibration  # noqa: E402
from panacea_sim.onnx_models.calibrated_model import CalibratedModel, calibrate_model  # noqa: E402
from panacea_sim.onnx_models.load import load_model  # noqa: E402
from panacea_sim.onnx_models.samples import read_samples  # noqa: E402
from panacea_sim.workload.networks.profile import density_profile  # noqa: E402

Array = np.ndarray[Any, Any]
SAMPLES = 5
ATTENTION = [
    node("MatMul", "x wq", "q", name="q"),
    node("MatMul", "x wk", "k", name="k"),
    node("Transpose", "k", "kt", perm=[0, 2, 1]),
    node("MatMul", "q kt", "scores", name="qk"),
    node("Relu", "scores", "y"),
]
PADDED = [
    node("Conv", "x w b", "c", name="conv", pads=[1, 0, 0, 2], strides=[2, 1]),
    node("Relu", "c", "y"),
]


def _random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _calibrated(
    nodes: list[Any],
    shape: tuple[int, ...],
    constants: dict[str, Array],
    folder: Path,
    policy: QuantizationPolicy | None = None,
    **options: Any,  # noqa: ANN401  # those of calibrate_model
) -> tuple[CalibratedModel, Array]:
    """Return a model that was calibrated on skewed samples, and these."""
    x = np.maximum(_random(SAMPLES, *shape, seed=1), -0.3)
    np.savez(folder / "samples.npz", x=x)
    path = write_model(folder / "model.onnx", small_model(nodes, {"x": shape}, "y", constants))
    model = load_model(path, folder / "samples.npz")
    samples = read_samples(folder / "samples.npz", model.inputs)
    return calibrate_model(model, samples, policy or QuantizationPolicy(), **options), x


def _seen(record: LayerRecord, x: Array) -> Array:
    """Return what the codes of activations stand for, as the machine sees them."""
    quantizer = record.scales.quantizer
    codes = quantizer.quantize(x).astype(np.int64)
    dropped = 1 << (quantizer.lo_bits - 4)
    middle = (dropped - 1) / 2 if record.scales.policy.dbs_offset == "midpoint" else 0
    return (codes // dropped * dropped + middle - quantizer.zero_point) * quantizer.scale


def _weight(record: LayerRecord, w: Array) -> Array:
    """Return what the codes of a weight [M, K] stand for."""
    scale = np.reshape(record.scales.weight_scale, (-1, 1))
    if record.scales.is_dynamic:
        return np.floor(w / scale + 0.5).clip(-63, 63) * scale
    return np.rint(w / scale).clip(-63, 63) * scale


POLICIES = [
    QuantizationPolicy(zpm="off", dbs_z=None),
    QuantizationPolicy(dbs_z=1.0),
    QuantizationPolicy(dbs_offset="floor", per_channel=False, percentile=95),
]


@pytest.mark.parametrize("policy", POLICIES)
def test_an_attention_is_quantized_in_place(policy: QuantizationPolicy, tmp_path: Path) -> None:
    """Outputs are those of the integers, layer after layer, a weight of other layers among them."""
    wq, wk = _random(12, 8, seed=2), _random(12, 8, seed=3)
    found, x = _calibrated(ATTENTION, (1, 9, 12), {"wq": wq, "wk": wk}, tmp_path, policy)
    records = found.records
    assert list(records) == ["q", "k", "qk"]
    assert [record.scales.is_dynamic for record in records.values()] == [False, False, True]
    sample = x[-1, 0].astype(np.float64)
    q, k = (_seen(records[name], sample) @ _weight(records[name], w.T).T for name, w in (("q", wq), ("k", wk)))
    # The right operand is the weight: its rows are keys.
    plain = np.maximum(_seen(records["qk"], q) @ _weight(records["qk"], k).T, 0)
    exact = np.maximum((sample @ wq) @ (sample @ wk).T, 0)
    noise = float(np.square(plain - exact).sum())
    (output,) = found.outputs.values()
    assert output.error.noise == pytest.approx(noise, rel=1e-3)
    assert output.error.signal == pytest.approx(float(np.square(exact).sum()), rel=1e-5)
    assert output.mean_cosine == pytest.approx(
        float((plain * exact).sum()) / np.linalg.norm(plain) / np.linalg.norm(exact), rel=1e-6
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_padding_is_a_code_like_others(policy: QuantizationPolicy, tmp_path: Path) -> None:
    """What stands beyond an image is the zero point, which the machine cuts as it cuts all codes."""
    w, b = _random(4, 2, 3, 3, seed=4), _random(4, seed=5)
    found, x = _calibrated(PADDED, (1, 2, 6, 5), {"w": w, "b": b}, tmp_path, policy)
    (record,) = found.records.values()
    padded = _seen(record, np.pad(x[-1, 0].astype(np.float64), ((0, 0), (1, 0), (0, 2))))
    kernel = _weight(record, w.reshape(4, -1)).reshape(w.shape)
    plain = np.zeros((4, 3, 5))
    for row in range(3):
        for column in range(5):
            window = padded[:, 2 * row : 2 * row + 3, column : column + 3]
            plain[:, row, column] = (kernel * window).sum((1, 2, 3)) + b
    exact = np.zeros_like(plain)
    real = np.pad(x[-1, 0].astype(np.float64), ((0, 0), (1, 0), (0, 2)))
    for row in range(3):
        for column in range(5):
            exact[:, row, column] = (w * real[:, 2 * row : 2 * row + 3, column : column + 3]).sum((1, 2, 3)) + b
    noise = float(np.square(np.maximum(plain, 0) - np.maximum(exact, 0)).sum())
    assert found.outputs["y"].error.noise == pytest.approx(noise, rel=1e-3)


def test_layers_are_those_of_their_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is observed at a time, a layer has the figures of its operands observed by hand."""
    monkeypatch.setattr(calibration, "_GROUP_BYTES", 1)
    wq, wk = _random(12, 8, seed=2), _random(12, 8, seed=3)
    found, x = _calibrated(ATTENTION, (1, 9, 12), {"wq": wq, "wk": wk}, tmp_path)
    by_hand = {"q": ObservedLayer("q"), "qk": ObservedLayer("qk", is_dynamic=True)}
    for sample in x[:, 0]:
        by_hand["q"].add(wq.T, sample.T)
        by_hand["qk"].add(sample @ wk, (sample @ wq).T)
    for name, observed in by_hand.items():
        record = record_of(calibrate(observed, QuantizationPolicy()))
        assert found.records[name].scales.quantizer.zero_point == record.scales.quantizer.zero_point
        assert found.records[name].figures.rho_x == record.figures.rho_x
        assert found.records[name].figures.work == record.figures.work
        assert found.records[name].figures.sqnr_db == pytest.approx(record.figures.sqnr_db, rel=1e-4)


def test_a_search_chooses_for_each_layer(tmp_path: Path) -> None:
    """The model's outputs are those of the chosen policies."""
    constants = {"wq": _random(12, 8, seed=2), "wk": _random(12, 8, seed=3)}
    found, _ = _calibrated(ATTENTION, (1, 9, 12), constants, tmp_path, searched=True, min_sqnr_db=25.0)
    assert [each.plain.name for each in found.searches] == list(found.records)
    assert all(each.chosen is found.records[each.plain.name] for each in found.searches)


def test_steps_of_recurrent_layers_stay_real(tmp_path: Path) -> None:
    """They are calibrated; the model whose outputs are judged has them in floating point, which is told."""
    constants = {"w": _random(1, 16, 3, seed=6), "r": _random(1, 16, 4, seed=7)}
    nodes = [node("LSTM", "x w r", "y", name="lstm", hidden_size=4)]
    found, _ = _calibrated(nodes, (5, 2, 3), constants, tmp_path)
    assert found.left_real == tuple(found.records)
    assert found.outputs["y"].error.noise == 0


def test_integers_stay_as_they_are(tmp_path: Path) -> None:
    """A model of integers only is refused; beside real layers they are named."""
    constants = {
        "sx": np.array(0.05, np.float32),
        "zx": np.array(100, np.uint8),
        "w": np.ones((6, 4), np.int8),
        "sw": np.array(0.1, np.float32),
        "zw": np.array(0, np.int8),
    }
    nodes = [
        node("QuantizeLinear", "x sx zx", "qx"),
        node("DequantizeLinear", "qx sx zx", "dx"),
        node("DequantizeLinear", "w sw zw", "dw"),
        node("MatMul", "dx dw", "h", name="quantized"),
    ]
    with pytest.raises(ConfigError, match="integers only: it is quantized already"):
        _calibrated([*nodes, node("Relu", "h", "y")], (3, 6), constants, tmp_path)
    real = [*nodes, node("MatMul", "h v", "y", name="real")]
    found, _ = _calibrated(real, (3, 6), {**constants, "v": _random(4, 2)}, tmp_path)
    assert (list(found.records), found.integers) == (["real"], ("quantized",))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Return a model and samples."""
    constants = {"wq": _random(12, 8, seed=2), "wk": _random(12, 8, seed=3)}
    model = write_model(tmp_path / "model.onnx", small_model(ATTENTION, {"x": (1, 9, 12)}, "y", constants))
    np.savez(tmp_path / "samples.npz", x=_random(SAMPLES, 1, 9, 12, seed=1))
    return model, tmp_path / "samples.npz"


def test_the_command_writes_a_folder(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """JSON, a table and with --search the picture; a second run needs --force."""
    model, data = files
    out = model.parent / "calibrated"
    arguments = ["calibrate", str(model), "--data", str(data), "--search", "--out", str(out)]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "Work skipped of the whole model" in told
    content = json.loads((out / "calibration.json").read_text(encoding="utf-8"))
    assert [layer["name"] for layer in content["layers"]] == ["q", "k", "qk"]
    assert content["outputs"][0]["name"] == "y"
    assert len(content["searches"]) == 3
    rows = (out / "layers.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    assert "work.skipped_share" in rows[0]
    density = density_profile(str(out / "profile.yaml")).density("gemm", "aqs")
    assert density.rho_x == pytest.approx(sum(layer["rho_x"] for layer in content["layers"]) / 3, abs=1e-4)
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert main(arguments) == 2
    assert "calibration.json" in capsys.readouterr().err
    assert main([*arguments, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == content


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--data": "nothing.npz"}, "nothing.npz"),
        ({"--dbs": "z=x"}, "--dbs: found 'z=x'"),
        ({"--min-sqnr": "3"}, "--search beside it"),
        ({"--out": "samples.npz"}, "a file; accepted: a folder"),
    ],
)
def test_what_is_wrong_is_told(
    changed: dict[str, str], message: str, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """One message, and no folder."""
    model, data = files
    options = {"--data": data.name, "--out": "calibrated", **changed}
    for option in ("--data", "--out"):
        options[option] = str(model.parent / options[option])
    assert main(["calibrate", str(model), *(word for pair in options.items() for word in pair)]) == 2
    assert message in capsys.readouterr().err
    assert not (model.parent / "calibrated").exists()
