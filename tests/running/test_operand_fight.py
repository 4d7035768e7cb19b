"""A model with samples on all machines: each in its own quantization, from the real numbers, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.commands.main import main  # noqa: E402
from panacea_sim.hardware.config import load_hardware  # noqa: E402
from panacea_sim.machines.machine import machine_of  # noqa: E402
from panacea_sim.running.versus.fight import Fight  # noqa: E402
from panacea_sim.running.versus.machines import entrants  # noqa: E402
from panacea_sim.running.versus.model_fight import OperandChoice, operand_fight  # noqa: E402
from panacea_sim.workload.gemm_layer import GemmLayer  # noqa: E402
from panacea_sim.workload.layer import loaded  # noqa: E402

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)
WEIGHT = RNG.normal(size=(12, 20)).astype(np.float32) * np.linspace(0.2, 2, 12, dtype=np.float32)[:, None]
SCORES = RNG.normal(size=(6, 12)).astype(np.float32)
SAMPLES, HELD_OUT = 8, 2
X = np.maximum(RNG.normal(size=(SAMPLES, 5, 20)), -0.7).astype(np.float32)
MACHINES = ("panacea", "bitfusion", "sibia", "simd", "sa_os")
WEIGHTS = ("per channel", "per tensor")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a model of two products whose rows differ in size, and its samples."""
    folder = tmp_path_factory.mktemp("model")
    nodes = [node("Gemm", "x w", "h", name="one", transB=1), node("Gemm", "h s", "y", name="two", transB=1)]
    made = small_model(nodes, {"x": (5, 20)}, "y", {"w": WEIGHT, "s": SCORES})
    np.savez(folder / "samples.npz", x=X)
    return write_model(folder / "small.onnx", made), folder / "samples.npz"


@pytest.fixture(scope="module")
def fight(model: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Fight:
    """Return it as the machines get it, the last held-out sample."""
    folder = tmp_path_factory.mktemp("operands")
    return operand_fight(*model, entrants(MACHINES, {}, "multipliers"), folder, OperandChoice(sample=1))


def _first(fight: Fight, weights: str, machine: str) -> GemmLayer:
    bout = fight.bouts[WEIGHTS.index(weights)]
    layer = loaded(bout.scenarios[MACHINES.index(machine)].known_layers()[0])
    assert isinstance(layer, GemmLayer)
    return layer


def _codes(weight: Array, limit: int, *, by_row: bool) -> Array:
    """Return the nearest codes of weights whose largest one, of a row or of all, is the largest code."""
    peak = np.abs(weight.astype(np.float64)).max(axis=1 if by_row else None, keepdims=True)
    codes: Array = np.rint(weight / (peak / limit))
    return codes


@pytest.mark.parametrize("weights", WEIGHTS)
def test_each_machine_has_the_real_numbers_in_its_own_quantization(fight: Fight, weights: str) -> None:
    """Weights of 7 or 8 bits, activations with a zero point or symmetric over the same range: rounded once."""
    calibrating = X[: SAMPLES - HELD_OUT].astype(np.float64)
    low, high = calibrating.min(), calibrating.max()
    step = (high - low) / 255
    zero_point = round(-low / step)
    x = X[-1].T.astype(np.float64)
    asymmetric = np.clip(np.rint(x / step) + zero_point, 0, 255)
    far = step * max(zero_point, 255 - zero_point)
    symmetric = np.clip(np.rint(x / (far / 63)), -63, 63)
    by_row = weights == "per channel"
    for machine, limit, rows, activation in (
        ("bitfusion", 63, by_row, asymmetric),
        ("simd", 127, True, asymmetric),
        ("sa_os", 127, True, asymmetric),
        ("sibia", 63, by_row, symmetric),
    ):
        layer = _first(fight, weights, machine)
        np.testing.assert_array_equal(layer.weight, _codes(WEIGHT, limit, by_row=rows), machine)
        np.testing.assert_array_equal(layer.activation, activation, machine)
        own = machine_of(load_hardware(machine)).own(layer)
        np.testing.assert_array_equal(own.weight, layer.weight, machine)
        np.testing.assert_array_equal(own.activation, layer.activation, machine)
    assert _first(fight, weights, "sibia").activation_scale == pytest.approx(far / 63)
    assert np.abs(_first(fight, weights, "panacea").weight).max() == 63


@pytest.mark.parametrize("weights", WEIGHTS)
def test_accuracy_is_what_quantized_products_leave_of_the_outputs(fight: Fight, weights: str) -> None:
    """Cosine, SQNR and agreement of the largest score are those of plain arrays with the same rounding."""
    bout = fight.bouts[WEIGHTS.index(weights)]
    calibrating = X[: SAMPLES - HELD_OUT].astype(np.float64)
    hidden = calibrating @ WEIGHT.T.astype(np.float64)
    by_row = weights == "per channel"
    judged = X[-HELD_OUT:].astype(np.float64)
    exact = judged @ WEIGHT.T.astype(np.float64) @ SCORES.T.astype(np.float64)

    def product(x: Array, range_of: Array, weight: Array, limit: int, *, rows: bool, signed: bool) -> Array:
        low, high = min(range_of.min(), 0), max(range_of.max(), 0)
        step = (high - low) / 255
        zero_point = round(-low / step)
        if signed:
            step = step * max(zero_point, 255 - zero_point) / 63
            seen = np.clip(np.rint(x / step), -63, 63) * step
        else:
            seen = (np.clip(np.rint(x / step) + zero_point, 0, 255) - zero_point) * step
        peak = np.abs(weight.astype(np.float64)).max(axis=1 if rows else None, keepdims=True)
        made: Array = seen @ (_codes(weight, limit, by_row=rows) * peak / limit).T
        return made

    for machine, limit, rows, signed in (
        ("bitfusion", 63, by_row, False),
        ("simd", 127, True, False),
        ("sibia", 63, by_row, True),
    ):
        of_first = product(judged, calibrating, WEIGHT, limit, rows=rows, signed=signed)
        outputs = product(of_first, hidden, SCORES, limit, rows=rows, signed=signed)
        accuracy = bout.accuracies[MACHINES.index(machine)]
        assert accuracy is not None
        figures = accuracy.figures["y"]
        cosines = [(a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()) for a, b in zip(exact, outputs, strict=True)]
        assert figures["cosine"] == pytest.approx(np.mean(cosines), abs=1e-5)
        assert accuracy.value == figures["cosine"]
        assert figures["sqnr"] == pytest.approx(
            10 * np.log10((exact**2).sum() / ((outputs - exact) ** 2).sum()), abs=0.1
        )
        assert figures["top-1"] == np.mean(exact.argmax(-1) == outputs.argmax(-1))


def test_the_command_compares_a_model_with_operands(
    model: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Every entry is exact and has an accuracy; a run of one machine with the same operands takes the same cycles."""
    path, data = map(str, model)
    machines = ["panacea", "sibia", "simd"]
    arguments = ["--data", data, "--sample", "1", "--workers", "1"]
    assert main(["versus", path, *arguments, "--machines", ",".join(machines), "--metric", "top-1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["weights"] for part in found["parts"]] == list(WEIGHTS)
    assert found["accuracy_against"] == "float, for output 'y' over 2 held-out samples"
    assert any(note.startswith("Quantized by policy for sibia: ") for note in found["notes"])
    for part in found["parts"]:
        assert set(part["machines"]) == {*machines, "panacea_best", "panacea_pooled"}
        for name, each in part["machines"].items():
            assert each["exact"] is (None if name == "panacea_pooled" else True), name
            assert each["accuracy_metric"] == "top-1"
            assert each["accuracy"] == each["accuracy_figures"]["y"]["top-1"]
    channel, tensor = (part["machines"] for part in found["parts"])
    assert channel["simd"] == tensor["simd"]
    for name in machines:
        alone = ["run", path, *arguments, "--hardware", name, "--out", str(tmp_path / name), "--json"]
        assert main(alone) == 0
        assert json.loads(capsys.readouterr().out)["makespan_cycles"] == channel[name]["cycles"], name


def test_integers_of_a_model_have_no_accuracy(tmp_path: Path) -> None:
    """A quantized model is taken as it is: what quantizing it cost is not known, and why is said."""
    held = {
        "w": RNG.integers(-100, 101, (8, 6)).astype(np.int8),
        "s": np.float32(0.02),
        "zw": np.int8(0),
        "sx": np.float32(0.03),
        "zx": np.uint8(120),
    }
    nodes = [
        node("QuantizeLinear", "x sx zx", "qx"),
        node("DequantizeLinear", "qx sx zx", "dx"),
        node("DequantizeLinear", "w s zw", "dw"),
        node("MatMul", "dx dw", "y", name="m"),
    ]
    constants = {name: np.asarray(value) for name, value in held.items()}
    path = write_model(tmp_path / "q.onnx", small_model(nodes, {"x": (4, 8)}, "y", constants))
    np.savez(tmp_path / "x.npz", x=RNG.normal(size=(4, 4, 8)).astype(np.float32))
    machines = entrants(["simd", "sibia"], {}, "multipliers")
    found = operand_fight(path, tmp_path / "x.npz", machines, tmp_path)
    assert found.bouts[0].accuracies == (None, None)
    assert found.accuracy_against is None
    assert found.no_accuracy is not None
    assert found.no_accuracy.startswith("no product of two real operands")
    # 8-bit codes fit an 8-bit multiplier as they are.
    layer = loaded(found.bouts[0].scenarios[0].known_layers()[0])
    np.testing.assert_array_equal(layer.weight, held["w"].T)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "sqnr"], "--metric: found sqnr; accepted: --data beside it"),
        (["--sample", "1"], "--sample: found 1; accepted: --data beside it"),
        (["--data", "samples.npz", "--profile", "measured"], "--profile: found measured; accepted: nothing beside"),
        (["--data", "samples.npz", "--sample", "7"], "--sample: found 7; accepted: 0 .. 1"),
        (["--data", "samples.npz", "--set", "hardware.vector=unfused"], "hardware.vector: found unfused for layers"),
        (["--data", "samples.npz", "--plain", "x.npz"], "--plain: found x.npz; accepted: nothing beside"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    message: str,
    model: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One message and exit code 2, before anything is simulated."""
    monkeypatch.chdir(model[0].parent)
    capsys.readouterr()
    assert main(["versus", "small.onnx", *arguments]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err.startswith(f"error: {message}")
