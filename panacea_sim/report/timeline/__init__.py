"""The timeline: a run as a page in the browser that zooms from the whole run to single firings."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.energy.charging import Charging
from panacea_sim.report.timeline.content import timeline_content
from panacea_sim.report.timeline.document import timeline_page
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["timeline_html", "write_timeline"]


def timeline_html(run: StoredRun, window: tuple[int, int] | None = None, charging: Charging | None = None) -> str:
    """Return the timeline of a run, or of its cycles from the first to before the second of `window`, as HTML.

    The page needs no other file and no network. `charging` says by what power is charged, by default the table
    `default`. Raises ConfigError if no activity was recorded in `window`.
    """
    return timeline_page(timeline_content(run, window, charging))


def write_timeline(
    run: StoredRun, path: Path, window: tuple[int, int] | None = None, charging: Charging | None = None
) -> None:
    """Write the timeline of a run into an HTML file; raises ConfigError where timeline_html does."""
    path.write_text(timeline_html(run, window, charging), encoding="utf-8")
