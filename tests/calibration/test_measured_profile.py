"""Density profiles of calibrated layers: means by kind."""

from __future__ import annotations

import pytest
from calibrated_layers import observed

from panacea_sim.calibration.calibrated import calibrate, record_of
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.profile import profile_of


def test_each_kind_has_the_means_of_its_layers() -> None:
    """Weights of several HO slices have their mean; a kind that there is not takes that of all, an assumption."""
    records = [record_of(calibrate(observed(seed), QuantizationPolicy(weight_bits=10))) for seed in range(3)]
    profile = profile_of("mine", zip(("ffn", "qkv", "ffn"), records, strict=True))
    for kind, own in (("ffn", [records[0], records[2]]), ("qkv", [records[1]]), ("conv", records)):
        aqs, sbr7 = profile.density(kind, "aqs"), profile.density(kind, "sbr7")
        slices = [share for record in own for share in record.figures.rho_w]
        assert len(slices) == 2 * len(own)
        assert aqs.rho_w == sbr7.rho_w == pytest.approx(sum(slices) / len(slices), abs=1e-4)
        assert aqs.rho_x == pytest.approx(sum(each.figures.rho_x or 0 for each in own) / len(own), abs=1e-4)
        assert sbr7.rho_x == pytest.approx(sum(each.figures.steps.symmetric or 0 for each in own) / len(own), abs=1e-4)
        assert aqs.standing == ("A" if kind == "conv" else "D")
        assert ("not measured" in aqs.source) is (kind == "conv")
