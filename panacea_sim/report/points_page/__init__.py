"""The points of a sweep or search as one page: scatter, parallel coordinates, table, and why each run took so long."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.report.points import ShownPoints
from panacea_sim.report.points_page.document import points_page

__all__ = ["points_page", "write_points"]


def write_points(found: ShownPoints, path: Path) -> None:
    """Write the page of points into an HTML file that needs no other file and no network."""
    path.write_text(points_page(found), encoding="utf-8")
