"""Why a stored run took so long: its explanation, what a step of two gains at each finding, and what to change."""

from __future__ import annotations

import time
from collections.abc import Iterator

from panacea_sim.analysis.performance import balances, performance
from panacea_sim.analysis.whatif import ranked, stored_whatif
from panacea_sim.engines.choice import ChosenEngine, chosen_engine
from panacea_sim.errors import PanaceaError
from panacea_sim.explanation.diagnosis import bound_of
from panacea_sim.explanation.explained import explained
from panacea_sim.explanation.explanation import Explanation, PathRow
from panacea_sim.explanation.findings import Finding, findings, measured_findings
from panacea_sim.explanation.why import Why
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import declarations
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.planning import Planning
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.whatif.base import Base, read_base
from panacea_sim.running.whatif.quick import quick_rows
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["why"]

_SECONDS = 2.0
"""For so long `why` runs again by itself; the rest is left to `whatif`."""

_MOST_TASKS = 50_000
"""Runs of more tile tasks are not run again at all: one rerun takes a second or more."""


def why(run: StoredRun, seconds: float = _SECONDS) -> Why:
    """Return why a run took so long; it runs again for at most about `seconds` to measure gains.

    Raises ConfigError for a run that is not explained.
    """
    explanation, summary = explained(run), run.summary
    assert summary is not None  # a partial run is not explained
    base, engine = read_base(run.path), chosen_engine("auto", values=False)
    if engine == "compiled":
        # It takes a while and need not be installed; compiling is not running again.
        from panacea_sim.engines.compiled.engine import load_compiled  # noqa: PLC0415

        load_compiled()
    until = time.monotonic() + seconds
    hardware, stored = base.scenario.resolved_hardware(), stored_whatif(run.path)
    found, remedies = findings(explanation), () if stored is None else tuple(stored.of_kind("step", "pair"))
    if explanation.path is not None and summary.tiles <= _MOST_TASKS:
        found = _measured(base, explanation, engine, until - seconds / 2) or found
        if stored is None:
            remedies = ranked(quick_rows(base, _fields(found, hardware), until))
    return Why(
        summary,
        explanation,
        bound_of(None if explanation.path is None else explanation.classes, summary),
        tuple(found),
        performance(summary, hardware),
        tuple(balances(summary)),
        tuple(remedies),
        stored is not None,
    )


def _measured(base: Base, explanation: Explanation, engine: ChosenEngine, until: float) -> list[Finding] | None:
    """Return the findings with their gains, the mapping held; None for layers that ran alone, or changed versions."""
    try:
        prepared = prepare(base.scenario, engine, Planning(base.mappings))
    except PanaceaError:
        return None
    if not isinstance(prepared, Prepared):
        return None
    return measured_findings(explanation, prepared.description, engine, until - time.monotonic())


def _fields(found: list[Finding], hardware: Hardware) -> list[str]:
    """Return the fields and splits of the hardware behind the findings, those of the first finding first."""
    known = {
        trial.knob
        for each in declarations(type(hardware))
        if each.knob.when(hardware)
        for trial in each.knob.trials(each.field, hardware)
    }
    return list(dict.fromkeys(field for field in _relief(found, hardware) if field in known))


def _relief(found: list[Finding], hardware: Hardware) -> Iterator[str]:
    machine = machine_of(hardware)
    for each in found:
        about = each.about
        name = about.component if isinstance(about, PathRow) else about.who
        yield from machine.relief(about.kind, name)
