"""What a model is run with: samples of a file, or zeros in shapes that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from panacea_sim.calibration.observed import held_out_count
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.onnx_models.graph import Array, InputSpec
from panacea_sim.workload.npz import read_arrays

__all__ = ["Feed", "Samples", "parse_shapes", "read_samples", "zeros"]

Feed = dict[str, Array]
"""An array for each input of the model."""

_MOST_BYTES = 2**32


@dataclass(frozen=True, eq=False)
class Samples:
    """Arrays of samples x input shape, by the names of the inputs."""

    arrays: Mapping[str, Array]

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(next(iter(self.arrays.values())))

    def feed(self, number: int) -> Feed:
        """Return what the model is run with for a sample."""
        return {name: np.ascontiguousarray(array[number]) for name, array in self.arrays.items()}

    def held_out(self, number: int) -> int:
        """Return which of all samples a held-out one is; raises ConfigError naming --sample if there is none."""
        count = held_out_count(len(self))
        if not 0 <= number < count:
            accepted = f"0 .. {count - 1}" if count > 1 else "0"
            raise ConfigError("--sample", number, f"{accepted}: the held-out samples, the last {count} of {len(self)}")
        return len(self) - count + number

    @property
    def calibrating(self) -> range:
        """The numbers of the samples that choose scales and zero points; one sample alone does that too."""
        return range(len(self) - held_out_count(len(self)) or 1)


def read_samples(path: Path, inputs: Sequence[InputSpec]) -> Samples:
    """Return the samples of an .npz file: key = input name, array = samples x input shape.

    Raises ConfigError naming the file for what cannot be read, inputs that are missing or unknown, other types and
    shapes than the model takes, dimensions of one name that differ, numbers of samples that differ, none at all, and
    values that are no numbers.
    """
    arrays = read_arrays(path)
    names = [spec.name for spec in inputs]
    for name in arrays:
        if name not in names:
            raise ConfigError(str(path), f"the unknown key {name!r}", ", ".join(names), nearest_name(name, names))
    axes: dict[str, tuple[int, str]] = {}
    counts = {spec.name: _checked_count(path, spec, arrays, names, axes) for spec in inputs}
    if not counts:
        raise ConfigError(str(path), "samples", "nothing: the model has no inputs", "Leave it out")
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {name!r}" for name, count in counts.items())
        raise ConfigError(str(path), f"samples: {found}", "equally many of each input")
    if not next(iter(counts.values())):
        raise ConfigError(str(path), "no samples", "at least one")
    return Samples(arrays)


def _checked_count(
    path: Path, spec: InputSpec, arrays: Mapping[str, Array], names: Sequence[str], axes: dict[str, tuple[int, str]]
) -> int:
    """Return how many samples of an input there are; they have its type and shape, and are numbers."""
    if spec.name not in arrays:
        found = f"no samples of {spec.name!r} among the keys {', '.join(arrays) or '(none)'}"
        raise ConfigError(str(path), found, f"an array for each input: {', '.join(names)}")
    array = arrays[spec.name]
    place, wanted = f"{path}, {spec.name}", f"samples x {_axes_text(spec)}"
    if array.dtype != spec.dtype:
        hint = f"Convert it with .astype(numpy.{spec.dtype})"
        raise ConfigError(place, f"{array.dtype} numbers", f"{spec.dtype}, as the model takes", hint)
    if array.ndim == 0 or (spec.axes is not None and array.ndim == len(spec.axes)):
        hint = "Put an axis for the samples in front: array[None]"
        raise ConfigError(place, f"shape {_text(array.shape)}", wanted, hint)
    _check_shape(place, spec, array.shape[1:], axes, wanted)
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ConfigError(place, "values that are infinite or no numbers", "finite numbers")
    return len(array)


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return shapes by the names of inputs, of texts NAME=1,3,224,224; raises ConfigError naming --shape."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, equals, numbers = text.rpartition("=")
        parts = [part.strip() for part in numbers.split(",")] if numbers.strip() else []
        if not equals or not name or not all(part.isdecimal() and 0 < int(part) < 2**31 for part in parts):
            raise ConfigError("--shape", repr(text), "NAME=1,3,224,224: the name of an input and its shape")
        if name in shapes:
            raise ConfigError("--shape", f"{name!r} twice", "each input once")
        shapes[name] = tuple(map(int, parts))
    return shapes


def zeros(inputs: Sequence[InputSpec], shapes: Mapping[str, tuple[int, ...]]) -> Feed:
    """Return zeros in the shapes that are given for inputs, those that the model says, or that follow from names.

    Raises ConfigError naming --shape for unknown inputs, shapes that the model does not take, and for axes of which
    nobody says how long they are.
    """
    names = [spec.name for spec in inputs]
    for name in shapes:
        if name not in names:
            raise ConfigError("--shape", repr(name), ", ".join(names) or "nothing", nearest_name(name, names))
    axes: dict[str, tuple[int, str]] = {}
    for spec in inputs:
        if spec.name in shapes:
            _check_shape(f"--shape {spec.name}", spec, shapes[spec.name], axes, _axes_text(spec))
    feed = {spec.name: np.broadcast_to(np.zeros((), spec.dtype), _shape(spec, shapes, axes)) for spec in inputs}
    size = sum(prod(array.shape) * array.dtype.itemsize for array in feed.values())
    if size > _MOST_BYTES:
        raise ConfigError("--shape", f"inputs of {size:,} bytes", f"at most {_MOST_BYTES:,}")
    return {name: np.ascontiguousarray(array) for name, array in feed.items()}


def _shape(
    spec: InputSpec, shapes: Mapping[str, tuple[int, ...]], axes: Mapping[str, tuple[int, str]]
) -> tuple[int, ...]:
    if spec.name in shapes:
        return shapes[spec.name]
    known = None
    if spec.axes is not None:
        known = [axes[axis][0] if isinstance(axis, str) and axis in axes else axis for axis in spec.axes]
    if known is None or not all(isinstance(axis, int) for axis in known):
        example = ",".join(str(axis) if isinstance(axis, int) else "1" for axis in known or [None])
        hint = f"For example: --shape {spec.name}={example}; or give samples with --data"
        found = f"no shape for input {spec.name!r} of {_axes_text(spec)}"
        raise ConfigError("--shape", found, "a length for each axis that has none", hint)
    return tuple(int(axis) for axis in known if axis is not None)


def _check_shape(
    place: str, spec: InputSpec, shape: tuple[int, ...], axes: dict[str, tuple[int, str]], accepted: str
) -> None:
    """Refuse a shape that the model does not take, or that gives a named axis another length than an input before."""
    if spec.axes is None:
        return
    fits = len(shape) == len(spec.axes) and all(
        not isinstance(axis, int) or axis == extent for axis, extent in zip(spec.axes, shape, strict=True)
    )
    if not fits:
        raise ConfigError(place, f"shape {_text(shape)}", accepted)
    for axis, extent in zip(spec.axes, shape, strict=True):
        if not isinstance(axis, str):
            continue
        known, other = axes.setdefault(axis, (extent, spec.name))
        if known != extent:
            raise ConfigError(place, f"{axis} = {extent}", f"{known}, the {axis} of {other!r}")


def _axes_text(spec: InputSpec) -> str:
    if spec.axes is None:
        return "any shape"
    return _text(["?" if axis is None else axis for axis in spec.axes])


def _text(shape: Sequence[object]) -> str:
    return " x ".join(map(str, shape)) or "one number"
