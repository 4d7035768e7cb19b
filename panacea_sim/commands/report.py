"""The command `report`: a run as one page to send to a colleague."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.opened_run import opened_run, print_written
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.options import parse_window

__all__ = ["report_command"]


def report_command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    html: Annotated[Path, typer.Option(help="File to write.")],
    window: Annotated[str | None, typer.Option(help="Only the cycles A:B.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a run as one HTML page with summary, tables, picture and timeline."""
    # matplotlib takes a second to import, which the other commands need not wait for.
    from panacea_sim.report.page import report_page  # noqa: PLC0415

    stored, cycles = opened_run(run), parse_window(window)
    with new_file(html, force=force, option="--html") as beside:
        beside.write_text(report_page(stored, cycles), encoding="utf-8")
    print_written(html)
