"""The command `report`: a run as one page to send to a colleague."""

from __future__ import annotations

from panacea_sim.commands.options import Force, Html, RunFolderPath, Window

__all__ = ["report_command"]


def report_command(run: RunFolderPath, *, html: Html, window: Window = None, force: Force = False) -> None:
    """Write a run as one HTML page to send to a colleague.

    It has the summary, tables, picture and timeline.
    """
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.commands.written import print_written, written
    from panacea_sim.report.page import report_page
    from panacea_sim.trace.options import parse_window

    stored, cycles = opened_run(run), parse_window(window)
    with written(html, force=force, option="--html") as (beside,):
        beside.write_text(report_page(stored, cycles), encoding="utf-8")
    print_written(html)
