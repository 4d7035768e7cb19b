"""The scenarios of real models: what they say without the models, and that they take operands of a held-out sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from small_models import node, small_model, write_model  # they need onnx

from panacea_sim.commands.main import main
from panacea_sim.running.model_scenario import model_scenario
from panacea_sim.running.run import RunOptions, run
from panacea_sim.trace.options import TraceOptions

REAL = Path(__file__).parents[2] / "scenarios/real"
SCRIPTS = sorted(path for path in REAL.glob("*.py") if path.name != "real_models.py")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_without_its_model_a_script_says_how_to_get_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2, and nothing is written."""
    monkeypatch.syspath_prepend(str(REAL))
    import real_models  # noqa: PLC0415  # a module beside the scripts

    monkeypatch.setattr(real_models, "MODELS", tmp_path / "none")
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert f"error: scenario {path.stem}: found no file models/" in told
    assert "Run `make models` first" in told
    assert not list(tmp_path.iterdir())


def test_a_script_has_the_operands_of_a_held_out_sample(tmp_path: Path) -> None:
    """The scenario of a model in Python runs with the integers of the sample that was asked for, exactly."""
    weight = np.random.default_rng(1).standard_normal((6, 5)).astype(np.float32)
    path = write_model(
        tmp_path / "small.onnx", small_model([node("MatMul", "x w", "y", name="m")], {"x": (4, 6)}, "y", {"w": weight})
    )
    x = np.random.default_rng(2).standard_normal((8, 4, 6)).astype(np.float32)
    np.savez(tmp_path / "s.npz", x=x)
    codes = []
    for sample in range(2):
        scenario = model_scenario(path, tmp_path / "s.npz", name="mine", sample=sample)
        assert scenario.name == "mine"
        (layer,) = (each.load() for each in scenario.layers)
        low, high = x[:6].min(), x[:6].max()
        assert layer.activation_scale == pytest.approx((high - low) / 255, rel=1e-3)
        plain = np.rint(x[6 + sample].T / layer.activation_scale) + layer.zero_point
        np.testing.assert_array_equal(layer.activation, plain.clip(0, 255))
        codes.append(layer.activation)
        assert run(scenario, RunOptions(trace=TraceOptions("off"))).summary.exact is True
    assert not np.array_equal(*codes)
