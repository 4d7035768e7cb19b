"""What the parts of machines cost in elementary operations (docs/energy.md, "Operations")."""

from __future__ import annotations

from panacea_sim.description.actions import Action
from panacea_sim.description.costs import (
    ADD,
    COMPENSATE,
    MULTIPLY_4B,
    MULTIPLY_8B,
    REGISTER,
    Cost,
    cost_of,
    costs_of_action,
    read_of,
)
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.streams import REGION

__all__ = ["compensation_costs", "mac_costs", "outer_product_costs", "tile_read_costs"]

_SUM_BITS = 32
"""Bits of a sum that a product is added to, and of the register that keeps it."""

_CELL_BITS = 48
"""Bits that a cell of an array writes for a MAC: a sum, and both operands on their way to its neighbours."""


def outer_product_costs(steps: Action, v: int, multiply: str = MULTIPLY_4B) -> tuple[Cost, ...]:
    """Return what outer products of two vectors of v numbers cost: each product is added to a sum in a register."""
    products = v**2
    return costs_of_action(steps, **{multiply: products, ADD: products, REGISTER: _SUM_BITS * products})


def compensation_costs(steps: Action, v: int) -> tuple[Cost, ...]:
    """Return what steps of a CS cost, which add vectors of v numbers."""
    return costs_of_action(steps, **{COMPENSATE: v})


def mac_costs(macs: Action) -> tuple[Cost, ...]:
    """Return what MACs of 8-bit operands in the cells of an array cost."""
    return costs_of_action(macs, **{MULTIPLY_8B: 1, ADD: 1, REGISTER: _CELL_BITS})


def tile_read_costs(program: Program) -> tuple[Cost, ...]:
    """Return what it costs to read the weight tile and the activation tile of every task.

    Their bytes are looked up again when they are asked for: kept for all tasks they would take much memory.
    """
    return (
        cost_of(read_of(REGION["w"]), lambda: program.of_weights(lambda layer: layer.plan.weight.total)),
        cost_of(read_of(REGION["x"]), lambda: program.of_activations(lambda layer: layer.plan.work.activation.total)),
    )
