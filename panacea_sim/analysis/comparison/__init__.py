"""Runs side by side: one figure of every run a row, the largest difference first."""

from panacea_sim.analysis.comparison.alignment import Piece, Timing, layer_pieces, timing
from panacea_sim.analysis.comparison.comparison import Compared, Comparison, compare_runs, run_labels
from panacea_sim.analysis.comparison.explained import Explained
from panacea_sim.analysis.comparison.rows import Row, Section, Span, Value

__all__ = [
    "Compared",
    "Comparison",
    "Explained",
    "Piece",
    "Row",
    "Section",
    "Span",
    "Timing",
    "Value",
    "compare_runs",
    "layer_pieces",
    "run_labels",
    "timing",
]
