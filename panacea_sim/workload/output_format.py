"""How other layers read the outputs of a layer with values: as activations or as weight, and which features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from panacea_sim.checks import require_choice, require_scale
from panacea_sim.errors import ConfigError
from panacea_sim.quant.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from panacea_sim.quant.quantizer import ActivationQuantizer
from panacea_sim.quant.slicing import frequent_slices
from panacea_sim.quant.widths import (
    require_activation_bits,
    require_frequent,
    require_lo_bits,
    require_weight_bits,
    require_zero_point,
)
from panacea_sim.units import IntArray
from panacea_sim.workload.written_format import Form, check_forms, check_ranges

__all__ = ["FeatureAxis", "OutputFormat", "ReadFormat", "WeightFormat", "check_formats"]

FeatureAxis = Literal["k", "m"]
"""The axis of a weight along which the features of its producer lie, as links name it."""


@dataclass(frozen=True)
class OutputFormat:
    """How the next layer wants its activations: real value = `scale` * (x - `zero_point`).

    `r` holds the frequent slice value of every HO slice, least significant first; None takes the slices of the zero
    point. `function` is the activation function between the two layers. Raises ConfigError naming `output.<field>`.
    """

    scale: float
    zero_point: int
    bits: int = 8
    lo_bits: int = 4
    r: tuple[int, ...] | None = None
    function: ActivationFunction = "none"

    def __post_init__(self) -> None:
        """Validate every field and make numpy scalars plain numbers."""
        bits = require_activation_bits("output.bits", self.bits)
        lo_bits = require_lo_bits("output.lo_bits", self.lo_bits, bits)
        _set(self, "bits", bits)
        _set(self, "lo_bits", lo_bits)
        _set(self, "scale", require_scale("output.scale", self.scale))
        _set(self, "zero_point", require_zero_point("output.zero_point", self.zero_point, bits))
        if self.r is not None:
            _set(self, "r", require_frequent("output.r", self.r, bits, lo_bits))
        require_choice("output.function", self.function, ACTIVATION_FUNCTIONS)

    @property
    def frequent(self) -> tuple[int, ...]:
        """The frequent slice value of every HO slice, least significant first."""
        return frequent_slices(self.zero_point, self.bits, self.lo_bits) if self.r is None else self.r

    @property
    def quantizer(self) -> ActivationQuantizer:
        """The quantizer from real outputs to codes; its `error_on(outputs)` says what this format costs."""
        return ActivationQuantizer(self.scale, self.zero_point, self.bits, self.lo_bits)

    @property
    def form(self) -> Form:
        """What tells it apart from the other formats of a layer."""
        return Form("x", "columns", self.bits)


@dataclass(frozen=True)
class WeightFormat:
    """How another layer wants its weight: real value = `scale` * code, signed, zero point 0.

    The features of the producer lie on the axis `features_on` of the weight: on k in the K of attention, on m in its V.
    Without a `scale` it is max|real output| / (2^(bits-1) - 1) over the features that are read. Codes are those before
    an activation function. Raises ConfigError naming `output.<field>`.
    """

    features_on: FeatureAxis
    bits: int = 7
    scale: float | None = None

    def __post_init__(self) -> None:
        """Validate every field and make numpy scalars plain numbers."""
        require_choice("output.features_on", self.features_on, get_args(FeatureAxis))
        _set(self, "bits", require_weight_bits("output.bits", self.bits))
        if self.scale is not None:
            _set(self, "scale", require_scale("output.scale", self.scale))

    @property
    def frequent(self) -> tuple[int, ...]:
        """The value of slices that may be skipped, of every HO slice."""
        return (0,) * self.form.ho_slices

    @property
    def form(self) -> Form:
        """What tells it apart from the other formats of a layer."""
        return Form("w", "features" if self.features_on == "m" else "columns", self.bits)


@dataclass(frozen=True)
class ReadFormat:
    """A format in which outputs are read, and the features that are read in it.

    `features` are ranges, first to before last, in rising order and apart from each other; None: all. Feature f of
    product r of the layer is feature r * M + f. Raises ConfigError naming `format.<field>`.
    """

    format: OutputFormat | WeightFormat
    features: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        """Check both fields."""
        if not isinstance(self.format, OutputFormat | WeightFormat):
            raise ConfigError("format.format", repr(self.format), "an OutputFormat or a WeightFormat")
        if self.features is not None:
            check_ranges(self.features)
            _set(self, "features", tuple((int(first), int(end)) for first, end in self.features))

    def ranges(self, count: int) -> tuple[tuple[int, int], ...]:
        """Return the ranges of features that are read, of `count` features in all."""
        return ((0, count),) if self.features is None else self.features

    def rows(self, count: int) -> IntArray:
        """Return the features that are read, of `count` features in all."""
        rows: IntArray = np.concatenate([np.arange(first, end) for first, end in self.ranges(count)])
        return rows


def check_formats(output: OutputFormat | None, formats: object, features: int) -> None:
    """Check the formats of a layer with so many features, which has no `output` beside them; raises ConfigError."""
    if not isinstance(formats, tuple) or not all(isinstance(each, ReadFormat) for each in formats):
        raise ConfigError("layer.formats", repr(formats), "a tuple of ReadFormat")
    if formats and output is not None:
        hint = "Put ReadFormat(output) among the formats"
        raise ConfigError("layer.formats", "formats beside an output", "one of the two", hint)
    ends = [each.features[-1][1] for each in formats if each.features is not None]
    check_forms([each.format.form for each in formats], ends, features)


def _set(instance: OutputFormat | WeightFormat | ReadFormat, field: str, value: object) -> None:
    # The only way to normalise a field of a frozen dataclass.
    object.__setattr__(instance, field, value)
