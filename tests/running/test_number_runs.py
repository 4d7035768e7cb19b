"""Runs of numbers: what is written is read again, and short where the numbers are regular."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.errors import ConfigError
from panacea_sim.running.number_runs import MOST_NUMBER, numbers_of, runs_text

_NUMBERS = st.lists(st.integers(-3, 3) | st.integers(-MOST_NUMBER, MOST_NUMBER), min_size=1, max_size=30)


@given(_NUMBERS)
def test_what_is_written_is_read(values: list[int]) -> None:
    """Any numbers come back."""
    assert numbers_of(runs_text(values), "field", len(values), "of them").tolist() == values


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([7], "7"),
        ([0, 64, 128, 192], "0+64x4"),
        ([3, 3, 3], "3x3"),
        ([9, 6, 3, -1], "9-3x3, -1"),
        ([0, 0, 1, 2, 3, 3], "0x2, 1+1x3, 3"),
        ([*range(0, 640, 64)] * 3, "0+64x10, 0+64x10, 0+64x10"),
    ],
)
def test_numbers_by_hand(values: list[int], text: str) -> None:
    """Runs are as long as the step stays the same."""
    assert runs_text(values) == text
    assert numbers_of(text, "field", len(values), "of them").tolist() == values


def test_windows_of_a_convolution_are_a_few_runs_a_row() -> None:
    """The lowest pixels of 3 x 3 windows with padding on 56 x 56 pixels take less than a tenth of the numbers."""
    rows = np.maximum(np.arange(56) - 1, 0) * 56
    low = (rows[:, None] + np.maximum(np.arange(56) - 1, 0)).ravel()
    text = runs_text(low)
    assert text.count(",") + 1 <= 2 * 56
    assert numbers_of(text, "field", 56 * 56, "of them").tolist() == low.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "field: found ''; accepted: runs of whole numbers: FIRST, FIRSTxCOUNT or FIRST"),
        ("1,,2", "field: found ''; accepted: runs"),
        ("1+2", r"field: found '1\+2'; accepted: runs"),
        ("1x", "field: found '1x'; accepted: runs"),
        ("1.5", r"field: found '1\.5'; accepted: runs"),
        ("1x2", "field: found 2 numbers; accepted: 3: one for each of them"),
        ("1x0, 2x2", "field: found '1x0'; accepted: runs"),
        ("2000000000000x3", "field: found '2000000000000x3'; accepted: numbers of up to 1099511627776"),
        ("0+999999999999x3", r"field: found '0\+999999999999x3'; accepted: numbers of up to"),
        ("1x" + "9" * 40, r"field: found '1x9999.*\.\.\..*'; accepted: runs"),
    ],
)
def test_refused(text: str, message: str) -> None:
    """What is no run, too large or too much is refused before anything is made of it."""
    with pytest.raises(ConfigError, match=f"^{message}"):
        numbers_of(text, "field", 3, "of them")
