"""The command `picture`: a run as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from panacea_sim.commands.options import Force, RunFolderPath, Window

__all__ = ["picture_command"]


def picture_command(
    run: RunFolderPath,
    *,
    out: Annotated[Path, typer.Option(help="File to write; .png, .svg or .pdf.")],
    style: Annotated[
        Literal["screen", "paper"], typer.Option(help="paper: one column wide, 8 points, all PEAs in one lane.")
    ] = "screen",
    window: Window = None,
    force: Force = False,
) -> None:
    """Draw how the states of every component share the time."""
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.commands.written import print_written, written
    from panacea_sim.report.picture import check_ending, write_picture
    from panacea_sim.trace.options import parse_window

    ending = check_ending(out)
    stored, cycles = opened_run(run), parse_window(window)
    with written(out, force=force) as (beside,):
        write_picture(stored, beside, style=style, window=cycles, ending=ending)
    print_written(out)
