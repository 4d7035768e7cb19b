"""Policies in the words of the command line, there and back, and what is refused."""

from __future__ import annotations

import pytest
from calibrated_layers import policies
from hypothesis import given

from panacea_sim.calibration.policy import QuantizationPolicy, parse_policy
from panacea_sim.errors import ConfigError


@given(policies())
def test_words_lead_back_to_their_policy(policy: QuantizationPolicy) -> None:
    """Without DBS there is nothing to stand in for dropped bits."""
    found = parse_policy(**policy.options())
    assert found.options() == policy.options()
    assert found == policy or (policy.dbs_z is None and found.dbs_offset == "midpoint")


def test_no_words_are_the_default() -> None:
    """The options' defaults are those of scripts."""
    assert parse_policy() == QuantizationPolicy()
    assert parse_policy(dbs="z=1.5").dbs_z == 1.5


@pytest.mark.parametrize(
    ("option", "text", "accepted"),
    [
        ("activations", "max", "minmax, or percentile:99.9"),
        ("activations", "percentile:", "a number in 50 .. 100"),
        ("activations", "percentile:nan", "a number in 50 .. 100"),
        ("zpm", "yes", "auto, on or off"),
        ("dbs", "z=0", "a number > 0"),
        ("dbs", "z=inf", "a number > 0"),
        ("dbs", "z=2,ceil", "z=2,floor"),
        ("weights", "channel", "per-channel or per-tensor"),
        ("bits", "7", "as 7,8"),
        ("bits", "7,-8", "as 7,8"),
        ("bits", "8,8", "Use 10: it holds 8-bit weights exactly"),
    ],
)
def test_words_that_are_none(option: str, text: str, accepted: str) -> None:
    """The message names the option and what it takes."""
    with pytest.raises(ConfigError, match=f"--{option}: .*{accepted}"):
        parse_policy(**{option: text})


@pytest.mark.parametrize(
    ("field", "value"),
    [("percentile", 20), ("zpm", "maybe"), ("dbs_z", 0), ("dbs_offset", "up"), ("per_channel", 1), ("weight_bits", 8)],
)
def test_fields_that_are_wrong(field: str, value: object) -> None:
    """Scripts are told the field."""
    with pytest.raises(ConfigError, match=rf"policy\.{field}"):
        QuantizationPolicy(**{field: value})  # type: ignore[arg-type]  # the point
