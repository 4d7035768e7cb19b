"""Conversions of times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.units import cycles_to_ns, cycles_to_ps


@given(st.integers(0, 10**11), st.integers(1, 5 * 10**9))
def test_times_are_rounded_down(cycles: int, clock_hz: int) -> None:
    """A time is the whole number of ns, or ps, below its exact value, also where the product exceeds 64 bits."""
    if cycles * 10**12 // clock_hz < 2**63:
        assert cycles_to_ps(np.array([cycles]), clock_hz).tolist() == [cycles * 10**12 // clock_hz]
    if cycles * 10**9 // clock_hz < 2**63:
        assert cycles_to_ns(np.array([cycles]), clock_hz).tolist() == [cycles * 10**9 // clock_hz]


@pytest.mark.parametrize(("clock_hz", "ns"), [(10**9, [0, 1, 7]), (5 * 10**8, [0, 2, 14]), (3 * 10**9, [0, 0, 2])])
def test_clocks(clock_hz: int, ns: list[int]) -> None:
    """At 1 GHz a cycle is a ns."""
    assert cycles_to_ns(np.array([0, 1, 7]), clock_hz).tolist() == ns
