"""The search: what it tries, what it takes, and the calibrator that asks it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from calibrated_layers import observed

from panacea_sim.calibration.calibrated import LayerRecord, calibrate
from panacea_sim.calibration.calibrator import Calibrator
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.search import Search, frontier
from panacea_sim.errors import ConfigError
from panacea_sim.report.frontier import unbeaten_policies


@pytest.fixture(scope="module")
def calibrator() -> Calibrator:
    """Return a calibrator with two layers."""
    made = Calibrator()
    for seed in (1, 2):
        layer = observed(seed, samples=4)
        for sample in layer.samples:
            made.observe(layer.name, sample.weight, sample.activation)
    return made


def sqnr(layer: LayerRecord) -> float:
    """Return decibels that can be compared."""
    return math.inf if layer.figures.sqnr_db is None else layer.figures.sqnr_db


def test_what_skips_most_within_the_error_is_taken(calibrator: Calibrator) -> None:
    """By default it may lose 3 dB against min-max without ZPM and DBS; nothing that was tried is better."""
    found = calibrator.search("layer1")
    plain = calibrate(observed(1, samples=4), QuantizationPolicy(zpm="off", dbs_z=None))
    assert found.plain.scales.quantizer == plain.scales.quantizer
    assert found.min_sqnr_db == pytest.approx(sqnr(plain) - 3)
    good = [each for each in found.tried if sqnr(each) >= found.min_sqnr_db]
    assert found.chosen in good
    assert all(each.figures.work.skipped_share <= found.chosen.figures.work.skipped_share for each in good)
    assert len({(each.scales.policy.per_channel, each.scales.quantizer) for each in found.tried}) == len(found.tried)


def test_a_bound_of_ones_own(calibrator: Calibrator) -> None:
    """A low bound takes what skips most of all, one that none reaches the most exact."""
    loose, strict = calibrator.search("layer2", -100.0), calibrator.search("layer2", 1000.0)
    assert loose.chosen.figures.work.skipped_share == max(each.figures.work.skipped_share for each in loose.tried)
    assert sqnr(strict.chosen) == max(map(sqnr, strict.tried))
    with pytest.raises(ConfigError, match="min_sqnr_db"):
        calibrator.search("layer2", math.nan)


def test_the_frontier_rises_with_what_may_be_lost(calibrator: Calibrator) -> None:
    """More loss never skips less; no loss is at least what min-max skips."""
    searches = [calibrator.search(f"layer{number}") for number in (1, 2)]
    points = frontier(searches, [0.0, 1.0, 3.0, 10.0, 100.0])
    shares = [point.skipped_share for point in points]
    assert shares == sorted(shares)
    done = sum(max(each.tried, key=lambda one: one.figures.work.skipped_share).figures.work.done for each in searches)
    assert shares[-1] == pytest.approx(1 - done / sum(each.plain.figures.work.dense for each in searches))


def test_nobody_beats_the_line(calibrator: Calibrator) -> None:
    """Of two policies on the line the more exact one skips less; what is off the line is beaten by one on it."""
    found: Search = calibrator.search("layer1")
    line = unbeaten_policies(found.tried)
    assert [sqnr(each) for each in line] == sorted(map(sqnr, line))
    assert [each.figures.work.skipped_share for each in line] == sorted(
        (e.figures.work.skipped_share for e in line), reverse=True
    )
    for each in found.tried:
        assert any(
            sqnr(one) >= sqnr(each) and one.figures.work.skipped_share >= each.figures.work.skipped_share
            for one in line
        )


def test_a_calibrator_knows_its_layers(calibrator: Calibrator) -> None:
    """In the order in which they were observed; unknown names are refused."""
    assert len(calibrator) == 2
    assert [each.name for each in calibrator.layers()] == ["layer1", "layer2"]
    assert (
        calibrator.layer("layer2").figures.rho_x
        == calibrate(observed(2, samples=4), QuantizationPolicy()).figures.rho_x
    )
    with pytest.raises(ConfigError, match=r"layer3.*layer1, layer2"):
        calibrator.layer("layer3")


def test_a_refused_sample_leaves_nothing() -> None:
    """A layer is known with its first good sample, and stays static or dynamic."""
    calibrator = Calibrator()
    with pytest.raises(ConfigError, match="R products"):
        calibrator.observe("a", np.ones((2, 2)), np.ones((3, 3)))
    assert len(calibrator) == 0
    calibrator.observe("a", np.ones((2, 2)), np.ones((2, 2)), dynamic_weight=True)
    with pytest.raises(ConfigError, match="what the first sample said"):
        calibrator.observe("a", np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ConfigError, match="text that is not empty"):
        calibrator.observe("", np.ones((2, 2)), np.ones((2, 2)))
