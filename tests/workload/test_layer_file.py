"""Layers in files: what headers tell, and operands read later."""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from strategies import gemm_layers

from panacea_sim.errors import ConfigError
from panacea_sim.workload import npz
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer import loaded
from panacea_sim.workload.layer_file import layer_file
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import load_layer, save_layer
from panacea_sim.workload.output_format import ReadFormat, WeightFormat
from panacea_sim.workload.synthetic import synthetic_layer

ARRAYS: dict[str, Any] = {
    "weight": np.array([[1, -2, 3], [60, 5, -64]], np.int8),
    "activation": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "zero_point": np.int64(7),
}


def _written(folder: Path, **changes: object) -> Path:
    arrays: dict[str, Any] = {key: value for key, value in (ARRAYS | changes).items() if value is not None}
    np.savez(folder / "layer.npz", **arrays)
    return folder / "layer.npz"


@at_most(150)
@given(gemm_layers())
def test_headers_tell_name_and_sizes(layer: GemmLayer) -> None:
    """Name and sizes are those of the layer that is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        save_layer(layer, Path(folder) / "any.npz")
        known = layer_file(Path(folder) / "any.npz")
        assert (known.name, known.M, known.K, known.N, known.is_symmetric) == (
            layer.name,
            layer.M,
            layer.K,
            layer.N,
            False,
        )
        assert np.array_equal(known.load().weight, layer.weight)


def test_operands_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of weight and activation nothing but the header is unpacked."""
    path = _written(tmp_path)
    read: list[str] = []
    array = npz._array

    def noted(content: Any, key: str) -> Any:  # noqa: ANN401  # those of numpy
        read.append(key)
        return array(content, key)

    monkeypatch.setattr(npz, "_array", noted)
    layer_file(path)
    assert read == ["zero_point"]


@pytest.mark.parametrize(
    "changes",
    [
        {"weight": None},
        {"weight": np.ones((2, 3))},
        {"weight": np.ones(3, np.int8)},
        {"weight": np.ones((0, 3), np.int8)},
        {"activation": np.ones((4, 4), np.uint8)},
        {"activation": np.ones((3, 4), np.int8)},
        {"activation": np.ones((3, 4), np.int16)},
        {"zero_point": np.int64(300)},
        {"zero_point": np.float64(3)},
        {"wieght": np.ones((2, 3), np.int8)},
        {"bias": np.ones(3)},
        {"weight_scale": np.ones(3)},
        {"lo_bits": np.int64(9)},
        {"r": np.array([1, 2])},
        {"name": np.str_("")},
        {"weight": np.array([["an object"]], object)},
    ],
    ids=str,
)
def test_bad_headers_are_refused_as_when_loading(changes: dict[str, Any], tmp_path: Path) -> None:
    """What does not need the operands' values is found before they are read, in the same words."""
    path = _written(tmp_path, **changes)
    with pytest.raises(ConfigError) as wanted:
        load_layer(path)
    with pytest.raises(ConfigError) as found:
        layer_file(path)
    assert found.value.field == wanted.value.field or "object" in str(found.value)
    assert str(path) in str(found.value)


def test_operands_out_of_range_are_found_when_they_are_read(tmp_path: Path) -> None:
    """A value that is too large is refused at its turn."""
    known = layer_file(_written(tmp_path, weight_bits=np.int64(4)))
    with pytest.raises(ConfigError, match=r"layer\.weight: found 60 at \[1, 0\]; accepted: -8 \.\. 7"):
        known.load()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is refused by its path."""
    with pytest.raises(ConfigError, match=r"none\.npz: found No such file or directory; accepted: an \.npz file"):
        layer_file(tmp_path / "none.npz")


def test_a_path_that_cannot_be() -> None:
    """A path that no system has is refused as well."""
    with pytest.raises(ConfigError, match=r"accepted: an \.npz file"):
        layer_file("a\0b.npz")


def test_a_cut_array_is_found_by_its_header(tmp_path: Path) -> None:
    """A member that is shorter than its header says is damaged."""
    path = _written(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[:-1] if name == "weight.npy" else content)
    with pytest.raises(ConfigError, match="is damaged"):
        layer_file(path)


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    """Operands are those of the file whose headers were read, or there is an error."""
    path = _written(tmp_path)
    known = layer_file(path)
    os.utime(path, ns=(0, 0))
    for use in (known.load, lambda: known.copy_to(tmp_path / "copy.npz")):
        with pytest.raises(ConfigError, match=r"layer\.npz: found a file that has changed meanwhile.*Run again"):
            use()
    assert not (tmp_path / "copy.npz").exists()


def test_the_place_in_a_network_is_kept(tmp_path: Path) -> None:
    """Name, output and source are those of the network, not of the file; a copy is the file."""
    path = _written(tmp_path)
    known = replace(layer_file(path), name="second", output=OutputFormat(1.0, 3), source="first")
    read = replace(known, output=None, formats=(ReadFormat(WeightFormat("m")),))
    assert (read.load().output, read.load().formats) == (None, read.formats)
    with pytest.raises(ConfigError, match=r"^layer\.formats: found features 0 \.\. 98; accepted: those that it has, 0"):
        replace(read, formats=(ReadFormat(WeightFormat("m"), ((0, 99),)),))
    layer = known.load()
    assert (layer.name, layer.output, layer.source) == ("second", OutputFormat(1.0, 3), "first")
    known.copy_to(tmp_path / "copy.npz")
    assert (tmp_path / "copy.npz").read_bytes() == path.read_bytes()


def test_layers_in_memory_are_loaded() -> None:
    """A layer with operands or masks is itself."""
    for layer in (MaskedLayer("masked", 8, 8, 8, 0.3, 0.5, seed=1), synthetic_layer(3, 4, 5, 0.5, 0.5, 1)):
        assert loaded(layer) is layer
