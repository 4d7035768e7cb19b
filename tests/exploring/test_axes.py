"""Axes: ranges, grids in the order of the axes, and Latin hypercubes that are the same for a seed."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swept_points import tiny

from panacea_sim.errors import ConfigError
from panacea_sim.exploring.axes import LatinHypercube, Range, grid, latin_hypercube
from panacea_sim.exploring.maker import Maker, base_of
from panacea_sim.exploring.points import points_of
from panacea_sim.exploring.sweep import Sweep


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"low": 2, "high": 5}, [2, 3, 4, 5]),
        ({"low": 2, "high": 9, "step": 3}, [2, 5, 8]),
        ({"low": 0.1, "high": 0.5, "step": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"low": 1, "high": 16, "count": 5, "log": True}, [1, 2, 4, 8, 16]),
        ({"low": 0.0, "high": 1.0, "count": 3}, [0.0, 0.5, 1.0]),
        ({"low": 1, "high": 2, "count": 5}, [1, 2]),
    ],
)
def test_values_of_a_range(fields: dict[str, object], values: list[float]) -> None:
    """A step, whole numbers by themselves, so many of them, or so many of their logarithms; no number twice."""
    assert Range(**fields).values() == pytest.approx(values)


def test_a_grid_goes_through_the_last_axis_first() -> None:
    """The same as nested loops in the order of the axes."""
    axes = {"a": [1, 2], "b": Range(low=5, high=7), "c": ["x", "y"]}
    expected = [dict(zip("abc", each, strict=True)) for each in product([1, 2], [5, 6, 7], ["x", "y"])]
    assert list(grid(axes)) == expected


@given(points=st.integers(1, 40), seed=st.integers(0, 5))
def test_a_latin_hypercube_has_one_point_in_every_part(points: int, seed: int) -> None:
    """Of each axis; the same seed gives the same points."""
    axes = {"real": Range(low=0.0, high=1.0), "whole": Range(low=0, high=10 * points - 1)}
    found = list(latin_hypercube(axes, LatinHypercube(points=points, seed=seed)))
    assert sorted(int(each["real"] * points) for each in found) == list(range(points))
    assert sorted(each["whole"] // 10 for each in found) == list(range(points))
    assert found == list(latin_hypercube(axes, LatinHypercube(points=points, seed=seed)))


def test_a_logarithmic_range_is_sampled_by_its_logarithm() -> None:
    """Whole numbers of each octave come equally often, and both ends can come."""
    axis = Range(low=1, high=255, log=True)
    found = [axis.at((number + 0.5) / 800) for number in range(800)]
    octaves = [sum(low <= each < 2 * low for each in found) for low in (1, 2, 4, 8, 16, 32, 64, 128)]
    assert octaves == [100] * 8
    assert (axis.at(0.0), axis.at(1 - 1e-9)) == (1, 255)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"axes": {"hardware.n_dwo": {"low": 3, "high": 1}}},
            r"sweep\.axes\.hardware\.n_dwo.*: found 3 to 1; accepted",
        ),
        ({"axes": {"hardware.n_dwo": {"low": 0, "high": 1, "log": True}}}, r"found low 0; accepted: a low above 0"),
        ({"axes": {"hardware.n_dwo": []}}, r"sweep\.axes\.hardware\.n_dwo"),
        (
            {"axes": {"hardware.n_dwo": [1]}, "points": [{"hardware.n_dwo": 1}]},
            r"found axes and points; accepted: one of",
        ),
        ({"axes": {}}, r"sweep: found none of axes, points"),
        ({"axes": {"hardware.n_dow": [1]}}, r"the unknown field 'hardware\.n_dow'.*Did you mean 'hardware\.n_dwo'\?"),
        ({"axes": {"workload.tokens": [1]}}, r"the unknown field 'workload\.tokens'; accepted: workload\.M, "),
        (
            {"axes": {"hardware.loop_order": ["mnk"], "mapping.loop_order": ["nmk"]}},
            r"found hardware\.loop_order and mapping\.loop_order; accepted: one of them",
        ),
        (
            {"points": [{"hardware.n_dwo": 1}, {"hardware.n_swo": 1}]},
            r"sweep\.points\[1\]: .*a value for each of hardware",
        ),
        (
            {"axes": {"hardware.n_dwo": [1]}, "objectives": ["cycle"]},
            r"sweep\.objectives\[0\]: found 'cycle'; .*'cycles'",
        ),
        ({"axes": {"hardware.n_dwo": [1]}, "settings": {"hardware.n_dwo": 2}}, r"found an axis too"),
        ({"axes": {"hardware.n_dwo": {"low": 0.5, "high": 2.0}}}, r"found 0\.5 to 2\.0; accepted: a count, or a step"),
        ({"axes": {"hardware.n_dwo": {"low": 1, "high": 10**7}}}, r"10,000,000 combinations; .* or a latin_hypercube"),
        ({"axes": {"hardware.n_dwo": [1]}, "constraints": ["n_dwo > 1"]}, r"found no point that satisfies them"),
        (
            {"axes": {"hardware.n_dwo": [1]}, "workload": "opt-125m"},
            r"sweep: found scenario and workload; accepted: one",
        ),
        ({"axes": {"hardware.n_dwo": [1]}, "name": "a/b"}, r"sweep\.name: found a slash in 'a/b'"),
    ],
)
def test_what_is_no_sweep(fields: dict[str, object], message: str) -> None:
    """One message says which field, what was found and what is accepted."""
    with pytest.raises(ConfigError, match=message):
        _points(Sweep(**{"name": "x", "scenario": tiny()} | fields))


def _points(sweep: Sweep) -> None:
    points_of(sweep, Maker(base_of(sweep)))
