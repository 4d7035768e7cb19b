"""A run as one HTML page that needs no other file and no network."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from panacea_sim.analysis.query import grouped, longest
from panacea_sim.analysis.selection import STALL, Selection
from panacea_sim.analysis.shares import StateShares, state_shares
from panacea_sim.report.explained_part import explained_part
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.picture import run_figure
from panacea_sim.report.themes import theme_css
from panacea_sim.report.timeline import timeline_html
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.summary import Summary
from panacea_sim.trace.window import left_out

__all__ = ["report_page"]

_LONGEST = 15
_CAUSES = 25


def report_page(run: StoredRun, window: tuple[int, int] | None = None) -> str:
    """Return the page: summary, why it took so long, picture, timeline, states, stalls, layers and DRAM.

    All text is escaped. A partial run has no figures of its summary; everything else comes from the tables. Of a run
    without a trace, as networks are, the summary has all that is known. Raises ConfigError if nothing was recorded in
    `window`, or of a partial run.
    """
    if run.summary is not None and window is None and not run.has_table("activities"):
        recorded = _of_summary(run, run.summary)
    else:
        recorded = _of_tables(run, window)
    span = recorded["span"]
    environment = Environment(
        loader=PackageLoader("panacea_sim.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        run=run,
        summary=run.summary,
        explained=explained_part(run),
        left_out=left_out(run),
        # What the summary counts is that of the whole run.
        whole=" of the whole run" if not run.is_partial and span != (0, run.end_cycle) else "",
        operators=_operators(run),
        theme=theme_css(),
        **recorded,
    )


def _of_tables(run: StoredRun, window: tuple[int, int] | None) -> dict[str, Any]:
    """Return what the page shows of recorded cycles."""
    whole = state_shares(run, 1, window)
    span = int(whole.edges[0]), int(whole.edges[1])
    stalls = Selection(states=(STALL,), from_cycle=span[0], to_cycle=span[1])
    return {
        "span": span,
        "states": [(state.value, STATE_COLOURS[state]) for state in run.recorded_states],
        "components": _components(run, whole),
        "longest": longest(run, stalls, _LONGEST).to_pylist(),
        "causes": grouped(run, stalls, ["component", "state", "cause"]).slice(0, _CAUSES).to_pylist(),
        "picture": _picture(run, window),
        "timeline": timeline_html(run, window),
    }


def _of_summary(run: StoredRun, summary: Summary) -> dict[str, Any]:
    """Return what the page shows of a run without a trace: the totals of states and causes."""
    cycles = max(summary.makespan_cycles, 1)
    causes: Counter[tuple[str, str, str]] = Counter()
    for name, stalls in summary.stalls.items():
        for each in stalls:
            causes[name, each.state.value, each.cause] += each.cycles
    return {
        "span": (0, summary.makespan_cycles),
        "states": [(state.value, STATE_COLOURS[state]) for state in State],
        "components": [
            (name, section, [summary.components[name][state] / cycles for state in State])
            for name, section in run.sections.items()
        ],
        "longest": [],
        "causes": [
            {"component": name, "state": state, "cause": cause, "cycles": count}
            for (name, state, cause), count in causes.most_common(_CAUSES)
        ],
        "picture": "",
        "timeline": "",
    }


def _components(run: StoredRun, whole: StateShares) -> list[tuple[str, str, Sequence[float]]]:
    """Return component, section and shares of its recorded states."""
    columns = [number for number, state in enumerate(State) if state in run.recorded_states]
    shares = whole.shares()[:, 0, columns].tolist()
    return [(name, run.sections[name], row) for name, row in zip(whole.components, shares, strict=True)]


def _operators(run: StoredRun) -> list[tuple[str, float]]:
    summary = run.summary
    names = [] if summary is None else summary.operator_names
    return [(name.upper(), summary.utilization(name)) for name in names if summary is not None]


def _picture(run: StoredRun, window: tuple[int, int] | None) -> str:
    file = io.BytesIO()
    run_figure(run, window=window).savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
