"""The command `picture`: a run as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from panacea_sim.commands.opened_run import opened_run, print_written
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.options import parse_window

__all__ = ["picture_command"]


def picture_command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    out: Annotated[Path, typer.Option(help="File to write; .png, .svg or .pdf.")],
    style: Annotated[
        Literal["screen", "paper"], typer.Option(help="paper: one column wide, 8 points, all PEAs in one lane.")
    ] = "screen",
    window: Annotated[str | None, typer.Option(help="Only the cycles A:B.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Draw how the states of every component share the time."""
    # matplotlib takes a second to import, which the other commands need not wait for.
    from panacea_sim.report.picture import check_ending, write_picture  # noqa: PLC0415

    ending = check_ending(out)
    stored, cycles = opened_run(run), parse_window(window)
    with new_file(out, force=force) as beside:
        write_picture(stored, beside, style=style, window=cycles, ending=ending)
    print_written(out)
