"""A design space as a search sees it: what Optuna may propose for each axis, and which points there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, TypeAlias

from numpy.random import Generator
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from panacea_sim.exploring.axes import Axes, Range, Settings

__all__ = ["Proposal", "Space"]

Proposal: TypeAlias = tuple[int | float, ...]
"""One number for each axis, as Optuna proposes it: the place of a value in a list, or the value itself in a range."""

_TRIES = 1000
_MOST_POINTS = 1_000_000
"""Spaces up to this size are gone through one by one where chance finds nothing new."""


@dataclass(frozen=True)
class _Listed:
    """An axis of listed values. Where they rise or fall, those side by side are near each other."""

    values: Sequence[Any]

    @property
    def distribution(self) -> BaseDistribution:
        places = range(len(self.values))
        return IntDistribution(0, places[-1]) if _is_ordered(self.values) else CategoricalDistribution(list(places))

    @property
    def proposals(self) -> range:
        return range(len(self.values))

    def at(self, share: float) -> int:
        return int(share * len(self.values))

    def value(self, proposed: float) -> object:
        return self.values[int(proposed)]


@dataclass(frozen=True)
class _Ranged:
    """An axis of all numbers in a range."""

    span: Range

    @property
    def distribution(self) -> BaseDistribution:
        low, high, log = self.span.low, self.span.high, self.span.log
        if self.span.is_whole:
            return IntDistribution(int(low), int(high), log=log)
        return FloatDistribution(low, high, log=log)

    @property
    def proposals(self) -> range | None:
        return range(int(self.span.low), int(self.span.high) + 1) if self.span.is_whole else None

    def at(self, share: float) -> int | float:
        return self.span.at(share)

    def value(self, proposed: float) -> object:
        return proposed


class Space:
    """The points that axes span, of which `allows` tells whether the constraints hold."""

    def __init__(self, axes: Axes, allows: Callable[[Settings], bool]) -> None:
        self._axes = {name: _dimension(axis) for name, axis in axes.items()}
        self._allows = allows
        self.distributions = {name: axis.distribution for name, axis in self._axes.items()}

    def settings(self, proposal: Proposal) -> Settings:
        """Return the values of all axes."""
        return {name: axis.value(proposed) for (name, axis), proposed in zip(self._axes.items(), proposal, strict=True)}

    def allows(self, proposal: Proposal) -> bool:
        """Return whether the constraints hold; raises ConfigError where one cannot be computed."""
        return self._allows(self.settings(proposal))

    def proposal(self, params: Mapping[str, int | float]) -> Proposal:
        """Return what a trial of Optuna proposes."""
        return tuple(params[name] for name in self._axes)

    def params(self, proposal: Proposal) -> dict[str, int | float]:
        """Return a proposal as the parameters of a trial of Optuna."""
        return dict(zip(self._axes, proposal, strict=True))

    def another(self, known: set[Proposal], rng: Generator) -> Proposal | None:
        """Return a point that is not known, by chance; None where there is none, or in a large space none is found."""
        for _ in range(_TRIES):
            proposal = tuple(axis.at(float(rng.random())) for axis in self._axes.values())
            if proposal not in known and self.allows(proposal):
                return proposal
        return next((each for each in self._all() if each not in known and self.allows(each)), None)

    def _all(self) -> Iterator[Proposal]:
        """Return all points, before constraints; none where they are too many to go through."""
        proposals = [axis.proposals for axis in self._axes.values()]
        finite = [each for each in proposals if each is not None]
        if len(finite) < len(proposals) or math.prod(map(len, finite)) > _MOST_POINTS:
            return iter(())
        return product(*finite)


def _dimension(axis: Sequence[Any] | Range) -> _Listed | _Ranged:
    if not isinstance(axis, Range):
        return _Listed(axis)
    return _Ranged(axis) if axis.step is None and axis.count is None else _Listed(axis.values())


def _is_ordered(values: Sequence[Any]) -> bool:
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        return False
    return all(a < b for a, b in pairwise(values)) or all(a > b for a, b in pairwise(values))
