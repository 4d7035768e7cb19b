"""Layers in files: LAYER.npz, one array for each field of a layer."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.quant.operands import require_activation_form, require_products, require_weight_form
from panacea_sim.workload.gemm_layer import ACTIVATION_DTYPES, SYMMETRIC_DTYPES, WEIGHT_DTYPES, GemmLayer
from panacea_sim.workload.samples import layer_path
from panacea_sim.workload.surroundings import ALONE

__all__ = ["load_layer", "read_arrays", "read_form", "save_layer"]

_REQUIRED = ("weight", "activation", "zero_point")
_INTEGERS = ("zero_point", "weight_bits", "activation_bits", "lo_bits")
_REALS = ("weight_scale", "activation_scale", "bias")
_TEXTS = ("name", "dbs_offset")
_OPERANDS = ("weight", "activation")
_ACTIVATIONS = (*ACTIVATION_DTYPES, *SYMMETRIC_DTYPES)
_KEYS = (*_REQUIRED, *_INTEGERS[1:], *_REALS, *_TEXTS, "r")
# What numpy raises for files that are not archives of arrays, are cut off, damaged, encrypted or want pickle.
_UNREADABLE = (ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)

_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_layer(path: str | Path) -> GemmLayer:
    """Return the layer of a LAYER.npz file, or of the package; its name is the file's unless the file gives one.

    Layers of the package go by their names (`panacea-sim list layers`). Keys and dtypes are in docs/files.md. Nothing
    is unpickled. Raises ConfigError naming the file for what is wrong with the file, and `layer.<field>` for what is
    wrong with a value.
    """
    path = layer_path(path)
    arrays = _read_arrays(path, _array)
    _check_keys(path, arrays)
    with _naming(path):
        return GemmLayer(**_fields(path, arrays))


def read_form(path: str | Path) -> tuple[str, int, int, int, int, bool]:
    """Return name, M, K, N, repeat of a LAYER.npz file and whether its activation is symmetric; only headers are read.

    Raises ConfigError where `load_layer` does, as far as it can be known without the operands' values.
    """
    path = layer_path(path)
    arrays = _read_arrays(path, _array_or_form)
    _check_keys(path, arrays)
    weight, activation = arrays.pop("weight"), arrays.pop("activation")
    if weight.dtype.name not in WEIGHT_DTYPES or activation.dtype.name not in _ACTIVATIONS:
        load_layer(path)  # what to do about another type depends on the values
    with _naming(path):
        require_weight_form("layer.weight", weight.dtype, weight.shape, WEIGHT_DTYPES)
        require_activation_form("layer.activation", activation.dtype, activation.shape, _ACTIVATIONS)
        require_products(weight.shape, activation.shape)
        # One column and one row are enough to have everything else checked.
        thin = GemmLayer(
            weight=np.zeros((*weight.shape[:-1], 1), weight.dtype),
            activation=np.zeros((*activation.shape[:-2], 1, activation.shape[-1]), activation.dtype),
            **_fields(path, arrays),
        )
    return thin.name, thin.M, weight.shape[-1], thin.N, thin.repeat, thin.is_symmetric


def save_layer(layer: GemmLayer, path: str | Path | BinaryIO) -> None:
    """Write `layer` to a LAYER.npz file (the suffix is added if missing), replacing what is there, or to an open file.

    The recipe of a synthetic layer is not kept: the operands are. Raises ConfigError for a layer with output formats
    or surroundings, which belong to the network, and for a path that cannot be written.
    """
    for field, nothing in (("output", None), ("source", None), ("formats", ()), ("surroundings", ALONE)):
        if getattr(layer, field) != nothing:
            hint = f"Save dataclasses.replace(layer, {field}={nothing})"
            raise ConfigError(f"layer.{field}", getattr(layer, field), f"{nothing} in a layer file", hint)
    arrays: dict[str, Any] = {key: np.asarray(getattr(layer, key)) for key in _KEYS if getattr(layer, key) is not None}
    if isinstance(layer.r, tuple):
        # Without a dtype, an r without slices would become an array of floats.
        arrays["r"] = np.array(layer.r, np.int64)
    try:
        np.savez_compressed(path, **arrays)
    except OSError as error:
        raise ConfigError(str(path), error.strerror, "a path that can be written") from error


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return all arrays of an .npz file; nothing is unpickled. Raises ConfigError naming the file."""
    return _read_arrays(path, _array)


@dataclass(frozen=True)
class _Form:
    """What the header of an array says."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def _read_arrays(path: Path, read: Callable[[np.lib.npyio.NpzFile, str], Any]) -> dict[str, Any]:
    """Return what `read` gives for each array in the file; raises ConfigError if it cannot be read."""
    accepted = "an .npz file of arrays, as numpy.savez writes"
    try:
        # numpy leaves a file that it opened itself open when the archive is damaged.
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise ConfigError(str(path), "a single array", accepted)
            return {key: read(content, key) for key in content.files}
    except OSError as error:
        raise ConfigError(str(path), error.strerror or error, "an .npz file that can be read") from error
    except _UNREADABLE as error:
        raise ConfigError(str(path), "a file that is not an .npz file or is damaged", accepted) from error


def _array(content: np.lib.npyio.NpzFile, key: str) -> npt.NDArray[Any]:
    return np.asarray(content[key])


def _array_or_form(content: np.lib.npyio.NpzFile, key: str) -> npt.NDArray[Any] | _Form:
    if key not in _OPERANDS:
        return _array(content, key)
    assert content.zip is not None
    with content.zip.open(f"{key}.npy") as member:
        shape, _, dtype = _HEADER_READERS[np.lib.format.read_magic(member)](member)
        if content.zip.getinfo(f"{key}.npy").file_size != member.tell() + math.prod(shape) * dtype.itemsize:
            message = f"{key} is cut off"
            raise ValueError(message)
    return _Form(dtype, shape)


def _fields(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    return {"name": path.stem} | {key: _field_value(key, array) for key, array in arrays.items()}


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the file to the hint of a ConfigError that names a field of a layer."""
    try:
        yield
    except ConfigError as error:
        hint = f"{error.hint}. File: {path}" if error.hint else f"File: {path}"
        raise ConfigError(error.field, error.found, error.accepted, hint) from error


def _check_keys(path: Path, arrays: Mapping[str, object]) -> None:
    missing = [key for key in _REQUIRED if key not in arrays]
    if missing:
        found = f"no {missing[0]!r} among the keys {', '.join(arrays)}"
        raise ConfigError(str(path), found, f"files with {', '.join(_REQUIRED)}", f"Add the array {missing[0]!r}")
    for key in arrays:
        if key not in _KEYS:
            raise ConfigError(str(path), f"the unknown key {key!r}", ", ".join(_KEYS), nearest_name(key, _KEYS))


def _field_value(key: str, array: npt.NDArray[Any]) -> object:
    if key in _INTEGERS:
        return _scalar(key, array, "iu", "one whole number")
    if key in _TEXTS:
        return _scalar(key, array, "U", "one text")
    if key == "r":
        return _frequent(array)
    return array


def _scalar(key: str, array: npt.NDArray[Any], kinds: str, accepted: str) -> object:
    if array.dtype.kind not in kinds or array.ndim != 0:
        raise ConfigError(f"layer.{key}", f"dtype {array.dtype}, shape {array.shape}", accepted)
    return array.item()


def _frequent(array: npt.NDArray[Any]) -> object:
    if array.dtype.kind == "U" and array.ndim == 0:
        return array.item()
    if array.dtype.kind not in "iu" or array.ndim > 1:
        found = f"dtype {array.dtype}, shape {array.shape}"
        raise ConfigError("layer.r", found, "whole numbers, one for each HO slice, or the text 'mode'")
    return tuple(cast("list[int]", np.atleast_1d(array).tolist()))
