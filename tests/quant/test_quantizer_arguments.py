"""Arguments of the quantizers that cannot be, each refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.quant.quantizer import (
    ActivationQuantizer,
    calibrate_activations,
    choose_lo_bits,
    dbs_bias,
    manipulate_zero_point,
    panacea_quantizer,
    quantize_weights,
    weight_scale,
)

ONES = np.ones((2, 2))
NAN = float("nan")


def test_values_that_are_not_finite_are_refused() -> None:
    """Not a number, infinity and empty tensors are named with their count."""
    with pytest.raises(ConfigError, match="weight: found 1 of 2 not finite"):
        weight_scale(np.array([[1.0, np.nan]]), 7, per_channel=True)
    with pytest.raises(ConfigError, match="activation: found 1 of 1 not finite"):
        calibrate_activations(np.array([[np.inf]]), 8)
    with pytest.raises(
        ConfigError, match="activation: found 0 of 0 not finite; accepted: finite numbers, at least one"
    ):
        calibrate_activations(np.zeros((0, 3)), 8)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: weight_scale(np.ones(3), 7, per_channel=True),
            "weight: found 1 dimensions, shape (3,); accepted: a mat",
        ),
        (lambda: weight_scale(ONES, 7, per_channel="no"), "per_channel: found 'no'; accepted: True, False"),
        (
            lambda: weight_scale(ONES, 8, per_channel=True),
            "weight_bits: found 8; accepted: 4, 7, 10. Use 10: it holds 8-",
        ),
        (
            lambda: weight_scale(np.array([["1"]]), 7, per_channel=True),
            "weight: found array([['1']], dtype='<U1'); accepted: real",
        ),
        (lambda: quantize_weights(ONES, 0, 7), "weight_scale: found 0.0; accepted: finite numbers > 0"),
        (lambda: quantize_weights(ONES, NAN, 7), "weight_scale: found nan; accepted: finite numbers > 0"),
        (lambda: quantize_weights(ONES, -1.0, 7), "weight_scale: found -1.0; accepted: finite numbers > 0"),
        (
            lambda: quantize_weights(ONES, np.array([1.0, 0.0]), 7),
            "weight_scale: found 0.0 in row 1; accepted: finite numb",
        ),
        (
            lambda: quantize_weights(ONES, np.array([np.inf, 1.0]), 7),
            "weight_scale: found inf in row 0; accepted: finite",
        ),
        (
            lambda: quantize_weights(ONES, np.ones(3), 7),
            "weight_scale: found shape (3,); accepted: one number, or shape (2,)",
        ),
        (
            lambda: quantize_weights(ONES, np.ones(1), 7),
            "weight_scale: found shape (1,); accepted: one number, or shape (2,)",
        ),
        (lambda: quantize_weights(ONES, 1.0, True), "weight_bits: found True; accepted: 4, 7, 10"),
        (lambda: ActivationQuantizer(0.0, 0, 8, 4), "activation_scale: found 0.0; accepted: finite numbers > 0"),
        (lambda: ActivationQuantizer(None, 0, 8, 4), "activation_scale: found None; accepted: real numbers"),
        (lambda: ActivationQuantizer(1.0, 16, 4, 4), "zero_point: found 16; accepted: a whole number in 0 .. 15"),
        (
            lambda: ActivationQuantizer(1.0, 127.5, 8, 4),
            "zero_point: found 127.5; accepted: a whole number in 0 .. 255",
        ),
        (
            lambda: ActivationQuantizer(1.0, -3, 8, 4),
            "zero_point: found -3; accepted: a whole number in 0 .. 255. Codes are",
        ),
        (lambda: ActivationQuantizer(1.0, True, 8, 4), "zero_point: found True; accepted: a whole number in 0 .. 255"),
        (lambda: ActivationQuantizer(1.0, 0, 8.0, 4), "activation_bits: found 8.0; accepted: 4, 8, 12"),
        (lambda: ActivationQuantizer(1.0, 0, 12, 5), "lo_bits: found 5; accepted: 4. Only 8-bit activations"),
        (lambda: calibrate_activations(ONES, 8, 10.0), "percentile: found 10.0; accepted: a number in 50 .. 100"),
        (lambda: calibrate_activations(ONES, 8, NAN), "percentile: found nan; accepted: a number in 50 .. 100"),
        (lambda: calibrate_activations(ONES, 8, "99"), "percentile: found '99'; accepted: a number in 50 .. 100"),
        (
            lambda: calibrate_activations(ONES, 6),
            "activation_bits: found 6; accepted: 4, 8, 12. Use 8: it holds 6-bit act",
        ),
        (
            lambda: calibrate_activations([[1.0], [1.0, 2.0]], 8),
            "activation: found rows of different lengths; accepted: r",
        ),
        (lambda: manipulate_zero_point(3.5, 4), "zero_point: found 3.5; accepted: a whole number in 0 .. 255"),
        (lambda: manipulate_zero_point(3, 7), "lo_bits: found 7; accepted: 4, 5, 6"),
        (lambda: manipulate_zero_point(256, 4), "zero_point: found 256; accepted: a whole number in 0 .. 255"),
        (lambda: choose_lo_bits(NAN), "sigma: found nan; accepted: a finite number >= 0"),
        (lambda: choose_lo_bits(-1.0), "sigma: found -1.0; accepted: a finite number >= 0"),
        (lambda: choose_lo_bits(1.0, z=0), "z: found 0.0; accepted: finite numbers > 0"),
        (
            lambda: dbs_bias(ONES, 4, "floor"),
            "weight: found shape (2, 2), dtype float64; accepted: a matrix of integers",
        ),
        (lambda: dbs_bias(np.array([[1]]), 3, "floor"), "lo_bits: found 3; accepted: 4, 5, 6"),
        (lambda: dbs_bias(np.array([[1]]), 4, "mid"), "dbs_offset: found 'mid'; accepted: floor, midpoint"),
        (
            lambda: ActivationQuantizer(1.0, 0, 8, 4).dequantize(ONES),
            "activation: found dtype float64; accepted: whole",
        ),
    ],
)
def test_arguments_that_cannot_be_are_refused(call: Callable[[], object], text: str) -> None:
    """Each argument of each function is checked where it enters, and the error names it."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        call()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"zpm": False}, "zpm: found False; accepted: off, on, auto. Did you mean 'off'?"),
        ({"zpm": True}, "zpm: found True; accepted: off, on, auto. Did you mean 'on'?"),
        ({"zpm": None}, "zpm: found None; accepted: off, on, auto"),
        ({"zpm": "OFF"}, "zpm: found 'OFF'; accepted: off, on, auto. Did you mean 'off'?"),
        ({"zpm": "automatic"}, "zpm: found 'automatic'; accepted: off, on, auto. Did you mean 'auto'?"),
        ({"zpm": 1}, "zpm: found 1; accepted: off, on, auto"),
        ({"dbs": "off"}, "dbs: found 'off'; accepted: True, False"),
        ({"dbs": None}, "dbs: found None; accepted: True, False"),
        ({"dbs": 1}, "dbs: found 1; accepted: True, False"),
        ({"v": 0}, "v: found 0; accepted: a whole number >= 1"),
        ({"v": 4.0}, "v: found 4.0; accepted: a whole number >= 1"),
        ({"z": -2.0}, "z: found -2.0; accepted: finite numbers > 0"),
        ({"z": NAN}, "z: found nan; accepted: finite numbers > 0"),
        ({"percentile": True}, "percentile: found True; accepted: a number in 50 .. 100"),
        ({"bits": 7}, "activation_bits: found 7; accepted: 4, 8, 12. Use 8"),
        (
            {"bits": 12},
            "activation_bits: found 12; accepted: 8 where dbs or zpm is used. For 12 bits take zpm='off' and",
        ),
        ({"x": np.ones(4)}, "activation: found 1 dimensions, shape (4,); accepted: a matrix, 2 dimensions"),
    ],
)
def test_choices_that_do_not_exist_are_refused(changes: dict[str, Any], text: str) -> None:
    """What is no choice never counts as one."""
    fields: dict[str, Any] = {"x": ONES, "zpm": "off", "dbs": True}
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        panacea_quantizer(**(fields | changes))


def test_numpy_scalars_become_plain_numbers() -> None:
    """A quantizer holds plain numbers, whatever it was given."""
    quantizer = ActivationQuantizer(np.float32(0.5), np.uint8(3), np.int64(8), np.int8(5))  # type: ignore[arg-type]
    assert [type(getattr(quantizer, name)) for name in ("scale", "zero_point", "bits", "lo_bits")] == [
        float,
        int,
        int,
        int,
    ]
