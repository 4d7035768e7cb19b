"""Actions: what a firing does so many times, counted for the trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panacea_sim.units import IntArray

__all__ = ["Action", "action_of"]


@dataclass(frozen=True, eq=False)
class Action:
    """Something that the firings of a component do, counted in whole numbers.

    `name` is the column of the trace and carries the unit (`dwo_steps`, `read_bytes`); `unit` spells it out. `amounts`
    returns how often n firings with these numbers do it, [n]; `totals` how often all firings of each run do,
    for so many runs whose firings follow each other, as many in each. Both are functions, because an array over all
    firings of many components would outgrow the trace's own memory. `per_cycle` is how often the component can do it in
    a cycle, 0 where no such limit is given.
    """

    name: str
    unit: str
    amounts: Callable[[IntArray], IntArray]
    totals: Callable[[int], Sequence[int]]
    per_cycle: int = 0

    def total(self) -> int:
        """Return how often all firings do it."""
        return self.totals(1)[0]


def action_of(name: str, unit: str, amounts: IntArray) -> Action:
    """Return the action whose amounts are an array with one entry for each firing."""
    return Action(name, unit, lambda firing: amounts[firing], lambda runs: amounts.reshape(runs, -1).sum(1).tolist())
