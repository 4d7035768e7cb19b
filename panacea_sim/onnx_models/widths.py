"""How many bits the operands of a quantized model need: by their values, never by their type."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import Array
from panacea_sim.onnx_models.imported import ImportedOperand

__all__ = ["activation_bits_of", "weight_bits_of"]

_WEIGHT_BITS = (4, 7, 10)
_ACTIVATION_BITS = {"uint8": 8, "int8": 8, "uint4": 4, "int4": 4}
_RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint4": (0, 15), "int4": (-8, 7)}
_HINT = "Quantize the model with 8 bits"


def weight_bits_of(weight: ImportedOperand, values: Mapping[str, Array]) -> int:
    """Return the fewest bits of 4, 7 and 10 that hold every code of a weight less its zero point.

    Those of a weight that other layers write are all that its type can hold. `values` has the tensors of its encoding;
    of codes that are not constant the zero point, or the codes themselves where there is none. Raises ConfigError for
    wider codes.
    """
    encoding = weight.encoding
    assert encoding is not None
    if weight.is_constant:
        centred = encoding.centred(values)
        least, most = int(centred.min(initial=0)), int(centred.max(initial=0))
    else:
        name = _typed(encoding.codes, encoding.zero_point, values)
        if name not in _RANGES:
            raise ConfigError(f"weight {encoding.codes!r}", f"{name} codes", ", ".join(_RANGES), _HINT)
        zero_points = (
            values[encoding.zero_point].astype(np.int64) if encoding.zero_point in values else np.zeros(1, int)
        )
        least, most = _RANGES[name][0] - int(zero_points.max()), _RANGES[name][1] - int(zero_points.min())
    for bits in _WEIGHT_BITS:
        if -(1 << (bits - 1)) <= least and most < 1 << (bits - 1):
            return bits
    widest = 1 << (_WEIGHT_BITS[-1] - 1)
    found = f"codes from {least} to {most}"
    raise ConfigError(f"weight {encoding.codes!r}", found, f"{-widest} .. {widest - 1}, {_WEIGHT_BITS[-1]} bits", _HINT)


def activation_bits_of(activation: ImportedOperand, values: Mapping[str, Array]) -> int:
    """Return the bits of an activation's codes, 8 for real numbers; raises ConfigError for wider ones."""
    encoding = activation.encoding
    if encoding is None:
        return 8
    name = _typed(encoding.codes, encoding.zero_point, values)
    if name not in _ACTIVATION_BITS:
        raise ConfigError(f"activation {encoding.codes!r}", f"{name} codes", ", ".join(_ACTIVATION_BITS), _HINT)
    return _ACTIVATION_BITS[name]


def _typed(codes: str, zero_point: str, values: Mapping[str, Array]) -> str:
    """Return the type of codes, which is that of their zero point."""
    return values[zero_point if zero_point in values else codes].dtype.name
