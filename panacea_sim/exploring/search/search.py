"""A search: Optuna proposes points in generations of one size, which are run and told in the order of the proposals.

The points of a search follow from its space, signs, algorithm and seed, and from the figures that they get. How many
workers run them, what was run before, and where an earlier search was stopped, makes no difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import optuna
from numpy.random import PCG64, Generator
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState

from panacea_sim.choices import Algorithm
from panacea_sim.exploring.axes import Settings
from panacea_sim.exploring.search.space import Proposal, Space

__all__ = ["GENERATION", "Run", "Search"]

Run: TypeAlias = Callable[[Sequence[Settings]], Sequence[Sequence[float] | None]]
"""Runs points and returns the figures of the objectives of each; None where it has none."""

GENERATION = 8
"""Points of a generation, whatever the number of workers: what is proposed must not depend on it."""

_MOST_ASKS = 4 * GENERATION
"""After so many proposals, known or forbidden ones among them, chance fills a generation."""

_POPULATION = 16
"""Trials of Optuna that NSGA-II chooses parents from; its own default, 50, would leave most searches to chance."""

_CONSTRAINT = "constraints"


@dataclass(frozen=True, eq=False)
class Search:
    """A search in a space for small figures, or large ones where a sign is -1."""

    space: Space
    signs: Sequence[int]
    algorithm: Algorithm
    seed: int

    def points(self, count: int, run: Run) -> list[Settings]:
        """Return the points that were run, `count` or all that there are, generation after generation.

        Raises what `run` does, and ConfigError for a constraint that cannot be computed.
        """
        return _Course(self, count, run).whole()


class _Course:
    """One course of a search from its beginning, with all that Optuna was told so far."""

    def __init__(self, search: Search, count: int, run: Run) -> None:
        self._search = search
        self._space = search.space
        self._count = count
        self._run = run
        self._figures: dict[Proposal, Sequence[float] | None] = {}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        directions = [StudyDirection.MINIMIZE if sign > 0 else StudyDirection.MAXIMIZE for sign in search.signs]
        self._study = optuna.create_study(directions=directions)

    def whole(self) -> list[Settings]:
        generation = 0
        while len(self._figures) < self._count and self._grown(generation):
            generation += 1
        return [self._space.settings(each) for each in self._figures]

    def _grown(self, generation: int) -> bool:
        """Run and tell a generation; return whether there was anything new to run."""
        self._study.sampler = _sampler(self._search.algorithm, _seed(self._search.seed, generation))
        room = min(GENERATION, self._count - len(self._figures))
        asked = self._asked(room)
        asked += self._filled(room, asked, Generator(PCG64(_seed(self._search.seed, generation))))
        fresh = self._fresh(asked)
        for proposal, figures in zip(fresh, self._run([self._space.settings(each) for each in fresh]), strict=True):
            self._figures[proposal] = figures
        for trial, proposal in asked:
            self._tell(trial, proposal)
        return bool(fresh)

    def _asked(self, room: int) -> list[tuple[Trial, Proposal]]:
        """Return proposals of the algorithm, until so many of them are new and allowed."""
        asked: list[tuple[Trial, Proposal]] = []
        while len(asked) < _MOST_ASKS and len(self._fresh(asked)) < room:
            trial = self._study.ask(self._space.distributions)
            asked.append((trial, self._space.proposal(trial.params)))
        return asked

    def _filled(
        self, room: int, asked: Sequence[tuple[Trial, Proposal]], rng: Generator
    ) -> list[tuple[Trial, Proposal]]:
        """Return what chance adds to fill a generation for which the algorithm has no new proposal any more."""
        filled: list[tuple[Trial, Proposal]] = []
        fresh = set(self._fresh(asked))
        while len(fresh) < room:
            proposal = self._space.another(fresh | self._figures.keys(), rng)
            if proposal is None:
                break
            self._study.enqueue_trial(self._space.params(proposal))
            filled.append((self._study.ask(self._space.distributions), proposal))
            fresh.add(proposal)
        return filled

    def _fresh(self, asked: Sequence[tuple[Trial, Proposal]]) -> list[Proposal]:
        """Return the proposals that are to be run, once each, in order."""
        new = dict.fromkeys(proposal for _, proposal in asked if proposal not in self._figures)
        return [each for each in new if self._space.allows(each)]

    def _tell(self, trial: Trial, proposal: Proposal) -> None:
        """Tell the figures of a proposal, which may have been known; what is forbidden or has failed has none."""
        is_allowed = proposal in self._figures
        figures = self._figures.get(proposal)
        trial.set_constraint(_CONSTRAINT, 0.0 if is_allowed else 1.0)
        if is_allowed and figures is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            # Optuna takes no trial without figures; those of forbidden ones are never looked at.
            self._study.tell(trial, [0.0] * len(self._search.signs) if figures is None else list(figures))


def _sampler(algorithm: Algorithm, seed: int) -> BaseSampler:
    if algorithm == "nsga2":
        return NSGAIISampler(population_size=_POPULATION, seed=seed)
    # Axes are looked at together, because what is good for one depends on the others; proposals that still run count as
    # bad ones, so that those of a generation differ.
    return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _seed(seed: int, generation: int) -> int:
    digest = hashlib.sha256(f"{seed} {generation}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
