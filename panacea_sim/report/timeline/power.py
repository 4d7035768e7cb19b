"""Power over time, as areas below the lanes: what each category of energy takes."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from panacea_sim.energy.charging import Charging
from panacea_sim.energy.energy import CATEGORIES, RunEnergy
from panacea_sim.energy.power import power_over_time
from panacea_sim.errors import ConfigError
from panacea_sim.report.energy import CATEGORY_COLOURS
from panacea_sim.report.timeline.curves import GRID_BINS, Curves
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import IntArray

__all__ = ["read_power"]

_FJ_PER_PJ = 1000
_FJ_PER_MW_SECOND = 10**12


def read_power(
    curves: Curves, run: StoredRun, span: tuple[int, int], charging: Charging
) -> tuple[dict[str, Any] | None, list[str]]:
    """Give `curves` the energy of each category in stretches of `span`; return how it is drawn, and notes.

    None where it is not known when a run did what it is charged for, or where it is charged for nothing.
    """
    found = _charged(run, charging)
    if not isinstance(found, RunEnergy):
        return None, [found]
    inside = bin_edges(*span, GRID_BINS)
    before, after = span[0] > 0, span[1] < run.end_cycle
    edges = np.concatenate([[0] * before, inside, [run.end_cycle] * after]).astype(np.int64)
    for category, amounts in power_over_time(run, found, edges).items():
        if any(amounts):
            of_span = amounts[int(before) : len(amounts) - after]
            curves.add(category, "power", inside, _in_fj(of_span))
    drawn = {
        "table": charging.text,
        "colours": CATEGORY_COLOURS,
        "mwPerUnitPerCycle": run.heading.clock_hz / _FJ_PER_MW_SECOND,
    }
    return drawn, _notes(found, charging, len(inside) - 1, span)


def _charged(run: StoredRun, charging: Charging) -> RunEnergy | str:
    """Return the energy of a run that was recorded whole, or why its power is not drawn."""
    whole = run.recorded_cycles == (0, run.end_cycle) and run.is_full and run.has_table("dram")
    if run.summary is None or not whole:
        return "Power over time is not known: it is drawn of runs that came to their end and were recorded whole."
    try:
        return charging.of(run.summary)
    except ConfigError as error:
        return f"Power over time is not known: found {error.found}."


def _notes(found: RunEnergy, charging: Charging, bins: int, span: tuple[int, int]) -> list[str]:
    width = "each cycle" if bins == span[1] - span[0] else f"{bins:,} stretches of time"
    alike = "leakage and background lie in all cycles alike"
    notes = [f"Power by the table {charging.text}: nominal, a mean over {width}; {alike}."]
    reasons = dict.fromkeys(each.price.reason for each in found.run.unknown)
    if reasons:
        notes.append(f"Power lacks {' and '.join(_without(found))}: {'; '.join(reasons)}.")
    return notes


def _without(found: RunEnergy) -> list[str]:
    return [each for each in CATEGORIES if found.run.of_category(each) is None]


def _in_fj(amounts: list[Fraction]) -> IntArray:
    """Return pJ as whole fJ: sums are rounded, not parts. What follows the last edge is nothing."""
    sums = [round(each * _FJ_PER_PJ) for each in accumulate(amounts)]
    return np.array([right - left for left, right in pairwise([0, *sums, sums[-1]])], np.int64)
