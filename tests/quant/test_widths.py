"""Widths of operands, and what has to fit them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.errors import ConfigError
from panacea_sim.quant.slicing import slice_activations
from panacea_sim.quant.widths import (
    ACTIVATION_BITS,
    LO_BITS,
    WEIGHT_BITS,
    require_activation_bits,
    require_frequent,
    require_weight_bits,
    require_zero_point,
)


@pytest.mark.parametrize(
    ("bits", "hint"),
    [
        (8, ". Use 10: it holds 8-bit weights exactly"),
        (np.int64(9), ". Use 10: it holds 9-bit weights exactly"),
        (5, ". Use 7: it holds 5-bit weights exactly"),
        (2, ". Use 4: it holds 2-bit weights exactly"),
        (16, ". Quantize the real weights anew to 10 bits or fewer"),
        (0, ""),
        (-7, ""),
        (7.0, ""),
        (True, ""),
        ("8", ""),
    ],
)
def test_a_weight_width_that_is_refused_names_the_one_that_holds_it(bits: object, hint: str) -> None:
    """A wider width is exact; where there is none, or no width was given, nothing is promised."""
    with pytest.raises(ConfigError, match=f"^weight_bits: found .*; accepted: 4, 7, 10{re.escape(hint)}$"):
        require_weight_bits("weight_bits", bits)


@pytest.mark.parametrize(
    ("bits", "hint"),
    [
        (7, ". Use 8: it holds 7-bit activations exactly"),
        (9, ". Use 12: it holds 9-bit activations exactly"),
        (3, ". Use 4: it holds 3-bit activations exactly"),
        (16, ". Quantize the real activations anew to 12 bits or fewer"),
        (None, ""),
    ],
)
def test_an_activation_width_that_is_refused_names_the_one_that_holds_it(bits: object, hint: str) -> None:
    """The same for activations."""
    with pytest.raises(ConfigError, match=f"^b: found .*; accepted: 4, 8, 12{re.escape(hint)}$"):
        require_activation_bits("b", bits)


@pytest.mark.parametrize("bits", [*range(1, WEIGHT_BITS[-1] + 1)])
def test_the_width_of_a_hint_is_accepted(bits: int) -> None:
    """Followed literally the hint ends the complaint, and the range holds every code of the width refused."""
    try:
        require_weight_bits("weight_bits", bits)
    except ConfigError as error:
        found = re.search(r"Use (\d+):", error.hint)
        assert found is not None
        assert require_weight_bits("weight_bits", int(found[1])) > bits


@given(st.sampled_from([(bits, lo) for bits in ACTIVATION_BITS for lo in (LO_BITS if bits == 8 else (4,))]))
def test_r_is_accepted_as_far_as_slices_go(widths: tuple[int, int]) -> None:
    """The largest r is the HO slice of the largest code, and the next one is refused."""
    bits, lo_bits = widths
    ho = slice_activations(np.array([[(1 << bits) - 1]]), bits, lo_bits).ho[:, 0, 0]
    largest = tuple(int(slice_) for slice_ in ho)
    assert require_frequent("r", largest, bits, lo_bits) == largest
    assert require_frequent("r", tuple(0 for _ in ho), bits, lo_bits) == tuple(0 for _ in ho)
    for number in range(len(largest)):
        beyond = (*largest[:number], largest[number] + 1, *largest[number + 1 :])
        with pytest.raises(ConfigError, match=rf"^r: found {beyond[number]}; accepted: a whole number in 0 \.\. "):
            require_frequent("r", beyond, bits, lo_bits)


@pytest.mark.parametrize(
    ("zero_point", "bits", "text"),
    [
        (-1, 8, "accepted: a whole number in 0 .. 255. Codes are unsigned: add 128 to codes and zero point"),
        (-128, 8, "accepted: a whole number in 0 .. 255. Codes are unsigned: add 128 to codes and zero point"),
        (-8, 4, "accepted: a whole number in 0 .. 15. Codes are unsigned: add 8 to codes and zero point"),
        (
            np.int16(-2048),
            12,
            "accepted: a whole number in 0 .. 4095. Codes are unsigned: add 2048 to codes and zero p",
        ),
        (-129, 8, "accepted: a whole number in 0 .. 255"),
        (256, 8, "accepted: a whole number in 0 .. 255"),
        (3.0, 8, "accepted: a whole number in 0 .. 255"),
    ],
)
def test_a_refused_zero_point(zero_point: object, bits: int, text: str) -> None:
    """One of signed codes is told how to make both unsigned; for others there is no such way."""
    with pytest.raises(ConfigError, match="^" + re.escape(f"zp: found {zero_point}; {text}")) as caught:
        require_zero_point("zp", zero_point, bits)
    assert bool(caught.value.hint) == ("Codes" in text)
