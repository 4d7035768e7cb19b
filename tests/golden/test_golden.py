"""Kept results of the quickstart: whatever changes a figure must change these files on purpose.

`pytest tests/golden --regenerate` rewrites them.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from panacea_sim.report.terminal import print_run
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.summary import Summary

GOLDEN = Path(__file__).parent
QUICKSTART = GOLDEN.parents[1] / "scenarios" / "quickstart.py"


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """Run the quickstart and return file name to text: its summary without host times, and its report at two widths."""
    scenario = load_scenario(QUICKSTART)
    assert isinstance(scenario, Scenario)
    outcome = run(scenario, RunOptions(trace=TraceOptions("off")))
    summary = outcome.summary.to_json()
    del summary["host_seconds"]
    return {
        "quickstart_summary.json": json.dumps(summary, indent=2) + "\n",
        "quickstart_report.txt": _report(outcome.summary, 100),
        "quickstart_report_80.txt": _report(outcome.summary, 80),
    }


def _report(summary: Summary, width: int) -> str:
    report = io.StringIO()
    print_run(Console(file=report, width=width, color_system=None), summary)
    return "\n".join(line.rstrip() for line in report.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("name", ["quickstart_summary.json", "quickstart_report.txt", "quickstart_report_80.txt"])
def test_the_quickstart_gives_what_is_kept(name: str, found: dict[str, str], request: pytest.FixtureRequest) -> None:
    """Summary and report of the quickstart equal the kept files."""
    kept = GOLDEN / name
    if request.config.getoption("--regenerate"):
        kept.write_text(found[name], encoding="utf-8")
    assert found[name].splitlines() == kept.read_text(encoding="utf-8").splitlines()
