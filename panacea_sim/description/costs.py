"""Costs: the elementary operations that a component does, counted in whole numbers, for which energy is charged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from panacea_sim.description.actions import Action
from panacea_sim.units import IntArray

__all__ = [
    "ADD",
    "COMPENSATE",
    "DRAM_READ",
    "DRAM_READ_BURSTS",
    "DRAM_WRITTEN",
    "DRAM_WRITTEN_BURSTS",
    "MULTIPLY_4B",
    "MULTIPLY_8B",
    "READ_BYTES",
    "REGISTER",
    "WRITTEN_BYTES",
    "Cost",
    "cost_of",
    "costs_of_action",
    "followed",
    "read_of",
    "written_of",
]

MULTIPLY_4B, MULTIPLY_8B = "multiply_4b", "multiply_8b"
"""Products of two 4-bit or two 8-bit numbers."""

ADD = "add_32b"
"""Adding such a product to a sum of 32 bits."""

REGISTER = "register_bits"
"""Bits written into registers with it."""

COMPENSATE = "compensate_32b"
"""An addition of 32 bits without a product."""

READ_BYTES, WRITTEN_BYTES = "read_bytes", "written_bytes"
"""Behind the name of an on-chip memory and a point: bytes read from it, or written into it."""

DRAM_READ, DRAM_WRITTEN = "dram_read_bytes", "dram_written_bytes"
"""Bytes that requests ask of the channels. They follow from the requests: no component declares them."""

DRAM_READ_BURSTS, DRAM_WRITTEN_BURSTS = "dram_read_bursts", "dram_written_bursts"
"""Bursts that these requests take, the padding of tiles among them."""


@dataclass(frozen=True, eq=False)
class Cost:
    """An elementary operation that the firings of a component do; several costs of one operation add up.

    `totals` returns how often all firings of each run do it, for so many runs whose firings follow each other, as many
    in each. It is a function for the reason that those of an Action are. `follows` names the columns of the trace in
    proportion to whose sum the firings do it: actions, or the bytes of the component.
    """

    operation: str
    totals: Callable[[int], Sequence[int]]
    follows: tuple[str, ...] = ("bytes",)


def cost_of(operation: str, amounts: Callable[[], IntArray], times: int = 1) -> Cost:
    """Return the cost of what an array with one entry for each firing counts, so many times; made when asked for."""
    return Cost(
        operation, lambda runs: [times * total for total in amounts().reshape(runs, -1).sum(1, dtype="int64").tolist()]
    )


def costs_of_action(action: Action, **times: int) -> tuple[Cost, ...]:
    """Return what an action costs: each of these operations so many times whenever it is done."""
    return tuple(_multiplied(action, operation, count) for operation, count in times.items())


def followed(costs: Sequence[Cost]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the operations of a component, each with the columns of the trace that all of its costs follow."""
    columns: dict[str, dict[str, None]] = {}
    for cost in costs:
        columns.setdefault(cost.operation, {}).update(dict.fromkeys(cost.follows))
    return tuple((operation, tuple(names)) for operation, names in columns.items())


def read_of(memory: str) -> str:
    """Return the operation of reading bytes from an on-chip memory."""
    return f"{memory}.{READ_BYTES}"


def written_of(memory: str) -> str:
    """Return the operation of writing bytes into an on-chip memory."""
    return f"{memory}.{WRITTEN_BYTES}"


def _multiplied(action: Action, operation: str, times: int) -> Cost:
    return Cost(operation, lambda runs: [times * total for total in action.totals(runs)], (action.name,))
