"""A layer of the network as the machine sees it: one quantized matrix product with its operands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from panacea_sim.checks import require_channel_scales, require_choice, require_row_numbers, require_scale
from panacea_sim.errors import ConfigError
from panacea_sim.quant.aqs_gemm import check_accumulator, integer_gemm
from panacea_sim.quant.operands import (
    RANKS_OF_PRODUCTS,
    require_activation,
    require_products,
    require_symmetric_activation,
    require_weight,
)
from panacea_sim.quant.slicing import (
    ActivationSlices,
    WeightSlices,
    frequent_slices,
    mode_slices,
    slice_activations,
    slice_weights,
    truncate,
)
from panacea_sim.quant.widths import (
    SYMMETRIC_BITS,
    require_activation_bits,
    require_frequent,
    require_lo_bits,
    require_weight_bits,
    require_zero_point,
)
from panacea_sim.units import FloatArray
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, check_formats
from panacea_sim.workload.surroundings import ALONE, InNetwork, Surroundings

__all__ = ["ACTIVATION_DTYPES", "DBS_OFFSETS", "SYMMETRIC_DTYPES", "WEIGHT_DTYPES", "GemmLayer", "OutputFormat"]

DBS_OFFSETS = ("floor", "midpoint")
WEIGHT_DTYPES = ("int8", "int16")
ACTIVATION_DTYPES = ("uint8", "uint16")
SYMMETRIC_DTYPES = ("int8",)

_MATRIX_RANK = 2


@dataclass(frozen=True, eq=False)
class GemmLayer(InNetwork):
    """The product of a weight matrix and an activation matrix, both quantized, with everything that gives it meaning.

    `weight` is int8 or int16 [M, K], symmetric, `weight_bits` wide; `activation` is uint8 or uint16 [K, N], asymmetric,
    `activation_bits` wide, with a LO field of `lo_bits` (more than 4: DBS); or it is int8, symmetric: 7 or 8 bits, zero
    point 0, no DBS and no r. Each machine says which of them it accepts. Both are kept as read-only views, because
    slices are cached. `r` is the frequent slice value of every HO slice, least significant first; None takes the slices
    of the zero point, "mode" the most frequent ones. `weight_scale` is one number or float64 [M], `bias` float64 [M] in
    real units. `output` is how the next layer reads all outputs; `formats`, in its place, are the ways in which several
    layers read them, as activations or as weight, each with the features that are read. Without either nobody reads
    them. `source` names the layer whose outputs the activation is, None where it is in DRAM from the start. `recipe`
    holds the arguments of `synthetic_layer` that draw the same operands again, None for operands from
    elsewhere. `surroundings` are what a network says of the layer. Formulas are in docs/model.md.

    Operands with a leading axis, [R, M, K] and [R, K, N], are those of R products, which are one layer with `repeat` R.
    Zero point, bits, l, r, activation scale and output are those of all; `weight_scale` is one number or [R, M], `bias`
    [R, M], accumulators and outputs are [R, M, N]. The machine numbers the rows of all products one below the other,
    their columns side by side. A leading axis of 1 is dropped.

    Raises ConfigError naming `layer.<field>`.
    """

    name: str
    weight: npt.NDArray[np.signedinteger[Any]]
    activation: npt.NDArray[np.unsignedinteger[Any]] | npt.NDArray[np.int8]
    zero_point: int
    weight_bits: int = 7
    activation_bits: int = 8
    lo_bits: int = 4
    r: tuple[int, ...] | Literal["mode"] | None = None
    dbs_offset: Literal["floor", "midpoint"] = "midpoint"
    weight_scale: float | FloatArray = 1.0
    activation_scale: float = 1.0
    bias: FloatArray | None = None
    output: OutputFormat | None = None
    source: str | None = None
    recipe: Mapping[str, object] | None = None
    formats: tuple[ReadFormat, ...] = ()
    surroundings: Surroundings = ALONE

    def __post_init__(self) -> None:
        """Validate every field; make arrays read-only and numpy scalars plain numbers."""
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError("layer.name", repr(self.name), "text that is not empty")
        if self.source is not None and (not isinstance(self.source, str) or self.source in {"", self.name}):
            raise ConfigError("layer.source", repr(self.source), "None or the name of another layer")
        self._check_widths()
        self._check_operands()
        self._check_frequent()
        self._check_real_values()
        check_formats(self.output, self.formats, len(self.weight_rows))
        self._drop_axis_of_one()

    @property
    def repeat(self) -> int:
        """How many products there are."""
        return len(self.weight) if self.weight.ndim > _MATRIX_RANK else 1

    @property
    def M(self) -> int:  # noqa: N802 (the field's name)
        """Rows of the weight and of the output of a product."""
        return int(self.weight.shape[-2])

    @property
    def K(self) -> int:  # noqa: N802 (the field's name)
        """Length of the inner products."""
        return int(self.weight.shape[-1])

    @property
    def N(self) -> int:  # noqa: N802 (the field's name)
        """Tokens: columns of the activation and of the output of a product."""
        return int(self.activation.shape[-1])

    @property
    def read_formats(self) -> tuple[ReadFormat, ...]:
        """The formats in which outputs are written, in the order of their writes; none where nobody reads them."""
        return self.formats if self.output is None else (ReadFormat(self.output),)

    @cached_property
    def weight_rows(self) -> npt.NDArray[np.signedinteger[Any]]:
        """The weight rows of all products, one below the other: [R * M, K]."""
        return self.weight.reshape(-1, self.K)

    @cached_property
    def activation_columns(self) -> npt.NDArray[np.unsignedinteger[Any]] | npt.NDArray[np.int8]:
        """The activation columns of all products, side by side: [K, R * N]."""
        if self.repeat == 1:
            return self.activation
        return self.activation.swapaxes(0, 1).reshape(self.K, -1)

    @property
    def is_symmetric(self) -> bool:
        """Whether the activation's codes are signed, with the zero point 0."""
        return self.activation.dtype.name in SYMMETRIC_DTYPES

    @cached_property
    def frequent(self) -> tuple[int, ...]:
        """The frequent slice value of every HO slice of the activation, least significant first."""
        if self.is_symmetric:
            return (0,)
        if self.r is None:
            return frequent_slices(self.zero_point, self.activation_bits, self.lo_bits)
        if self.r == "mode":
            return mode_slices(self.activation_columns, self.activation_bits, self.lo_bits)
        return self.r

    @cached_property
    def weight_slices(self) -> WeightSlices:
        """The weight rows of all products, sliced."""
        return slice_weights(self.weight_rows, self.weight_bits)

    @cached_property
    def activation_slices(self) -> ActivationSlices:
        """The activation columns of all products, sliced (and truncated, with DBS)."""
        return slice_activations(self.activation_columns, self.activation_bits, self.lo_bits)

    def reference_accumulator(self) -> npt.NDArray[np.int32]:
        """Return the exact product with the truncated activation, int32 [M, N], that the machine must reproduce.

        Of several products it is [R, M, N].

        Raises ConfigError if a sum does not fit int32.
        """
        return check_accumulator(integer_gemm(self.weight, truncate(self.activation, self.lo_bits)))

    def check_accumulators(self) -> None:
        """Check that no accumulator overflows int32, with as little work as that takes; raises ConfigError."""
        highest = 1 << (self.weight_bits - 1 + self.activation_bits)
        if self.K * highest > np.iinfo(np.int32).max:
            self.reference_accumulator()

    def _check_widths(self) -> None:
        _set(self, "weight_bits", require_weight_bits("layer.weight_bits", self.weight_bits))
        if not (self._has_signed_codes and self.activation_bits in SYMMETRIC_BITS):
            _set(self, "activation_bits", require_activation_bits("layer.activation_bits", self.activation_bits))
        _set(self, "lo_bits", require_lo_bits("layer.lo_bits", self.lo_bits, self.activation_bits))
        _set(self, "zero_point", require_zero_point("layer.zero_point", self.zero_point, self.activation_bits))
        require_choice("layer.dbs_offset", self.dbs_offset, DBS_OFFSETS)

    def _check_operands(self) -> None:
        weight = require_weight("layer.weight", self.weight, self.weight_bits, WEIGHT_DTYPES, RANKS_OF_PRODUCTS)
        activation = self.activation
        if self._has_signed_codes and activation.ndim:
            require_symmetric_activation(activation, self.activation_bits, self.zero_point, self.lo_bits)
        else:
            bits = self.activation_bits
            activation = require_activation("layer.activation", activation, bits, ACTIVATION_DTYPES, RANKS_OF_PRODUCTS)
        require_products(weight.shape, activation.shape)
        _set(self, "weight", _read_only(weight))
        _set(self, "activation", _read_only(activation))

    @property
    def _has_signed_codes(self) -> bool:
        """Whether the activation, of which nothing is known yet, is an array of signed codes."""
        return isinstance(self.activation, np.ndarray) and self.activation.dtype.name in SYMMETRIC_DTYPES

    def _check_frequent(self) -> None:
        if self.r is not None and self.is_symmetric:
            hint = "Symmetric codes have no other frequent slice than 0"
            raise ConfigError("layer.r", repr(self.r), f"None, as the activation is {self.activation.dtype}", hint)
        if self.r is not None and self.r != "mode":
            _set(self, "r", require_frequent("layer.r", self.r, self.activation_bits, self.lo_bits))

    def _check_real_values(self) -> None:
        rows = self.weight.shape[:-1]
        _set(self, "weight_scale", require_channel_scales("layer.weight_scale", self.weight_scale, *rows))
        _set(self, "activation_scale", require_scale("layer.activation_scale", self.activation_scale))
        if self.bias is not None:
            _set(self, "bias", _read_only(require_row_numbers("layer.bias", self.bias, *rows)))

    def _drop_axis_of_one(self) -> None:
        """Take away the leading axis of the operands and row numbers of a single product."""
        if self.weight.ndim > _MATRIX_RANK and self.repeat == 1:
            for field in ("weight", "activation", "weight_scale", "bias"):
                if np.ndim(getattr(self, field)):
                    _set(self, field, getattr(self, field)[0])


def _set(instance: GemmLayer, field: str, value: object) -> None:
    # The only way to normalise a field of a frozen dataclass.
    object.__setattr__(instance, field, value)


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
