"""What the operators of machines cost in elementary operations (docs/energy.md, "Operations")."""

from __future__ import annotations

from panacea_sim.description.actions import Action
from panacea_sim.description.costs import ADD, COMPENSATE, MULTIPLY_4B, REGISTER, Cost, costs_of_action

__all__ = ["compensation_costs", "outer_product_costs"]

_SUM_BITS = 32
"""Bits of a sum that a product is added to, and of the register that keeps it."""


def outer_product_costs(steps: Action, v: int, multiply: str = MULTIPLY_4B) -> tuple[Cost, ...]:
    """Return what outer products of two vectors of v numbers cost: each product is added to a sum in a register."""
    products = v**2
    return costs_of_action(steps, **{multiply: products, ADD: products, REGISTER: _SUM_BITS * products})


def compensation_costs(steps: Action, v: int) -> tuple[Cost, ...]:
    """Return what steps of a CS cost, which add vectors of v numbers."""
    return costs_of_action(steps, **{COMPENSATE: v})
