"""Layers that have skip masks and no operands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.workload.masked_layer import MaskedLayer

LAYER = MaskedLayer("masks", 400, 300, 200, 0.25, 0.9, seed=5)


def test_masks_have_shape_and_densities() -> None:
    """Each mask has one HO slice, a row for each vector, ragged ones included, and about the wanted share."""
    weight, activation = replace(LAYER, M=401).skip_masks(4)
    assert (weight.shape, activation.shape) == ((1, 101, 300), (1, 50, 300))
    assert weight.dtype == activation.dtype == np.bool_
    assert weight.mean() == pytest.approx(0.25, abs=0.01)
    assert activation.mean() == pytest.approx(0.9, abs=0.01)


def test_masks_depend_on_the_seed_only() -> None:
    """The same layer draws the same masks each time, another seed others, and the operands are independent."""
    weight, activation = LAYER.skip_masks(4)
    again, _ = replace(LAYER, name="again", N=8, rho_x=0.1).skip_masks(4)
    other, _ = replace(LAYER, seed=6).skip_masks(4)
    assert np.array_equal(weight, again)
    assert not np.array_equal(weight, other)
    assert not np.array_equal(weight[0, :50], activation[0])


@pytest.mark.parametrize(("rho", "wanted"), [(0, False), (1, True)])
def test_the_ends_are_exact(rho: float, wanted: bool) -> None:  # noqa: FBT001  # the wanted value of a mask
    """A share of 0 skips nothing, a share of 1 everything."""
    weight, activation = replace(LAYER, rho_w=rho, rho_x=rho).skip_masks(4)
    assert (weight == wanted).all()
    assert (activation == wanted).all()


def test_the_recipe_draws_the_layer_again() -> None:
    """A layer is its recipe, in plain numbers."""
    layer = MaskedLayer("numbers", np.int64(8), np.int64(8), np.int64(8), np.float64(0.5), 1, np.int64(3))
    assert MaskedLayer(**layer.recipe) == layer
    assert {type(value) for value in layer.recipe.values()} == {str, int, float}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", r"layer\.name: found ''; accepted: text that is not empty"),
        ("M", 0, r"layer\.M: found 0; accepted: a whole number in 1 .. 2147483647"),
        ("K", 2.5, r"layer\.K: found 2\.5; accepted: a whole number in 1 .. 2147483647"),
        ("N", True, r"layer\.N: found True"),
        ("rho_w", -0.1, r"layer\.rho_w: found -0\.1; accepted: a number in 0 \.\. 1"),
        ("rho_x", float("nan"), r"layer\.rho_x: found nan"),
        ("seed", -1, r"layer\.seed: found -1; accepted: a whole number in 0 .. "),
    ],
)
def test_bad_fields_are_refused(field: str, value: object, message: str) -> None:
    """Each field that is not accepted is named, with what was found and what would do."""
    with pytest.raises(ConfigError, match=message):
        replace(LAYER, **{field: value})
