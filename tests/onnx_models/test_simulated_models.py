"""Models that run with the operands of a sample: integers are those of plain arrays, and all layers are exact."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from requantized_outputs import compared_outputs  # noqa: E402  # they need onnx
from small_models import node, small_model, write_model  # noqa: E402

from panacea_sim.calibration.calibrated import calibrate  # noqa: E402
from panacea_sim.calibration.observed import ObservedLayer  # noqa: E402
from panacea_sim.calibration.policy import QuantizationPolicy  # noqa: E402
from panacea_sim.commands.main import main  # noqa: E402
from panacea_sim.onnx_models import calibration, samples  # noqa: E402
from panacea_sim.onnx_models.load import load_model  # noqa: E402
from panacea_sim.onnx_models.simulated_layers import simulated_layers  # noqa: E402
from panacea_sim.running.scenario import Scenario, load_scenario  # noqa: E402
from panacea_sim.workload.gemm_layer import GemmLayer  # noqa: E402

Array = np.ndarray[Any, Any]
SAMPLES = 8
HELD_OUT = 2
RNG = np.random.default_rng(3)


def _real(*shape: int, seed: int = 3) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


ATTENTION = [
    node("MatMul", "x wq", "q", name="q"),
    node("MatMul", "x wk", "k", name="k"),
    node("Transpose", "k", "kt", perm=[0, 2, 1]),
    node("MatMul", "q kt", "s", name="qk"),
    node("Softmax", "s", "y", axis=-1),
]
GROUPS = [node("Conv", "x k b", "c", name="conv", group=2, pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", "c", "y")]
DENSE = [node("Gemm", "x w b", "g", name="gemm", transB=1, beta=2.0), node("Relu", "g", "y")]
STEPS = [node("LSTM", "x w r", "y - -", name="l", hidden_size=2)]
QDQ = [
    node("QuantizeLinear", "x sx zx", "qx"),
    node("DequantizeLinear", "qx sx zx", "dx"),
    node("DequantizeLinear", "w sw zw", "dw", axis=1),
    node("MatMul", "dx dw", "m", name="m"),
    node("QuantizeLinear", "m sy zy", "qy"),
    node("DequantizeLinear", "qy sy zy", "y"),
]
WEIGHT = RNG.integers(-64, 65, (16, 6)).astype(np.int8)
WEIGHT[0, :3] = 64, -64, -63
AS_THEY_COME = [
    node("DynamicQuantizeLinear", "x", "qx sx zx"),
    node("MatMulInteger", "qx w zx", "i", name="m"),
    node("Cast", "i", "f", to=1),
    node("Mul", "f sx", "y"),
]
WEIGHTS_ALONE = [node("Cast", "w", "c", to=1), node("Mul", "c sw", "d"), node("MatMul", "x d", "y", name="m")]
TRANSPOSED = [node("ConvTranspose", "x k", "y", name="t", group=2, strides=[2, 2])]
QDQ_HELD = {
    "w": WEIGHT,
    "sw": RNG.uniform(0.01, 0.03, 6).astype(np.float32),
    "zw": np.zeros(6, np.int8),
    "sx": np.float32(0.03),
    "zx": np.uint8(120),
    "sy": np.float32(0.11),
    "zy": np.uint8(131),
}


def _written(
    nodes: list[Any], shape: tuple[int, ...], held: dict[str, Any], folder: Path, outputs: str = "y"
) -> tuple[Path, Path, Array]:
    """Write a model and skewed samples, and return the paths and the samples."""
    x = np.maximum(_real(SAMPLES, *shape), -0.4)
    data = folder / "samples.npz"
    np.savez(data, x=x)
    constants = {name: np.asarray(value) for name, value in held.items()}
    return write_model(folder / "small.onnx", small_model(nodes, {"x": shape}, outputs, constants)), data, x


def _layers(path: Path, data: Path, sample: int = 0, *, clips: bool = False) -> dict[str, tuple[GemmLayer, int]]:
    model = load_model(path, data, held_out=sample)
    assert model.samples is not None
    found = simulated_layers(model, model.samples, sample, QuantizationPolicy(), clips=clips)
    return {each.layer.name: (each.layer, each.clipped) for each in found}


def _same(found: GemmLayer, wanted: GemmLayer) -> None:
    np.testing.assert_array_equal(found.weight, wanted.weight)
    np.testing.assert_array_equal(found.activation, wanted.activation)
    np.testing.assert_array_equal(found.weight_scale, wanted.weight_scale)
    for field in ("zero_point", "weight_bits", "activation_bits", "lo_bits", "frequent", "activation_scale"):
        assert getattr(found, field) == getattr(wanted, field), field


@pytest.mark.parametrize("group_bytes", [1, 2**30])
@pytest.mark.parametrize("sample", range(HELD_OUT))
def test_real_operands_are_calibrated_as_those_of_arrays(
    sample: int, group_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A held-out sample is simulated with what the calibrating ones choose, dynamic weights among them."""
    monkeypatch.setattr(calibration, "_GROUP_BYTES", group_bytes)
    wq, wk = _real(12, 8, seed=1), _real(12, 8, seed=2)
    path, data, x = _written(ATTENTION, (1, 9, 12), {"wq": wq, "wk": wk}, tmp_path)
    found = _layers(path, data, sample)
    assert list(found) == ["q", "k", "qk"]
    assert {layer.kind for layer, _ in found.values()} == {"qkv", "qk"}
    assert [layer.passes for layer, _ in found.values()] == [1, 1, 4]
    plain = {name: ObservedLayer(name, name == "qk") for name in found}
    for each in x[:, 0]:
        q, k = each @ wq, each @ wk
        for name, weight, activation in (("q", wq.T, each.T), ("k", wk.T, each.T), ("qk", k, q.T)):
            plain[name].add(weight, activation)
    for name, observed in plain.items():
        wanted = calibrate(observed, QuantizationPolicy()).layer(sample)
        if name == "qk":
            # Sums of onnxruntime may differ from numpy's in their last bits.
            assert found[name][0].activation_scale == pytest.approx(wanted.activation_scale, rel=1e-5)
            assert np.abs(found[name][0].weight.astype(int) - wanted.weight).max() <= 1
        else:
            _same(found[name][0], wanted)


def test_integers_are_taken_as_they_are(tmp_path: Path) -> None:
    """Codes, zero points, scales and bits of a quantized model, and what clipping does to stored weights alone."""
    path, data, x = _written(QDQ, (5, 16), QDQ_HELD, tmp_path)
    ((layer, clipped),) = _layers(path, data).values()
    codes = np.clip(np.rint(x[-HELD_OUT] / np.float32(0.03)) + 120, 0, 255)
    np.testing.assert_array_equal(layer.activation, codes.T)
    np.testing.assert_array_equal(layer.weight, WEIGHT.T)
    assert (layer.zero_point, layer.weight_bits, layer.activation_bits, layer.lo_bits) == (120, 10, 8, 4)
    assert layer.activation_scale == pytest.approx(0.03)
    np.testing.assert_allclose(layer.weight_scale, QDQ_HELD["sw"])
    assert clipped == 0
    ((layer, clipped),) = _layers(path, data, clips=True).values()
    np.testing.assert_array_equal(layer.weight, np.minimum(np.maximum(WEIGHT, -63), 63).T)
    assert (layer.weight_bits, layer.weight.dtype.name) == (7, "int8")
    assert clipped == sum(abs(int(code)) > 63 for code in WEIGHT.ravel()) > 0


def test_dynamic_integers_are_never_clipped(tmp_path: Path) -> None:
    """A weight that other layers write keeps its 10 bits; weights of 7 bits keep their -64."""
    narrow = np.where(WEIGHT == 64, 0, WEIGHT)
    nodes = [*QDQ[:3], QDQ[3], node("Transpose", "dx", "t"), node("MatMul", "dx t", "y", name="dynamic")]
    held = {name: value for name, value in QDQ_HELD.items() if name not in ("sy", "zy")} | {"w": narrow}
    path, data, _ = _written(nodes, (5, 16), held, tmp_path)
    found = _layers(path, data, clips=True)
    assert [(layer.weight_bits, clipped) for layer, clipped in found.values()] == [(7, 0), (10, 0)]
    assert found["m"][0].weight.min() == -64
    dynamic = found["dynamic"][0]
    np.testing.assert_array_equal(dynamic.weight, dynamic.activation.T.astype(int) - 120)


def test_integers_of_convolutions_carry_their_bias(tmp_path: Path) -> None:
    """The bias of an integer convolution is in steps of both scales; padding is the zero point."""
    rng = np.random.default_rng(7)
    kernel = rng.integers(-60, 60, (4, 1, 3, 3)).astype(np.int8)
    bias = rng.integers(-500, 500, 4).astype(np.int32)
    nodes = [
        node("QuantizeLinear", "x sx zx", "q"),
        node("QLinearConv", "q sx zx k sk zk sy zy b", "c", name="conv", group=2, pads=[1, 1, 1, 1]),
        node("DequantizeLinear", "c sy zy", "y"),
    ]
    scales = rng.uniform(0.01, 0.03, 4).astype(np.float32)
    held = QDQ_HELD | {"k": kernel, "sk": scales, "zk": np.zeros(4, np.int8), "b": bias}
    path, data, x = _written(nodes, (1, 2, 4, 4), held, tmp_path)
    ((layer, _),) = _layers(path, data).values()
    assert layer.bias is not None
    np.testing.assert_allclose(layer.bias, (bias * scales * np.float32(0.03)).reshape(2, 2), rtol=1e-6)
    codes = np.clip(np.rint(x[-HELD_OUT, 0] / np.float32(0.03)) + 120, 0, 255)
    padded = np.pad(codes, ((0, 0), (1, 1), (1, 1)), constant_values=120)
    for group in range(2):
        for row in range(4):
            for column in range(4):
                window = padded[group, row : row + 3, column : column + 3].ravel()
                np.testing.assert_array_equal(layer.activation[group, :, 4 * row + column], window)


def test_a_bias_of_rows_is_that_of_its_operator(tmp_path: Path) -> None:
    """Gemm adds beta times its third input to each output, Conv its own; other shapes are no bias of rows."""
    w, b = _real(6, 10), _real(6)
    path, data, _ = _written(DENSE, (5, 10), {"w": w, "b": b}, tmp_path)
    np.testing.assert_allclose(_layers(path, data)["gemm"][0].bias, 2 * b.astype(np.float64))
    path, data, _ = _written(DENSE, (5, 10), {"w": w, "b": _real(5, 1)}, tmp_path)
    assert _layers(path, data)["gemm"][0].bias is None


def test_outputs_are_those_of_onnxruntime(tmp_path: Path) -> None:
    """By onnxruntime's rule accumulators give its outputs, of stored and of dynamic weights; by ours nearly all."""
    # Of these scales no output lies half way between two codes, where the two rules differ.
    made = {"so": np.float32(0.0217), "zo": np.uint8(3)}
    nodes = [
        *QDQ,
        node("Transpose", "dx", "t", perm=[1, 0]),
        node("MatMul", "dx t", "s", name="dynamic"),
        node("QuantizeLinear", "s so zo", "qs"),
        node("DequantizeLinear", "qs so zo", "z"),
    ]
    path, data, _ = _written(nodes, (40, 16), QDQ_HELD | made, tmp_path, "y z")
    model = load_model(path, data)
    assert model.samples is not None
    others, outputs = compared_outputs(model, [model.samples.feed(number) for number in range(SAMPLES)])
    assert outputs == SAMPLES * (40 * 6 + 40 * 40)
    assert others <= outputs // 1000


RUNS = {
    "attention": (ATTENTION, (1, 9, 12), {"wq": _real(12, 8, seed=1), "wk": _real(12, 8, seed=2)}),
    "groups": (GROUPS, (1, 4, 7, 5), {"k": _real(6, 2, 3, 3), "b": _real(6)}),
    "dense": (DENSE, (5, 10), {"w": _real(6, 10), "b": _real(6)}),
    "steps": (STEPS, (3, 2, 4), {"w": _real(1, 8, 4), "r": _real(1, 8, 2)}),
    "integers": (QDQ, (5, 16), QDQ_HELD),
    "as they come": (AS_THEY_COME, (5, 16), {"w": WEIGHT}),
    "weights alone": (WEIGHTS_ALONE, (5, 16), {"w": WEIGHT, "sw": np.float32(0.02)}),
    "transposed": (TRANSPOSED, (1, 4, 3, 3), {"k": _real(4, 2, 2, 2)}),
}


@pytest.mark.parametrize(("bits", "widths"), [(4, (4, 4, 7)), (7, (7, 7, 7)), (10, (10, 10, 7))])
def test_bits_of_real_weights_are_an_option(bits: int, widths: tuple[int, ...], tmp_path: Path) -> None:
    """Stored weights have the bits that were asked for, dynamic ones 7."""
    path, data, _ = _written(*RUNS["attention"], tmp_path)
    model = load_model(path, data, held_out=0, weight_bits=bits)
    assert model.samples is not None
    found = [each.layer for each in simulated_layers(model, model.samples, 0, QuantizationPolicy())]
    assert tuple(layer.weight_bits for layer in found) == widths
    for layer in found[:2]:
        assert np.abs(layer.weight.astype(int)).max() == (1 << (bits - 1)) - 1


def test_one_operand_may_be_integers_alone(tmp_path: Path) -> None:
    """The weight is the model's, the activation is calibrated as if both were real."""
    path, data, x = _written(*RUNS["weights alone"], tmp_path)
    ((layer, _),) = _layers(path, data).values()
    np.testing.assert_array_equal(layer.weight, WEIGHT.T)
    assert (layer.weight_bits, np.unique(layer.weight_scale)) == (10, [pytest.approx(0.02)])
    observed = ObservedLayer("m")
    for each in x:
        observed.add(WEIGHT.T.astype(np.float32), each.T)
    wanted = calibrate(observed, QuantizationPolicy()).layer()
    np.testing.assert_array_equal(layer.activation, wanted.activation)
    assert (layer.zero_point, layer.lo_bits) == (wanted.zero_point, wanted.lo_bits)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("schedule", ["barrier", "overlap"])
def test_whole_models_run_exactly(name: str, schedule: str, tmp_path: Path) -> None:
    """Every product is exact, and the run folder gives the same run again."""
    path, data, _ = _written(*RUNS[name], tmp_path)
    out = tmp_path / "run"
    arguments = ["--data", str(data), "--values", "check", "--schedule", schedule, "--workers", "1"]
    assert main(["run", str(path), *arguments, "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary["exact"] is True
    kept = load_scenario(out / "scenario.yaml")
    assert isinstance(kept, Scenario)
    network = load_model(path, data).network
    assert [layer.name for layer in kept.known_layers()] == [each["name"] for each in summary["layers"]]
    for layer in kept.known_layers():
        gemm = network.nodes[layer.name]["layer"]
        assert (layer.sequential, layer.kind, layer.repeat) == (gemm.sequential, gemm.kind, gemm.repeat)
    assert {each[:2] for each in kept.links} == set(network.edges)
    again = tmp_path / "again"
    assert main(["run", str(out / "scenario.yaml"), "--trace", "off", "--workers", "1", "--out", str(again)]) == 0
    assert json.loads((again / "summary.json").read_text("utf-8"))["makespan_cycles"] == summary["makespan_cycles"]


def test_the_report_says_what_was_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An explained run begins with what bounds it, and tells the sample, the policy, and what is not simulated."""
    nodes = [*QDQ, node("Einsum", "y e", "z", equation="ij,jk->ik"), node("MatMul", "z v", "o", name="real")]
    held = QDQ_HELD | {"e": _real(6, 6), "v": _real(6, 3)}
    path, data, _ = _written(nodes, (5, 16), held, tmp_path)
    options = ["--sample", "1", "--clip-to", "7", "--explain", "--out", str(tmp_path / "run")]
    assert main(["run", str(path), "--data", str(data), *options]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "bound by" in told[0]
    clipped = np.count_nonzero(np.abs(WEIGHT.astype(int)) > 63)
    policy = "activations minmax, zpm auto, dbs z=2,midpoint, weights per-channel"
    for line in (
        "Operands: held-out sample 1 of 2, the last of 8 samples.",
        f"Quantized by policy: 1 activations of 8 bits, 1 stored weights of 7 bits; {policy}.",
        "Integers as in the model: 1 activations of 8 bits, 1 stored weights of 10 bits.",
        f"Clipped to +-63: {clipped} of 96 integer weights.",
        f"Not simulated: 1 Einsum, 180 MACs, {5 * 6 * 6 / (5 * 6 * (16 + 6 + 3)):.1%} of all that are counted.",
    ):
        assert line in told
    description = yaml.safe_load((tmp_path / "run/scenario.yaml").read_text("utf-8"))["description"]
    assert "held-out sample 1 of 2" in description
    assert "Not simulated: 1 Einsum" in description


def test_one_sample_alone_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With one sample the same numbers choose and are simulated."""
    path, data, x = _written(*RUNS["dense"], tmp_path)
    np.savez(data, x=x[:1])
    assert main(["run", str(path), "--data", str(data), "--out", str(tmp_path / "run")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Operands: held-out sample 0 of 1, the last of 1 samples." in told
    assert "; the one sample that chose them is simulated, which flatters." in told


def test_samples_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file of samples is read once by each command."""
    path, data, _ = _written(*RUNS["dense"], tmp_path)
    read: list[Path] = []
    plain = samples.read_arrays
    monkeypatch.setattr(samples, "read_arrays", lambda file: read.append(file) or plain(file))
    assert main(["calibrate", str(path), "--data", str(data)]) == 0
    assert read == [data]
    assert main(["run", str(path), "--data", str(data), "--out", str(tmp_path / "run")]) == 0
    assert read == [data, data]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "none.npz"], r"none\.npz: found No such file or directory; accepted: an \.npz file"),
        (
            ["--data", "DATA", "--sample", "2"],
            r"--sample: found 2; accepted: 0 \.\. 1: the held-out samples, the last 2",
        ),
        (["--data", "DATA", "--sample", "-1"], r"--sample: found -1; accepted: 0 \.\. 1"),
        (["--sample", "0"], r"--sample: found 0; accepted: --data beside it"),
        (["--clip-to", "7"], r"--clip-to: found 7; accepted: --data beside it"),
        (["--data", "DATA", "--clip-to", "8"], r"--clip-to: found 8; accepted: 7, the bits"),
        (["--data", "DATA", "--clip-to", "7"], r"--clip-to: found 7 for a model whose weights are real numbers; acc"),
        (["--data", "DATA", "--profile", "dense"], r"--profile: found dense; accepted: nothing beside --data"),
        (["--data", "DATA", "--shape", "x=5,10"], r"--shape: found x=5,10; accepted: nothing beside --data"),
        (["--data", "DATA", "--tokens", "4"], r"--tokens: found 4; accepted: nothing beside "),
        (["--data", "DATA", "--weight-bits", "5"], r"--weight-bits: found 5; accepted: 4, 7, 10"),
        (
            ["--data", "DATA", "--set", "hardware.vector=unfused"],
            r"hardware\.vector: found unfused for layers with val",
        ),
        (["--data", "MODEL"], r"small\.onnx: found a file that is not an \.npz file"),
        (["--data", "OTHER"], r"other\.npz: found the unknown key 'y'; accepted: x"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2, and nothing written."""
    path, data, x = _written(*RUNS["dense"], tmp_path)
    np.savez(tmp_path / "other.npz", y=x)
    places = {"DATA": str(data), "MODEL": str(path), "OTHER": str(tmp_path / "other.npz")}
    given = [places.get(option, option) for option in options]
    before = sorted(tmp_path.iterdir())
    assert main(["run", str(path), *given, "--out", str(tmp_path / "run")]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert re.search(message, errors), errors
    assert sorted(tmp_path.iterdir()) == before


def test_numbers_that_no_ppu_makes_are_told_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bias beyond 2^31 steps of an accumulator, whose scale the model gives, names its layer; nothing is written."""
    held = {"w": WEIGHT.T, "s": np.float32(0.01), "b": np.full(6, 1e36, np.float32)}
    nodes = [node("DequantizeLinear", "w s", "d"), node("Gemm", "x d b", "y", name="gemm", transB=1)]
    path, data, _ = _written(nodes, (5, 16), held, tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["run", str(path), "--data", str(data), "--out", str(tmp_path / "run")]) == 2
    assert re.match(r"error: layer 'gemm': bias: found .* accumulator units in row \d", capsys.readouterr().err)
    assert sorted(tmp_path.iterdir()) == before


def test_real_weights_make_room_for_a_bias(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the weight is real, a row that is next to nothing beside its bias gets a coarser scale, and runs."""
    weight = _real(6, 10)
    weight[2] *= 1e-12
    path, data, _ = _written(DENSE, (5, 10), {"w": weight, "b": _real(6)}, tmp_path)
    assert main(["run", str(path), "--data", str(data), "--out", str(tmp_path / "run")]) == 0
    assert "Exact: every accumulator equals the integer product" in capsys.readouterr().out


def test_a_network_that_is_no_model_has_no_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Models of the zoo and scenarios refuse the options of operands."""
    assert main(["run", "--workload", "opt-125m", "--data", "s.npz", "--out", str(tmp_path / "run")]) == 2
    assert "--data: found s.npz; accepted: nothing beside opt-125m, which is no ONNX model" in capsys.readouterr().err
    script = tmp_path / "s.py"
    script.write_text("scenario = None\n", encoding="utf-8")
    assert main(["run", str(script), "--sample", "0"]) == 2
    assert "--sample: found 0; accepted: nothing beside" in capsys.readouterr().err


def test_an_existing_run_is_told_before_the_model_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibration may take minutes: where its run has no place it does not begin."""
    path, data, _ = _written(*RUNS["dense"], tmp_path)
    arguments = ["run", str(path), "--data", str(data), "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    capsys.readouterr()
    monkeypatch.setattr(samples, "read_arrays", lambda _: pytest.fail("the samples are read"))
    assert main(arguments) == 2
    assert "run" in capsys.readouterr().err
