"""The command `quantize`: tables, JSON, the layer file and the picture that it writes, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panacea_sim import load_layer
from panacea_sim.commands.main import main


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with four samples."""
    path = tmp_path_factory.mktemp("float") / "ffn.npz"
    np.savez(path, **arrays())
    return path


def arrays(**changed: Any) -> dict[str, Any]:  # noqa: ANN401  # anything
    """Return what a file holds; None leaves an array out."""
    generator = np.random.default_rng(5)
    found = {
        "weight": generator.standard_normal((16, 40)).astype(np.float32),
        "activation": np.maximum(generator.standard_normal((4, 40, 12)), -0.2),
        "bias": np.arange(16.0),
        **changed,
    }
    return {key: array for key, array in found.items() if array is not None}


def test_a_layer_is_written_and_told(float_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The codes are those of the held-out sample, with the scales that say what they stand for."""
    out = tmp_path / "layer.npz"
    assert main(["quantize", str(float_file), "--out", str(out), "--dbs", "off"]) == 0
    told = capsys.readouterr().out
    assert "zero skip" in told
    assert str(out) in told
    assert "alone" not in told
    layer = load_layer(out)
    assert (layer.name, layer.M, layer.K, layer.N, layer.weight_bits) == ("ffn", 16, 40, 12, 7)
    content = np.load(float_file)
    real = (layer.activation.astype(float) - layer.zero_point) * layer.activation_scale
    inside = (layer.activation > 0) & (layer.activation < 255)
    assert inside.mean() > 0.4
    assert np.abs(real - content["activation"][3])[inside].max() <= layer.activation_scale / 2 * 1.0001
    weight = layer.weight * np.asarray(layer.weight_scale)[:, None]
    assert np.abs(weight - content["weight"]).max() <= np.max(layer.weight_scale) / 2 * 1.0001
    assert layer.bias is not None
    assert layer.bias.tolist() == content["bias"].tolist()


def test_json_says_all(float_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The steps, the error and the work, and with --search each policy that was tried."""
    assert main(["quantize", str(float_file), "--search", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    layer, tried = found["layer"], found["search"]["tried"]
    assert layer["samples"] == {"calibrating": 3, "held_out": 1}
    assert set(layer["rho_x_steps"]) == {"zero", "frequent", "zpm", "dbs", "symmetric"}
    assert layer["policy"] == found["search"]["chosen"]
    assert layer["sqnr_db"] in [each["sqnr_db"] for each in tried]
    assert layer["work"]["skipped_share"] == max(
        each["skipped_share"] for each in tried if each["sqnr_db"] >= found["search"]["min_sqnr_db"]
    )


def test_a_search_is_drawn(float_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table marks what was chosen; the picture has its text as text."""
    picture = tmp_path / "search.svg"
    assert main(["quantize", str(float_file), "--search", "--min-sqnr", "1", "--picture", str(picture)]) == 0
    assert "at least 1.0 dB asked for" in capsys.readouterr().out
    assert "least SQNR asked for" in picture.read_text(encoding="utf-8")


def test_one_sample_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It chooses and judges."""
    path = tmp_path / "one.npz"
    np.savez(path, **arrays(activation=np.ones((40, 3)), name=np.array("q/proj")))
    assert main(["quantize", str(path)]) == 0
    told = capsys.readouterr().out
    assert "One sample alone chooses and judges" in told
    assert "q/proj" in told


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": np.ones(2)}, "the unknown key 'weights'; accepted: weight, activation, bias, name. Did you mean"),
        ({"activation": None}, "no 'activation' among the keys weight, bias"),
        ({"activation": np.ones((0, 40, 3))}, "activation: found no samples"),
        ({"activation": np.ones((2, 41, 3))}, r"accepted: \[M, K\] and \[K, N\].*bad.npz"),
        ({"weight": np.full((16, 40), np.inf)}, "640 values that are not finite"),
        ({"bias": np.ones(3)}, "bias: found shape"),
        ({"name": np.array([1])}, "one text that is not empty"),
    ],
)
def test_files_that_are_wrong(
    changed: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message naming the file, and nothing is written."""
    path, out = tmp_path / "bad.npz", tmp_path / "out.npz"
    np.savez(path, **arrays(**changed))
    assert main(["quantize", str(path), "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert not out.exists()
    assert re.search(message, told), told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-sqnr", "3"], "--min-sqnr: found 3.0; accepted: --search beside it"),
        (["--picture", "a.png"], "--picture: found a.png; accepted: --search beside it"),
        (["--search", "--picture", "a.bmp"], "--picture"),
        (["--sample", "1"], r"sample: found 1; accepted: 0 .. 0"),
        (["--bits", "7,9"], "Use 12"),
        (["--hardware", "nothing"], "the unknown preset 'nothing'"),
    ],
)
def test_options_that_are_wrong(
    options: list[str], message: str, float_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are told before anything is written."""
    assert main(["quantize", str(float_file), *options]) == 2
    assert message in capsys.readouterr().err
