"""Runs side by side as one page: their timelines on one axis, and the tables of their comparison."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.analysis.comparison import Comparison
from panacea_sim.choices import Alignment
from panacea_sim.report.comparison_page.document import comparison_page

__all__ = ["comparison_page", "write_comparison"]


def write_comparison(comparison: Comparison, path: Path, align: Alignment = "cycle") -> None:
    """Write the page of a comparison into an HTML file that needs no other file and no network."""
    path.write_text(comparison_page(comparison, align), encoding="utf-8")
