"""Real operands of one layer in a file: FLOAT.npz."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.calibration.observed import ObservedLayer, observed_layer
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.workload.npz import read_arrays

__all__ = ["read_float_layer"]

_REQUIRED = ("weight", "activation")
_KEYS = (*_REQUIRED, "bias", "name")


def read_float_layer(path: Path) -> ObservedLayer:
    """Return the layer of a FLOAT.npz file; its name is the file's unless the file gives one.

    `weight` is real [M, K], `activation` [K, N], or [samples, K, N]; of R products [R, M, K] and [R, K, N], or
    [samples, R, K, N]; `bias` [M] or [R, M]. Raises ConfigError naming the file.
    """
    arrays = read_arrays(path)
    for key in arrays:
        if key not in _KEYS:
            raise ConfigError(str(path), f"the unknown key {key!r}", ", ".join(_KEYS), nearest_name(key, _KEYS))
    for key in _REQUIRED:
        if key not in arrays:
            found = f"no {key!r} among the keys {', '.join(arrays) or '(none)'}"
            raise ConfigError(str(path), found, f"an array for each of {', '.join(_REQUIRED)}")
    name = arrays.get("name")
    if name is not None and (name.ndim or name.dtype.kind != "U" or not name.item()):
        raise ConfigError(f"{path}, name", f"{name.dtype} of shape {name.shape}", "one text that is not empty")
    given = arrays["weight"], arrays["activation"], arrays.get("bias")
    try:
        return observed_layer(path.stem if name is None else str(name.item()), *given)
    except ConfigError as error:
        raise ConfigError(error.field, error.found, error.accepted, f"File: {path}") from error
