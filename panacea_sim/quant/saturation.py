"""Saturating steps of quantization: division into steps, and clipping to unsigned codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.units import FloatArray

__all__ = ["UintArray", "as_unsigned", "saturating_ratio"]

UintArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_BYTE_BITS = 8


def as_unsigned(values: FloatArray | npt.NDArray[np.signedinteger[Any]], bits: int) -> UintArray:
    """Return whole numbers as codes of `bits` bits, clipped: uint8, above 8 bits uint16."""
    clipped = values.clip(0, (1 << bits) - 1)
    return clipped.astype(np.uint8) if bits <= _BYTE_BITS else clipped.astype(np.uint16)


def saturating_ratio(values: npt.NDArray[np.floating], scale: float | npt.NDArray[np.floating]) -> FloatArray:
    """Divide in float64; a quotient beyond its range becomes infinite, which every caller clips or refuses."""
    with np.errstate(over="ignore"):
        quotient: FloatArray = np.divide(values, scale, dtype=np.float64)
    return quotient
