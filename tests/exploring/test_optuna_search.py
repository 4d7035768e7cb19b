"""Searches: what they find, that they make the same points twice, and how they end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from numpy.random import PCG64, Generator

from panacea_sim.choices import Algorithm
from panacea_sim.exploring.axes import Range, Settings

pytest.importorskip("optuna")
from plain_searches import all_costs, cost, searched

from panacea_sim.exploring.search.search import Search
from panacea_sim.exploring.search.space import Space

ALGORITHMS: tuple[Algorithm, ...] = ("tpe", "nsga2")


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_optimum_is_found_within_a_fifth_of_the_points(algorithm: Algorithm) -> None:
    """Of 693 points, all of which are computed, the best is among the first 138 of a search, and none comes twice."""
    known = all_costs()
    assert len(known) == 693
    assert known.count(min(known)) == 1
    points = searched(len(known) // 5, algorithm=algorithm)
    assert min(map(cost, points)) == min(known)
    assert len({repr(point) for point in points}) == len(points) == 138


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_generations_have_one_size_and_the_last_what_is_left(algorithm: Algorithm) -> None:
    """A search of 20 points runs 8, 8 and 4, and begins like a longer one; another seed goes another way."""
    sizes: list[int] = []

    def run(generation: Sequence[Settings]) -> list[list[float] | None]:
        sizes.append(len(generation))
        return [[cost(settings)] for settings in generation]

    points = searched(20, algorithm=algorithm, run=run)
    assert sizes == [8, 8, 4]
    assert points == searched(28, algorithm=algorithm)[:20]
    assert points != searched(20, algorithm=algorithm, seed=1)


def test_only_figures_decide_what_comes_next() -> None:
    """Other figures lead elsewhere once they are told, from the third generation on: until then chance proposes."""

    def worst(generation: Sequence[Settings]) -> list[list[float] | None]:
        return [[-cost(settings)] for settings in generation]

    down, up = searched(24), searched(24, run=worst)
    assert down[:16] == up[:16]
    assert down[16:] != up[16:]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_constraints_hold_and_a_space_has_an_end(algorithm: Algorithm) -> None:
    """A search that asks for more finds all allowed points once, and nothing that is forbidden is run."""

    def allows(settings: Settings) -> bool:
        return settings["operators"] == settings["size"] and settings["depth"] in (2, 4)

    points = searched(100, algorithm=algorithm, allows=allows)
    assert sorted(map(repr, points)) == sorted(
        repr({"operators": each, "depth": depth, "size": each}) for each in range(4, 12) for depth in (2, 4)
    )


def test_points_without_figures_do_not_stop_a_search() -> None:
    """Points that fail are points of the search, are not proposed again, and the others are found."""

    def run(generation: Sequence[Settings]) -> list[list[float] | None]:
        return [[cost(each)] if int(str(each["operators"])) % 2 else None for each in generation]

    points = searched(40, run=run)
    assert len({repr(point) for point in points}) == 40
    assert any(int(str(point["operators"])) % 2 for point in points[16:])


def test_proposals_lie_in_their_axes() -> None:
    """Words, falling numbers, whole and real ranges: a search proposes only values that the axes have."""
    axes = {
        "word": ["off", "auto", True],
        "falling": [8, 4, 1],
        "whole": Range(low=3, high=1000, log=True),
        "real": Range(low=0.5, high=2.0),
        "counted": Range(low=1, high=9, count=3),
    }
    points = Search(Space(axes, lambda _: True), [1, -1], "tpe", 3).points(
        24, lambda generation: [[float(str(each["whole"])), float(str(each["real"]))] for each in generation]
    )
    for point in points:
        assert point["word"] in axes["word"]
        assert point["falling"] in (8, 4, 1)
        assert isinstance(point["whole"], int)
        assert 3 <= point["whole"] <= 1000
        assert 0.5 <= float(str(point["real"])) <= 2.0
        assert point["counted"] in (1, 5, 9)
    assert len({repr(point["real"]) for point in points}) == 24


def test_what_is_near_is_near_for_the_algorithm() -> None:
    """Rising and falling numbers are proposed by their places, and other values as words without order."""
    space = Space({"a": [1, 2, 4], "b": [4, 2, 1], "c": [1, 4, 2], "d": ["x", "y"]}, lambda _: True)
    kinds = {name: type(each).__name__ for name, each in space.distributions.items()}
    assert kinds == {
        "a": "IntDistribution",
        "b": "IntDistribution",
        "c": "CategoricalDistribution",
        "d": "CategoricalDistribution",
    }


def test_chance_finds_the_last_point_of_a_large_space() -> None:
    """Where chance alone would hardly ever meet the only point that is left, all points are gone through."""
    space = Space({"a": Range(low=0, high=299), "b": list(range(300))}, lambda each: each["a"] == each["b"] == 123)
    rng = Generator(PCG64(0))
    assert space.another(set(), rng) == (123, 123)
    assert space.another({(123, 123)}, rng) is None
