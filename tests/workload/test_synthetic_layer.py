"""Synthetic layers: skipped at the wanted rate, valid, reproducible."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import synthetic_recipes

from panacea_sim.errors import ConfigError
from panacea_sim.quant.vectors import skipped_activation_vectors, skipped_weight_vectors
from panacea_sim.workload.synthetic import synthetic_layer

WIDTHS = [(4, 4, 4), (7, 8, 4), (7, 8, 5), (7, 8, 6), (10, 12, 4)]


@given(synthetic_recipes())
def test_recipe_draws_the_layer_again(recipe: dict[str, Any]) -> None:
    """The recipe survives JSON and gives the same operands; rho 0 and 1 are met exactly."""
    layer = synthetic_layer(**recipe)
    again = synthetic_layer(**json.loads(json.dumps(layer.recipe)))
    assert (again.weight == layer.weight).all()
    assert (again.activation == layer.activation).all()
    assert again.recipe == layer.recipe
    skipped = {
        "rho_w": skipped_weight_vectors(layer.weight_slices.ho, recipe["v"]),
        "rho_x": skipped_activation_vectors(layer.activation_slices.ho, layer.frequent, recipe["v"]),
    }
    for rho, vectors in skipped.items():
        if recipe[rho] in {0, 1}:
            assert (vectors == (recipe[rho] == 1)).all()


@pytest.mark.parametrize(("weight_bits", "activation_bits", "lo_bits"), WIDTHS)
@pytest.mark.parametrize(("rho_w", "rho_x"), [(0.03, 0.95), (0.5, 0.5), (0.9, 0.2)])
def test_measured_rho(weight_bits: int, activation_bits: int, lo_bits: int, rho_w: float, rho_x: float) -> None:
    """Every HO slice of a large layer, ragged too, is skipped within 5 standard errors of the request."""
    layer = synthetic_layer(
        *(202, 300, 197, rho_w, rho_x, 7),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        lo_bits=lo_bits,
        zero_point=5,
    )
    skipped_w = skipped_weight_vectors(layer.weight_slices.ho, 4)
    skipped_x = skipped_activation_vectors(layer.activation_slices.ho, layer.frequent, 4)
    for rho, skipped in [(rho_w, skipped_w), (rho_x, skipped_x)]:
        for vectors in skipped:
            assert abs(vectors.mean() - rho) < 5 * np.sqrt(rho * (1 - rho) / vectors.size)


@pytest.mark.parametrize(("weight_bits", "limit"), [(4, 7), (7, 63), (10, 511)])
def test_weights_fill_the_symmetric_range(weight_bits: int, limit: int) -> None:
    """Weights reach both ends of the symmetric range and not beyond."""
    weight = synthetic_layer(64, 256, 1, 0.1, 0, 1, weight_bits=weight_bits).weight
    assert (weight.min(), weight.max()) == (-limit, limit)


def test_operands_do_not_depend_on_the_other_size() -> None:
    """Changing N leaves the weight alone, changing M the activation."""
    layer = synthetic_layer(8, 16, 24, 0.5, 0.5, 3)
    assert (synthetic_layer(8, 16, 5, 0.5, 0.5, 3).weight == layer.weight).all()
    assert (synthetic_layer(9, 16, 24, 0.5, 0.5, 3).activation == layer.activation).all()


def test_seeds_differ() -> None:
    """Another seed gives other operands."""
    weights = [synthetic_layer(8, 16, 4, 0.5, 0.5, seed).weight for seed in (1, 2)]
    assert (weights[0] != weights[1]).any()


@pytest.mark.parametrize(("bits", "zero_point"), [(4, 8), (8, 128), (12, 2048)])
def test_default_names(bits: int, zero_point: int) -> None:
    """By default the zero point is in the middle and the name tells the shape."""
    layer = synthetic_layer(2, 3, 4, 0, 0, 0, activation_bits=bits)
    assert (layer.name, layer.zero_point) == ("synthetic_2x3x4", zero_point)
    assert synthetic_layer(2, 3, 4, 0, 0, 0, name="mine").name == "mine"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"M": 0}, "layer.M: found 0; accepted: a whole number in 1 .. 2147483647"),
        ({"K": 2.5}, "layer.K: found 2.5; accepted: a whole number in 1 .. 2147483647"),
        ({"N": -3}, "layer.N: found -3; accepted: a whole number in 1 .. 2147483647"),
        ({"v": 0}, "layer.v: found 0; accepted: a whole number in 1 .. 65536"),
        ({"seed": -1}, "layer.seed: found -1; accepted: a whole number in 0 .. "),
        ({"rho_w": 1.01}, "layer.rho_w: found 1.01; accepted: a number in 0 .. 1"),
        ({"rho_x": -0.1}, "layer.rho_x: found -0.1; accepted: a number in 0 .. 1"),
        ({"rho_x": float("nan")}, "layer.rho_x: found nan; accepted: a number in 0 .. 1"),
        ({"rho_w": "half"}, "layer.rho_w: found 'half'; accepted: a number in 0 .. 1"),
        ({"rho_w": True}, "layer.rho_w: found True; accepted: a number in 0 .. 1"),
        ({"weight_bits": 8}, "layer.weight_bits: found 8; accepted: 4, 7, 10"),
        ({"activation_bits": 16}, "layer.activation_bits: found 16; accepted: 4, 8, 12"),
        ({"lo_bits": 3}, "layer.lo_bits: found 3; accepted: 4, 5, 6"),
        ({"zero_point": 256}, "layer.zero_point: found 256; accepted: a whole number in 0 .. 255"),
        ({"name": ""}, "layer.name: found ''; accepted: text that is not empty"),
    ],
)
def test_refused_argument(changes: dict[str, Any], text: str) -> None:
    """An argument that cannot be used is refused with its name, what was found and what is accepted."""
    arguments: dict[str, Any] = {"M": 2, "K": 3, "N": 4, "rho_w": 0.5, "rho_x": 0.5, "seed": 1}
    with pytest.raises(ConfigError, match=f"^{re.escape(text)}"):
        synthetic_layer(**(arguments | changes))
