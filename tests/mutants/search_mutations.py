"""Faults of one line each in frontiers and searches, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["SEARCH_MUTATIONS"]

_FRONTIER = ("tests/analysis/test_pareto.py",)
_PLAIN = "tests/exploring/test_optuna_search.py"
_KEPT = "tests/exploring/test_optimize.py"
_SEARCH = "panacea_sim/exploring/search"

SEARCH_MUTATIONS = (
    Mutation(
        "equal points beat each other",
        "panacea_sim/analysis/pareto.py",
        "if not ((kept <= mine).all(axis=1) & (kept < mine).any(axis=1)).any():",
        "if not (kept <= mine).all(axis=1).any():",
        _FRONTIER,
    ),
    Mutation(
        "of every figure less is better",
        "panacea_sim/analysis/pareto.py",
        "order = {figure: place for place, figure in enumerate(sorted(set(column), reverse=sign < 0))}",
        "order = {figure: place for place, figure in enumerate(sorted(set(column), reverse=sign < -1))}",
        _FRONTIER,
    ),
    Mutation(
        "a generation has all points that are left",
        f"{_SEARCH}/search.py",
        "room = min(GENERATION, self._count - len(self._figures))",
        "room = self._count - len(self._figures)",
        (f"{_PLAIN}::test_generations_have_one_size_and_the_last_what_is_left",),
    ),
    Mutation(
        "what is forbidden runs",
        f"{_SEARCH}/search.py",
        "return [each for each in new if self._space.allows(each)]",
        "return list(new)",
        (f"{_PLAIN}::test_constraints_hold_and_a_space_has_an_end",),
    ),
    Mutation(
        "what is known runs again",
        f"{_SEARCH}/search.py",
        "new = dict.fromkeys(proposal for _, proposal in asked if proposal not in self._figures)",
        "new = dict.fromkeys(proposal for _, proposal in asked)",
        (f"{_KEPT}::test_rows_are_trials_in_order",),
    ),
    Mutation(
        "all lists are in order",
        f"{_SEARCH}/space.py",
        "return all(a < b for a, b in pairwise(values)) or all(a > b for a, b in pairwise(values))",
        "return True",
        (f"{_PLAIN}::test_what_is_near_is_near_for_the_algorithm",),
    ),
    Mutation(
        "figures are told in the order in which points end",
        f"{_SEARCH}/optimize.py",
        "return [self._figures(records[point.index].objectives) for point in points]",
        "return [self._figures(record.objectives) for record in records.values()]",
        (f"{_KEPT}::test_a_search_that_was_stopped_ends_as_one_that_was_not",),
    ),
)
