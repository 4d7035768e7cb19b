"""Constraints: they compare arithmetic over fields as Python would, and take nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swept_points import tiny

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.constraints import parse_constraint
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.sweep import Sweep

_VALUES = {"a": 6, "b": 4, "hardware.c": 0.5}
_SIDES = st.recursive(
    st.sampled_from(["a", "b", "hardware.c", "3", "0.25", "-2"]),
    lambda side: st.builds("({} {} {})".format, side, st.sampled_from(["+", "-", "*"]), side),
    max_leaves=8,
)


@given(left=_SIDES, right=_SIDES, compare=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_arithmetic_is_that_of_python(left: str, right: str, compare: str) -> None:
    """Numbers and fields, with brackets and signs."""
    text = f"{left} {compare} {right}"
    names = {"a": 6, "b": 4, "hardware": type("Section", (), {"c": 0.5})}
    assert parse_constraint(text).holds(_VALUES) == eval(text, {}, names)  # noqa: S307  # texts of this test


def test_chains_division_and_words() -> None:
    """A chain is all of its comparisons; a word in quotes is compared with a field that holds one."""
    assert parse_constraint("1 < b < a <= 6").holds(_VALUES)
    assert not parse_constraint("1 < a < b").holds(_VALUES)
    assert parse_constraint("a // b == 1").holds(_VALUES)
    assert parse_constraint("a % b == 2").holds(_VALUES)
    assert parse_constraint("a / b == 1.5").holds(_VALUES)
    assert parse_constraint("order != 'mnk'").holds({"order": "nmk"})


@pytest.mark.parametrize(
    "text",
    ["n_dwo", "f(1) == 2", "a.b.c == 1", "a == [1]", "__import__('os') == 1", "a and b", "a == b or 1", "a ** 9 > 1",
     "a in b", "(a := 1) == 1", "True == a", "'x' + 'y' == a", "a ==", "", "a = 1", "lambda: 1 == 1", "1 if a else 2"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    """Calls, deeper names, logic, powers, flags and broken text: one message with an example."""
    with pytest.raises(
        ConfigError, match=r"^sweep\.constraints: found .*; accepted: comparisons .* n_dwo \+ n_swo == 12"
    ):
        parse_constraint(text)


def test_fields_that_are_no_axes_count_too(tmp_path: Path) -> None:
    """They are those of the machine of the point, also where a preset is an axis."""
    path = tmp_path / "six.yaml"
    path.write_text("n_swo: 6\n", encoding="utf-8")
    axes = {"hardware.preset": ["panacea", str(path)], "hardware.n_dwo": [4, 5, 6, 7]}
    sweep = Sweep(name="x", scenario=tiny(), axes=axes, constraints=["n_dwo + n_swo == 12", "machine == 'panacea'"])
    found = points_of(sweep, Maker(base_of(sweep)))
    assert [tuple(point.settings.values()) for point in found] == [("panacea", 4), (str(path), 6)]


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("n_dow == 1", r"constraint 'n_dow == 1': found the unknown field 'n_dow'; .* Did you mean 'n_dwo'\?"),
        ("n_dwo / (n_swo - 8) > 1", r"n_swo = 8 \(division by zero\); accepted: values with which it can be computed"),
        ("name < 3", r"name = 'panacea' \('<' not supported .*"),
    ],
)
def test_what_cannot_be_computed(constraint: str, message: str) -> None:
    """One message names the constraint and the values."""
    sweep = Sweep(name="x", scenario=tiny(), axes={"hardware.n_dwo": [4]}, constraints=[constraint])
    with pytest.raises(ConfigError, match=message):
        points_of(sweep, Maker(base_of(sweep)))
