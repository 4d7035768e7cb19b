"""Power over time: what a run is charged, spread over the cycles in which it was done, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import NamedTuple

import numpy as np
import pyarrow.dataset as ds

from panacea_sim.description.costs import DRAM_READ, DRAM_READ_BURSTS, DRAM_WRITTEN, DRAM_WRITTEN_BURSTS
from panacea_sim.energy.energy import CATEGORIES, Charge, RunEnergy
from panacea_sim.energy.prices import Category
from panacea_sim.trace.column_batches import codes, column_batches
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import IntArray

__all__ = ["power_over_time"]

_WRITES = {DRAM_READ: False, DRAM_READ_BURSTS: False, DRAM_WRITTEN: True, DRAM_WRITTEN_BURSTS: True}


class _Firings(NamedTuple):
    """What the firings of a group count in some columns of activities.parquet."""

    group: str
    columns: tuple[str, ...]


class _Accesses(NamedTuple):
    """The bytes that a group reads from DRAM or writes into it."""

    group: str
    writes: bool


class _Openings(NamedTuple):
    """The accesses that opened a row."""


class _Cycles(NamedTuple):
    """Every cycle alike."""


_Source = _Firings | _Accesses | _Openings | _Cycles


def power_over_time(run: StoredRun, found: RunEnergy, edges: IntArray) -> dict[Category, list[Fraction]]:
    """Return the nominal pJ of each category in each bin between `edges`, which reach from cycle 0 to the makespan.

    What a firing is charged lies evenly in its cycles, what its bytes in DRAM are in those of the transfers; leakage,
    background and refreshes lie in all cycles alike, and so does what no recorded interval did. Every charge that
    has a figure is there to the last digit: the bins of a category add up to it. Raises ConfigError if the tables were
    not recorded.
    """
    spread = _Spread(run, edges)
    charges = [each for each in found.run.charges if each.pj is not None and each.count]
    counted = spread.counts({_source(run, each) for each in charges})
    sums: dict[Category, list[Fraction]] = {}
    for category in CATEGORIES:
        mine = [each for each in charges if each.category == category]
        sums[category] = _summed([(each, counted[_source(run, each)]) for each in mine], len(edges) - 1)
    return sums


def _summed(parts: Sequence[tuple[Charge, IntArray]], bins: int) -> list[Fraction]:
    """Return what charges take in each bin; whole numbers over one denominator, as sums of fractions take long."""
    each_takes = [charge.pj.nominal / int(counts.sum()) for charge, counts in parts if charge.pj is not None]
    denominator = lcm(*(each.denominator for each in each_takes))
    sums = np.zeros(bins, object)
    for each, (_, counts) in zip(each_takes, parts, strict=True):
        sums += counts.astype(object) * int(each * denominator)
    return [Fraction(int(each), denominator) for each in sums]


def _source(run: StoredRun, charge: Charge) -> _Source:
    """Return what a charge is spread by."""
    if charge.what in _WRITES:
        return _Accesses(charge.component, _WRITES[charge.what])
    if charge.what == "activates":
        return _Openings()
    members = run.groups.get(charge.component, ())
    columns = {
        column: None
        for part in run.topology.components
        if part.name in members
        for column in part.costs.get(charge.what, ())
    }
    return _Firings(charge.component, tuple(columns)) if columns else _Cycles()


@dataclass
class _Spread:
    """Counts things bin by bin."""

    run: StoredRun
    edges: IntArray
    _counts: dict[_Source, IntArray] = field(default_factory=dict)

    def counts(self, sources: set[_Source]) -> dict[_Source, IntArray]:
        """Return how much of each source lies in each bin: every cycle alike where there is nothing of it."""
        self._counts = {each: np.zeros(len(self.edges) - 1, np.int64) for each in sources}
        self._add_firings([each for each in sources if isinstance(each, _Firings)])
        self._add_accesses([each for each in sources if isinstance(each, _Accesses | _Openings)])
        widths = np.diff(self.edges)
        return {each: counts if counts.any() else widths for each, counts in self._counts.items()}

    def _add_firings(self, sources: Sequence[_Firings]) -> None:
        names = sorted({column for each in sources for column in each.columns})
        if not names:
            return
        numbers = {group: number for number, group in enumerate(self.run.groups)}
        group_of = {name: numbers[group] for group, members in self.run.groups.items() for name in members}
        counting = ds.field(names[0]) > 0
        for name in names[1:]:
            counting |= ds.field(name) > 0
        columns = ["component", "start_cycle", "end_cycle", *names]
        for batch in column_batches(self.run, "activities", columns, counting):
            group = codes(batch["component"], group_of)
            start, end, *amounts = (batch[name].to_numpy() for name in columns[1:])
            amount = dict(zip(names, amounts, strict=True))
            for each in sources:
                mine = group == numbers[each.group]
                self._add(each, start[mine], end[mine], sum(amount[name][mine] for name in each.columns))

    def _add_accesses(self, sources: Sequence[_Accesses | _Openings]) -> None:
        if not sources:
            return
        ports = {name: number for number, name in enumerate(self.run.sections)}
        columns = ["port", "start_cycle", "end_cycle", "bytes", "write", "row_hit"]
        for batch in column_batches(self.run, "dram", columns):
            port = codes(batch["port"], ports)
            start, end, moved = (batch[name].to_numpy() for name in columns[1:4])
            write, hit = (batch[name].to_numpy(zero_copy_only=False) for name in columns[4:])
            for each in sources:
                if isinstance(each, _Accesses):
                    members = [ports[name] for name in self.run.groups[each.group]]
                    mine = np.isin(port, members) & (write == each.writes)
                    self._add(each, start[mine], end[mine], moved[mine])
                else:
                    self._add(each, start[~hit], end[~hit], np.ones(int((~hit).sum()), np.int64))

    def _add(self, source: _Source, start: IntArray, end: IntArray, amount: IntArray) -> None:
        at, part = _parts(self.edges, start.astype(np.int64), end.astype(np.int64), amount)
        np.add.at(self._counts[source], at, part)


def _parts(edges: IntArray, start: IntArray, end: IntArray, amount: IntArray) -> tuple[IntArray, IntArray]:
    """Return bins, and what of whole amounts lies in each: rounded sums up to an edge, so that nothing is lost."""
    first = np.searchsorted(edges, start, side="right") - 1
    bins = np.maximum(np.searchsorted(edges, end, side="left") - first, 1)
    row = np.repeat(np.arange(len(start)), bins)
    at = np.arange(len(row)) - np.repeat(np.cumsum(bins) - bins, bins) + first[row]

    def up_to(cycle: IntArray) -> IntArray:
        reached = np.minimum(np.maximum(cycle, start[row]), end[row]) - start[row]
        return amount[row] * reached // (end - start)[row]

    return at, up_to(edges[at + 1]) - up_to(edges[at])
