"""The knobs of the data: the width of the LO field and the zero point, which cost accuracy instead of hardware.

They need operands: codes are cut or moved as the quantizer would have done it, and the error of the real outputs is
measured against the products of the codes as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from panacea_sim.analysis.whatif import NotTried
from panacea_sim.errors import ConfigError
from panacea_sim.quant.accuracy import OutputError
from panacea_sim.quant.aqs_gemm import integer_gemm
from panacea_sim.quant.quantizer import manipulate_zero_point
from panacea_sim.quant.widths import LO_BITS
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, loaded
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["DATA_KNOBS", "ChangedData", "DataTurns", "changed_data", "exact_outputs", "none_tried", "sqnr_db"]

_WIDTH, _ZERO_POINT = "lo_bits", "zero_point"
DATA_KNOBS = (_WIDTH, _ZERO_POINT)

_BITS = 8
"""Only codes of 8 bits have a choice of l, and a zero point that is moved."""

_MOST_PRODUCTS = 2**33
"""Multiplications up to which the error of all layers is computed: some seconds."""

_Operands = tuple[GemmLayer, ...]


@dataclass(frozen=True, eq=False)
class ChangedData:
    """Layers with other activations: the knob that is turned, from and to what, and the least SQNR of the layers.

    `sqnr_db` is None where nothing is lost.
    """

    knob: str
    before: str
    after: str
    layers: _Operands
    sqnr_db: float | None


@dataclass(frozen=True, eq=False)
class DataTurns:
    """All changed data of some layers, and what is not tried; `sqnr_db` is what the layers themselves lose."""

    tried: tuple[ChangedData, ...] = ()
    not_tried: tuple[NotTried, ...] = ()
    sqnr_db: float | None = None


def changed_data(layers: Sequence[AnyLayer]) -> DataTurns:
    """Return the layers at every other l, and with their zero points in the centres of their buckets.

    Where there is nothing to turn, the knobs are not tried, with the reason.
    """
    reason = _obstacle(layers)
    if reason:
        return DataTurns(not_tried=none_tried(reason))
    operands = tuple(layer for layer in map(loaded, layers) if isinstance(layer, GemmLayer))
    if any(layer.is_symmetric or layer.activation_bits != _BITS for layer in operands):
        return DataTurns(not_tried=none_tried(f"it is a matter of unsigned activations of {_BITS} bits"))
    exact = [exact_outputs(layer) for layer in operands]
    found, skipped = [], []
    for turn in _turns(operands):
        try:
            changed = tuple(map(turn.change, operands))
            least = _least_sqnr_db(changed, exact)
        except ConfigError as error:
            skipped.append(NotTried(knob=f"{turn.knob} = {turn.after}", reason=f"accepted: {error.accepted}"))
            continue
        found.append(ChangedData(turn.knob, turn.before, turn.after, changed, least))
    if all(manipulate_zero_point(layer.zero_point, layer.lo_bits) == layer.zero_point for layer in operands):
        skipped.append(NotTried(knob=_ZERO_POINT, reason="it is in the centre of its bucket already"))
    return DataTurns(tuple(found), tuple(skipped), _least_sqnr_db(operands, exact))


def sqnr_db(layer: GemmLayer, exact: FloatArray) -> float | None:
    """Return the ratio of the exact outputs to their error in decibels; None if there is no error."""
    found = real_outputs(replace(layer, bias=None, output=None), layer.reference_accumulator())
    return OutputError.of(exact, found).sqnr_db


def _least_sqnr_db(layers: _Operands, exact: Sequence[FloatArray]) -> float | None:
    lost_db = [sqnr_db(layer, outputs) for layer, outputs in zip(layers, exact, strict=True)]
    return min((each for each in lost_db if each is not None), default=None)


def none_tried(reason: str) -> tuple[NotTried, ...]:
    """Return that no knob of the data is tried, with the reason."""
    return tuple(NotTried(knob=knob, reason=reason) for knob in DATA_KNOBS)


def _obstacle(layers: Sequence[AnyLayer]) -> str:
    """Return what stands in the way of changing the data at all; nothing if it can be done."""
    if any(isinstance(layer, MaskedLayer) for layer in layers):
        return "it needs operands, and layers have skip masks only"
    if any(layer.source is not None for layer in layers):
        return "layers read what others write: quantize the whole chain anew"
    if sum(layer.M * layer.K * layer.N for layer in layers) > _MOST_PRODUCTS:
        return "the error of so large layers takes too long to compute"
    return ""


@dataclass(frozen=True)
class _Turn:
    knob: str
    before: str
    after: str
    change: Callable[[GemmLayer], GemmLayer]


def _turns(layers: _Operands) -> Iterator[_Turn]:
    widths = _each_once([layer.lo_bits for layer in layers])
    for lo_bits in LO_BITS:
        if any(layer.lo_bits != lo_bits for layer in layers):
            yield _Turn(_WIDTH, widths, str(lo_bits), _WithWidth(lo_bits))
    centred = [manipulate_zero_point(layer.zero_point, layer.lo_bits) for layer in layers]
    before = [layer.zero_point for layer in layers]
    if centred != before:
        yield _Turn(_ZERO_POINT, _each_once(before), _each_once(centred), _with_centred_zero_point)


def _each_once(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, dict.fromkeys(numbers)))


@dataclass(frozen=True)
class _WithWidth:
    lo_bits: int

    def __call__(self, layer: GemmLayer) -> GemmLayer:
        """Return the layer with this l; frequent slices are those of the zero point, or the most frequent ones."""
        return replace(layer, lo_bits=self.lo_bits, r=_of_no_width(layer), recipe=None)


def _with_centred_zero_point(layer: GemmLayer) -> GemmLayer:
    """Return the layer with codes and zero point moved alike; codes that leave their range saturate."""
    zero_point = manipulate_zero_point(layer.zero_point, layer.lo_bits)
    moved = layer.activation.astype(np.int64) + (zero_point - layer.zero_point)
    codes = np.clip(moved, 0, (1 << _BITS) - 1).astype(layer.activation.dtype)
    return replace(layer, activation=codes, zero_point=zero_point, r=_of_no_width(layer), recipe=None)


def _of_no_width(layer: GemmLayer) -> Literal["mode"] | None:
    return "mode" if layer.r == "mode" else None


def exact_outputs(layer: GemmLayer) -> FloatArray:
    """Return the real outputs of the codes as they are, without bias: no bit is dropped."""
    whole = replace(layer, lo_bits=LO_BITS[0], r=None, bias=None, output=None, recipe=None)
    return real_outputs(whole, integer_gemm(layer.weight, layer.activation))
