"""The command `timeline`: a run as a page for the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.options import ChargedDevice, DramCharge, Force, RunFolderPath, Table, Window

__all__ = ["timeline_command"]

_DEFAULT = "timeline.html"


def timeline_command(  # each is an option
    run: RunFolderPath,
    *,
    html: Annotated[Path | None, typer.Option(help="Page to write (default: RUN/timeline.html).")] = None,
    window: Window = None,
    table: Table = "default",
    dram: DramCharge = "lump",
    device: ChargedDevice = None,
    force: Force = False,
) -> None:
    """Write a page that shows who does what in every cycle.

    It is one file and needs no network.
    """
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.commands.written import print_written, written
    from panacea_sim.energy.stored import charging
    from panacea_sim.report.timeline import write_timeline
    from panacea_sim.trace.options import parse_window

    charged = charging(table, dram, device)
    stored, cycles = opened_run(run), parse_window(window)
    path = html or stored.path / _DEFAULT
    with written(path, force=force or html is None, option="--html") as (beside,):
        write_timeline(stored, beside, cycles, charged)
    print_written(path)
