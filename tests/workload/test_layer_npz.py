"""LAYER.npz: the round trip, the real layers, and what is refused."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st
from real_layers import EXPECTED, real_layer
from strategies import gemm_layers

from panacea_sim.errors import ConfigError
from panacea_sim.quant.vectors import skipped_activation_vectors, skipped_share, skipped_weight_vectors
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.npz import load_layer, save_layer
from panacea_sim.workload.output_format import ReadFormat, WeightFormat
from panacea_sim.workload.synthetic import synthetic_layer

ARRAYS: dict[str, Any] = {
    "weight": np.array([[1, -2, 3], [60, 5, -64]], np.int8),
    "activation": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "zero_point": np.int64(7),
}


def write(folder: Path, **changes: object) -> Path:
    """Write a small layer file with some keys added or replaced, and without those that are None."""
    arrays: dict[str, Any] = {key: value for key, value in (ARRAYS | changes).items() if value is not None}
    path = folder / "layer.npz"
    np.savez(path, **arrays)
    return path


@at_most(150)
@given(gemm_layers())
def test_round_trip(layer: GemmLayer) -> None:
    """A layer that is saved and loaded again is the same, field by field, dtypes included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.npz"
        save_layer(layer, path)
        loaded = load_layer(path)
    for field in ("weight", "activation", "weight_scale", "bias"):
        before, after = np.asarray(getattr(layer, field)), np.asarray(getattr(loaded, field))
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    for field in (
        *("name", "zero_point", "weight_bits", "activation_bits", "lo_bits"),
        *("r", "dbs_offset", "activation_scale", "output", "recipe", "formats"),
    ):
        assert getattr(layer, field) == getattr(loaded, field)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_real_layers(name: str) -> None:
    """The real layers that come with the project have the expected product, densities and frequent slice."""
    expected = EXPECTED[name]
    layer = load_layer(real_layer(name))
    assert (layer.name, layer.M, layer.K, layer.N) == (name, expected["M"], expected["K"], expected["N"])
    assert (layer.zero_point, layer.lo_bits, layer.frequent) == (expected["zp"], expected["l"], (expected["r"],))
    skipped_w = skipped_weight_vectors(layer.weight_slices.ho, 4)
    skipped_x = skipped_activation_vectors(layer.activation_slices.ho, layer.frequent, 4)
    assert skipped_share(skipped_w) == pytest.approx(expected["rho_w"], abs=1e-9)
    assert skipped_share(skipped_x) == pytest.approx(expected["rho_x"], abs=1e-9)
    accumulator = layer.reference_accumulator().astype("<i4")
    assert hashlib.sha256(accumulator.tobytes()).hexdigest() == expected["output_sha256"]


def test_defaults_of_a_file(tmp_path: Path) -> None:
    """A file with the required keys only takes the defaults, and the file's name."""
    layer = load_layer(str(write(tmp_path)))
    assert (layer.name, layer.weight_bits, layer.activation_bits, layer.lo_bits) == ("layer", 7, 8, 4)
    assert (layer.r, layer.weight_scale, layer.activation_scale, layer.bias) == (None, 1.0, 1.0, None)


@pytest.mark.parametrize(("stored", "r"), [(np.int64(3), (3,)), (np.array([3]), (3,)), (np.str_("mode"), "mode")])
def test_forms_of_r(tmp_path: Path, stored: object, r: object) -> None:
    """The frequent slice may be stored as a number, as an array or as the word mode."""
    assert load_layer(write(tmp_path, r=stored)).r == r


def test_recipe_is_not_kept(tmp_path: Path) -> None:
    """A saved synthetic layer keeps its operands, not its recipe."""
    path = tmp_path / "synthetic.npz"
    save_layer(synthetic_layer(3, 4, 5, 0.5, 0.5, 1), path)
    assert load_layer(path).recipe is None


def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist is refused by its path."""
    path = tmp_path / "nowhere.npz"
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: found No such file or directory; accepted: an"):
        load_layer(path)


def test_folder(tmp_path: Path) -> None:
    """A folder is refused by its path."""
    with pytest.raises(ConfigError, match=f"^{re.escape(str(tmp_path))}: found Is a directory; accepted: an .npz file"):
        load_layer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(50), b"hello world", bytes(200)])
def test_not_an_npz(tmp_path: Path, content: bytes) -> None:
    """A file of another kind is refused as not an .npz file."""
    path = tmp_path / "layer.npz"
    path.write_bytes(content)
    with pytest.raises(
        ConfigError, match=r"found a file that is not an \.npz file or is damaged; accepted: an \.npz file"
    ):
        load_layer(path)


def test_single_array(tmp_path: Path) -> None:
    """A file of one array is refused, with what it is."""
    path = tmp_path / "layer.npy"
    np.save(path, np.ones(3))
    with pytest.raises(ConfigError, match=r"layer\.npy: found a single array; accepted: an \.npz file"):
        load_layer(path)


def test_pickled_array(tmp_path: Path) -> None:
    """A file that wants unpickling is refused; nothing in it is run."""
    with pytest.raises(ConfigError, match=r"found a file that is not an \.npz file or is damaged"):
        load_layer(write(tmp_path, name=np.array([{}], object)))


@at_most(150)
@given(st.data())
def test_damaged_file(data: st.DataObject) -> None:
    """A file with a byte changed or its end cut off gives a layer or a ConfigError, never another error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.npz"
        save_layer(GemmLayer("any", ARRAYS["weight"], ARRAYS["activation"], 7), path)
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content[: data.draw(st.sampled_from([len(content), position]))])
        try:
            layer = load_layer(path)
        except ConfigError as error:
            assert str(path) in str(error)  # noqa: PT017 (loading may succeed as well)
        else:
            assert layer.weight.shape == (2, 3)


@pytest.mark.parametrize("key", ["weight", "activation", "zero_point"])
def test_missing_key(tmp_path: Path, key: str) -> None:
    """A file without a required array is refused with its name and the names that are there."""
    present = ", ".join(name for name in ARRAYS if name != key)
    text = (
        f"found no '{key}' among the keys {present}; accepted: files with weight, activation, zero_point. Add the array"
    )
    with pytest.raises(ConfigError, match=re.escape(text)):
        load_layer(write(tmp_path, **{key: None}))


def test_unknown_key(tmp_path: Path) -> None:
    """A key that means nothing is refused with the nearest name."""
    with pytest.raises(ConfigError, match=r"found the unknown key 'weight_bit'; .*Did you mean 'weight_bits'\?"):
        load_layer(write(tmp_path, weight_bit=7))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"weight": np.ones((2, 3))}, "layer.weight: found dtype float64; accepted: a matrix of int8 or int16"),
        ({"weight": np.ones(3, np.int8)}, "layer.weight: found 1 dimensions, shape (3,)"),
        ({"activation": np.ones((4, 2), np.uint8)}, "layer.activation: found K = 4, shape (4, 2); accepted: K = 3"),
        ({"activation": np.ones((3, 0), np.uint8)}, "layer.activation: found an empty dimension, shape (3, 0)"),
        ({"activation": np.full((3, 4), 300, np.uint16)}, "layer.activation: found 300 at [0, 0]; accepted: 0 .. 255"),
        ({"zero_point": 256}, "layer.zero_point: found 256; accepted: a whole number in 0 .. 255"),
        ({"zero_point": 7.0}, "layer.zero_point: found dtype float64, shape (); accepted: one whole number"),
        ({"zero_point": [7]}, "layer.zero_point: found dtype int64, shape (1,); accepted: one whole number"),
        ({"lo_bits": 3}, "layer.lo_bits: found 3; accepted: 4, 5, 6"),
        ({"lo_bits": 5, "activation_bits": 12}, "layer.lo_bits: found 5; accepted: 4. Only 8-bit"),
        ({"activation_scale": np.nan}, "layer.activation_scale: found nan; accepted: finite numbers > 0"),
        ({"weight_scale": np.ones(3)}, "layer.weight_scale: found shape (3,); accepted: one number, or shape (2,)"),
        ({"bias": np.ones(1)}, "layer.bias: found shape (1,); accepted: shape (2,): one number for each row"),
        ({"bias": np.array("a")}, "layer.bias: found array('a', dtype='<U1'); accepted: real numbers"),
        ({"name": 5}, "layer.name: found dtype int64, shape (); accepted: one text"),
        ({"dbs_offset": "up"}, "layer.dbs_offset: found 'up'; accepted: floor, midpoint"),
        ({"r": 16}, "layer.r: found 16; accepted: a whole number in 0 .. 15"),
        ({"r": [1, 2]}, "layer.r: found (1, 2); accepted: 1 whole numbers in 0 .. 15"),
        ({"r": 1.0}, "layer.r: found dtype float64, shape (); accepted: whole numbers, one for each HO slice, or the"),
    ],
)
def test_refused_value(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    """A value that cannot be used is refused with its field, and the message ends with the file."""
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}.*File: {re.escape(str(path))}$"):
        load_layer(path)


def test_read_formats_are_not_stored(tmp_path: Path) -> None:
    """Neither are the formats in which several layers read it."""
    formats = (ReadFormat(WeightFormat("k")),)
    layer = GemmLayer("any", ARRAYS["weight"], ARRAYS["activation"], 7, formats=formats)
    with pytest.raises(
        ConfigError, match=r"^layer\.formats: found \(ReadFormat.*Save dataclasses\.replace\(layer, formats=\(\)\)$"
    ):
        save_layer(layer, tmp_path / "any.npz")
    assert not list(tmp_path.iterdir())


def test_output_format_is_not_stored(tmp_path: Path) -> None:
    """A layer with an output format is not saved, because the file would lose it."""
    layer = GemmLayer("any", ARRAYS["weight"], ARRAYS["activation"], 7, output=OutputFormat(1.0, 3))
    with pytest.raises(
        ConfigError, match=r"^layer\.output: found OutputFormat.*Save dataclasses\.replace\(layer, output=None\)$"
    ):
        save_layer(layer, tmp_path / "any.npz")
    save_layer(replace(layer, output=None), tmp_path / "any.npz")
    assert (tmp_path / "any.npz").exists()


def test_unwritable_path(tmp_path: Path) -> None:
    """A path that cannot be written is refused by its name."""
    path = tmp_path / "nowhere" / "any.npz"
    layer = synthetic_layer(1, 1, 1, 0, 0, 0)
    with pytest.raises(
        ConfigError, match=rf"^{re.escape(str(path))}: found No such file .*a path that can be written$"
    ):
        save_layer(layer, path)
