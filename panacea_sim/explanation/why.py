"""Everything that is said of a run that is explained: its explanation, its rates, and changes with their gains."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from panacea_sim.analysis.performance import Balance, Performance
from panacea_sim.analysis.whatif import WhatIfRow
from panacea_sim.explanation.diagnosis import Bound
from panacea_sim.explanation.doubling import step_text
from panacea_sim.explanation.explanation import Explanation, PathRow
from panacea_sim.explanation.findings import Finding
from panacea_sim.trace.summary import Summary

__all__ = ["Why"]


@dataclass(frozen=True)
class Why:
    """Everything that `why` shows of a run.

    `remedies` are changes of the hardware with their measured gains, the largest first, and `all_tried` says whether
    they are those of a whole `whatif`.
    """

    summary: Summary
    explanation: Explanation
    bound: Bound | None
    findings: tuple[Finding, ...]
    performance: Performance
    balances: tuple[Balance, ...]
    remedies: tuple[WhatIfRow, ...]
    all_tried: bool

    def to_json(self) -> dict[str, Any]:
        """Return what `why --json` prints; docs/files.md has the keys."""
        explanation = self.explanation
        return {
            "scenario": self.summary.scenario,
            "makespan_cycles": self.summary.makespan_cycles,
            "bound": None if self.bound is None else self.bound.path_class,
            "bound_cycles": None if self.bound is None else self.bound.path_cycles,
            "bound_busiest": None if self.bound is None else self.bound.busiest,
            "bound_busy_cycles": None if self.bound is None else self.bound.busy_cycles,
            "critical_path": [_row_json(each) for each in self.findings if isinstance(each.about, PathRow)],
            "classes": None if explanation.path is None else explanation.classes,
            "limits": [_limit_json(each) for each in self.findings if not isinstance(each.about, PathRow)],
            "root_causes": [
                {"component": each.component, "terminal": str(each.terminal), "cycles": each.cycles}
                for each in explanation.root_causes
            ],
            "chains": [
                {"chain": str(each), "stalls": each.stalls, "cycles": each.cycles} for each in explanation.chains
            ],
            "layers": [
                {"name": name, "cycles": each.makespan_cycles, "bound": each.bound, "classes": each.classes}
                for name, each in explanation.layers
            ],
            "performance": _performance_json(self.performance),
            "balance": [{**asdict(each), "imbalance": each.imbalance} for each in self.balances],
            "remedies": [row.model_dump(mode="json", by_alias=True) for row in self.remedies],
            "all_remedies_tried": self.all_tried,
        }


def _row_json(finding: Finding) -> dict[str, Any]:
    row = finding.about
    assert isinstance(row, PathRow)
    return {
        "component": row.component,
        "members": dict(row.members),
        "kind": row.kind,
        "cause": row.cause,
        "class": row.path_class,
        "cycles": row.cycles,
        "stretches": row.stretches,
        "step": step_text(row),
        "gain_cycles": finding.gain_cycles,
    }


def _limit_json(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding.about), "step": step_text(finding.about), "gain_cycles": finding.gain_cycles}


def _performance_json(rates: Performance) -> dict[str, Any]:
    return {
        "macs": rates.macs,
        "macs_per_cycle": rates.macs_per_cycle,
        "tops": rates.tops,
        "peak_macs_per_cycle": rates.peak_macs_per_cycle,
        "peak_share": rates.peak_share,
        "dense_cycles": rates.dense_cycles,
        "speedup_over_dense": rates.speedup_over_dense,
        "macs_per_byte": rates.macs_per_byte,
        "ridge_macs_per_byte": rates.ridge_macs_per_byte,
        "roof_macs_per_cycle": rates.roof_macs_per_cycle,
    }
