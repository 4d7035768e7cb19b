"""The scripts in scenarios/versus, and the densities of models that one of them measures."""

from __future__ import annotations

import importlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from panacea_sim.analysis.versus.entry import versus_entry
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.errors import ConfigError
from panacea_sim.running.versus.comparison import compare
from panacea_sim.running.versus.machines import entrants

SCRIPTS = Path(__file__).parents[2] / "scenarios" / "versus"


@pytest.mark.parametrize(("script", "file"), [("real", "minilm_fp32.onnx"), ("efficiency", "minilm_sentence.onnx")])
def test_without_its_models_the_script_says_how_to_get_them(
    script: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message, exit code 2."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import versus_script  # noqa: PLC0415  # a module beside the scripts

    monkeypatch.setattr(versus_script, "MODELS", tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{script}.py"])
    with pytest.raises(SystemExit) as ended:
        versus_script.show("", importlib.import_module(script).pairings)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert not told.out
    assert told.err.startswith(f"error: scenario {script}: found no file models/{file}")
    assert told.err.endswith("Run `make models` first\n")


def test_efficiency_is_the_other_machines_energy_by_that_of_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the published figure stands what the rival takes for each joule of panacea, for both kinds of weights."""
    pytest.importorskip("onnxruntime")
    from small_models import node, small_model, write_model  # noqa: PLC0415  # they need onnx

    monkeypatch.syspath_prepend(str(SCRIPTS))
    efficiency, versus_script = map(importlib.import_module, ("efficiency", "versus_script"))
    random = np.random.default_rng(2)
    weight = random.normal(size=(40, 24)).astype(np.float32)
    model = small_model([node("MatMul", "x w", "y", name="m")], {"x": (9, 40)}, "y", {"w": weight})
    write_model(tmp_path / "m.onnx", model)
    np.savez(tmp_path / "s.npz", x=random.normal(size=(8, 9, 40)).astype(np.float32))
    monkeypatch.setattr(versus_script, "MODELS", tmp_path)
    monkeypatch.setattr(efficiency, "FILES", {"m.onnx": ("s.npz", "cosine")})
    pairings = efficiency.pairings()  # whose files are there as long as it is
    machines, fight = next(pairings)
    found = compare(fight, machines, workers=1)
    console = Console(file=io.StringIO(), width=200)
    efficiency.print_efficiency(console, [found])
    assert isinstance(console.file, io.StringIO)
    rows = [line for line in console.file.getvalue().splitlines() if line.strip().startswith("m ")]
    parts = versus_entry(found)["parts"]
    entrants_of = [(part, name) for part in parts for name in ("panacea", "panacea_best")]
    assert len(rows) == len(entrants_of) == 4
    for row, (part, name) in zip(rows, entrants_of, strict=True):
        of_machines = part["machines"]
        assert part["weights"] in row
        for table in ("default", "bitfusion"):
            one, other = (of_machines[each]["energy_by_table_pj"][table]["nominal"] for each in (name, "sibia"))
            assert f"{other / one:.2f} (" in row
        assert f"cosine {of_machines['panacea']['accuracy']:.3f}" in row
        assert "1.97" in row


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
