"""A layer with its scales, zero point and slices chosen on samples, and what they skip and cost on held-out ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from panacea_sim.calibration.figures import LayerFigures, SkipSteps
from panacea_sim.calibration.observed import ObservedLayer, RealArray, Sample
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.skipping import Counts, skipped_activations, skipped_weights, work_of
from panacea_sim.errors import ConfigError
from panacea_sim.quant.accuracy import OutputError
from panacea_sim.quant.quantizer import ActivationQuantizer, panacea_quantizer, quantize_weights, weight_scale
from panacea_sim.quant.slicing import frequent_slices
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["CalibratedLayer", "LayerRecord", "LayerScales", "calibrate", "record_of"]

_DEFAULT_Z = 2.0
"""The z of DBS in the steps of a policy that has none."""


@dataclass(frozen=True, eq=False)
class LayerScales:
    """What a policy chooses for a layer: scales of its weight, [R * M] or a number, and the quantizer of its input."""

    policy: QuantizationPolicy
    is_dynamic: bool
    weight_scale: float | FloatArray
    quantizer: ActivationQuantizer

    @property
    def frequent(self) -> tuple[int, ...]:
        """The frequent value r of each HO slice of the activation."""
        return _frequent(self.quantizer)

    def weight_codes(self, weight: RealArray) -> np.ndarray:
        """Return the codes of weights [R, M, K]: ties to even, of a dynamic weight half up, as its producer rounds."""
        rows = weight.reshape(-1, weight.shape[2])
        if not self.is_dynamic:
            codes: np.ndarray = quantize_weights(rows, self.weight_scale, self.policy.weight_bits)
        else:
            limit = (1 << (self.policy.weight_bits - 1)) - 1
            codes = np.floor(rows / self.weight_scale + 0.5).clip(-limit, limit).astype(np.int16)
        return codes.reshape(weight.shape)

    def layer(self, name: str, sample: Sample, bias: FloatArray | None = None) -> GemmLayer:
        """Return the layer with the codes of a sample."""
        scale = self.weight_scale
        return GemmLayer(
            name,
            self.weight_codes(sample.weight),
            self.quantizer.quantize(sample.activation),
            self.quantizer.zero_point,
            self.policy.weight_bits,
            self.quantizer.bits,
            self.quantizer.lo_bits,
            dbs_offset=self.policy.dbs_offset,
            weight_scale=scale if isinstance(scale, float) else scale.reshape(sample.weight.shape[:2]),
            activation_scale=self.quantizer.scale,
            bias=bias,
        )


@dataclass(frozen=True, eq=False)
class CalibratedLayer:
    """What a policy makes of a layer: its scales, and what they skip and cost on the held-out samples."""

    observed: ObservedLayer
    scales: LayerScales
    figures: LayerFigures

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.observed.name

    def layer(self, sample: int = 0) -> GemmLayer:
        """Return the layer with the codes of a held-out sample; raises ConfigError for one that there is not."""
        held_out = self.observed.held_out
        if not 0 <= sample < len(held_out):
            raise ConfigError("sample", sample, f"0 .. {len(held_out) - 1}: held-out samples of {self.name!r}")
        return self.scales.layer(self.name, held_out[sample], self.observed.bias)


@dataclass(frozen=True, eq=False)
class LayerRecord:
    """A calibrated layer without its operands: what is told of it, and kept where there are many."""

    name: str
    sizes: tuple[int, int, int]
    samples: int
    held_out: int
    scales: LayerScales
    figures: LayerFigures

    @property
    def is_held_out(self) -> bool:
        """Whether samples that chose nothing judge; a single sample does both."""
        return self.samples > self.held_out

    @property
    def calibrating(self) -> int:
        """How many samples chose."""
        return self.samples - self.held_out if self.is_held_out else self.samples


def calibrate(observed: ObservedLayer, policy: QuantizationPolicy, v: int = 4, tile_k: int = 32) -> CalibratedLayer:
    """Return the layer with scales, zero point and l that a policy chooses on its calibrating samples.

    `v` and `tile_k` are the machine's, whose vectors are counted. A dynamic weight has one scale over all products;
    what lies beyond it is clipped. Raises ConfigError if there is no sample.
    """
    if not observed.samples:
        raise ConfigError(f"layer {observed.name!r}", "no samples", "at least one")
    if observed.is_dynamic:
        policy = replace(policy, per_channel=False)
    quantizer = _quantizer(observed, policy, v)
    scales = LayerScales(policy, observed.is_dynamic, _weight_scale(observed, policy), quantizer)
    return CalibratedLayer(observed, scales, _figures(observed, scales, v, tile_k))


def record_of(layer: CalibratedLayer) -> LayerRecord:
    """Return what is kept of a calibrated layer."""
    observed = layer.observed
    products, rows, depth = observed.samples[0].weight.shape
    counts = len(observed.samples), len(observed.held_out)
    return LayerRecord(layer.name, (products, rows, depth), *counts, layer.scales, layer.figures)


def _figures(observed: ObservedLayer, scales: LayerScales, v: int, tile_k: int) -> LayerFigures:
    steps = _steps(observed, scales.policy, v)
    found = LayerFigures(steps)
    for sample in observed.held_out:
        layer = scales.layer(observed.name, sample)
        outputs = real_outputs(layer, layer.reference_accumulator()).reshape(len(sample.weight), layer.M, layer.N)
        exact = np.matmul(sample.weight.astype(np.float64), sample.activation.astype(np.float64))
        clipped = scales.quantizer.clipped(sample.activation)
        found += LayerFigures(
            steps,
            skipped_weights(layer, v),
            _skipped(sample, scales.quantizer, scales.frequent, v),
            Counts.of(clipped),
            OutputError.of(exact, outputs),
            work_of(layer, v, tile_k),
        )
    return found


def _steps(observed: ObservedLayer, policy: QuantizationPolicy, v: int) -> SkipSteps:
    """Return what each step of a policy skips; of one without ZPM or DBS, what they would."""

    def share(quantizer: ActivationQuantizer, frequent: Sequence[int]) -> float | None:
        return sum((_skipped(each, quantizer, frequent, v) for each in observed.held_out), Counts()).share

    plain = _quantizer(observed, replace(policy, zpm="off", dbs_z=None), v)
    zero, frequent = (share(plain, r) for r in ((0,) * len(_frequent(plain)), _frequent(plain)))
    if not policy.has_steps:
        return SkipSteps(zero, frequent, None, None)
    with_zpm = replace(policy, zpm="auto" if policy.zpm == "off" else policy.zpm, dbs_z=None)
    moved = _quantizer(observed, with_zpm, v)
    sliced = _quantizer(observed, replace(with_zpm, dbs_z=policy.dbs_z or _DEFAULT_Z), v)
    return SkipSteps(zero, frequent, *(share(each, _frequent(each)) for each in (moved, sliced)))


def _skipped(sample: Sample, quantizer: ActivationQuantizer, frequent: Sequence[int], v: int) -> Counts:
    codes = quantizer.quantize(sample.activation)
    return skipped_activations(codes, quantizer.bits, quantizer.lo_bits, frequent, v)


def _frequent(quantizer: ActivationQuantizer) -> tuple[int, ...]:
    return frequent_slices(quantizer.zero_point, quantizer.bits, quantizer.lo_bits)


def _weight_scale(observed: ObservedLayer, policy: QuantizationPolicy) -> float | FloatArray:
    rows = [sample.weight.reshape(-1, sample.weight.shape[2]) for sample in observed.calibrating]
    if observed.is_dynamic:
        # One number over all products and samples: the largest of those of the samples.
        return max(float(weight_scale(each, policy.weight_bits, per_channel=False)[0]) for each in rows)
    return weight_scale(rows[0], policy.weight_bits, per_channel=policy.per_channel)


def _quantizer(observed: ObservedLayer, policy: QuantizationPolicy, v: int) -> ActivationQuantizer:
    """Return what a policy chooses on the calibrating samples, all their columns side by side."""
    columns = np.concatenate(list(_columns(observed.calibrating)), axis=1)
    return panacea_quantizer(
        columns,
        policy.activation_bits,
        percentile=policy.percentile,
        zpm=policy.zpm if policy.has_steps else "off",
        dbs=policy.has_steps and policy.dbs_z is not None,
        v=v,
        z=policy.dbs_z or _DEFAULT_Z,
    )


def _columns(samples: Sequence[Sample]) -> Iterator[RealArray]:
    for sample in samples:
        yield from sample.activation
