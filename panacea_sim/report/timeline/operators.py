"""Utilization of the operators, the lowest curves of a timeline."""

from __future__ import annotations

from typing import Any

from panacea_sim.report.timeline.curves import GRID_BINS, Curves
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.schema import OPERATORS
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.utilization import operator_counts, operator_steps, recorded_operators

__all__ = ["read_operators"]


def read_operators(
    curves: Curves, run: StoredRun, span: tuple[int, int], *, binned: bool
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return names and numbers of the operators and the cycles where their work is known, None without any; and notes.

    The page computes utilization from the firings that it holds; with `binned` it has none, and `curves` gets the steps
    in stretches of time.
    """
    counts, known = operator_counts(run), recorded_operators(run, span)
    if counts is None or known is None:
        return None, ["DWO, SWO and CS utilization was not recorded; a run with --trace full has it."]
    names = [name.upper() for name in OPERATORS]
    notes = []
    if binned:
        edges = bin_edges(*known, GRID_BINS)
        for name, steps in operator_steps(run, edges).items():
            curves.add_amounts(name.upper(), "operators", edges, steps)
        notes = [f"DWO, SWO and CS utilization is a mean over {len(edges) - 1:,} stretches of time."]
    return {"names": names, "counts": list(counts.values()), "span": known}, notes
