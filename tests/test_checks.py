"""Checks of single values and of real arrays: what is accepted, and how the rest is refused."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from panacea_sim.checks import (
    require_channel_numbers,
    require_channel_scales,
    require_choice,
    require_finite,
    require_flag,
    require_number,
)
from panacea_sim.errors import ConfigError


def test_accepted_values_become_plain_numbers() -> None:
    """Numpy scalars lose their type, and arrays become float64."""
    assert (require_flag("f", np.True_), type(require_flag("f", np.True_))) == (True, bool)
    assert (require_number("n", np.float32(0.5), 0), type(require_number("n", np.int8(2), 0))) == (0.5, float)
    assert (require_channel_scales("s", np.int64(2), 3), type(require_channel_scales("s", np.int64(2), 3))) == (
        2,
        float,
    )
    assert np.asarray(require_channel_numbers("c", [1, -2], 2)).tolist() == [1.0, -2.0]
    assert require_finite("x", [[1, 2]], matrix=True).dtype == np.float64
    require_choice("c", np.str_("on"), ("off", "on"))


@pytest.mark.parametrize("value", ["ON", "On", "onn", True, np.True_])
def test_a_refused_choice_is_told_what_was_meant(value: object) -> None:
    """Another case, a slip of a letter and a boolean for a switch have a near name."""
    with pytest.raises(ConfigError, match=r"^c: found .*; accepted: off, on\. Did you mean 'on'\?$"):
        require_choice("c", value, ("off", "on"))


def test_a_name_that_was_begun_is_meant() -> None:
    """A longer name that begins like this one comes before one that shares as many letters; of several the closest."""
    devices = ("hbm2", "lpddr5_6400", "lpddr4_3200")
    with pytest.raises(ConfigError, match=r"Did you mean 'lpddr4_3200'\?$"):
        require_choice("dram", "lpddr4", devices)
    with pytest.raises(ConfigError, match=r"Did you mean 'lpddr4_32'\?$"):
        require_choice("dram", "lpddr4", (*devices, "lpddr4_32"))


@pytest.mark.parametrize("value", [None, 1, "", [], "perhaps"])
def test_a_choice_far_from_all_is_refused_without_a_hint(value: object) -> None:
    """No name is made up for what is like none."""
    with pytest.raises(ConfigError, match=f"^c: found {re.escape(repr(value))}; accepted: off, on$"):
        require_choice("c", value, ("off", "on"))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: require_flag("f", "yes"), "f: found 'yes'; accepted: True, False"),
        (lambda: require_number("n", np.nan, 0), "n: found nan; accepted: a finite number >= 0"),
        (lambda: require_number("n", np.inf, 0), "n: found inf; accepted: a finite number >= 0"),
        (lambda: require_number("n", True, 0, 1), "n: found True; accepted: a number in 0 .. 1"),
        (lambda: require_number("n", 1.5, 0, 1), "n: found 1.5; accepted: a number in 0 .. 1"),
        (lambda: require_channel_numbers("c", [0, np.nan], 2), "c: found nan in row 1; accepted: finite numbers"),
        (lambda: require_channel_numbers("c", np.inf, 2), "c: found inf; accepted: finite numbers"),
        (
            lambda: require_channel_numbers("c", [[1.0]], 1),
            "c: found shape (1, 1); accepted: one number, or shape (1,)",
        ),
        (lambda: require_channel_scales("s", [1, -1], 2), "s: found -1.0 in row 1; accepted: finite numbers > 0"),
        (
            lambda: require_channel_scales("s", [1, 0], 2),
            "s: found 0.0 in row 1; accepted: finite numbers > 0. A row of",
        ),
        (lambda: require_finite("x", [1j]), "x: found [1j]; accepted: real numbers"),
        (lambda: require_finite("x", [True]), "x: found [True]; accepted: real numbers"),
        (
            lambda: require_finite("x", [1, np.nan]),
            "x: found 1 of 2 not finite; accepted: finite numbers, at least one",
        ),
        (lambda: require_finite("x", [1], matrix=True), "x: found 1 dimensions, shape (1,); accepted: a matrix"),
    ],
)
def test_refused_value(call: Callable[[], object], text: str) -> None:
    """The error names the field, what was found and what is accepted."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        call()
