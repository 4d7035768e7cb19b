"""A layer with its scales, zero point and slices chosen on samples, and what they skip and cost on held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from panacea_sim.calibration.figures import LayerFigures, SkipSteps
from panacea_sim.calibration.observed import ObservedLayer, RealArray, Sample
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.skipping import Counts, skipped_activations, skipped_of, skipped_symmetric
from panacea_sim.errors import ConfigError
from panacea_sim.matmul import finite_matmul
from panacea_sim.quant.accuracy import OutputError
from panacea_sim.quant.quantizer import (
    ActivationQuantizer,
    panacea_quantizer,
    quantize_weights,
    symmetric_scale,
    weight_scale,
)
from panacea_sim.quant.requantizer import least_weight_scale
from panacea_sim.quant.signed_quantizer import SignedQuantizer
from panacea_sim.quant.slicing import frequent_slices
from panacea_sim.quant.widths import SIGNED_BITS, WEIGHT_BITS
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["CalibratedLayer", "Calibration", "LayerRecord", "LayerScales", "calibrate", "record_of"]

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
    def activations(self) -> ActivationQuantizer | SignedQuantizer:
        """What quantizes activations: `quantizer`, or over its range without a zero point."""
        return SignedQuantizer.over(self.quantizer) if self.policy.operands == "signed" else self.quantizer

    @property
    def frequent(self) -> tuple[int, ...]:
        """The frequent value r of each HO slice of the activation."""
        return _frequent(self.quantizer)

    def weight_codes(self, weight: RealArray) -> np.ndarray:
        """Return the codes of weights [R, M, K]: ties to even, of a dynamic weight half up, as its producer rounds."""
        rows, limit = weight.reshape(-1, weight.shape[2]), self.policy.weight_limit
        if not self.is_dynamic:
            codes: np.ndarray = quantize_weights(rows, self.weight_scale, self.policy.weight_bits, limit)
        else:
            codes = np.floor(rows / self.weight_scale + 0.5).clip(-limit, limit).astype(np.int16)
        return codes.reshape(weight.shape)

    def layer(self, name: str, sample: Sample, bias: FloatArray | None = None) -> GemmLayer:
        """Return the layer with the codes of a sample."""
        scale, quantizer = self.weight_scale, self.activations
        return GemmLayer(
            name,
            self.weight_codes(sample.weight),
            quantizer.quantize(sample.activation),
            quantizer.zero_point,
            self.policy.weight_bits,
            quantizer.bits,
            quantizer.lo_bits,
            dbs_offset=self.policy.dbs_offset,
            weight_scale=scale if isinstance(scale, float) else scale.reshape(sample.weight.shape[:2]),
            activation_scale=quantizer.scale,
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
    calibration = Calibration(observed, v, tile_k)
    return calibration.judged(calibration.scales(policy))


def record_of(layer: CalibratedLayer) -> LayerRecord:
    """Return what is kept of a calibrated layer."""
    observed = layer.observed
    products, rows, depth = observed.samples[0].weight.shape
    counts = len(observed.samples), len(observed.held_out)
    return LayerRecord(layer.name, (products, rows, depth), *counts, layer.scales, layer.figures)


class Calibration:
    """The calibration of a layer by any number of policies: what they share is computed once.

    Raises ConfigError if there is no sample.
    """

    def __init__(self, observed: ObservedLayer, v: int = 4, tile_k: int = 32) -> None:
        if not observed.samples:
            raise ConfigError(f"layer {observed.name!r}", "no samples", "at least one")
        self._observed = observed
        self._v, self._tile_k = v, tile_k
        self._steps: dict[QuantizationPolicy, SkipSteps] = {}
        self._quantizers: dict[QuantizationPolicy, ActivationQuantizer] = {}

    def scales(self, policy: QuantizationPolicy) -> LayerScales:
        """Return what a policy chooses."""
        observed = self._observed
        if observed.is_dynamic:
            policy = replace(policy, per_channel=False)
        found = LayerScales(policy, observed.is_dynamic, 1.0, self._quantizer(policy))
        return replace(found, weight_scale=_weight_scale(observed, policy, found.activations))

    def judged(self, scales: LayerScales) -> CalibratedLayer:
        """Return the layer with these scales, and their figures on the held-out samples."""
        steps = self._steps_of(scales.policy)
        found = LayerFigures(steps)
        for sample, exact in zip(self._observed.held_out, self._exact, strict=True):
            layer = scales.layer(self._observed.name, sample)
            skipped = skipped_of(layer, self._v, self._tile_k)
            found += LayerFigures(
                steps,
                skipped.weights,
                skipped.activations,
                Counts.of(scales.quantizer.clipped(sample.activation)),
                OutputError.of(exact, real_outputs(layer, layer.reference_accumulator()).reshape(exact.shape)),
                skipped.work,
            )
        return CalibratedLayer(self._observed, scales, found)

    @cached_property
    def _exact(self) -> list[FloatArray]:
        """The real outputs of each held-out sample, [R, M, N]."""
        held_out = self._observed.held_out
        return [finite_matmul(each.weight, each.activation, dtype=np.float64) for each in held_out]

    @cached_property
    def _columns(self) -> RealArray:
        """The activations of all calibrating samples side by side."""
        samples = self._observed.calibrating
        return np.concatenate([product for each in samples for product in each.activation], axis=1)

    def _steps_of(self, policy: QuantizationPolicy) -> SkipSteps:
        """Return what each step of a policy skips; of one without ZPM or DBS, what they would."""
        zpm = "auto" if policy.zpm == "off" else policy.zpm
        whole = replace(policy, zpm=zpm, dbs_z=policy.dbs_z or _DEFAULT_Z, per_channel=True)
        if whole not in self._steps:
            plain = self._quantizer(replace(whole, zpm="off", dbs_z=None))
            zero, frequent = (self._share(plain, r) for r in ((0,) * len(_frequent(plain)), _frequent(plain)))
            moved = sliced = symmetric = None
            if policy.has_steps:
                more = (self._quantizer(each) for each in (replace(whole, dbs_z=None), whole))
                moved, sliced = (self._share(each, _frequent(each)) for each in more)
                symmetric = self._symmetric_share(plain)
            self._steps[whole] = SkipSteps(zero, frequent, moved, sliced, symmetric)
        return self._steps[whole]

    def _share(self, quantizer: ActivationQuantizer, frequent: Sequence[int]) -> float | None:
        total = Counts()
        for sample in self._observed.held_out:
            codes = quantizer.quantize(sample.activation)
            total += skipped_activations(codes, quantizer.bits, quantizer.lo_bits, frequent, self._v)
        return total.share

    def _symmetric_share(self, calibrated: ActivationQuantizer) -> float | None:
        scale, total = symmetric_scale(calibrated, SIGNED_BITS), Counts()
        for sample in self._observed.held_out:
            rows = sample.activation.reshape(-1, sample.activation.shape[2])
            codes = quantize_weights(rows, scale, SIGNED_BITS).reshape(sample.activation.shape)
            total += skipped_symmetric(codes, SIGNED_BITS, self._v)
        return total.share

    def _quantizer(self, policy: QuantizationPolicy) -> ActivationQuantizer:
        """Return what a policy chooses for the activations; the weight has no part in it."""
        key = replace(policy, per_channel=True, operands="sliced", weight_bits=WEIGHT_BITS[0])
        if key not in self._quantizers:
            self._quantizers[key] = panacea_quantizer(
                self._columns,
                policy.activation_bits,
                percentile=policy.percentile,
                zpm=policy.zpm if policy.has_steps else "off",
                dbs=policy.has_steps and policy.dbs_z is not None,
                v=self._v,
                z=policy.dbs_z or _DEFAULT_Z,
            )
        return self._quantizers[key]


def _frequent(quantizer: ActivationQuantizer) -> tuple[int, ...]:
    return frequent_slices(quantizer.zero_point, quantizer.bits, quantizer.lo_bits)


def _weight_scale(
    observed: ObservedLayer, policy: QuantizationPolicy, activations: ActivationQuantizer | SignedQuantizer
) -> float | FloatArray:
    scale = partial(weight_scale, bits=policy.weight_bits, limit=policy.weight_limit)
    rows = [sample.weight.reshape(-1, sample.weight.shape[2]) for sample in observed.calibrating]
    if observed.is_dynamic:
        # One number over all products and samples: the largest of those of the samples.
        return max(float(scale(each, per_channel=False)[0]) for each in rows)
    found = scale(rows[0], per_channel=policy.per_channel)
    if observed.bias is None:
        return found
    least = least_weight_scale(observed.bias.reshape(-1), activations.scale)
    return np.maximum(found, least if policy.per_channel else least.max())
