"""The scripts in scenarios/versus, and the densities of models that one of them measures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.errors import ConfigError
from panacea_sim.running.versus.comparison import compare
from panacea_sim.running.versus.machines import entrants

SCRIPTS = Path(__file__).parents[2] / "scenarios" / "versus"


def test_without_its_models_the_script_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import real  # noqa: PLC0415  # a script
    import versus_script  # noqa: PLC0415  # a module beside it

    monkeypatch.setattr(real, "MODELS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["real.py"])
    with pytest.raises(SystemExit) as ended:
        versus_script.show("", real.pairings)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert not told.out
    assert told.err.startswith("error: scenario real: found no file models/minilm_fp32.onnx")
    assert told.err.endswith("Run `make models` first\n")


def test_a_model_has_the_densities_of_its_own_layers(tmp_path: Path) -> None:
    """A model whose activations are small but for one outlier is skipped nearly whole, at the sizes of its sample."""
    pytest.importorskip("onnxruntime")
    from small_models import node, small_model, write_model  # noqa: PLC0415  # they need onnx

    from panacea_sim.running.versus.model_fight import measured_profile, model_fight  # noqa: PLC0415

    weight = np.full((8, 12), 1.0, np.float32)
    path = write_model(
        tmp_path / "m.onnx", small_model([node("MatMul", "x w", "y", name="m")], {"x": (4, 8)}, "y", {"w": weight})
    )
    x = np.full((4, 4, 8), 0.001, np.float32)
    x[:, 0, 0] = 1.0
    np.savez(tmp_path / "s.npz", x=x)
    profile = measured_profile(path, tmp_path / "s.npz", QuantizationPolicy())
    (densities,) = profile.kinds.values()
    # 8 vectors of four tokens, of which the first has the outlier; no weight is small.
    assert (densities["aqs"].rho_w, densities["aqs"].rho_x) == (0.0, 0.875)
    machines = entrants(["panacea", "simd"], {}, "multipliers")
    fight = model_fight(path, tmp_path / "s.npz", machines, tmp_path)
    assert [bout.weights for bout in fight.bouts] == ["per channel", "per tensor"]
    (layer,) = fight.bouts[0].scenarios[0].known_layers()
    assert (layer.M, layer.K, layer.N) == (12, 8, 4)
    assert getattr(layer, "rho_x") == 0.875  # noqa: B009  # a masked layer


def test_a_model_of_integers_has_no_densities(tmp_path: Path) -> None:
    """It is refused by name: nothing is left to calibrate."""
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto  # noqa: PLC0415  # it may be missing
    from small_models import node, small_model, write_model  # noqa: PLC0415  # they need onnx

    from panacea_sim.running.versus.model_fight import measured_profile  # noqa: PLC0415

    model = small_model(
        [node("MatMulInteger", "x w", "y", name="m")],
        {"x": (4, 8)},
        "y",
        {"w": np.ones((8, 12), np.int8)},
        dtypes={"x": TensorProto.UINT8},
    )
    path = write_model(tmp_path / "m.onnx", model)
    np.savez(tmp_path / "s.npz", x=np.ones((2, 4, 8), np.uint8))
    with pytest.raises(ConfigError, match=r"m\.onnx: found integers only"):
        measured_profile(path, tmp_path / "s.npz", QuantizationPolicy())


@pytest.mark.slow
def test_the_ablation_has_the_expected_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps on the smallest layer take the cycles that are kept beside the script."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import ablation  # noqa: PLC0415  # a script

    monkeypatch.setattr(ablation, "LAYERS", ("out",))
    ((machines, fight),) = ablation.pairings()
    (part,) = compare(fight, machines).parts
    kept = json.loads((SCRIPTS / "ablation.expected.json").read_text("utf-8"))["cycles"]
    expected = {key.split(", ")[-1]: cycles for key, cycles in kept.items() if key.startswith("minilm_l3_out_dbs, ")}
    assert {each.name: each.cycles for each in part.contenders} == expected
    assert len(expected) == 3 * 6
