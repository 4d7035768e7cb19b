"""Searches without a simulator: a plain function of 693 points in place of the figures of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from panacea_sim.choices import Algorithm
from panacea_sim.exploring.axes import Range, Settings
from panacea_sim.exploring.search.search import Search
from panacea_sim.exploring.search.space import Space

AXES = {"operators": list(range(1, 12)), "depth": [1, 2, 4, 8, 16, 32, 64], "size": Range(low=4, high=12)}


def cost(settings: Settings) -> float:
    """Return the cost of a point: a queue that is too deep, a memory that is too large and uneven operators cost."""
    operators, depth, size = (int(str(value)) for value in settings.values())
    rates = max(900 / operators, 1500 / (12 - operators), 16000 / min(2**size, 300), 60 + 500 / depth)
    return rates + 3 * abs(operators - 4) + 0.7 * depth + 0.01 * 2**size


def all_costs() -> list[float]:
    """Return the costs of all points of AXES."""
    names = tuple(AXES)
    return [cost(dict(zip(names, each, strict=True))) for each in product(range(1, 12), AXES["depth"], range(4, 13))]


def searched(
    count: int,
    *,
    algorithm: Algorithm = "tpe",
    seed: int = 0,
    run: Callable[[Sequence[Settings]], list[list[float] | None]] | None = None,
    allows: Callable[[Settings], bool] = lambda _settings: True,
) -> list[Settings]:
    """Return the points of a search in AXES."""
    plain = run or (lambda generation: [[cost(settings)] for settings in generation])
    return Search(Space(AXES, allows), [1], algorithm, seed).points(count, plain)
