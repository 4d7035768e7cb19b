"""Layers of the package, by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from real_layers import EXPECTED

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.workload.npz import load_layer, save_layer
from panacea_sim.workload.samples import list_samples
from panacea_sim.workload.synthetic import synthetic_layer

NAME = "minilm_l3_out_dbs"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where no file is."""
    monkeypatch.chdir(tmp_path)


def test_every_sample_is_a_real_layer() -> None:
    """Samples are loaded by their names from any folder, and are layers whose figures are known."""
    assert NAME in list_samples()
    for name in list_samples():
        layer, expected = load_layer(name), EXPECTED[name]
        assert (layer.name, layer.M, layer.K, layer.N) == (name, expected["M"], expected["K"], expected["N"])


def test_a_file_of_the_name_comes_first(tmp_path: Path) -> None:
    """A user's own file is taken, whatever the package has of that name."""
    own = synthetic_layer(8, 8, 8, 0.5, 0.5, seed=1)
    with (tmp_path / NAME).open("wb") as file:
        save_layer(own, file)
    assert np.array_equal(load_layer(NAME).weight, own.weight)


def test_an_unknown_name_leads_to_the_samples() -> None:
    """A word that is neither a file nor a sample is refused with the samples, and with the nearest of them."""
    with pytest.raises(ConfigError, match=r"no file 'minilm_l3_out'; .* comes with .*minilm_l3_qkv_dbs.*_out_dbs'"):
        load_layer("minilm_l3_out")


def test_list_layers(capsys: pytest.CaptureFixture[str]) -> None:
    """`list layers` shows each sample with its sizes, and the notice that belongs to copies of it."""
    assert main(["list", "layers"]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    for name in list_samples():
        assert [name, *(str(EXPECTED[name][size]) for size in "MKN")] in lines
    assert "Apache License" in printed


def test_run_leads_to_gemm(capsys: pytest.CaptureFixture[str]) -> None:
    """A layer is no scenario: `run` says which command takes it."""
    assert main(["run", NAME]) == 2
    assert f"A layer is simulated with: panacea-sim gemm {NAME}" in capsys.readouterr().err
