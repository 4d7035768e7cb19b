"""The command `compare`: runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panacea_sim.choices import Alignment
from panacea_sim.commands.options import ChargedDevice, DramCharge, Force, Json, Table
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.analysis.comparison import Comparison

__all__ = ["compare_command"]

_RunFolders = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Run folders, complete or partial, or folders of studies.")
]


def compare_command(  # noqa: PLR0913  # each is an option
    runs: _RunFolders,
    *,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Page to write: timelines on one axis, and the tables.")] = None,
    align: Annotated[
        Alignment | None, typer.Option(help="How the page aligns the runs at first (default: cycle).")
    ] = None,
    table: Table = "default",
    dram: DramCharge = "lump",
    device: ChargedDevice = None,
    force: Force = False,
) -> None:
    """Show runs side by side, the largest difference first.

    The first run is the one that the others are compared with. The folder of a study stands for all of its runs.
    """
    if html is None and align is not None:
        raise ConfigError("--align", f"{align} without --html", "--html FILE beside it: it is about the page")
    from panacea_sim.analysis.comparison import compare_runs
    from panacea_sim.commands.opened_run import opened_runs
    from panacea_sim.commands.written import print_written
    from panacea_sim.energy.stored import charging
    from panacea_sim.explanation.known import known_explanation

    charged = charging(table, dram, device)
    opened = opened_runs(runs)
    comparison = compare_runs(opened, [known_explanation(run) for run in opened], charged)
    if html is not None:
        _write_page(comparison, html, align or "cycle", force=force)
    if html is not None and not as_json:
        print_written(html)
    elif as_json:
        from panacea_sim.report.comparison import comparison_json

        print(json.dumps(comparison_json(comparison), indent=2))  # noqa: T201  # what was asked for
    else:
        from panacea_sim.report.comparison import print_comparison
        from panacea_sim.report.tables import output_console

        print_comparison(output_console(), comparison)


def _write_page(comparison: Comparison, path: Path, align: Alignment, *, force: bool) -> None:
    from panacea_sim.commands.written import written
    from panacea_sim.report.comparison_page import write_comparison

    with written(path, force=force, option="--html") as (beside,):
        write_comparison(comparison, beside, align)
