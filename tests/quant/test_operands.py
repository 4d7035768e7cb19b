"""Operands that do not fit, and hints that keep their numbers when they are followed to the letter."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from panacea_sim.errors import ConfigError
from panacea_sim.quant.operands import require_activation, require_weight
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer

ADD_128 = "Add 128 to codes and zero point"
SET_10 = "Set weight_bits=10, which holds them exactly"
SET_12 = "Store it as uint16 and set activation_bits=12, which holds them exactly, and lo_bits=4"
SUBTRACT = "Subtract the zero point, 0 if there is none, as int16 and set weight_bits=10, which holds all differences"
ANEW = "Quantize the real numbers anew: no width holds these"


def column(*values: object, dtype: str) -> npt.NDArray[Any]:
    """Return values as a matrix [n, 1]."""
    return np.array(values, dtype)[:, None]


@pytest.mark.parametrize(
    ("weight", "bits", "hint"),
    [
        (column(-128, 127, dtype="int8"), 7, "Values out of range: 2. Set weight_bits=10, which holds them exactly"),
        (column(1, 64, dtype="int8"), 7, "Values out of range: 1. Set weight_bits=10, which holds them exactly"),
        (column(60, dtype="int8"), 4, "Values out of range: 1. Set weight_bits=7, which holds them exactly"),
        (column(-128, dtype="int8"), 4, "Values out of range: 1. Set weight_bits=10, which holds them exactly"),
        (column(512, dtype="int16"), 10, f"Values out of range: 1. {ANEW}"),
        (column(60, dtype="int64"), 7, "Convert it with astype(np.int8)"),
        (column(5, dtype="int32"), 10, "Convert it with astype(np.int16)"),
        (column(300, dtype="int32"), 10, "Convert it with astype(np.int16)"),
        (column(300, dtype="int32"), 7, f"{SET_10}, and convert it with astype(np.int16)"),
        (
            column(60, dtype="int32"),
            4,
            "Set weight_bits=7, which holds them exactly, and convert it with astype(np.int8)",
        ),
        (column(9999, dtype="int32"), 7, ANEW),
        (column(1, dtype="uint8"), 7, SUBTRACT),
        (column(0.5, dtype="float32"), 7, "Quantize it with panacea_sim.quant.quantizer.quantize_weights"),
        (column(1, dtype="bool"), 7, "Convert it with astype(np.int8)"),
        (column("1", dtype="U1"), 7, ""),
        (np.zeros((0, 2), np.int64), 7, ""),
    ],
)
def test_a_refused_weight(weight: npt.NDArray[Any], bits: int, hint: str) -> None:
    """The hint names the width that holds the values, or the conversion that keeps them."""
    with pytest.raises(ConfigError, match=f"^w: found .*{re.escape(hint)}$") as caught:
        require_weight("w", weight, bits, ("int8", "int16"))
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("activation", "bits", "hint"),
    [
        (column(-128, 127, dtype="int8"), 8, f"{ADD_128}: (codes.astype(int) + 128).astype(np.uint8)"),
        (column(0, 127, dtype="int8"), 8, f"{ADD_128}: (codes.astype(int) + 128).astype(np.uint8)"),
        (column(-128, 127, dtype="int64"), 8, f"{ADD_128}: (codes.astype(int) + 128).astype(np.uint8)"),
        (column(-8, 7, dtype="int8"), 4, "Add 8 to codes and zero point: (codes.astype(int) + 8).astype(np.uint8)"),
        (
            column(-2048, 2047, dtype="int16"),
            12,
            "Add 2048 to codes and zero point: (codes.astype(int) + 2048).astype(np.uint16)",
        ),
        (column(0, 100, dtype="int64"), 8, "Convert it with astype(np.uint8)"),
        (column(0, 255, dtype="int64"), 8, "Convert it with astype(np.uint8)"),
        (column(0, 4095, dtype="int16"), 12, "Convert it with astype(np.uint16)"),
        (column(0, 256, dtype="int32"), 8, SET_12),
        (column(-1, 255, dtype="int32"), 8, ANEW),
        (column(-9, dtype="int8"), 4, ANEW),
        (column(0.5, dtype="float64"), 8, "Quantize it with panacea_sim.quant.quantizer.panacea_quantizer"),
        (column(256, dtype="uint16"), 8, f"Values out of range: 1. {SET_12}"),
        (
            column(16, dtype="uint8"),
            4,
            "Values out of range: 1. Store it as uint8 and set activation_bits=8, which holds them exactly",
        ),
        (column(4096, dtype="uint16"), 12, f"Values out of range: 1. {ANEW}"),
    ],
)
def test_a_refused_activation(activation: npt.NDArray[Any], bits: int, hint: str) -> None:
    """Signed codes are told to shift, wider ones which width holds them, and others how to convert."""
    with pytest.raises(ConfigError, match=f"^x: found .*{re.escape(hint)}$") as caught:
        require_activation("x", activation, bits, ("uint8", "uint16"))
    assert caught.value.hint == hint


@given(
    codes=hnp.arrays(np.int8, (3, 2), elements=st.integers(-128, 127)),
    zero_point=st.integers(-128, 127),
)
def test_signed_codes_that_follow_the_hint_mean_the_same(codes: npt.NDArray[np.int8], zero_point: int) -> None:
    """With 128 added to codes and zero point the real outputs are those of the signed codes."""
    weight = np.array([[1, -2, 3]], np.int8)
    assume(zero_point != 0)
    with pytest.raises(ConfigError, match=r"(?i)add 128 to codes and zero point"):
        GemmLayer("signed", weight, codes, zero_point)
    layer = GemmLayer("shifted", weight, (codes.astype(int) + 128).astype(np.uint8), zero_point + 128)
    wanted = weight.astype(int) @ (codes.astype(int) - zero_point)
    assert np.array_equal(real_outputs(layer, layer.reference_accumulator()), wanted)


@given(hnp.arrays(np.int8, (2, 3), elements=st.integers(-128, 127)))
def test_eight_bit_weights_that_follow_the_hint_stay_exact(weight: npt.NDArray[np.int8]) -> None:
    """Set to 10 bits, int8 weights are taken as they are, and their slices stand for them."""
    activation = np.ones((3, 1), np.uint8)
    weight[0, 0] = 127
    with pytest.raises(ConfigError, match="Set weight_bits=10, which holds them exactly"):
        GemmLayer("w", weight, activation, 0)
    layer = GemmLayer("w", weight, activation, 0, weight_bits=10)
    assert np.array_equal(layer.weight_slices.values(), weight)


@given(hnp.arrays(np.uint8, (2, 3)), st.integers(0, 255))
def test_unsigned_weights_that_follow_the_hint_stay_exact(weight: npt.NDArray[np.uint8], zero_point: int) -> None:
    """Every difference from a zero point fits 10 bits."""
    with pytest.raises(ConfigError, match=SUBTRACT):
        GemmLayer("w", weight, np.ones((3, 1), np.uint8), 0)  # type: ignore[arg-type]
    difference = weight.astype(np.int16) - np.int16(zero_point)
    layer = GemmLayer("w", difference, np.ones((3, 1), np.uint8), 0, weight_bits=10)
    assert np.array_equal(layer.weight_slices.values(), weight.astype(int) - zero_point)


def test_wide_activations_that_follow_the_hint_stay_exact() -> None:
    """A code beyond 8 bits is taken with 12, whose LO field has 4."""
    codes = np.array([[3, 300]], np.uint16)
    with pytest.raises(ConfigError, match="set activation_bits=12, which holds them exactly, and lo_bits=4"):
        GemmLayer("x", np.ones((1, 1), np.int8), codes, 0, lo_bits=5)
    layer = GemmLayer("x", np.ones((1, 1), np.int8), codes, 0, activation_bits=12, lo_bits=4)
    assert layer.reference_accumulator().tolist() == codes.tolist()
