"""Layers in the quantization of machines that are no Panacea: one place for the rules of all of them.

All of them take all bits of the codes q: what Panacea truncates (DBS) is not truncated, and no slice is frequent. A
width that a machine does not have is requantized from the real numbers that the codes stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from panacea_sim.calibration.policy import BYTE_LIMIT, WIDE_BITS, QuantizationPolicy
from panacea_sim.quant.quantizer import ActivationQuantizer, quantize_weights, symmetric_scale, weight_scale
from panacea_sim.quant.widths import SIGNED_BITS, SLICE_BITS
from panacea_sim.units import FloatArray
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, WeightFormat
from panacea_sim.workload.written_format import joined_ranges

__all__ = ["all_bits", "byte_policy", "eight_bits", "signed_codes", "signed_policy", "signed_slices", "whole_policy"]

_BYTE_BITS = 8
_SIGNED_LIMIT = 63

Form: TypeAlias = OutputFormat | WeightFormat


def all_bits(layer: GemmLayer) -> GemmLayer:
    """Return the layer with the codes as they are, of any width: nothing of them is truncated."""
    return _with_formats(replace(layer, lo_bits=SLICE_BITS, r=None), _whole)


def eight_bits(layer: GemmLayer) -> GemmLayer:
    """Return the layer with weights of at most 8 bits, symmetric by row, and activations of at most 8, asymmetric.

    Codes that fit stay as they are. Weights of 8 bits are those of 10, of which they take -127 .. 127.
    """
    layer = all_bits(layer)
    if layer.weight_bits > _BYTE_BITS and not _are_bytes(layer):
        weight, scale = _eight_bit_weights(layer)
        layer = replace(layer, weight=weight, weight_scale=scale)
    if layer.activation_bits > _BYTE_BITS:
        own = _narrowed(_quantizer_of(layer))
        layer = replace(
            layer,
            activation=own.quantize(_real_activation(layer)),
            activation_bits=own.bits,
            activation_scale=own.scale,
            zero_point=own.zero_point,
        )
    return _with_formats(layer, _eight_bit_activations)


def signed_slices(layer: GemmLayer) -> GemmLayer:
    """Return the layer with weights of at most 7 bits and symmetric activations of 7, both for signed bit slices.

    The scale of the activations is that of their calibrated range, `symmetric_scale`, not of their own maximum.
    """
    layer = all_bits(layer)
    if layer.weight_bits > SIGNED_BITS:
        real = _real_weights(layer).reshape(-1, layer.K)
        scale = weight_scale(real, SIGNED_BITS, per_channel=np.ndim(layer.weight_scale) > 0)
        weight = quantize_weights(real, scale, SIGNED_BITS).reshape(layer.weight.shape)
        scales = scale.reshape(layer.weight.shape[:-1])
        layer = replace(layer, weight=weight, weight_bits=SIGNED_BITS, weight_scale=scales)
    codes, scale_x = _signed_activation(layer)
    layer = replace(layer, activation=codes, activation_bits=_BYTE_BITS, zero_point=0, activation_scale=scale_x)
    return _with_formats(layer, _seven_bit_weights)


def whole_policy(chosen: QuantizationPolicy) -> QuantizationPolicy:
    """Return a policy without what is done for frequent slices: no zero point is moved, no bit dropped."""
    return replace(chosen, zpm="off", dbs_z=None)


def byte_policy(chosen: QuantizationPolicy) -> QuantizationPolicy:
    """Return the policy of 8-bit multipliers: weights in -127 .. 127 with a scale for each row."""
    return replace(whole_policy(chosen), operands="bytes", weight_bits=WIDE_BITS, per_channel=True)


def signed_policy(chosen: QuantizationPolicy) -> QuantizationPolicy:
    """Return the policy of signed bit slices: weights of at most 7 bits, symmetric activations of 7."""
    return replace(whole_policy(chosen), operands="signed").with_weight_bits(chosen.weight_bits)


def signed_codes(codes: npt.NDArray[Any], zero_point: int, bits: int) -> npt.NDArray[np.int8]:
    """Return the 7-bit symmetric codes of asymmetric ones: the further end of their range becomes 63."""
    end = max(zero_point, (1 << bits) - 1 - zero_point)
    return _to_signed(codes.astype(np.float64) - zero_point, end)


def _signed_activation(layer: GemmLayer) -> tuple[npt.NDArray[np.int8], float]:
    """Return 7-bit symmetric codes of the activations, and their scale."""
    if not layer.is_symmetric:
        codes = signed_codes(layer.activation, layer.zero_point, layer.activation_bits)
        return codes, symmetric_scale(_quantizer_of(layer), SIGNED_BITS)
    if layer.activation_bits == SIGNED_BITS:
        return layer.activation.astype(np.int8), layer.activation_scale
    end = 1 << (layer.activation_bits - 1)
    return _to_signed(layer.activation.astype(np.float64), end), layer.activation_scale * end / _SIGNED_LIMIT


def _to_signed(steps: FloatArray, end: int) -> npt.NDArray[np.int8]:
    """Return signed codes of numbers of steps, of which `end` becomes the largest code."""
    return np.rint(steps * _SIGNED_LIMIT / end).clip(-_SIGNED_LIMIT, _SIGNED_LIMIT).astype(np.int8)


def _are_bytes(layer: GemmLayer) -> bool:
    """Return whether weights that may be wider have codes of 8 bits, as those of most quantized models."""
    return layer.weight.dtype == np.int8 and bool((layer.weight >= -BYTE_LIMIT).all())


def _eight_bit_weights(layer: GemmLayer) -> tuple[npt.NDArray[Any], FloatArray]:
    """Return 8-bit codes of the weights and the scale of each row; rows of zeros keep the scale that they have."""
    real = _real_weights(layer)
    peaks = np.abs(real).max(-1)
    scale = np.where(peaks > 0, peaks / BYTE_LIMIT, layer.weight_scale)
    codes = np.rint(real / scale[..., None]).clip(-BYTE_LIMIT, BYTE_LIMIT).astype(np.int8)
    return codes, scale


def _quantizer_of(layer: GemmLayer) -> ActivationQuantizer:
    return ActivationQuantizer(layer.activation_scale, layer.zero_point, layer.activation_bits, SLICE_BITS)


def _real_weights(layer: GemmLayer) -> FloatArray:
    real: FloatArray = layer.weight * np.asarray(layer.weight_scale)[..., None]
    return real


def _real_activation(layer: GemmLayer) -> FloatArray:
    real: FloatArray = (layer.activation.astype(np.float64) - layer.zero_point) * layer.activation_scale
    return real


def _narrowed(wide: ActivationQuantizer) -> ActivationQuantizer:
    """Return the 8-bit quantizer of the range of a wider one."""
    steps = ((1 << wide.bits) - 1) / ((1 << _BYTE_BITS) - 1)
    return ActivationQuantizer(wide.scale * steps, round(wide.zero_point / steps), _BYTE_BITS, SLICE_BITS)


def _with_formats(layer: GemmLayer, changed: Callable[[Form], Form]) -> GemmLayer:
    """Return the layer with what is made of each format in which its outputs are read."""
    output = None if layer.output is None else changed(layer.output)
    assert not isinstance(output, WeightFormat)
    formats = [replace(each, format=changed(each.format)) for each in layer.formats]
    return replace(layer, output=output, formats=tuple(_joined(formats, len(layer.weight_rows))))


def _joined(formats: Sequence[ReadFormat], features: int) -> Iterator[ReadFormat]:
    """Return formats without those that have become of one form: the first of them has the features of all."""
    for form in dict.fromkeys(each.format.form for each in formats):
        alike = [each for each in formats if each.format.form == form]
        ranges = joined_ranges(pair for each in alike for pair in each.ranges(features))
        yield replace(alike[0], features=ranges) if len(alike) > 1 else alike[0]


def _whole(form: Form) -> Form:
    """Return a format whose codes keep all of their bits."""
    return replace(form, lo_bits=SLICE_BITS, r=None) if isinstance(form, OutputFormat) else form


def _eight_bit_activations(form: Form) -> Form:
    """Return a format in which activations have at most 8 bits, as those who read them have them."""
    if not isinstance(form, OutputFormat) or form.bits <= _BYTE_BITS:
        return form
    own = _narrowed(form.quantizer)
    return replace(form, scale=own.scale, zero_point=own.zero_point, bits=own.bits)


def _seven_bit_weights(form: Form) -> Form:
    """Return a format in which activations have at most 8 bits and weights at most 7."""
    if isinstance(form, OutputFormat) or form.bits <= SIGNED_BITS:
        return _eight_bit_activations(form)
    steps = ((1 << (form.bits - 1)) - 1) / _SIGNED_LIMIT
    return replace(form, bits=SIGNED_BITS, scale=None if form.scale is None else form.scale * steps)
