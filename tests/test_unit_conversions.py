"""Conversions of times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.units import cycles_to_ns, cycles_to_ps, duration_text


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.000112044, "112.0 µs"),
        (7.6215e-05, "76.22 µs"),
        (1e-9, "1.000 ns"),
        (2e-10, "0.2000 ns"),
        (999.96e-9, "1.000 µs"),
        (999.94e-6, "999.9 µs"),
        (999.96e-6, "1.000 ms"),
        (0.99996, "1.000 s"),
        (5.4321, "5.432 s"),
        (99.996, "100.0 s"),
        (123456.7, "123,457 s"),
        (0.0, "0 s"),
    ],
)
def test_durations_have_sensible_units(seconds: float, text: str) -> None:
    """A duration is shown with four digits, in the greatest unit of which it has one."""
    assert duration_text(seconds) == text


@given(st.floats(1e-12, 1e7))
def test_durations_are_near(seconds: float) -> None:
    """What is shown is within the rounding of its digits."""
    number, unit = duration_text(seconds).replace(",", "").split()
    factor = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    assert float(number) * factor == pytest.approx(seconds, rel=6e-4)
    assert float(number) >= 1 or unit == "ns"
