"""The frontier against its definition, row by row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.analysis.pareto import unbeaten

FIGURES = st.one_of(st.integers(0, 4), st.sampled_from([0.5, 2**60, 2**60 + 1]))
SIGNS = st.lists(st.sampled_from([1, -1]), min_size=1, max_size=3)


def _beats(mine: list[float], other: list[float], signs: list[int]) -> bool:
    pairs = [(sign * a, sign * b) for a, b, sign in zip(mine, other, signs, strict=True)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(st.data())
def test_a_row_stays_exactly_if_no_other_beats_it(data: st.DataObject) -> None:
    """The frontier has all rows that no row beats, also equal ones, and figures that floats cannot tell apart."""
    signs = data.draw(SIGNS)
    rows = data.draw(st.lists(st.lists(FIGURES, min_size=len(signs), max_size=len(signs)), max_size=12))
    expected = [number for number, mine in enumerate(rows) if not any(_beats(other, mine, signs) for other in rows)]
    assert unbeaten(rows, signs) == expected


def test_one_figure_has_its_best_rows() -> None:
    """Of one figure the frontier is the least, or the largest, as often as it is there."""
    assert unbeaten([[3], [1], [2], [1]], [1]) == [1, 3]
    assert unbeaten([[3], [1], [2], [1]], [-1]) == [0]
    assert unbeaten([], [1, -1]) == []
