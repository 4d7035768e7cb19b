"""Mutated model files: each ends in time with an exit code of its own and, if it fails, one message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from mutated_models import make_sound_models, mutated_model, samples_of, unchanged_model  # they need onnx
from small_models import write_model

from panacea_sim.commands.main import main

_CASES = 40


def test_sound_models_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the mutations begin with is right."""
    for number, model in enumerate(make_sound_models()):
        assert main(["network", str(write_model(tmp_path / f"{number}.onnx", model))]) == 0
        data = samples_of(model, tmp_path)
        folder = tmp_path / f"run{number}"
        arguments = ["--data", str(data), "--workers", "1", "--out", str(folder)]
        assert main(["run", str(tmp_path / f"{number}.onnx"), *arguments]) == 0
    assert not capsys.readouterr().err


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(_CASES))
def test_mutated_models(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No mutated model leads to a traceback, a message of several lines, or anything written."""
    path = mutated_model(seed, tmp_path)
    code = main(["network", str(path)])
    errors = capsys.readouterr().err
    assert code in {0, 2}
    assert code == 0 or re.fullmatch(r"error: \S.*\S\n", errors)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(_CASES))
def test_mutated_models_with_samples(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the operands of samples it is the same, and what fails leaves no run folder; numbers may be no numbers."""
    path = mutated_model(seed, tmp_path)
    data, folder = samples_of(unchanged_model(seed), tmp_path), tmp_path / "run"
    code = main(["run", str(path), "--data", str(data), "--workers", "1", "--out", str(folder)])
    errors = capsys.readouterr().err
    assert code in {0, 2}
    assert code == 0 or re.fullmatch(r"error: \S.*\S\n", errors)
    assert sorted(tmp_path.iterdir()) == sorted([path, data, *([folder] if code == 0 else [])])
