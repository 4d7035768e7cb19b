"""Layers that come with the package, for first steps without a file of one's own."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["is_sample", "layer_path", "list_samples", "sample_notice"]

_FOLDER = Path(__file__).parent / "data"


def list_samples() -> tuple[str, ...]:
    """Return the names of the layers that come with the package, in order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.npz")))


def sample_notice() -> str:
    """Return what has to stand beside copies of these layers: where they come from, and their licences."""
    return (_FOLDER / "NOTICE").read_text(encoding="utf-8").strip()


def is_sample(name: str | Path) -> bool:
    """Return whether a layer is meant that comes with the package: it has that name, and no such file exists."""
    return str(name) in list_samples() and not Path(name).exists()


def layer_path(name: str | Path) -> Path:
    """Return the path of a LAYER.npz file, or of the layer of the package that is called so.

    Raises ConfigError for a word without an ending that is neither; other paths are returned unread.
    """
    path = Path(name)
    if is_sample(name):
        return _FOLDER / f"{name}.npz"
    if path.name == str(name) and not path.suffix and not path.exists():
        names = list_samples()
        accepted = f"a LAYER.npz file, or a layer that comes with panacea_sim: {', '.join(names)}"
        raise ConfigError("layer", f"no file {str(name)!r}", accepted, nearest_name(str(name), names))
    return path
