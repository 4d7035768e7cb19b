"""Activation functions of the output path: a table of output codes behind the requantizer, all in whole numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from panacea_sim.checks import require_choice
from panacea_sim.errors import ConfigError
from panacea_sim.quant.quantizer import ActivationQuantizer
from panacea_sim.quant.requantizer import Requantizer
from panacea_sim.quant.saturation import UintArray
from panacea_sim.quant.slicing import AnyIntArray
from panacea_sim.units import FloatArray

__all__ = ["ACTIVATION_FUNCTIONS", "ActivationFunction", "FunctionTable", "PostProcessor", "activate", "function_table"]

ActivationFunction = Literal["none", "relu", "gelu"]
ACTIVATION_FUNCTIONS: tuple[ActivationFunction, ...] = ("none", "relu", "gelu")

_TABLE_BITS = 12
_EXTRA_BITS = 2
# GELU is at most 1.13 steep: half a pre-activation step of 1.5 output steps moves it by less than 0.85 output steps.
_MAX_STEP = 1.5
# For x >= 0, x - GELU(x) = x * Phi(-x) is largest near 0.75, where it is 0.16998.
_MOST_BELOW_IDENTITY = 0.17
# In steps of 1/64, from where GELU is 0 in floating point.
_TAIL: FloatArray = np.linspace(-40.0, 0.0, 2561)


@dataclass(frozen=True, eq=False)
class FunctionTable:
    """An activation function between two codes: of pre-activations `scale * (c - zero_point)`, and of outputs.

    Pre-activation codes c have `bits` bits. `codes`, uint8 or uint16 [2^bits], holds the output code of each; None
    stands for outputs that are the pre-activation codes themselves.
    """

    scale: float
    zero_point: int
    bits: int
    codes: UintArray | None


@dataclass(frozen=True, eq=False)
class PostProcessor:
    """The arithmetic of the PPU: requantization to pre-activation codes, then the table of the activation function.

    `codes` is that of a FunctionTable whose scale, zero point and bits the requantizer aims at.
    """

    requantizer: Requantizer
    codes: UintArray | None

    def apply(self, accumulator: AnyIntArray) -> UintArray:
        """Return the output codes of accumulators [M, N], each in the range of int32: uint8, above 8 bits uint16."""
        requantized = self.requantizer.apply(accumulator)
        return requantized if self.codes is None else self.codes[requantized]

    def rows(self, start: int, stop: int) -> PostProcessor:
        """Return the post-processor of output rows `start` .. `stop - 1`."""
        return PostProcessor(self.requantizer.rows(start, stop), self.codes)


def activate(function: ActivationFunction, x: FloatArray) -> FloatArray:
    """Return the real function of every element; GELU is the exact one, x * Phi(x), not its tanh approximation.

    Raises ConfigError for a function that there is not.
    """
    require_choice("function", function, ACTIVATION_FUNCTIONS)
    if function == "relu":
        return np.maximum(x, 0.0)
    if function == "gelu":
        # erfc of the negated argument keeps the digits of the negative tail, which 1 + erf would cancel.
        twice_phi = np.asarray(np.frompyfunc(math.erfc, 1, 1)(x / -math.sqrt(2)), np.float64)
        return 0.5 * x * twice_phi
    return x


def function_table(function: ActivationFunction, output: ActivationQuantizer) -> FunctionTable:
    """Return the table that gives the output codes of `function` (docs/model.md, output path).

    Outputs are the rounded real function of each pre-activation code, ties to even, and saturate. Pre-activation codes
    of ReLU are output codes; those of GELU reach from where it rounds to 0 to where the output saturates. Raises
    ConfigError for a function that there is not, and where these are further apart than 1.5 output steps.
    """
    require_choice("function", function, ACTIVATION_FUNCTIONS)
    if function == "none":
        return FunctionTable(output.scale, output.zero_point, output.bits, None)
    scale, zero_point, bits = output.scale, output.zero_point, output.bits
    if function == "gelu":
        bits = max(_TABLE_BITS, bits + _EXTRA_BITS)
        scale, zero_point = _gelu_codes(output, bits)
    inputs = (np.arange(1 << bits, dtype=np.float64) - zero_point) * scale
    return FunctionTable(scale, zero_point, bits, output.quantize(activate(function, inputs)))


def _gelu_codes(output: ActivationQuantizer, bits: int) -> tuple[float, int]:
    """Return scale and zero point of pre-activation codes whose saturation no output shows."""
    tail = _gelu_tail(output.scale)
    top = ((1 << output.bits) - 1 - output.zero_point) * output.scale + _MOST_BELOW_IDENTITY
    # One step is kept for the rounding of the zero point.
    scale = (tail + top) / ((1 << bits) - 2)
    if scale > _MAX_STEP * output.scale:
        raise ConfigError(
            "output.scale",
            f"{output.scale:.3g}, for which the {1 << bits} entries of the gelu table are "
            f"{scale / output.scale:.3g} output steps apart",
            f"a scale for which they are at most {_MAX_STEP} output steps apart",
            "Raise output.scale: these outputs are near 0, where the table is coarse",
        )
    return scale, math.ceil(tail / scale)


def _gelu_tail(scale: float) -> float:
    """Return a depth below which GELU is never more than half of `scale` away from 0."""
    visible = np.flatnonzero(activate("gelu", _TAIL) < -scale / 2)
    return float(-_TAIL[visible[0] - 1]) if visible.size else 0.0
