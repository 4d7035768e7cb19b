"""A layer with its scales, zero point and slices chosen on samples, and what they skip and cost on held-out ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from panacea_sim.calibration.observed import ObservedLayer, RealArray, Sample
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.skipping import Counts, Work, skipped_activations, skipped_weights, work_of
from panacea_sim.errors import ConfigError
from panacea_sim.quant.accuracy import OutputError
from panacea_sim.quant.quantizer import ActivationQuantizer, panacea_quantizer, quantize_weights, weight_scale
from panacea_sim.quant.slicing import frequent_slices
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["CalibratedLayer", "SkipSteps", "calibrate"]

_DEFAULT_Z = 2.0
"""The z of DBS in the steps of a policy that has none."""


@dataclass(frozen=True)
class SkipSteps:
    """The share of skipped activation vectors, step by step towards Panacea, on held-out samples.

    `zero` skips slices that are 0, `frequent` those of the zero point, both as min-max (or a percentile) gives it;
    `zpm` moves the zero point first, `dbs` chooses l too. None: the width has no such step, or no HO slice.
    """

    zero: float | None
    frequent: float | None
    zpm: float | None
    dbs: float | None


@dataclass(frozen=True, eq=False)
class CalibratedLayer:
    """What a policy makes of a layer.

    `weight_scale` is [R * M], of a dynamic weight one number. The figures are those of held-out samples: `rho_w` of
    each HO slice, `rho_x`, `steps`, the share of activations that saturate, the error of the real outputs (no bias, no
    function) against float, and the work that is left of the dense one. A single sample judges itself: `is_held_out`
    is False then.
    """

    observed: ObservedLayer
    policy: QuantizationPolicy
    weight_scale: float | FloatArray
    quantizer: ActivationQuantizer
    v: int
    tile_k: int

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.observed.name

    @property
    def is_held_out(self) -> bool:
        """Whether samples that chose nothing judge."""
        return len(self.observed.samples) > 1

    @property
    def frequent(self) -> tuple[int, ...]:
        """The frequent value r of each HO slice of the activation."""
        return frequent_slices(self.quantizer.zero_point, self.quantizer.bits, self.quantizer.lo_bits)

    def layer(self, sample: int = 0) -> GemmLayer:
        """Return the layer with the codes of a held-out sample; raises ConfigError for one that there is not."""
        held_out = self.observed.held_out
        if not 0 <= sample < len(held_out):
            raise ConfigError("sample", sample, f"0 .. {len(held_out) - 1}: held-out samples of {self.name!r}")
        return self._of_sample(held_out[sample])

    @cached_property
    def rho_w(self) -> tuple[float | None, ...]:
        """The share of zero vectors in each HO slice of the weight, least significant first."""
        return tuple(each.share for each in self._figures.weights)

    @cached_property
    def rho_x(self) -> float | None:
        """The share of skipped activation vectors, over all HO slices."""
        return self._figures.activations.share

    @cached_property
    def clipped_share(self) -> float:
        """The share of activations whose code lies outside of the range."""
        held_out = self.observed.held_out
        clipped = sum(int(self.quantizer.clipped(each.activation).sum()) for each in held_out)
        return clipped / sum(each.activation.size for each in held_out)

    @property
    def sqnr_db(self) -> float | None:
        """The ratio of the real outputs to their error in decibels; None if there is no error."""
        return self._figures.error.sqnr_db

    @property
    def error(self) -> OutputError:
        """The error of the real outputs, which adds up over layers."""
        return self._figures.error

    @property
    def work(self) -> Work:
        """The outer products that are done, and those of a dense machine."""
        return self._figures.work

    @cached_property
    def steps(self) -> SkipSteps:
        """What each step of the policy skips."""
        plain = _quantizer(self.observed, replace(self.policy, zpm="off", dbs_z=None), self.v)
        zeros = (0,) * len(frequent_slices(plain.zero_point, plain.bits, plain.lo_bits))
        zero, frequent = (self._skipped_by(plain, r) for r in (zeros, None))
        if not self.policy.has_steps:
            return SkipSteps(zero, frequent, None, None)
        zpm = "auto" if self.policy.zpm == "off" else self.policy.zpm
        dbs_z = self.policy.dbs_z or _DEFAULT_Z
        moved = _quantizer(self.observed, replace(self.policy, zpm=zpm, dbs_z=None), self.v)
        sliced = _quantizer(self.observed, replace(self.policy, zpm=zpm, dbs_z=dbs_z), self.v)
        return SkipSteps(zero, frequent, self._skipped_by(moved), self._skipped_by(sliced))

    def _skipped_by(self, quantizer: ActivationQuantizer, frequent: Sequence[int] | None = None) -> float | None:
        if frequent is None:
            frequent = frequent_slices(quantizer.zero_point, quantizer.bits, quantizer.lo_bits)
        counts = (
            skipped_activations(
                quantizer.quantize(each.activation), quantizer.bits, quantizer.lo_bits, frequent, self.v
            )
            for each in self.observed.held_out
        )
        return sum(counts, Counts()).share

    @cached_property
    def _figures(self) -> _Figures:
        """All that needs the codes of every held-out sample, in one pass over them."""
        found = _Figures()
        for sample in self.observed.held_out:
            layer = self._of_sample(sample)
            bare = replace(layer, bias=None)
            outputs = real_outputs(bare, bare.reference_accumulator()).reshape(len(sample.weight), layer.M, layer.N)
            exact = np.matmul(sample.weight.astype(np.float64), sample.activation.astype(np.float64))
            found += _Figures(
                skipped_weights(layer, self.v),
                skipped_activations(
                    layer.activation.reshape(len(sample.weight), layer.K, layer.N),
                    layer.activation_bits,
                    layer.lo_bits,
                    layer.frequent,
                    self.v,
                ),
                OutputError.of(exact, outputs),
                work_of(layer, self.v, self.tile_k),
            )
        return found

    def _of_sample(self, sample: Sample) -> GemmLayer:
        products, rows, depth = sample.weight.shape
        codes = _weight_codes(sample.weight, self.weight_scale, self.policy.weight_bits, self.observed.is_dynamic)
        scale = self.weight_scale
        return GemmLayer(
            self.name,
            codes.reshape(products, rows, depth),
            self.quantizer.quantize(sample.activation),
            self.quantizer.zero_point,
            self.policy.weight_bits,
            self.quantizer.bits,
            self.quantizer.lo_bits,
            dbs_offset=self.policy.dbs_offset,
            weight_scale=scale if isinstance(scale, float) else scale.reshape(products, rows),
            activation_scale=self.quantizer.scale,
            bias=self.observed.bias,
        )


@dataclass(frozen=True)
class _Figures:
    weights: tuple[Counts, ...] = ()
    activations: Counts = field(default_factory=Counts)
    error: OutputError = field(default_factory=OutputError)
    work: Work = field(default_factory=Work)

    def __add__(self, other: _Figures) -> _Figures:
        """Return the figures of both."""
        weights = (
            tuple(a + b for a, b in zip(self.weights, other.weights, strict=True)) if self.weights else other.weights
        )
        return _Figures(weights, self.activations + other.activations, self.error + other.error, self.work + other.work)


def calibrate(observed: ObservedLayer, policy: QuantizationPolicy, v: int = 4, tile_k: int = 32) -> CalibratedLayer:
    """Return the layer with scales, zero point and l that a policy chooses on its calibrating samples.

    `v` and `tile_k` are the machine's, whose vectors are counted. A dynamic weight has one scale over all products;
    what lies beyond it is clipped. Raises ConfigError if there is no sample.
    """
    if not observed.samples:
        raise ConfigError(f"layer {observed.name!r}", "no samples", "at least one")
    if observed.is_dynamic:
        policy = replace(policy, per_channel=False)
    return CalibratedLayer(
        observed, policy, _weight_scale(observed, policy), _quantizer(observed, policy, v), v, tile_k
    )


def _weight_scale(observed: ObservedLayer, policy: QuantizationPolicy) -> float | FloatArray:
    rows = [sample.weight.reshape(-1, sample.weight.shape[2]) for sample in observed.calibrating]
    if observed.is_dynamic:
        # One number over all products and samples: the largest of those of the samples.
        return max(float(weight_scale(each, policy.weight_bits, per_channel=False)[0]) for each in rows)
    return weight_scale(rows[0], policy.weight_bits, per_channel=policy.per_channel)


def _weight_codes(weight: RealArray, scale: float | FloatArray, bits: int, is_dynamic: bool) -> np.ndarray:  # noqa: FBT001
    """Return weight codes of all rows: ties to even, of a dynamic weight half up, as its producer's PPU rounds."""
    rows = weight.reshape(-1, weight.shape[2])
    if not is_dynamic:
        return quantize_weights(rows, scale, bits)
    limit = (1 << (bits - 1)) - 1
    codes: np.ndarray = np.floor(rows / scale + 0.5).clip(-limit, limit).astype(np.int16)
    return codes


def _quantizer(observed: ObservedLayer, policy: QuantizationPolicy, v: int) -> ActivationQuantizer:
    """Return what a policy chooses on the calibrating samples, all their columns side by side."""
    columns = np.concatenate(list(_columns(observed.calibrating)), axis=1)
    zpm: Literal["off", "on", "auto"] = policy.zpm if policy.has_steps else "off"
    has_dbs = policy.has_steps and policy.dbs_z is not None
    return panacea_quantizer(
        columns,
        policy.activation_bits,
        percentile=policy.percentile,
        zpm=zpm,
        dbs=has_dbs,
        v=v,
        z=policy.dbs_z or _DEFAULT_Z,
    )


def _columns(samples: Sequence[Sample]) -> Iterator[RealArray]:
    for sample in samples:
        yield from sample.activation
