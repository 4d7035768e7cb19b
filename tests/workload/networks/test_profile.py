"""Density profiles: their figures, standings, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.workload.networks.profile import density_profile, list_profiles
from panacea_sim.workload.networks.zoo import build


@pytest.mark.parametrize("name", list_profiles())
def test_every_figure_has_a_source(name: str) -> None:
    """Each density of a profile says where it is from, and what was not measured is an assumption."""
    profile = density_profile(name)
    for densities in (*profile.kinds.values(), profile.other):
        assert set(densities) == {"aqs", "sbr7"}
        for density in densities.values():
            assert density.source
            assert (density.standing == "A") == ("not measured" in density.source or name == "dense")


def test_kinds_of_the_zoo_are_known() -> None:
    """Every kind of layer that the zoo has stands in the default profile; a label of a user's is an assumption."""
    profile = density_profile("measured")
    kinds = {
        layer.kind for name in ("opt-350m", "vit-b16", "resnet-18") for _, layer in build(name).nodes(data="layer")
    }
    assert kinds == set(profile.kinds)
    assert profile.density("mine", "aqs").standing == "A"


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    """A YAML file is a profile; a quantization that it does not know is refused by name."""
    path = tmp_path / "mine.yaml"
    text = "about: mine\nkinds: {}\nother:\n  aqs: {rho_w: 0.5, rho_x: 1, standing: A, source: me}\n"
    path.write_text(text, encoding="utf-8")
    layer = build("bert-base", profile=str(path)).nodes["block0.q"]["layer"]
    assert (layer.rho_w, layer.rho_x) == ((0.5,), 1.0)
    with pytest.raises(ConfigError, match=r"profile 'mine': found no densities for 'sbr7'; accepted: aqs"):
        build("bert-base", profile=str(path), quantization="sbr7")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("{rho_w: 2, rho_x: 1, standing: A, source: me}", "other.aqs.rho_w: found 2; accepted: "),
        ("{rho_w: .nan, rho_x: 1, standing: A, source: me}", "other.aqs.rho_w: found nan; accepted: "),
        ("{rho_w: 0, rho_x: 1, standing: X, source: me}", "other.aqs.standing: found 'X'; accepted: "),
        ("{rho_w: 0, rho_x: 1, standing: A}", "other.aqs.source: found nothing; accepted: "),
    ],
)
def test_refused_profiles(tmp_path: Path, entry: str, text: str) -> None:
    """A figure that is no share, and one without a source, is refused with its place."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"about: mine\nkinds: {{}}\nother:\n  aqs: {entry}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(text)):
        density_profile(str(path))
