"""The layers of a model with the integers of one sample: real operands by a policy, integers as the model has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panacea_sim.calibration.calibrated import Calibration, LayerScales
from panacea_sim.calibration.observed import ObservedLayer, Sample
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.biases import bias_of, bias_tensors
from panacea_sim.onnx_models.calibration import layer_groups, observe_layer
from panacea_sim.onnx_models.graph import Array
from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel
from panacea_sim.onnx_models.samples import Samples
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.networks.places import placed
from panacea_sim.workload.networks.vector_work import total_passes
from panacea_sim.workload.surroundings import Surroundings

__all__ = [
    "CLIPPED_BITS",
    "SimulatedLayer",
    "SizedPolicy",
    "check_clipping",
    "simulated_layer",
    "simulated_layers",
    "simulated_variants",
]

CLIPPED_BITS = 7
"""The width to which wider stored weights may be clipped."""

_BYTE_BITS = 8


@dataclass(frozen=True, eq=False)
class SimulatedLayer:
    """A layer with its operands as integers, of which `clipped` weights were changed by clipping.

    `scales` are those of real operands, None where there are none.
    """

    layer: GemmLayer
    clipped: int
    scales: LayerScales | None = None


@dataclass(frozen=True)
class SizedPolicy:
    """A policy, and v and T_K of the machine for which it chooses."""

    policy: QuantizationPolicy
    sizes: tuple[int, int] = (4, 32)


def simulated_layers(
    model: ImportedModel,
    samples: Samples,
    held_out: int,
    policy: QuantizationPolicy,
    sizes: tuple[int, int] = (4, 32),
    *,
    clips: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[SimulatedLayer]:
    """Return all layers in the order of the model, one at a time, with the integers of a held-out sample.

    Real operands get scales and zero points by a policy on the calibrating samples, with the bits that the layer has in
    the network; `sizes` are v and T_K of the machine. Integers are taken as they are; `clips` says that stored ones of
    more than 7 bits are clipped to +-63. `tell` is told how far it is, and of how much. Raises ConfigError where the
    model does not run, and naming the layer for numbers that no layer can have.
    """
    for (each,) in simulated_variants(model, samples, held_out, (SizedPolicy(policy, sizes),), clips=clips, tell=tell):
        yield each


def simulated_variants(
    model: ImportedModel,
    samples: Samples,
    held_out: int,
    policies: Sequence[SizedPolicy],
    *,
    clips: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[tuple[SimulatedLayer, ...]]:
    """Return all layers as `simulated_layers` does, each by every policy; the model runs once for all of them.

    A layer of integers alone is the same object by every policy.
    """
    judge = samples.held_out(held_out)
    calibrates = any(_real_operands(layer) for layer in model.layers.values())
    runs = [*(samples.calibrating if calibrates else ()), judge]
    groups = list(layer_groups(model, list(model.layers), len(runs)))
    done, total = 0, len(groups) * len(runs) + len(model.layers)
    for group in groups:
        observed = {name: _observed(model.layers[name]) for name in group if _real_operands(model.layers[name])}
        biases = [tensor for name in group for tensor in bias_tensors(model.layers[name])]
        recorder = model.recorder(group, biases)
        values: dict[str, Array] = {}
        for number in runs:
            done += 1
            if observed or number == judge:
                values = recorder.run(samples.feed(number))
                for name, layer in observed.items():
                    observe_layer(layer, model.layers[name], values)
            tell(done, total)
        for name in group:
            done += 1
            with placed(f"layer {name!r}: "):
                yield _variants(model.layers[name], observed.pop(name, None), values, policies, clips=clips)
            tell(done, total)


def _variants(
    layer: ImportedLayer,
    observed: ObservedLayer | None,
    values: Mapping[str, Array],
    policies: Sequence[SizedPolicy],
    *,
    clips: bool,
) -> tuple[SimulatedLayer, ...]:
    """Return a layer by each policy; `values` are those of the run that judges."""
    if observed is None:
        return (_checked(simulated_layer(layer, values, clips=clips)),) * len(policies)
    if len(_real_operands(layer)) == len("wx"):
        observed.bias = bias_of(layer, values, 1.0, 1.0)
    sample, calibrations = observed.held_out[0], {}
    found = []
    for each in policies:
        if each.sizes not in calibrations:
            calibrations[each.sizes] = Calibration(observed, *each.sizes)
        # Bits of integers are not the policy's.
        are_given = layer.weight.encoding is not None
        own = each.policy if are_given else each.policy.with_weight_bits(layer.gemm.weight_bits)
        scales = calibrations[each.sizes].scales(own)
        found.append(_checked(simulated_layer(layer, values, scales, sample, clips=clips)))
    return tuple(found)


def _checked(made: SimulatedLayer) -> SimulatedLayer:
    """Return a layer whose sums and outputs are such as a layer can have: others are told before a run begins."""
    functional_pass(made.layer)
    return made


def check_clipping(model: ImportedModel) -> None:
    """Raise ConfigError, naming --clip-to, for a model without stored weights that are integers."""
    if not any(layer.weight.encoding is not None and layer.weight.is_constant for layer in model.layers.values()):
        found = f"{CLIPPED_BITS} for a model whose weights are real numbers"
        hint = f"Leave it out: real weights get the bits of --weight-bits, {CLIPPED_BITS} by default"
        raise ConfigError("--clip-to", found, "a model with integer weights", hint)


def _real_operands(layer: ImportedLayer) -> tuple[str, ...]:
    """Return which operands are real numbers."""
    operands = (("w", layer.weight), ("x", layer.activation))
    return tuple(name for name, operand in operands if operand.encoding is None)


def _observed(layer: ImportedLayer) -> ObservedLayer:
    return ObservedLayer(layer.gemm.name, not layer.weight.is_constant, judging=1)


def simulated_layer(
    layer: ImportedLayer,
    values: Mapping[str, Array],
    scales: LayerScales | None = None,
    sample: Sample | None = None,
    *,
    clips: bool = False,
) -> SimulatedLayer:
    """Return a layer with the integers of a run that gave `values`, the layer's tensors and those of its bias.

    `scales` and the real operands `sample` are there if an operand is real.
    """
    gemm, real = layer.gemm, _real_operands(layer)
    if "w" in real:
        assert scales is not None
        assert sample is not None
        weight = _Weight(scales.weight_codes(sample.weight), scales.weight_scale, scales.policy.weight_bits)
    else:
        weight = _integer_weight(layer, values, clips=clips)
    if "x" in real:
        assert scales is not None
        assert sample is not None
        activation = _real_activation(scales, sample)
    else:
        activation = _integer_activation(layer, values)
    scale = weight.scale if isinstance(weight.scale, float) else weight.scale.reshape(weight.codes.shape[:2])
    made = GemmLayer(
        gemm.name,
        weight.codes,
        weight_bits=weight.bits,
        weight_scale=scale,
        bias=bias_of(layer, values, scale, activation["activation_scale"]),
        surroundings=Surroundings(total_passes(gemm.vector), gemm.sequential, gemm.kind, gemm.block),
        **activation,
    )
    return SimulatedLayer(made, weight.clipped, scales)


@dataclass(frozen=True, eq=False)
class _Weight:
    """The codes [R, M, K] of a weight, its scales, its bits, and how many codes were clipped."""

    codes: Array
    scale: float | FloatArray
    bits: int
    clipped: int = 0


def _integer_weight(layer: ImportedLayer, values: Mapping[str, Array], *, clips: bool) -> _Weight:
    found, bits, clipped = list(layer.weight.weight_codes(values)), layer.gemm.weight_bits, 0
    codes = np.stack([each.codes for each in found])
    if clips and layer.weight.is_constant and bits > CLIPPED_BITS:
        bits, limit = CLIPPED_BITS, (1 << (CLIPPED_BITS - 1)) - 1
        clipped = int(np.count_nonzero(np.abs(codes) > limit))
        codes = codes.clip(-limit, limit)
    scale = np.stack([np.asarray(each.scale, np.float64) for each in found])
    return _Weight(codes.astype(np.int8 if bits <= _BYTE_BITS else np.int16), scale, bits, clipped)


def _integer_activation(layer: ImportedLayer, values: Mapping[str, Array]) -> dict[str, Any]:
    """Return the fields of a layer that say what its activation is, of codes as the model has them."""
    found = list(layer.activation.activation_codes(values))
    return {
        "activation": np.stack([each.codes for each in found]).astype(np.uint8),
        "zero_point": found[0].zero_point,
        "activation_bits": layer.gemm.activation_bits,
        "activation_scale": float(found[0].scale),
    }


def _real_activation(scales: LayerScales, sample: Sample) -> dict[str, Any]:
    """Return the same of an activation that was real."""
    quantizer = scales.activations
    return {
        "activation": quantizer.quantize(sample.activation),
        "zero_point": quantizer.zero_point,
        "activation_bits": quantizer.bits,
        "lo_bits": quantizer.lo_bits,
        "dbs_offset": scales.policy.dbs_offset,
        "activation_scale": quantizer.scale,
    }
