"""The command `timeline`: a run as a page for the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.opened_run import opened_run, print_written
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.options import parse_window

__all__ = ["timeline_command"]

_DEFAULT = "timeline.html"


def timeline_command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    html: Annotated[Path | None, typer.Option(help="Page to write (default: RUN/timeline.html).")] = None,
    window: Annotated[str | None, typer.Option(help="Only the cycles A:B.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file that --html names.")] = False,
) -> None:
    """Write a page that shows what every component does in every cycle; it needs no network."""
    # bokeh takes a second to import, which the other commands need not wait for.
    from panacea_sim.report.timeline import write_timeline  # noqa: PLC0415

    stored, cycles = opened_run(run), parse_window(window)
    path = html or stored.path / _DEFAULT
    with new_file(path, force=force or html is None, option="--html") as beside:
        write_timeline(stored, beside, cycles)
    print_written(path)
