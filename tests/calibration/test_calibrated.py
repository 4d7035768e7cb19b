"""A calibrated layer against a second, plain writing: loops over real numbers, slices and vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from calibrated_layers import observed, policies
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim import RunOptions, Scenario, TraceOptions, load_hardware, run
from panacea_sim.calibration.calibrated import CalibratedLayer, calibrate, record_of
from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.errors import ConfigError

V, TILE_K = 4, 32


@pytest.mark.parametrize("dynamic", [False, True])
@at_most(200)
@given(seed=st.integers(0, 50), policy=policies(), products=st.sampled_from([1, 2]))
def test_figures_are_those_of_a_plain_writing(
    seed: int, policy: QuantizationPolicy, products: int, *, dynamic: bool
) -> None:
    """Shares, saturation and decibels on held-out samples, of one product or several, whatever the policy."""
    layer = observed(seed, products=products, dynamic=dynamic)
    found = calibrate(layer, policy, V, TILE_K)
    quantizer = found.scales.quantizer
    stored = vectors = clipped = values = 0
    signal = noise = 0.0
    for sample in layer.samples[4:]:
        for product in range(products):
            weight = plain_weight(found, sample.weight, product)
            raw = np.rint(sample.activation[product] / quantizer.scale) + quantizer.zero_point
            codes = raw.clip(0, 2**quantizer.bits - 1)
            clipped += int((codes != raw).sum())
            values += raw.size
            skipped, count = plain_skips(codes, found)
            stored, vectors = stored + count - skipped, vectors + count
            dropped = codes % 2 ** (quantizer.lo_bits - 4)
            middle = (2 ** (quantizer.lo_bits - 4) - 1) / 2 if policy.dbs_offset == "midpoint" else 0
            real = (codes - dropped + middle - quantizer.zero_point) * quantizer.scale
            exact = sample.weight[product].astype(float) @ sample.activation[product]
            signal += float((exact**2).sum())
            noise += float(((weight @ real - exact) ** 2).sum())
    assert found.figures.rho_x == (pytest.approx(1 - stored / vectors) if vectors else None)
    assert found.figures.clipped_share == pytest.approx(clipped / values)
    assert found.figures.sqnr_db == pytest.approx(10 * math.log10(signal / noise))


@given(seed=st.integers(0, 50), products=st.sampled_from([1, 2]), percentile=st.sampled_from([None, 95.0]))
def test_symmetric_codes_span_the_calibrated_range(seed: int, products: int, percentile: float | None) -> None:
    """Signed slices of 7 bits: HO is zero for -8 .. 7, since a negative code borrows; the range is that of min-max."""
    layer = observed(seed, products=products)
    found = calibrate(layer, QuantizationPolicy(percentile=percentile, zpm="on", dbs_z=1.0), V, TILE_K)
    plain = calibrate(layer, QuantizationPolicy(percentile=percentile, zpm="off", dbs_z=None), V, TILE_K)
    quantizer = plain.scales.quantizer
    scale = quantizer.scale * max(quantizer.zero_point, 255 - quantizer.zero_point) / 63
    skipped = vectors = 0
    for sample in layer.samples[4:]:
        for row in sample.activation.reshape(-1, sample.activation.shape[2]):
            codes = [min(63, max(-63, round(float(value) / scale))) for value in row]
            for first in range(0, len(codes), V):
                skipped += all(-8 <= code <= 7 for code in codes[first : first + V])
                vectors += 1
    assert found.figures.steps.symmetric == pytest.approx(skipped / vectors)
    assert found.figures.steps.symmetric == plain.figures.steps.symmetric


@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_beside_which_a_bias_is_huge_get_coarser_scales(*, per_channel: bool) -> None:
    """A row of tiny weights keeps a bias that no accumulator could hold at the scale of the row itself."""
    generator = np.random.default_rng(1)
    weight, bias = generator.standard_normal((4, 8)), np.array([1.0, -2.0, 3.0, 4.0])
    weight[1] *= 1e-12
    layer = ObservedLayer("tiny")
    for _ in range(5):
        layer.add(weight, generator.standard_normal((8, 6)), bias)
    made = calibrate(layer, QuantizationPolicy(per_channel=per_channel), V, TILE_K).layer()
    scenario = Scenario("tiny", made, load_hardware("panacea"))
    assert run(scenario, RunOptions(folder=None, trace=TraceOptions("off"))).summary.exact is True
    units = bias / (np.broadcast_to(made.weight_scale, 4) * made.activation_scale)
    assert np.abs(units).max() < 2**31
    assert not made.weight[1].any()


def plain_weight(found: CalibratedLayer, weights: np.ndarray, product: int) -> np.ndarray:
    """Return the real numbers that the codes of a product's weight stand for."""
    limit = 2 ** (found.scales.policy.weight_bits - 1) - 1
    calibrating = [each.weight for each in found.observed.samples[:4]]
    if found.observed.is_dynamic:
        scale = max(np.abs(each).max() for each in calibrating) / limit
        return (np.floor(weights[product] / scale + 0.5)).clip(-limit, limit) * scale
    if not found.scales.policy.per_channel:
        scale = np.abs(weights).max() / limit
    else:
        scale = np.abs(weights[product]).max(1, keepdims=True) / limit
    return np.rint(weights[product] / scale).clip(-limit, limit) * scale


def plain_skips(codes: np.ndarray, found: CalibratedLayer) -> tuple[int, int]:
    """Return how many vectors of each HO slice hold r only, and how many there are."""
    skipped = count = 0
    for number, r in enumerate(found.scales.frequent):
        slices = codes.astype(int) >> (found.scales.quantizer.lo_bits + 4 * number) & 15
        for row in slices:
            for first in range(0, len(row), V):
                skipped += all(each == r for each in row[first : first + V])
                count += 1
    return skipped, count


@pytest.mark.parametrize("products", [1, 3])
@pytest.mark.parametrize("weight_bits", [4, 7, 10])
def test_work_is_what_the_machine_does(weight_bits: int, products: int) -> None:
    """The steps of DWOs and SWOs in a run are the work, fillers, ragged tiles and all."""
    policy = QuantizationPolicy(weight_bits=weight_bits, dbs_z=1.0, per_channel=False)
    found = calibrate(observed(3, samples=1, products=products), policy, V, TILE_K)
    scenario = Scenario("work", found.layer(), load_hardware("panacea", {"dtp": "off"}), values="off")
    actions = run(scenario, RunOptions(trace=TraceOptions("off"))).summary.actions
    steps = sum(each["dwo_steps"] + each["swo_steps"] for name, each in actions.items() if name.startswith("pea"))
    # A PEA takes padding rows as zeros: whole groups of rows that are not there cost it nothing.
    assert steps == found.figures.work.done
    groups = products * 3 * 37 * math.ceil(found.layer().N / V)
    assert found.figures.work.dense == groups * len((4, 7, 10)[: (4, 7, 10).index(weight_bits) + 1]) * 2


def test_steps_lead_from_zero_skipping_to_panacea() -> None:
    """Each step is what a calibration with just these choices has; a policy without them shows them all the same."""
    layer = observed(7, samples=8)
    steps = calibrate(layer, QuantizationPolicy(zpm="off", dbs_z=None)).figures.steps
    plain = calibrate(layer, QuantizationPolicy(zpm="off", dbs_z=None))
    assert steps.frequent == plain.figures.rho_x
    assert steps.zpm == calibrate(layer, QuantizationPolicy(dbs_z=None)).figures.rho_x
    assert steps.dbs == calibrate(layer, QuantizationPolicy()).figures.rho_x
    codes = np.concatenate([plain.scales.quantizer.quantize(each.activation[0]).ravel() for each in layer.held_out])
    assert steps.zero is not None
    assert steps.zero <= np.mean(codes < 16)
    assert calibrate(layer, QuantizationPolicy(activation_bits=12)).figures.steps.dbs is None


@pytest.mark.parametrize(
    ("samples", "chosen_by", "judges"), [(1, 1, 1), (2, 1, 1), (5, 4, 1), (8, 6, 2), (200, 150, 50)]
)
def test_the_last_quarter_is_held_out(samples: int, chosen_by: int, judges: int) -> None:
    """At least one sample judges; a single one does both, which is known."""
    layer = ObservedLayer("a")
    for number in range(samples):
        layer.add(np.ones((2, 2)), np.full((2, 3), number + 1.0))
    found = calibrate(layer, QuantizationPolicy(zpm="off"))
    assert (len(layer.calibrating), len(layer.held_out)) == (chosen_by, judges)
    record = record_of(found)
    assert (record.calibrating, record.held_out, record.is_held_out) == (chosen_by, judges, samples > 1)
    assert found.scales.quantizer.scale == pytest.approx(chosen_by / 255)
    assert len(layer.samples) - judges == (chosen_by if samples > 1 else 0)


def test_what_is_observed_is_kept_as_it_was() -> None:
    """Whoever observes may write into the array again; an unchanging weight is kept once."""
    layer = ObservedLayer("a")
    weight, activation = np.ones((4, 4)), np.ones((4, 4))
    layer.add(weight, activation)
    activation[:] = 9
    layer.add(weight.copy(), activation)
    assert layer.samples[0].activation.max() == 1
    assert layer.samples[0].weight is layer.samples[1].weight


@pytest.mark.parametrize(
    ("weight", "activation", "message"),
    [
        (np.ones((2, 3)), np.ones((4, 2)), r"layer 'a': found weight \(2, 3\) and activation \(4, 2\)"),
        (np.ones((2, 2, 3)), np.ones((3, 2)), "R products"),
        (np.ones(3), np.ones((3, 2)), r"weight: found shape \(3,\)"),
        (np.full((2, 3), np.nan), np.ones((3, 2)), "weight: found 6 values that are not finite"),
        (np.ones((2, 3)), np.ones((3, 2), bool), "activation: found bool numbers"),
        (np.ones((2, 3)), np.ones((3, 0)), "activation: found shape"),
    ],
)
def test_operands_that_are_none(weight: Any, activation: Any, message: str) -> None:  # noqa: ANN401  # anything
    """One message each, and no sample more."""
    layer = ObservedLayer("a")
    with pytest.raises(ConfigError, match=message):
        layer.add(weight, activation)
    assert not layer.samples


def test_a_weight_that_changes() -> None:
    """It is dynamic, or wrong."""
    layer = ObservedLayer("a")
    layer.add(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ConfigError, match=r"a weight that has changed.*dynamic_weight=True"):
        layer.add(np.zeros((2, 2)), np.ones((2, 2)))
    dynamic = ObservedLayer("a", is_dynamic=True)
    dynamic.add(np.ones((2, 2, 2)), np.ones((2, 2, 2)))
    with pytest.raises(ConfigError, match="found 1 products; accepted: 2"):
        dynamic.add(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ConfigError, match="no samples"):
        calibrate(ObservedLayer("b"), QuantizationPolicy())


def test_a_sample_that_is_not_there() -> None:
    """The held-out ones have numbers of their own."""
    found = calibrate(observed(1, samples=8), QuantizationPolicy())
    assert found.observed.samples[7].activation.shape[2] == found.layer(1).N
    with pytest.raises(ConfigError, match=r"found 2; accepted: 0 \.\. 1"):
        found.layer(2)
