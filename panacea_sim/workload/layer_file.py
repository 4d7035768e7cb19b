"""Layers whose operands stay in their file until their turn comes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from panacea_sim.errors import ConfigError
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.npz import load_layer, read_form, save_layer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, check_formats
from panacea_sim.workload.samples import layer_path
from panacea_sim.workload.surroundings import ALONE, InNetwork, Surroundings

__all__ = ["LayerFile", "layer_file", "stored_layer"]

_OF_NETWORK = ("name", "output", "source", "formats", "surroundings")
"""What a layer file does not say, or not the last word of."""


@dataclass(frozen=True)
class LayerFile(InNetwork):
    """A layer in a LAYER.npz file, of which only the headers were read: name, sizes and kind of codes are known.

    `output`, `source`, `formats` and `surroundings`, which no layer file has, are those of the layer in its network.
    `size_bytes` and `modified_ns` are the file's when the headers were read. Make one with `layer_file`. Raises
    ConfigError for formats that do not fit the layer.
    """

    path: Path
    name: str
    M: int
    K: int
    N: int
    repeat: int
    is_symmetric: bool
    size_bytes: int
    modified_ns: int
    output: OutputFormat | None = None
    source: str | None = None
    formats: tuple[ReadFormat, ...] = ()
    surroundings: Surroundings = ALONE

    def __post_init__(self) -> None:
        """Check the formats, as far as it can be known without the operands."""
        check_formats(self.output, self.formats, self.repeat * self.M)

    def load(self) -> GemmLayer:
        """Return the layer with its operands.

        Raises ConfigError where `load_layer` does, for a file that has changed since, and for a bad source.
        """
        self._check_unchanged()
        layer = load_layer(self.path)
        given = {name: getattr(self, name) for name in _OF_NETWORK}
        if all(getattr(layer, name) == value for name, value in given.items()):
            return layer  # making a layer anew checks all its values once more
        return replace(layer, **given)

    def copy_to(self, path: Path) -> None:
        """Copy the file as it is, which knows no network; raises ConfigError if it has changed or cannot be read."""
        self._check_unchanged()
        try:
            shutil.copyfile(self.path, path)
        except OSError as error:
            found = f"{str(self.path)!r} ({error.strerror})"
            raise ConfigError("layer", found, f"a file that can be copied to {path}") from error

    def _check_unchanged(self) -> None:
        if _state_of(self.path) != (self.size_bytes, self.modified_ns):
            accepted = "the file as it was when the run was prepared"
            raise ConfigError(str(self.path), "a file that has changed meanwhile", accepted, "Run again")


def layer_file(path: str | Path) -> LayerFile:
    """Return the layer of a LAYER.npz file or of the package, its operands unread; raises as `read_form` does."""
    path = layer_path(path)
    state = _state_of(path)
    return LayerFile(path, *read_form(path), *state)


def stored_layer(layer: GemmLayer, path: Path) -> LayerFile:
    """Write the operands of a layer, which has no output formats, and return it as a layer in that file.

    Raises ConfigError for a path that cannot be written.
    """
    save_layer(replace(layer, surroundings=ALONE), path)
    return replace(layer_file(path), surroundings=layer.surroundings)


def _state_of(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(str(path), reason, "an .npz file that can be read") from error
    return found.st_size, found.st_mtime_ns
