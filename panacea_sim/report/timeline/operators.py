"""Utilization of the operators, the lowest curves of a timeline."""

from __future__ import annotations

from typing import Any

from panacea_sim.report.timeline.curves import GRID_BINS, Curves
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.utilization import (
    operator_counts,
    operator_label,
    operator_lanes,
    operator_steps,
    recorded_operators,
)

__all__ = ["read_operators"]


def read_operators(
    curves: Curves, run: StoredRun, span: tuple[int, int], *, binned: bool
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return names and numbers of the operators and the cycles where their work is known, None without any; and notes.

    The page computes utilization from the firings that it holds; with `binned` it has none, and `curves` gets the steps
    in stretches of time.
    """
    counts, known = operator_counts(run), recorded_operators(run, span)
    if not counts:
        return None, []
    names = _listed([operator_label(action) for action in counts])
    if known is None:
        return None, [f"{names} utilization was not recorded; a run with --trace full has it."]
    notes = []
    if binned:
        edges = bin_edges(*known, GRID_BINS)
        for name, steps in operator_steps(run, edges).items():
            curves.add_amounts(name, "operators", edges, steps)
        notes = [f"{names} utilization is a mean over {len(edges) - 1:,} stretches of time."]
    described = [
        {"action": action, "label": operator_label(action), "count": count} for action, count in counts.items()
    ]
    return {"actions": described, "lanes": operator_lanes(run), "span": known}, notes


def _listed(names: list[str]) -> str:
    """Return names as a sentence lists them."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
