"""Cycles of bins that intervals cover."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.trace.binning import Cover, bin_edges

_INTERVALS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 120), st.integers(0, 60)), max_size=40)


@given(st.integers(0, 10**12), st.integers(1, 1000), st.integers(1, 300))
def test_bins_are_even(first_cycle: int, span_cycles: int, bins: int) -> None:
    """Edges begin and end with the span, and the widths are at least 1 and differ by at most 1."""
    edges = bin_edges(first_cycle, first_cycle + span_cycles, bins)
    widths = np.diff(edges)
    assert (edges[0], edges[-1]) == (first_cycle, first_cycle + span_cycles)
    assert len(widths) == min(bins, span_cycles)
    assert widths.min() >= 1
    assert widths.max() - widths.min() <= 1


@given(_INTERVALS, st.integers(0, 60), st.integers(1, 90), st.integers(1, 20), st.integers(0, 40))
def test_cover_is_that_of_counting_cycles(
    intervals: list[tuple[int, int, int]], first_cycle: int, span_cycles: int, bins: int, cut: int
) -> None:
    """Whatever the intervals, the edges and the parts in which they come: each cycle in an interval counts once."""
    edges = bin_edges(first_cycle, first_cycle + span_cycles, bins)
    borders = edges.tolist()
    naive = np.zeros((3, len(edges) - 1))
    for row, start, length in intervals:
        for cycle in range(start, start + length):
            if borders[0] <= cycle < borders[-1]:
                naive[row, bisect_right(borders, cycle) - 1] += 1
    cover = Cover(edges, 3)
    for part in (intervals[:cut], intervals[cut:]):
        row, start, length = np.array(part, np.int64).reshape(-1, 3).T
        cover.add(row, start, start + length)
    assert (cover.units() == naive).all()


def test_weights_are_units_a_cycle() -> None:
    """A weighted interval brings its weight into every cycle that it covers."""
    cover = Cover(np.array([0, 10, 20]), 1)
    cover.add(np.array([0]), np.array([5]), np.array([17]), np.array([2.0]))
    assert cover.units().tolist() == [[10.0, 14.0]]
