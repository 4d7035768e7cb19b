"""Matrix products in floating point: the same as numpy's, without its alarms of what is no number."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from panacea_sim.matmul import finite_matmul, finite_tensordot

_PACKAGE = Path(__file__).parents[1] / "panacea_sim"


def test_products_are_those_of_whole_numbers() -> None:
    """Of any shape, in a given array and in a wider type."""
    random = np.random.default_rng(1)
    left, right = random.integers(-9, 9, (3, 4, 5)), random.integers(-9, 9, (3, 5, 2))
    out = np.empty((3, 4, 2))
    assert finite_matmul(left.astype(float), right.astype(float), out) is out
    assert (out == left @ right).all()
    found = finite_matmul(left.astype(np.float32), right.astype(np.float32), dtype=np.float64)
    assert found.dtype == np.float64
    assert (found == left @ right).all()
    assert (finite_tensordot(left.astype(float), right.astype(float), 2, 1) == np.tensordot(left, right, (2, 1))).all()


def test_no_alarm_reaches_the_user() -> None:
    """What a BLAS met in memory is no fault of the operands: numpy's warning, an error in these tests, stays away."""
    endless, none = np.array([[np.inf]]), np.zeros((1, 1))
    with pytest.warns(RuntimeWarning, match="invalid value encountered in matmul"):
        np.matmul(endless, none)
    finite_matmul(endless, none)
    finite_tensordot(endless, none, 1, 0)


def test_every_product_is_computed_here() -> None:
    """No other file asks numpy for a product by name, and operands that become floating point are not put to `@`."""
    by_name = re.compile(r"np\.(matmul|tensordot|dot|vdot|inner)\(.*float|np\.(matmul|tensordot)\(|float\w*\) @")
    found = [
        f"{path.relative_to(_PACKAGE)}: {line.strip()}"
        for path in sorted(_PACKAGE.rglob("*.py"))
        if path.name != "matmul.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if by_name.search(line)
    ]
    assert found == []
