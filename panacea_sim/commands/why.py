"""The command `why`: what bounds a run, where its time goes, and what to change."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from panacea_sim.commands.options import Json, RunFolderPath

__all__ = ["why_command"]


def why_command(
    run: RunFolderPath,
    *,
    seconds: Annotated[float, typer.Option(help="How long to run again to measure gains.", min=0)] = 2.0,
    keep: Annotated[bool, typer.Option("--keep", help="Write path and root causes into the run folder.")] = False,
    as_json: Json = False,
) -> None:
    """Say on one screen why a run took so long, and what to change."""
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.explanation.explained import keep_explanation
    from panacea_sim.report.tables import output_console
    from panacea_sim.report.why import print_why
    from panacea_sim.running.why import why

    stored = opened_run(run)
    found = why(stored, seconds)
    if keep:
        keep_explanation(stored, found.explanation)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))  # noqa: T201  # rich would wrap it
    else:
        print_why(output_console(), found, f"panacea-sim whatif {run}")
